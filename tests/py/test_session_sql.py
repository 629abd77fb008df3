# SPDX-License-Identifier: MIT
"""SQLSessionStore on SQLite: its file, its table, its expiry, and what happens when the database fails."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy")

from smisk.core.sessions import InvalidSessionError, SessionStoreError  # noqa: E402
from smisk.session import sql  # noqa: E402
from smisk.session.ids import make_id  # noqa: E402
from smisk.session.sql import SQLSessionStore  # noqa: E402

SID = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path):
    store = SQLSessionStore(f"sqlite:///{path}", timeout=0.1)
    yield store
    store.close()


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT id FROM smisk_session ORDER BY id").fetchall()
    return [row[0] for row in found]


def run(path, statement, *parameters):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, parameters)


def test_default_place_is_private(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = SQLSessionStore()
    store.write(SID, {"a": 1})
    folder = tmp_path / f"smisk-sess.{os.geteuid()}"
    assert rows(folder / "sessions.db") == [SID]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    store.close()


def test_file_of_ones_own_is_private(store, path):
    store.write(SID, 1)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(SessionStoreError, match="session database: No such file"):
        SQLSessionStore(f"sqlite:///{tmp_path}/no/such.db").read(SID)


def test_file_that_is_no_database_is_a_store_error(path):
    path.write_bytes(b"rubbish" * 1000)
    store = SQLSessionStore(f"sqlite:///{path}")
    with pytest.raises(SessionStoreError, match="file is not a database"):
        store.read(SID)
    store.close()


def test_database_that_is_locked_is_an_error_after_the_timeout(store, path):
    store.write(SID, {"a": 1})
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(SessionStoreError, match="database is locked"):
        store.write(SID, {"a": 2})
    assert store.read(SID) == {"a": 1}
    lock.execute("COMMIT")
    lock.close()
    store.write(SID, {"a": 2})
    assert store.read(SID) == {"a": 2}


def test_errors_have_no_session_in_them(store, path):
    store.write(SID, "confidential")
    run(path, "DROP TABLE smisk_session")
    for act in (lambda: store.write(SID, "confidential"), lambda: store.read(SID)):
        with pytest.raises(SessionStoreError, match="no such table") as caught:
            act()
        assert SID not in str(caught.value)
        assert "confidential" not in str(caught.value)


def test_password_is_in_no_error():
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: sqlite3.connect("/no/such/folder/x.db"))
    store = SQLSessionStore(engine=engine)
    store._given.url = sqlalchemy.make_url("postgresql://bob:secret@db/x")
    with pytest.raises(SessionStoreError, match=r"postgresql://bob:\*\*\*@db/x failed: unable to open"):
        store.read(SID)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"smisk1 pickle 00000000\n"])
def test_unreadable_row_is_invalid_and_replaced(store, path, content):
    store.write(SID, 1)
    run(path, "UPDATE smisk_session SET data = ?", content)
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)
    assert store.update(SID, lambda held: {"was": held}) == {"was": None}
    assert store.read(SID) == {"was": None}


def test_expired_rows_make_room_and_are_swept_in_parts(store, path, monkeypatch):
    store.gc_probability = 0
    sids = [make_id() for _ in range(25)]
    for sid in sids:
        store.write(sid, 1)
    now = time.time()
    monkeypatch.setattr(sql.time, "time", lambda: now + 1000)
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(sids[0])
    store.refresh(sids[0])
    store.write(sids[1], 2)
    assert store.read(sids[1]) == 2
    assert [store.sweep(10) for _ in range(4)] == [10, 10, 4, 0]
    assert rows(path) == [sids[1]]


def test_writing_sweeps(store, path, monkeypatch):
    store.gc_probability = 1
    store.write(SID, 1)
    now = time.time()
    monkeypatch.setattr(sql.time, "time", lambda: now + 1000)
    other = make_id()
    store.write(other, 1)
    assert rows(path) == [other]


def test_update_that_comes_late_looks_again(store):
    store.write(SID, {"n": 0})
    seen = []

    def merge(held):
        seen.append(held)
        if len(seen) < 4:
            store.write(SID, {"n": len(seen)})
        return {**held, "mine": True}

    assert store.update(SID, merge) == {"n": 3, "mine": True}
    assert seen == [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}]


def test_update_never_brings_a_destroyed_session_back(store):
    store.write(SID, {"a": 1})

    def merge(held):
        store.destroy(SID)
        return held

    assert store.update(SID, merge) is None
    with pytest.raises(InvalidSessionError):
        store.read(SID)


def test_session_that_was_destroyed_and_made_anew_is_another(store):
    store.write(SID, {"a": 1})
    seen = []

    def merge(held):
        seen.append(held)
        if len(seen) == 1:
            store.destroy(SID)
            store.write(SID, {"b": 1})
        return {**held, "mine": 1}

    assert store.update(SID, merge) == {"b": 1, "mine": 1}


def test_engine_and_table_of_ones_own_are_used(path):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    store = SQLSessionStore(engine=engine, table="visits")
    store.write(SID, {"a": 1})
    assert sqlalchemy.inspect(engine).get_table_names() == ["visits"]
    assert SQLSessionStore(engine=engine, table="visits").read(SID) == {"a": 1}
    engine.dispose()


def test_forked_process_has_connections_of_its_own(store):
    store.write(SID, {"a": 1})
    pid = os.fork()
    if pid == 0:
        try:
            store.update(SID, lambda held: {**held, "child": 1})
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    store.update(SID, lambda held: {**held, "parent": 1})
    assert store.read(SID) == {"a": 1, "child": 1, "parent": 1}


def test_processes_that_start_at_once_make_one_table(path):
    code = (
        "import sys; from smisk.session.sql import SQLSessionStore\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "store = SQLSessionStore('sqlite:///' + sys.argv[1], timeout=60); store.write(sys.argv[2], 1); store.close()"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    sids = sorted(make_id() for _ in range(4))
    argv = [[sys.executable, "-c", code, str(path), sid] for sid in sids]
    running = [subprocess.Popen(command, stdin=-1, stdout=-1, env=environment) for command in argv]
    assert [process.stdout.readline() for process in running] == [b"ready\n"] * 4
    for process in running:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * 4
    assert rows(path) == sids


def test_store_that_was_closed_opens_again(store):
    store.write(SID, {"a": 1})
    store.close()
    assert store.read(SID) == {"a": 1}


def test_missing_library_says_what_to_install():
    code = "import sys; sys.modules['sqlalchemy'] = None; import smisk.session; smisk.session.SQLSessionStore"
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ImportError: SQLSessionStore needs SQLAlchemy 2: pip install 'smisk[sql]'" in done.stderr
