# SPDX-License-Identifier: MIT
"""asyncio under smiskd: tasks, context variables, cancellation, threads, processes, descriptors, for every `loop`."""

import json
import resource
import select
import selectors
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from lib.daemon import Smiskd
from lib.http import RawHTTP, get

LOOPS = ("engine", "asyncio", "uvloop")
NO_UVLOOP = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")
NO_ANYIO = pytest.mark.skipif(find_spec("anyio") is None, reason="anyio is not installed")
EACH_LOOP = [pytest.param(loop, marks=NO_UVLOOP if loop == "uvloop" else ()) for loop in LOOPS]
ONE = ("--workers", "1", "--http", "127.0.0.1:0")
MANY = 10_000

ANSWERS: dict[str, object] = {
    "task_is_real": "real",
    "cancel_and_catch": "('enough',)",
    "cancel_and_catch_late": "('enough',)",
    "cancelled_by_another": "cancelled",
    "cancelled_while_receiving": "cancelled",
    "wait_for": [3, 4],
    "wait_for_receive": "timeout",
    "timeout_first": "timeout",
    "timeout_late": "timeout",
    "gather": [1, 2, 3, 4, 5],
    "task_group": [1, 2, "failed"],
    "timers": [1, 2, 3],
    "sleeps": "slept",
    "threadsafe": ["called", "run"],
    "executor": 45,
    "subprocess": [0, True],
    "signals": "arrived",
    "pipes": "piped",
    "sockets": [3000000, "pair"],
    "task_attributes": None,
    "forgotten_receive": "waits",
    "context_set": ["unset", "one"],
    "context_set_late": ["unset", "two", "two", "two", "two"],
}
ANYIO: dict[str, object] = {"anyio_groups": [0, 1, 2], "anyio_scopes": "thread", "anyio_listener": "cancelled"}


@pytest.fixture(scope="module", params=EACH_LOOP)
def running(module_smiskd: Callable[..., Smiskd], request: pytest.FixtureRequest) -> Smiskd:
    return module_smiskd(*ONE, "--set", f"loop={request.param}", "asgi_loop:application")


@pytest.fixture
def looped(running: Smiskd) -> Iterator[Smiskd]:
    if not running.log.find("note: warmed up"):
        # Executors and watchers of children keep descriptors for the life of the loop.
        for path in ("gather", "subprocess", "signals"):
            ask(running, path)
        running.rebase()
    yield running
    running.check()


def ask(daemon: Smiskd, path: str) -> Any:
    with RawHTTP(daemon.http) as raw:
        return ask_on(raw, path)


def ask_on(raw: RawHTTP, path: str) -> Any:
    answer = raw.request(get(f"/{path}"))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.mark.parametrize("path", ANSWERS)
def test_application_meets_an_asyncio_as_it_knows_it(looped: Smiskd, path: str) -> None:
    with RawHTTP(looped.http) as raw:
        assert [ask_on(raw, path) for _ in range(3)] == [ANSWERS[path]] * 3


@NO_ANYIO
@pytest.mark.parametrize("path", ANYIO)
def test_application_meets_an_anyio_as_it_knows_it(looped: Smiskd, path: str) -> None:
    with RawHTTP(looped.http) as raw:
        assert [ask_on(raw, path) for _ in range(3)] == [ANYIO[path]] * 3


def test_context_variables_do_not_leak_between_requests(looped: Smiskd) -> None:
    with RawHTTP(looped.http) as one, RawHTTP(looped.http) as other:
        for _ in range(4):
            for raw in (one, other):
                assert ask_on(raw, "context_set") == ["unset", "one"]
                assert ask_on(raw, "context_set_late")[:2] == ["unset", "two"]
        one.send(b"".join(get(f"/{path}") for path in ["context_set", "context_set_late"] * 4))
        for number in range(8):
            assert json.loads(one.read_answer().body)[0] == "unset", number


def test_name_of_a_task_does_not_leak_to_the_next_request(looped: Smiskd) -> None:
    with RawHTTP(looped.http) as raw:
        assert [name for name in (ask_on(raw, "task_name") for _ in range(3)) if name == "mine"] == []


