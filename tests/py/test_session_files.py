# SPDX-License-Identifier: MIT
"""FileSessionStore: private, never half written, and never removing what is not its own."""

import contextlib
import fcntl
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from smisk.core.sessions import InvalidSessionError, SessionDataError, SessionStore, SessionStoreError
from smisk.session.files import FileSessionStore
from smisk.session.ids import make_id

SID = "0123456789abcdefghijklmnopqrstuv"
OTHER = "01" + "v" * 30  # in the same folder
HOUR = 3600


@pytest.fixture
def store(tmp_path):
    return FileSessionStore(f"{tmp_path}/sessions/", gc_probability=0)


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# --- places ---


def test_store_has_the_attributes_of_smisk_1():
    store = FileSessionStore()
    assert isinstance(store, SessionStore)
    assert (store.ttl, store.name, store.gc_probability) == (900, "SID", 0.1)
    assert isinstance(store.file_prefix, str)


def test_default_place_is_a_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FileSessionStore()
    store.write(SID, {"a": 1})
    folder = tmp_path / f"smisk-sess.{os.geteuid()}"
    assert store.path(SID) == f"{folder}/01/{SID[2:]}"
    assert [mode(path) for path in (folder, folder / "01", store.path(SID))] == [0o700, 0o700, 0o600]


def test_modes_do_not_depend_on_the_umask(store):
    umask = os.umask(0)
    try:
        store.write(SID, 1)
        store.write(SID, "x" * 10_000)
    finally:
        os.umask(umask)
    path = Path(store.path(SID))
    assert [mode(place) for place in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]


@pytest.mark.parametrize("prefix", ["sess.", "folder/", "folder/sess."])
def test_prefix_may_be_relative_and_the_beginning_of_a_name(prefix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = FileSessionStore(prefix)
    store.write(SID, 1)
    assert (tmp_path / f"{prefix}01" / SID[2:]).is_file()
    assert store.read(SID) == 1


def test_prefix_can_be_set(store, tmp_path):
    store.file_prefix = f"{tmp_path}/elsewhere/s-"
    store.write(SID, 1)
    assert store.path(SID) == f"{tmp_path}/elsewhere/s-01/{SID[2:]}"
    assert Path(store.path(SID)).is_file()


@pytest.mark.parametrize("sid", ["", "abc", "../../etc/passwd", "/" * 32, "A" * 32, SID + "\n", SID[:-1] + "\0"])
@pytest.mark.parametrize("method", ["path", "read", "refresh", "destroy"])
def test_malformed_id_touches_nothing(store, method, sid, tmp_path):
    with pytest.raises(InvalidSessionError, match="malformed"):
        getattr(store, method)(sid)
    with pytest.raises(InvalidSessionError, match="malformed"):
        store.write(sid, {})
    assert list(tmp_path.iterdir()) == []


def test_id_that_is_no_text_is_a_type_error(store):
    with pytest.raises(TypeError):
        store.read(b"a" * 32)


# --- bad files ---


def test_read_without_a_file_says_no_data(store):
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(SID)
    store.write(OTHER, 1)
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(SID)


def test_old_file_is_too_old_and_removed(store):
    store.write(SID, 1)
    age(store.path(SID), store.ttl + 10)
    with pytest.raises(InvalidSessionError, match="data too old"):
        store.read(SID)
    assert not os.path.exists(store.path(SID))


def test_refresh_makes_a_file_young_and_no_file_is_fine(store):
    store.refresh(SID)
    store.write(SID, 1)
    age(store.path(SID), store.ttl - 60)
    store.refresh(SID)
    assert os.stat(store.path(SID)).st_mtime > time.time() - 60
    store.refresh(OTHER)


@pytest.mark.parametrize("size", [0, 1, 20, 100, 2048, 4095])
def test_truncated_file_is_invalid_and_removed(store, size):
    store.write(SID, {"user": "bob"})
    os.truncate(store.path(SID), size)
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)
    assert not os.path.exists(store.path(SID))


@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 4096, os.urandom(4096), b"i\x01\0\0\0"])
def test_file_of_anything_else_is_invalid(store, content):
    store.write(SID, 1)
    Path(store.path(SID)).write_bytes(content)
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)


