# SPDX-License-Identifier: MIT
"""RedisSessionStore when things go wrong: the server is killed, hangs, comes back, holds rubbish."""

import sys

import pytest

redis = pytest.importorskip("redis")

from smisk.core.sessions import InvalidSessionError, SessionStoreError  # noqa: E402
from smisk.session.codec import seal  # noqa: E402
from smisk.session.life import begin  # noqa: E402
from smisk.session.redis import RedisSessionStore  # noqa: E402

from lib.redis_server import RedisServer  # noqa: E402
from lib.sessions import request_with, sent_cookie  # noqa: E402

SID = "0123456789abcdefghijklmnopqrstuv"
KEY = f"smisk:session:{SID}"


@pytest.fixture
def server(tmp_path):
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["redis", "valkey"])
def store(server, request, monkeypatch):
    """A store for each of the two libraries."""
    if request.param == "valkey":
        pytest.importorskip("valkey")
        monkeypatch.setitem(sys.modules, "redis", None)
    store = RedisSessionStore(server.url, timeout=0.1)
    yield store
    store.close()


def everything(store):
    return [
        lambda: store.read(SID),
        lambda: store.write(SID, 1),
        lambda: store.refresh(SID),
        lambda: store.destroy(SID),
        lambda: store.update(SID, lambda held: 1),
    ]


def test_server_that_is_killed_is_a_clear_error_and_comes_back(server, store):
    store.write(SID, {"a": 1})
    server.kill()
    for act in everything(store):
        with pytest.raises(SessionStoreError, match=f"the session store at {server.url} failed: "):
            act()
    server.start()
    with pytest.raises(InvalidSessionError, match="no data"):
        store.read(SID)
    store.write(SID, {"a": 2})
    assert store.read(SID) == {"a": 2}


def test_server_that_was_restarted_between_two_requests_is_no_error(server, store):
    store.write(SID, {"a": 1})
    server.kill()
    server.start()
    store.write(SID, {"a": 2})
    server.kill()
    server.start()
    store.update(SID, lambda held: {"was": held})
    assert store.read(SID) == {"was": None}


def test_server_that_hangs_is_an_error_after_the_timeout(server, store):
    store.write(SID, {"a": 1})
    server.pause()
    try:
        for act in everything(store):
            with pytest.raises(SessionStoreError, match=r"failed: .*[Tt]ime"):
                act()
    finally:
        server.go_on()
    # What it was sent meanwhile it may still do; answers to that are never taken for answers to this.
    store.write(SID, {"a": 3})
    assert store.read(SID) == {"a": 3}


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_cluster_that_is_killed_is_a_clear_error_and_comes_back(tmp_path, library, monkeypatch):
    pytest.importorskip(library)
    if library == "valkey":
        monkeypatch.setitem(sys.modules, "redis", None)
    server = RedisServer(tmp_path, cluster=True)
    store = RedisSessionStore(server.url, cluster=True, timeout=0.2)
    try:
        for act in everything(store):
            with pytest.raises(SessionStoreError, match=f"the session store at {server.url} failed: "):
                act()
        server.start()
        store.write(SID, {"a": 1})
        server.kill()
        for act in everything(store):
            with pytest.raises(SessionStoreError, match=f"the session store at {server.url} failed: "):
                act()
        (tmp_path / "nodes.conf").unlink(missing_ok=True)
        server.start()
        store.write(SID, {"a": 2})
        assert store.read(SID) == {"a": 2}
    finally:
        store.close()
        server.kill()


def test_keys_have_the_prefix_and_end_by_themselves(server, store):
    store.write(SID, 1)
    assert server.ask("KEYS", "*") == KEY
    assert 890_000 < int(server.ask("PTTL", KEY)) <= 900_000
    server.ask("PEXPIRE", KEY, "5000")
    store.refresh(SID)
    assert 890_000 < int(server.ask("PTTL", KEY)) <= 900_000
    server.ask("PERSIST", KEY)
    store.update(SID, lambda held: 2)
    assert 890_000 < int(server.ask("PTTL", KEY)) <= 900_000


