# SPDX-License-Identifier: MIT
"""ASGI applications that break the rules: an exception where it was broken, a log entry, a 500 or a cut."""

import re
from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.fcgi import FastCGI
from lib.http import RawHTTP, get

BOTH = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")

# What the log says; the answer is a 500.
REFUSED = {
    "no-dict": r"send\(\) takes a dict, not str",
    "none": r"send\(\) takes a dict, not NoneType",
    "no-type": 'an ASGI message has a "type", a str',
    "type-bytes": 'an ASGI message has a "type", a str',
    "unknown": "unexpected ASGI message 'http.response.strat'; expected http.response.start",
    "websocket": "unexpected ASGI message 'websocket.accept'; expected http.response.start",
    "body-first": "http.response.body came before http.response.start",
    "trailers-first": "http.response.trailers came without",
    "path-first": "http.response.pathsend came before http.response.start|OSError",
    "no-status": 'http.response.start: "status" is an int',
    "status-str": 'http.response.start: "status" is an int',
    "status-none": 'http.response.start: "status" is an int',
    "status-100": "http.response.start: a status that may not stand here: 100",
    "status-1000": "http.response.start: a status that may not stand here: 1000",
    "status-huge": "http.response.start: a status that may not stand here: 1208",
    "status-negative": "http.response.start: a status that may not stand here: -200",
    "twice": "http.response.start was sent already",
    "hint-late": "http.response.early_hint came after http.response.start",
    "hint-none": 'http.response.early_hint: "links" is missing',
    "hint-str": "http.response.early_hint: names and values of headers are bytes",
    "hint-crlf": "http.response.early_hint: a header value with CR, LF or NUL in it",
    "headers-int": 'http.response.start: "headers" is an iterable of pairs, not int',
    "headers-none": 'http.response.start: "headers" is an iterable of pairs, not NoneType',
    "headers-flat": r"headers are pairs \(name, value\), not b'x'",
    "headers-three": r"headers are pairs \(name, value\), not \(b'x', b'y', b'z'\)",
    "headers-dict": r"headers are pairs \(name, value\), not b'xy'",
    "name-str": r"names and values of headers are bytes, not \(str, bytes\)",
    "value-str": r"names and values of headers are bytes, not \(bytes, str\)",
    "value-int": r"names and values of headers are bytes, not \(bytes, int\)",
    "name-empty": "a header name that is no token",
    "name-space": "a header name that is no token",
    "name-crlf": "a header name that is no token",
    "value-cr": r"a header value with CR, LF or NUL in it .*: \(b'x', b'a\\rb'\)",
    "value-lf": "a header value with CR, LF or NUL in it",
    "value-nul": "a header value with CR, LF or NUL in it",
    "length-junk": "a Content-Length that is no number or disagrees with the body",
    "length-two": "a Content-Length that is no number or disagrees with the body",
    "upgrade": "a header that only the server may send",
    "body-str": '"body" is bytes, not str',
    "body-none": '"body" is bytes, not NoneType',
    "body-list": '"body" is bytes, not list',
    "path-none": '"path" is missing',
    "path-int": "TypeError: .*not float",
    "zero-none": '"file" is missing',
    "zero-str": r"argument must be an int, or have a fileno\(\) method",
    "zero-closed": "Bad file descriptor",
    "zero-negative": "offset is negative",
    "zero-count": "TypeError",
    "nothing": "asgi_faults:application returned without sending a response",
    "start-only": "asgi_faults:application returned after http.response.start, without a body",
    "raises": "LookupError: before the start",
    "raises-between": "LookupError: between start and body",
    "raises-later": "LookupError: after a sleep",
    "raises-exit": "SystemExit: leaving",
    "raises-base": "BaseException: as base as can be",
    "cancels": "CancelledError",
    "cancels-later": "CancelledError",
    "forgets-send": "returned without sending a response",
    "awaits-twice": "cannot reuse already awaited coroutine",
    "listener": "LookupError: with a listener",
    "receive-argument": r"receive\(\) takes no arguments",
    "send-nothing": r"send\(\) takes exactly one argument",
}

# What came before the connection was cut, and what the log says.
CUT = {
    "late-unknown": (b"first", "unexpected ASGI message 'http.response.strat'; expected http.response.body"),
    "late-start": (b"first", "http.response.start was sent already"),
    "late-str": (b"first", '"body" is bytes, not str'),
    "late-trailers": (b"first", "http.response.trailers came without"),
    "past-length": (b"first", "a Content-Length that is no number or disagrees with the body"),
    "no-end": (b"first", r"returned before its body was complete \(more_body\)"),
    "no-trailers": (b"firstbody", "returned without the trailers that it announced"),
    "bad-trailer": (b"firstbody", "names and values of headers are bytes"),
    "forbidden-trailer": (b"firstbody", "a header that only the server may send"),
    "raises-within": (b"first", "LookupError: within the body"),
}

