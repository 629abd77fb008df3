# SPDX-License-Identifier: MIT
"""What every store that keeps sessions does alike: files, SQLite, Redis, Valkey's client, a cluster of Redis.

The servers are real. Concurrent requests are processes, and threads that share a store.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from smisk.core.sessions import InvalidSessionError, SessionDataError
from smisk.session.ids import make_id

from lib import sessions
from lib.redis_server import RedisServer
from lib.sessions import close_store, make_store

KINDS = ("files", "sql", "redis", "valkey", "cluster")
LIBRARIES = {"sql": "sqlalchemy", "redis": "redis", "valkey": "valkey", "cluster": "redis"}
REQUESTS = 8


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Starts a server of either kind when it is first asked for."""
    started = {}

    def server(cluster):
        if cluster not in started:
            started[cluster] = RedisServer(tmp_path_factory.mktemp("redis"), cluster)
            started[cluster].start()
        return started[cluster]

    yield server
    for running in started.values():
        running.kill()


@pytest.fixture(params=KINDS)
def place(request, servers, tmp_path):
    """Kind of a store, and where it keeps sessions."""
    kind = request.param
    if kind in LIBRARIES:
        pytest.importorskip(LIBRARIES[kind])
    if kind == "files":
        return kind, f"{tmp_path}/s/"
    if kind == "sql":
        return kind, f"sqlite:///{tmp_path}/s.db"
    return kind, servers(kind == "cluster").url


@pytest.fixture
def store(place):
    store = make_store(*place)
    yield store
    close_store(store)


@pytest.fixture
def sid():
    return make_id()


def test_session_is_written_read_replaced_and_destroyed(store, sid):
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(sid)
    store.write(sid, {"a": [1, None, "å"]})
    assert store.read(sid) == {"a": [1, None, "å"]}
    store.write(sid, "x" * 20_000)
    assert store.read(sid) == "x" * 20_000
    store.write(sid, 0)
    assert store.read(sid) == 0
    store.destroy(sid)
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(sid)


def test_destroy_and_refresh_of_no_session_do_nothing(store, sid):
    store.refresh(sid)
    store.destroy(sid)
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(sid)


def test_sessions_are_apart(store):
    sids = [make_id() for _ in range(20)]
    for number, sid in enumerate(sids):
        store.write(sid, number)
    store.destroy(sids[0])
    assert [store.read(sid) for sid in sids[1:]] == list(range(1, 20))


def test_another_store_of_the_same_place_has_the_same_sessions(store, place, sid):
    store.write(sid, {"a": 1})
    other = make_store(*place)
    assert other.read(sid) == {"a": 1}
    close_store(other)
    assert other.read(sid) == {"a": 1}
    close_store(other)


@pytest.mark.parametrize("method", ["read", "refresh", "destroy"])
@pytest.mark.parametrize("bad", ["", "abc", "*", "A" * 32, "' OR 1=1 --", "a" * 31 + "\n", "a\r\nFLUSHALL\r\n"])
def test_malformed_id_is_invalid_everywhere(store, method, bad):
    with pytest.raises(InvalidSessionError, match="malformed"):
        getattr(store, method)(bad)
    with pytest.raises(InvalidSessionError, match="malformed"):
        store.write(bad, {})
    with pytest.raises(InvalidSessionError, match="malformed"):
        store.update(bad, lambda held: {})
    with pytest.raises(InvalidSessionError, match="malformed"):
        store.find(bad)


def test_data_that_cannot_be_kept_are_refused_and_change_nothing(store, sid):
    store.write(sid, {"a": 1})
    for data in ({"a": {1}}, {1: 1}, "x" * store.max_size):
        with pytest.raises(SessionDataError):
            store.write(sid, data)
        with pytest.raises(SessionDataError):
            store.update(sid, lambda held: data)  # noqa: B023
    assert store.read(sid) == {"a": 1}


def test_largest_data_are_kept(store, sid):
    store.max_size = 100_000
    store.write(sid, "x" * 99_998)
    assert store.read(sid) == "x" * 99_998