def test_huge_file_is_not_read(store):
    store.write(SID, 1)
    os.truncate(store.path(SID), 1 << 40)
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_name_that_is_no_file_is_invalid_and_does_not_hang(store, make):
    store.write(OTHER, 1)
    make(store.path(SID))
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)


def test_damaged_file_is_replaced_by_the_next_write(store):
    store.write(SID, 1)
    Path(store.path(SID)).write_bytes(b"rubbish")
    store.write(SID, {"a": 2})
    assert store.read(SID) == {"a": 2}


def test_file_of_another_codec_is_invalid(store, tmp_path):
    FileSessionStore(store.file_prefix, codec="pickle").write(SID, {"a": 1})
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)


# --- bad folders ---


def test_folder_that_others_may_enter_is_refused(store):
    store.write(SID, 1)
    os.chmod(Path(store.path(SID)).parent, 0o755)
    for act in (lambda: store.read(SID), lambda: store.write(SID, 2), lambda: store.destroy(SID)):
        with pytest.raises(SessionStoreError, match=r"with mode 0700, not to .* with mode 0755"):
            act()


def test_folder_that_is_a_link_is_refused(store, tmp_path):
    store.write(OTHER, 1)
    folder = Path(store.path(OTHER)).parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SessionStoreError, match="session folder"):
        store.read(OTHER)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give folders away")
@pytest.mark.parametrize("which", ["shard", "parent"])
def test_folder_of_another_user_is_refused(store, which):
    store.write(SID, 1)
    folder = Path(store.path(SID)).parent
    if which == "parent":
        store.destroy(SID)
        folder.rmdir()
        folder = folder.parent
    os.chown(folder, 12345, -1)
    with pytest.raises(SessionStoreError, match="12345"):
        store.write(SID, 1)


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionStoreError, match="session folder: Not a directory"):
        FileSessionStore(f"{tmp_path}/file/s.").write(SID, 1)
    with pytest.raises(SessionStoreError, match="session folder: No such file"):
        FileSessionStore(f"{tmp_path}/no/such/s.").write(SID, 1)


def test_data_that_cannot_be_kept_leave_what_was_there(store):
    store.write(SID, {"a": 1})
    with pytest.raises(SessionDataError):
        store.write(SID, {"a": {1, 2}})
    with pytest.raises(SessionDataError, match="max_size"):
        store.write(SID, "x" * store.max_size)
    assert store.read(SID) == {"a": 1}


def test_full_disk_leaves_what_was_there(store, monkeypatch):
    store.write(SID, {"a": 1})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    for call in ("write", "pwrite"):
        monkeypatch.setattr(os, call, full)
    for data in ({"a": 2}, "x" * 10_000):
        with pytest.raises(SessionStoreError, match="No space left") as caught:
            store.write(SID, data)
        assert SID[2:] not in str(caught.value)
    with pytest.raises(SessionStoreError, match="No space left"):
        store.write(OTHER, 1)
    monkeypatch.undo()
    assert store.read(SID) == {"a": 1}
    assert os.listdir(Path(store.path(SID)).parent) == [SID[2:]]


# --- locks ---


def test_lock_that_others_keep_is_an_error_after_the_timeout(store):
    store.write(SID, 1)
    store.lock_timeout = 0.05
    fd = os.open(Path(store.path(SID)).parent, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(SessionStoreError, match=r"locked by others for 0\.05 s"):
            store.write(SID, 2)
        assert store.read(SID) == 1
    finally:
        os.close(fd)
    store.write(SID, 2)
    assert store.read(SID) == 2


def test_lock_is_free_again_though_a_forked_process_has_a_copy(store):
    def fork_and_return(held):
        # As when another thread forks: the child inherits the descriptor of the folder.
        pids.append(os.fork())
        if pids[-1] == 0:
            with contextlib.suppress(BaseException):
                os.read(wait, 1)
            os._exit(0)
        return {"a": 1}

    pids = []
    wait, go = os.pipe()
    store.lock_timeout = 0.5
    try:
        store.update(SID, fork_and_return)
        store.write(SID, {"a": 2})
        assert store.read(SID) == {"a": 2}
    finally:
        os.write(go, b"x" * len(pids))
        for pid in pids:
            os.waitpid(pid, 0)
        os.close(wait)
        os.close(go)


def test_process_that_dies_in_an_update_leaves_the_session_and_no_lock(store):
    store.write(SID, {"a": 1})
    code = (
        "import os, sys; from smisk.session.files import FileSessionStore\n"
        "FileSessionStore(sys.argv[1]).update(sys.argv[2], lambda held: os.kill(os.getpid(), 9))"
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code, store.file_prefix, SID], env=environment, check=False)
    assert done.returncode == -9
    store.update(SID, lambda held: {**held, "b": 2})
    assert store.read(SID) == {"a": 1, "b": 2}


