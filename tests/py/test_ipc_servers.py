# SPDX-License-Identifier: MIT
"""Shared dicts on servers that are gone, slow, full, or back again; what memcached cannot do; children of a user."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from smisk.ipc import SharedDict, SharedDictError, SharedDictFullError, SharedDictUnavailableError, shared_dict
from smisk.ipc.codec import find_codec
from smisk.ipc.memcached import MCDict, MemcachedDict
from smisk.ipc.memcached import shared_dict as memcached_dict
from smisk.ipc.redis import RedisDict

from lib import stores
from lib.servers import free_port
from lib.sharers import race
from lib.wait import until


def options(server: str, address: str) -> dict[str, Any]:
    return {"url": address} if server == "redis" else {"nodes": [address]}


@pytest.fixture(params=["redis", "memcached"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str) -> Iterator[stores.StoreServer]:
    """A server of this test's own, to be stopped."""
    server = stores.redis() if kind == "redis" else stores.memcached()
    try:
        yield server.start()
    finally:
        server.remove()


def calls(shared: SharedDict) -> list[Callable[[], object]]:
    return [
        lambda: shared["a"],
        lambda: shared.set("a", 1),
        lambda: "a" in shared,
        lambda: shared.pop("a", None),
        lambda: shared.discard("a"),
        lambda: shared.incr("a"),
        lambda: shared.setdefault("a", 1),
        lambda: shared.compare_and_set("a", 1, 2),
    ]


def test_server_that_is_gone_is_an_error_and_back_is_as_before(kind: str, server: stores.StoreServer) -> None:
    with closing(shared_dict("gone", kind, **options(kind, server.address))) as shared:
        for _ in range(2):
            shared["a"] = 1
            server.stop()
            for call in calls(shared):
                with pytest.raises(SharedDictUnavailableError, match="'gone'"):
                    call()
            server.start()
            assert "a" not in shared
            assert shared.incr("n") == 1


def test_server_that_restarted_between_two_calls_is_asked_on_a_new_connection(
    kind: str, server: stores.StoreServer
) -> None:
    with closing(shared_dict("restarted", kind, **options(kind, server.address))) as shared:
        for _ in range(3):
            assert shared.incr("n") == 1
            server.stop()
            server.start()