@pytest.mark.parametrize("path", ["task_done_callback", "task_done_callback_late"])
def test_done_callbacks_of_the_request_s_task_are_called_once(looped: Smiskd, path: str) -> None:
    with RawHTTP(looped.http) as raw:
        for _ in range(2):
            since = looped.log.mark()
            assert ask_on(raw, path) == "added"
            looped.wait_log("note: done True False", since)
            ask_on(raw, "sleeps")
            assert looped.log.count("note: done", since) == 1


def test_tasks_do_not_pile_up(looped: Smiskd) -> None:
    with RawHTTP(looped.http) as raw:
        before = ask_on(raw, "collect")
        for path in (*ANSWERS, "task_done_callback", "task_name") * 2:
            ask_on(raw, path)
        assert ask_on(raw, "collect") <= before + 1


def test_client_that_does_not_wait_leaves_nothing_behind(looped: Smiskd) -> None:
    before = ask(looped, "collect")
    for _ in range(20):
        with RawHTTP(looped.http) as raw:
            raw.send(get("/sleeps") + get("/timers"))
    with RawHTTP(looped.http) as raw:
        ask_on(raw, "timers")
        ask_on(raw, "timers")
        assert ask_on(raw, "collect") <= before + 20


# --- the end ---


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_work_after_the_response_is_waited_for_at_the_end(smiskd: Callable[..., Smiskd], loop: str) -> None:
    daemon = smiskd(*ONE, "--set", f"loop={loop}", "asgi_loop:application")
    with RawHTTP(daemon.http) as raw:
        assert ask_on(raw, "work-after") == "begun"
        daemon.wait_log("note: works on")
        assert ask_on(raw, "sleeps") == "slept"  # the connection is free meanwhile
        assert ask_on(raw, "opened") == 0
        daemon.wait_log("note: worked")
    assert ask(daemon, "work-slowly") == "begun"
    daemon.stop()
    daemon.wait_log("note: finished after the response")


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_work_that_does_not_end_is_cancelled_after_shutdown_timeout(smiskd: Callable[..., Smiskd], loop: str) -> None:
    daemon = smiskd(*ONE, "--set", f"loop={loop}", "--set", "shutdown_timeout=300ms", "asgi_loop:application")
    assert ask(daemon, "work-for-ever") == "begun"
    daemon.wait_log("note: works for ever")
    daemon.stop()
    daemon.wait_log("note: was cancelled")


# --- many ---


def raise_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"RLIMIT_NOFILE cannot be more than {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def read_all(socks: list[socket.socket]) -> int:
    """How many of the sockets got an answer that ends as it should."""
    good = 0
    with selectors.DefaultSelector() as waiting:
        for sock in socks:
            waiting.register(sock, selectors.EVENT_READ, bytearray())
        while waiting.get_map():
            ready = waiting.select(30)
            assert ready, f"{len(waiting.get_map())} answers are missing"
            for key, _ in ready:
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                data = sock.recv(4096)
                key.data.extend(data)
                if not data or key.data.endswith(b'"woken"'):
                    good += key.data.startswith(b"HTTP/1.1 200 ") and bool(data)
                    waiting.unregister(sock)
    return good


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_ten_thousand_sleeping_requests_in_one_worker_are_all_answered(
    smiskd: Callable[..., Smiskd], loop: str
) -> None:
    raise_limit(MANY + 500)
    limits = ("--set", f"max_connections={MANY + 100}", "--set", "keepalive_timeout=10m")
    daemon = smiskd(*ONE, "--set", f"loop={loop}", *limits, "asgi_loop:application")
    socks: list[socket.socket] = []
    try:
        with RawHTTP(daemon.http) as control:
            for _ in range(MANY):
                sock = socket.create_connection(daemon.http, 30)
                socks.append(sock)
                sock.sendall(get("/sleep_long"))
            while (now := ask_on(control, "count")) < MANY:
                assert not select.select(socks[:100], [], [], 0.05)[0], f"an answer too early, {now} wait"
            assert ask_on(control, "opened") == MANY
            assert read_all(socks) == MANY
    finally:
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("loop", EACH_LOOP)
def test_loop_that_the_application_stops_again_and_again_goes_on(smiskd: Callable[..., Smiskd], loop: str) -> None:
    daemon = smiskd(*ONE, "--set", f"loop={loop}", "asgi_loop:application")
    daemon.allow_log("the event loop was broken off")
    workers = {ask(daemon, "stop_loop") for _ in range(150)}
    daemon.wait_log("the event loop was broken off")
    assert workers == set(daemon.workers())