def test_update_gets_what_is_there_and_returns_what_is_then(store, sid):
    assert store.update(sid, lambda held: {"was": held}) == {"was": None}
    assert store.update(sid, lambda held: {**held, "b": 2}) == {"was": None, "b": 2}
    assert store.read(sid) == {"was": None, "b": 2}
    assert store.update(sid, lambda held: None) is None
    with pytest.raises(InvalidSessionError):
        store.read(sid)
    assert store.update(sid, lambda held: None) is None


def test_update_whose_merge_raises_changes_nothing(store, sid):
    def fail(held):
        raise InvalidSessionError(f"with {held}")

    with pytest.raises(InvalidSessionError, match="with None"):
        store.update(sid, fail)
    store.write(sid, 5)
    with pytest.raises(InvalidSessionError, match="with 5"):
        store.update(sid, fail)
    assert store.read(sid) == 5


def test_replace_happens_only_if_nothing_else_has(store, sid, place):
    before, after = b'{"a":1}', b'{"a":2}'
    assert store.replace(sid, before, after) is False
    with pytest.raises(InvalidSessionError):
        store.read(sid)
    store.write(sid, {"a": 1})
    assert store.replace(sid, b'{"a":0}', after) is False
    assert store.read(sid) == {"a": 1}
    # A store that cannot tell says no, and does nothing.
    assert store.replace(sid, before, after) is (place[0] != "sql")
    assert store.read(sid) == {"a": 1 if place[0] == "sql" else 2}
    store.destroy(sid)
    assert store.replace(sid, before, after) is False
    with pytest.raises(InvalidSessionError):
        store.read(sid)


def test_replace_over_the_limit_changes_nothing(store, sid, place):
    store.write(sid, 1)
    after = b"1" * (store.max_size + 1)
    if place[0] == "sql":
        assert store.replace(sid, b"1", after) is False
    else:
        with pytest.raises(SessionDataError, match="max_size"):
            store.replace(sid, b"1", after)
    assert store.read(sid) == 1


def test_session_lives_for_its_time(store, place, sid, monkeypatch):
    """Redis has its own clock: there the time is short, elsewhere it is the clock that moves."""
    store.write(sid, {"a": 1})
    if place[0] in ("files", "sql"):
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + store.ttl - 60)
        assert store.read(sid) == {"a": 1}
        monkeypatch.setattr(time, "time", lambda: now + store.ttl + 60)
    else:
        store.ttl = 0.001
        store.refresh(sid)
        sessions_end(store, sid)
    with pytest.raises(InvalidSessionError):
        store.read(sid)
    assert store.update(sid, lambda held: held) is None
    store.write(sid, {"b": 1})


def sessions_end(store, sid):
    """Waits until the server has let it expire."""
    from lib.wait import until

    def gone():
        try:
            store.read(sid)
        except InvalidSessionError:
            return True
        return False

    until(gone, "the session expires")


def test_threads_lose_no_update(store, sid):
    store.write(sid, {})
    store.busy_timeout = store.lock_timeout = 60

    def work(name):
        for number in range(15):
            store.update(sid, lambda held: {**held, f"{name}{number}": 1})  # noqa: B023

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read(sid)) == 6 * 15


def test_concurrent_requests_in_processes_lose_no_key(store, place, sid):
    pytest.importorskip("_smisk")
    store.write(sid, {"everybody's": 1, "nobody's": 2})
    environment = {"PYTHONPATH": ":".join([str(Path(sessions.__file__).parents[1]), *filter(None, sys.path)])}
    argv = [sys.executable, sessions.__file__, *place, sid]
    running = [
        subprocess.Popen([*argv, f"key{number}"], stdin=-1, stdout=-1, env=environment) for number in range(REQUESTS)
    ]
    # All have read before the first one writes.
    assert [process.stdout.readline() for process in running] == [b"read\n"] * REQUESTS
    for process in running:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * REQUESTS
    assert store.read(sid) == {"nobody's": 2, **{f"key{number}": 2 for number in range(REQUESTS)}}