def test_server_that_never_was_there_is_an_error(kind: str, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none?db=0" if kind == "redis" else f"unix:{tmp_path}/none"
    with (
        closing(shared_dict("none", kind, **options(kind, address))) as shared,
        pytest.raises(SharedDictUnavailableError),
    ):
        shared["a"] = 1


@contextmanager
def silent_server(path: Path) -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield str(path)


def test_server_that_does_not_answer_is_an_error_in_time(kind: str, tmp_path: Path) -> None:
    with silent_server(tmp_path / "s") as path:
        address = f"unix://{path}?db=0" if kind == "redis" else f"unix:{path}"
        with closing(shared_dict("silent", kind, timeout=0.05, **options(kind, address))) as shared:
            for call in calls(shared):
                with pytest.raises(SharedDictUnavailableError):
                    call()


FORK = """
import os
shared["a"] = 1
pids = []
for _ in range(4):
    pid = os.fork()
    if not pid:
        try:
            for _ in range(50):
                shared.incr("a")
        except BaseException:
            os._exit(1)
        os._exit(0)
    pids.append(pid)
for _ in range(50):
    shared.incr("a")
result = [[os.waitpid(pid, 0)[1] for pid in pids], shared["a"]]
"""


def test_handle_made_before_a_fork_works_in_parent_and_children(kind: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(f"{kind}_server").address
    assert race({"name": "fork", "backend": kind, **options(kind, address)}, [FORK]) == [[[0] * 4, 251]]


def test_threads_count_each(kind: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(f"{kind}_server").address
    with closing(shared_dict("threads", kind, timeout=30, **options(kind, address))) as shared:
        shared["n"] = 0
        threads = [threading.Thread(target=lambda: [shared.incr("n") for _ in range(50)]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shared["n"] == 300


# --- Redis ---


def test_redis_that_is_out_of_memory_is_full_and_keeps_what_it_has() -> None:
    server = stores.redis()
    try:
        server.start()
        with closing(shared_dict("full", "redis", url=server.address)) as shared:
            assert isinstance(shared, RedisDict)
            shared["a"] = 1
            shared._client.config_set("maxmemory", 1)
            with pytest.raises(SharedDictFullError):
                shared["b"] = 2
            assert shared["a"] == 1
            del shared["a"]
    finally:
        server.remove()


def test_redis_key_of_another_type_is_an_error(redis_server: stores.StoreServer) -> None:
    with closing(shared_dict("types", "redis", url=redis_server.address)) as shared:
        assert isinstance(shared, RedisDict)
        shared._client.lpush(b"types:list", b"x")
        with pytest.raises(SharedDictError, match="WRONGTYPE"):
            shared["list"]
        shared.clear()
        assert list(shared) == []


def test_redis_name_with_wildcards_lists_its_own_keys(redis_server: stores.StoreServer) -> None:
    with (
        closing(shared_dict("a*[b]?", "redis", url=redis_server.address)) as one,
        closing(shared_dict("ab", "redis", url=redis_server.address)) as other,
    ):
        one["x"] = 1
        other["y"] = 2
        assert list(one) == ["x"]
        one.clear()
        assert list(other) == ["y"]


def test_redis_counter_can_be_read_by_other_programs(redis_server: stores.StoreServer) -> None:
    with closing(shared_dict("plain", "redis", url=redis_server.address)) as shared:
        assert isinstance(shared, RedisDict)
        shared.incr("n", 5)
        assert shared._client.get("plain:n") == b"5"


def test_redis_dict_takes_a_client_of_ones_own(redis_server: stores.StoreServer) -> None:
    redis = pytest.importorskip("redis")
    with closing(RedisDict("own", find_codec("json"), redis.Redis.from_url(redis_server.address))) as shared:
        shared["a"] = [1]
        assert shared["a"] == [1]


def test_redis_cluster_holds_a_dict(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis")
    port, bus = free_port(), free_port()
    options = ["--port", f"{port}", "--cluster-enabled", "yes", "--cluster-port", f"{bus}"]
    server = stores.StoreServer("redis-server", lambda path: [*options, "--unixsocket", path, "--save", ""])
    try:
        server.start()
        with redis.Redis(port=port) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"), "the cluster is up")
        with closing(
            RedisDict("cluster", find_codec("json"), redis.RedisCluster(host="127.0.0.1", port=port))
        ) as shared:
            for i in range(20):
                shared[f"{i}"] = i
            assert dict(shared.items()) == {f"{i}": i for i in range(20)}
            assert shared.incr("5") == 6
            assert shared.incr("new", ttl=100) == 1
            assert shared.compare_and_set("7", 7, [7])
            assert shared.setdefault("7", 8) == [7]
            assert shared.pop("7") == [7]
            assert len(shared) == 20
            shared.clear()
            assert not shared
    finally:
        server.remove()


# --- memcached ---


@pytest.mark.parametrize(
    "call",
    [
        lambda shared: shared.keys(),
        lambda shared: shared.items(),
        lambda shared: shared.values(),
        lambda shared: len(shared),
        lambda shared: list(shared),
        lambda shared: shared.clear(),
        lambda shared: shared.popitem(),
    ],
)
def test_memcached_that_should_list_is_not_implemented(
    memcached_server: stores.StoreServer, call: Callable[[SharedDict], object]
) -> None:
    with closing(memcached_dict("list", [memcached_server.address])) as shared:
        shared["a"] = 1
        with pytest.raises(NotImplementedError, match="cannot list"):
            call(shared)
        assert shared["a"] == 1


def test_memcached_value_that_is_too_large_is_full(memcached_server: stores.StoreServer) -> None:
    with closing(memcached_dict("large", [memcached_server.address])) as shared:
        with pytest.raises(SharedDictFullError, match="large"):
            shared["a"] = "x" * (2 << 20)
        shared["a"] = 1
        assert shared["a"] == 1


def test_memcached_keys_spread_over_all_nodes_and_stay_there(memcached_server: stores.StoreServer) -> None:
    second = stores.memcached()
    try:
        second.start()
        nodes = [memcached_server.address, second.address]
        with closing(memcached_dict("nodes", nodes)) as shared:
            for i in range(40):
                shared[f"{i}"] = i
            assert [shared[f"{i}"] for i in range(40)] == list(range(40))
            second.stop()
            answers = []
            for i in range(40):
                try:
                    answers.append(shared[f"{i}"] == i)
                except SharedDictUnavailableError:
                    answers.append(False)
            assert set(answers) == {True, False}
    finally:
        second.remove()


def test_memcached_without_nodes_is_value_error() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        memcached_dict("nothing", [])


def test_memcached_key_that_another_program_wrote_is_an_error(memcached_server: stores.StoreServer) -> None:
    with closing(memcached_dict("foreign", [memcached_server.address])) as shared:
        with shared._nodes.client(b"foreign:a") as client:
            client.set(b"foreign:a", b"whatever")
        with pytest.raises(SharedDictError, match="not stored by a shared dict"):
            shared["a"]
        shared["a"] = 1
        assert shared["a"] == 1


def test_memcached_honours_deadlines_to_the_millisecond(memcached_server: stores.StoreServer) -> None:
    now = [1_000_000.0]
    with closing(memcached_dict("clock", [memcached_server.address], clock=lambda: now[0])) as shared:
        shared.set("a", 1, ttl=10)
        now[0] += 9.999
        assert shared.incr("a") == 2
        assert shared.compare_and_set("a", 2, 3)
        now[0] += 0.001
        assert "a" not in shared
        assert not shared.compare_and_set("a", 3, 4)
        assert not shared.discard("a")
        assert shared.setdefault("a", 5, ttl=10) == 5
        now[0] += 10
        assert shared.pop("a", "none") == "none"
        assert shared.incr("a", initial=100) == 101


def test_memcached_names_and_arguments_of_old(memcached_server: stores.StoreServer) -> None:
    assert MCDict is MemcachedDict
    with closing(memcached_dict(name="old", nodes=[memcached_server.address], memcached_debug=1)) as shared:
        assert isinstance(shared, MCDict)
        assert memcached_dict("old", (memcached_server.address,)) is shared
        shared["false"] = False
        assert "false" in shared