def test_readers_never_see_half_a_session(store):
    contents = [{"n": n, "text": str(n) * 500} for n in range(10)]
    store.write(SID, contents[0])
    stop = threading.Event()
    failures = []

    def read():
        while not stop.is_set():
            try:
                if store.read(SID) not in contents:
                    failures.append("half")
            except Exception as error:
                failures.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1500):
        content = contents[number % 10]
        store.write(SID, content if number % 100 else {**content, "text": content["text"]})
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []


# --- sweeping ---


def test_sweep_removes_expired_sessions_and_nothing_else(store, tmp_path):
    store.write(SID, 1)
    store.write(OTHER, 2)
    folder = Path(store.path(SID)).parent
    young = {SID[2:]}
    names = ["notes.txt", "v" * 29, "v" * 31, "w" * 30, "v" * 30 + ".old", "v" * 30 + ".new"]
    for name in names:
        (folder / name).write_text("")
        age(folder / name, HOUR)
    outside = tmp_path / "sessions" / "0"
    outside.write_text("")
    age(outside, HOUR)
    age(store.path(OTHER), HOUR)
    assert store.sweep(everything=True) == 2
    assert set(os.listdir(folder)) == young | set(names[:5])
    assert outside.exists()


def test_sweep_does_not_remove_folders_and_links(store, tmp_path):
    store.write(SID, 1)
    folder = Path(store.path(SID)).parent
    target = tmp_path / "target"
    target.write_text("")
    age(target, HOUR)
    (folder / ("a" * 30)).mkdir()
    (folder / ("b" * 30)).symlink_to(target)
    os.utime(folder / ("b" * 30), (0, 0), follow_symlinks=False)
    assert store.sweep(everything=True) == 0
    assert len(os.listdir(folder)) == 3


def test_sweep_looks_at_no_more_than_it_may_and_gets_all_in_the_end(store):
    sids = ["00" + make_id()[2:] for _ in range(50)]
    for sid in sids:
        store.write(sid, 1)
        age(store.path(sid), HOUR)
    store.sweep_folders, store.sweep_files = 1024, 10
    assert [store.sweep() for _ in range(5)] == [10] * 5
    assert os.listdir(Path(store.path(sids[0])).parent) == []


def test_sweep_leaves_a_folder_that_is_in_use(store):
    store.write(SID, 1)
    age(store.path(SID), HOUR)
    fd = os.open(Path(store.path(SID)).parent, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert store.sweep(everything=True) == 0
    finally:
        os.close(fd)
    assert store.sweep(everything=True) == 1


def test_reading_sweeps_bit_by_bit(store):
    store.gc_probability = 1
    sids = [make_id() for _ in range(30)]
    for sid in sids:
        store.write(sid, 1)
        age(store.path(sid), HOUR)
    store.write(SID, 1)
    for _ in range(1024 // store.sweep_folders):
        store.read(SID)
    assert [sid for sid in sids if os.path.exists(store.path(sid))] == []


def test_folder_that_cannot_be_swept_does_not_disturb_reading(store, tmp_path):
    store.write(SID, 1)
    (tmp_path / "sessions" / "vv").mkdir()
    os.chmod(tmp_path / "sessions" / "vv", 0o755)
    store.gc_probability, store.sweep_folders = 1, 1024
    assert store.read(SID) == 1


def test_descriptors_are_all_closed(store):
    def use():
        store.write(SID, {"a": 1})
        store.read(SID)
        store.refresh(SID)
        store.write(SID, "x" * 5000)
        store.sweep(everything=True)
        for act in (lambda: store.read(OTHER), lambda: store.write(SID, {1}), lambda: store.read("00" + SID[2:])):
            with contextlib.suppress(ValueError):
                act()
        store.destroy(SID)
        store.destroy("11" + SID[2:])

    use()
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        use()
    assert len(os.listdir("/proc/self/fd")) == len(before)
