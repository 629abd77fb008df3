# SPDX-License-Identifier: MIT
"""Native handlers that are `async def`: what they return, streams and those who leave them, mistakes."""

import json
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.fcgi import ABORT_REQUEST, KEEP_CONN, STDIN, FastCGI, begin, cgi_env, params, record, stream
from lib.http import RawHTTP, get

BOTH = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0", "--set", "write_buffer=65536")

# Status, type, body, and a field that must be there.
KINDS: dict[str, tuple[int, str | None, bytes, tuple[str, str] | None]] = {
    "str": (200, "text/html; charset=utf-8", "<p>grün</p>".encode(), None),
    "bytes": (200, "application/octet-stream", b"\x00\xff", None),
    "dict": (200, "application/json", b'{"a":[1,null,true]}', None),
    "none": (204, None, b"", None),
    "tuple": (201, "text/x-made", b"made", ("x-one", "1")),
    "response": (202, "text/x-ready", b"ready", ("x-four", "4")),
    "three": (200, "application/octet-stream", b"one two three", None),
    "texts": (200, "text/html; charset=utf-8", "grün €".encode(), None),
    "nothing": (200, None, b"", None),
    "plain": (200, "application/octet-stream", b"sync pieces", None),
    "iterable": (200, "application/octet-stream", b"210", None),
    "tuple-three": (203, "application/octet-stream", b"one two three", ("x-five", "5")),
    "response-three": (203, "text/x-three", b"one two three", ("x-six", "6")),
}
REFUSED = {
    "fail": "LookupError: no such thing",
    "cancel": "CancelledError",
    "int": "returned int",
    "fails-at-once": "LookupError: before the first piece",
    "gives-ints": "returned an asynchronous body which gave int; it gives bytes or str",
    "unknown": "KeyError: '/unknown'",
}
CUT = {
    "fails-later": "LookupError: after the first piece",
    "gives-ints-later": "returned an asynchronous body which gave int",
}


@pytest.fixture(scope="module", params=["engine", "asyncio"])
def running(module_smiskd: Callable[..., Smiskd], request: pytest.FixtureRequest) -> Smiskd:
    return module_smiskd(*BOTH, "--set", f"loop={request.param}", "asgi_native:handler")


@pytest.fixture
def native(running: Smiskd) -> Iterator[Smiskd]:
    yield running
    running.check()


@pytest.mark.parametrize("suffix", ["", "?late"])
@pytest.mark.parametrize("name", KINDS)
def test_all_that_a_handler_may_return_is_answered(native: Smiskd, name: str, suffix: str) -> None:
    status, kind, body, field = KINDS[name]
    with RawHTTP(native.http) as raw:
        for _ in range(2):
            answer = raw.request(get(f"/{name}{suffix}"))
            assert (answer.status, answer.body) == (status, body)
            assert answer.get("content-type") == kind
            assert field is None or answer.get(field[0]) == field[1]
        assert raw.request(get(f"/{name}{suffix}", method="HEAD")).status == status
    with FastCGI(native.fastcgi) as fcgi:
        reply = fcgi.ask(f"/{name}{suffix}")
        assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize("name", REFUSED)
def test_mistake_before_the_body_is_a_500_and_logged(native: Smiskd, name: str) -> None:
    native.expect_log(REFUSED[name])
    with RawHTTP(native.http) as raw:
        assert raw.request(get(f"/{name}")).status == 500
        assert raw.request(get("/three")).body == b"one two three"


@pytest.mark.parametrize("name", CUT)
def test_mistake_within_the_body_cuts_the_connection(native: Smiskd, name: str) -> None:
    native.expect_log(CUT[name])
    with RawHTTP(native.http) as raw:
        raw.send(get(f"/{name}"))
        assert raw.read_head().status == 200
        assert raw.read_to_end() == b"5\r\nfirst\r\n"


def test_body_of_the_request_is_whole_when_the_handler_is_called(native: Smiskd) -> None:
    with RawHTTP(native.http) as raw:
        for body in ("", "text" * 5000):
            raw.send(get("/echo", f"Content-Length: {len(body)}", method="POST") + body.encode())
            assert json.loads(raw.read_answer().body) == {"method": "POST", "path": "/echo", "body": body}


def test_context_variables_do_not_leak_between_requests(native: Smiskd) -> None:
    with RawHTTP(native.http) as raw:
        raw.send(get("/context") * 3)
        assert [json.loads(raw.read_answer().body) for _ in range(3)] == [["unset", "set"]] * 3


def test_handlers_wait_side_by_side(native: Smiskd) -> None:
    with RawHTTP(native.http) as one, RawHTTP(native.http) as other:
        since = native.log.mark()
        one.send(get("/wait"))
        native.wait_log("note: waits at the gate", since)
        assert other.request(get("/open")).body == b"open"
        assert one.read_answer().body == b"waited"


def test_slow_reader_holds_up_an_asynchronous_generator(native: Smiskd) -> None:
    since = native.log.mark()
    with RawHTTP(native.http) as raw:
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.send(get("/slow"))
        native.wait_log("note: slow piece 1$", since)
        assert raw.read_head().status == 200
        with RawHTTP(native.http) as other:
            assert other.request(get("/str")).status == 200
        assert native.log.count("note: slow piece 399", since) == 0
        total = 0
        while size := int(raw.read_until(b"\r\n"), 16):
            raw.read_exactly(size + 2)
            total += size
        assert total == 400 * 65536
    native.wait_log("note: slow closed", since)


@pytest.mark.parametrize(("name", "way"), [("endless", "close"), ("endless", "reset"), ("silent", "reset")])
def test_generator_is_closed_when_its_client_leaves(native: Smiskd, name: str, way: str) -> None:
    since = native.log.mark()
    raw = RawHTTP(native.http)
    raw.send(get(f"/{name}"))
    assert raw.read_head().status == 200
    native.wait_log(f"note: {name} (piece 0|waits)$", since)
    if way == "reset":
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    native.wait_log(f"note: {name} closed", since)


@pytest.mark.parametrize("name", ["endless", "silent"])
def test_generator_is_closed_when_a_front_server_aborts(native: Smiskd, name: str) -> None:
    since = native.log.mark()
    with FastCGI(native.fastcgi) as fcgi:
        fcgi.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("GET", f"/{name}")) + stream(STDIN, 1, b""))
        native.wait_log(f"note: {name} (piece 0|waits)$", since)
        fcgi.send(record(ABORT_REQUEST, 1))
        native.wait_log(f"note: {name} closed", since)
        fcgi.reply()
        assert fcgi.ask("/three", request_id=2).body == b"one two three"


def test_handler_whose_client_has_left_may_go_on(native: Smiskd) -> None:
    since = native.log.mark()
    with RawHTTP(native.http) as raw:
        raw.send(get("/wait"))
        native.wait_log("note: waits at the gate|note: has passed", since)
    with RawHTTP(native.http) as raw:
        assert raw.request(get("/open")).status == 200
        native.wait_log("note: has passed the gate", since)
        assert raw.request(get("/str")).status == 200


def test_show_traceback_shows_it(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*BOTH, "--set", "show_traceback=true", "asgi_native:handler")
    daemon.expect_log("LookupError: no such thing")
    with RawHTTP(daemon.http) as raw:
        answer = raw.request(get("/fail"))
        assert (answer.status, b"no such thing" in answer.body) == (500, True)