# The answer is complete before the mistake shows.
ANSWERED = {
    "body-again": (
        b"body",
        "unexpected ASGI message 'http.response.body'; expected nothing more, the response being",
    ),
    "start-again": (b"body", "unexpected ASGI message 'http.response.start'; expected nothing more"),
    "trailers-again": (b"body", "unexpected ASGI message 'http.response.trailers'; expected nothing more"),
    "raises-after": (b"body", "failed after its response(?:.|\n)*LookupError: after the response"),
}


@pytest.fixture(scope="module")
def running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*BOTH, "asgi_faults:application")


@pytest.fixture
def faults(running: Smiskd) -> Iterator[Smiskd]:
    yield running
    running.check()


def assert_serves(raw: RawHTTP) -> None:
    assert raw.request(get("/keep")).body == b"kept"


@pytest.mark.parametrize("name", REFUSED)
def test_mistake_before_the_body_is_a_500_and_named_in_the_log(faults: Smiskd, name: str) -> None:
    faults.expect_log(REFUSED[name])
    with RawHTTP(faults.http) as raw:
        answer = raw.request(get(f"/{name}"))
        while answer.status == 103:
            answer = raw.read_answer()
        assert (answer.status, answer.get("x")) == (500, None)
        assert b"The server's log says more" in answer.body
        assert_serves(raw)


@pytest.mark.parametrize("name", ["value-lf", "raises", "raises-later", "nothing", "start-only"])
def test_mistake_before_the_body_is_a_500_over_fastcgi(faults: Smiskd, name: str) -> None:
    faults.expect_log(REFUSED[name])
    with FastCGI(faults.fastcgi) as fcgi:
        assert fcgi.ask(f"/{name}").status == 500


@pytest.mark.parametrize("name", CUT)
def test_mistake_within_the_body_cuts_the_connection(faults: Smiskd, name: str) -> None:
    came, said = CUT[name]
    faults.expect_log(said)
    with RawHTTP(faults.http) as raw:
        raw.send(get(f"/{name}"))
        head = raw.read_head()
        rest = raw.read_to_end()
    assert head.status == 200
    if head.get("transfer-encoding") == "chunked":
        assert not rest.endswith(b"0\r\n\r\n")
        rest = re.sub(rb"[0-9a-f]+\r\n(.*?)\r\n", rb"\1", rest)
    assert rest == came
    with RawHTTP(faults.http) as raw:
        assert_serves(raw)


@pytest.mark.parametrize("name", ANSWERED)
def test_mistake_after_the_response_is_logged(faults: Smiskd, name: str) -> None:
    came, said = ANSWERED[name]
    faults.expect_log(said)
    with RawHTTP(faults.http) as raw:
        answer = raw.request(get(f"/{name}"))
        assert (answer.status, answer.body) == (200, came)
        assert_serves(raw)


def test_body_shorter_than_its_length_at_once_is_refused_or_cut(faults: Smiskd) -> None:
    faults.expect_log("Content-Length")
    with RawHTTP(faults.http) as raw:
        raw.send(get("/length-long"))
        head = raw.read_head()
        assert head.status == 500 or (head.get("content-length") == "9" and raw.read_to_end() == b"body")


def test_refused_head_may_be_followed_by_a_good_one(faults: Smiskd) -> None:
    with RawHTTP(faults.http) as raw:
        answer = raw.request(get("/swallows"))
        assert (answer.status, answer.get("x"), answer.body) == (200, None, b"body")


def test_forgotten_await_warns(faults: Smiskd) -> None:
    since = faults.log.mark()
    with RawHTTP(faults.http) as raw:
        assert raw.request(get("/forgets-receive")).body == b"body"
    faults.wait_log(r"RuntimeWarning: coroutine of receive\(\) or send\(\) was never awaited", since)


def test_listener_hears_of_the_end_of_a_request_that_failed(faults: Smiskd) -> None:
    since = faults.log.mark()
    faults.expect_log("LookupError: with a listener")
    with RawHTTP(faults.http) as raw:
        assert raw.request(get("/listener")).status == 500
    faults.wait_log("note: heard {'type': 'http.disconnect'}", since)


def test_system_exit_after_a_sleep_is_a_500_and_the_worker_goes_on(faults: Smiskd) -> None:
    faults.expect_log("SystemExit: leaving later")
    with RawHTTP(faults.http) as raw:
        assert raw.request(get("/raises-exit-later")).status == 500
        assert_serves(raw)


@pytest.mark.parametrize(("path", "kind"), [("/none", "NoneType"), ("/bytes", "bytes"), ("/function", "function")])
def test_application_that_returns_no_awaitable_is_a_500(smiskd: Callable[..., Smiskd], path: str, kind: str) -> None:
    daemon = smiskd(*BOTH, "--interface", "asgi", "asgi_faults:not_awaitable")
    daemon.expect_log(f"asgi_faults:not_awaitable returned {kind}; an ASGI application is a coroutine function")
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get(path)).status == 500


def test_show_traceback_shows_it(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*BOTH, "--set", "show_traceback=true", "asgi_faults:application")
    daemon.expect_log("LookupError: after a sleep")
    with RawHTTP(daemon.http) as raw:
        answer = raw.request(get("/raises-later"))
        assert (answer.status, b"after a sleep" in answer.body and b"LookupError" in answer.body) == (500, True)