@pytest.mark.parametrize("content", [b"", b"rubbish", b'{"a":1}', seal({"a": 1}, "pickle", 100)])
def test_unreadable_data_are_invalid_and_replaced(server, store, content):
    with redis.Redis.from_url(server.url) as client:
        client.set(KEY, content)
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        store.read(SID)
    assert store.update(SID, lambda held: {"was": held}) == {"was": None}
    assert store.read(SID) == {"was": None}


def test_key_of_another_type_is_a_store_error(server, store):
    server.ask("RPUSH", KEY, "x")
    with pytest.raises(SessionStoreError, match="WRONGTYPE"):
        store.read(SID)


def test_update_that_always_comes_late_ends(server, store):
    store.busy_timeout = 0.05
    store.write(SID, 0)

    def merge(held):
        store.write(SID, held + 1)
        return -1

    with pytest.raises(SessionStoreError, match="changed by others"):
        store.update(SID, merge)
    assert store.read(SID) > 0


def test_update_never_brings_a_destroyed_session_back(server, store):
    store.write(SID, {"a": 1})

    def merge(held):
        store.destroy(SID)
        return held

    assert store.update(SID, merge) is None
    with pytest.raises(InvalidSessionError):
        store.read(SID)


def test_password_is_in_no_error():
    store = RedisSessionStore("redis://user:se%63ret@127.0.0.1:1/0?socket_timeout=1", timeout=0.1)
    with pytest.raises(SessionStoreError) as caught:
        store.read(SID)
    assert "redis://127.0.0.1:1/0" in str(caught.value)
    assert "se%63ret" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_client_of_ones_own_is_used(server):
    client = redis.Redis.from_url(server.url)
    store = RedisSessionStore(client=client, prefix="mine:")
    store.write(SID, 1)
    store.close()
    assert client.ping()
    assert server.ask("KEYS", "*") == f"mine:{SID}"
    server.kill()
    with pytest.raises(SessionStoreError, match="the session store at Redis failed"):
        store.read(SID)
    client.close()


def test_client_that_decodes_is_refused(server):
    client = redis.Redis.from_url(server.url, decode_responses=True)
    store = RedisSessionStore(client=client)
    store.write(SID, 1)
    with pytest.raises(TypeError, match="decode_responses"):
        store.read(SID)
    client.close()


def test_client_of_another_library_is_refused():
    with pytest.raises(TypeError, match="must be one of redis-py or valkey-py, not dict"):
        RedisSessionStore(client={})


@pytest.mark.parametrize("name", ["timeout", "busy_timeout"])
def test_waits_without_a_limit_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be above zero"):
        RedisSessionStore(**{name: 0})


def test_urls_of_valkey_are_taken_by_either_library(tmp_path, monkeypatch):
    server = RedisServer(tmp_path, cluster=True)
    server.start()
    try:
        for library in ("redis", "valkey"):
            pytest.importorskip(library)
            store = RedisSessionStore(server.url.replace("redis:", "valkey:"), cluster=True)
            store.write(SID, library)
            assert store.read(SID) == library
            assert type(store._connected()).__module__.startswith(library)
            store.close()
            monkeypatch.setitem(sys.modules, "redis", None)
    finally:
        server.kill()


def test_missing_library_says_what_to_install(monkeypatch):
    for name in ("redis", "valkey"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"smisk\[redis\]"):
        RedisSessionStore()


def test_server_that_is_killed_in_the_middle_of_a_request_is_told_before_the_head(server, store):
    pytest.importorskip("_smisk")
    store.write(SID, {"a": 1})
    life = begin(request_with(f"SID={SID}"), store)
    life.data["b"] = 2
    server.kill()
    with pytest.raises(SessionStoreError, match="the session store at"):
        life.cookie()
    assert life.cookie() is None
    life.finish()
    with pytest.raises(SessionStoreError, match="the session store at"):
        begin(request_with(f"SID={SID}"), store).data  # noqa: B018
    server.start()
    life = begin(request_with(f"SID={SID}"), store)
    assert life.data is None
    life.data = {"c": 3}
    assert sent_cookie(life) != f"SID={SID}"
