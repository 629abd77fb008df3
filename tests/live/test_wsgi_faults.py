# SPDX-License-Identifier: MIT
"""WSGI applications that break the rules: a log entry that names mistake and request, a 500 or a cut, the worker lives."""

import re
from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.fcgi import END_REQUEST, FastCGI, request
from lib.http import RawHTTP, get
from lib.process import children

HTTP = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")

# What the log says; the answer is a 500.
REFUSED = {
    "not-started": "did not call start_response before its body began",
    "not-started-empty": "did not call start_response before its body began, or ended",
    "not-started-generator": "did not call start_response",
    "twice": "start_response was called a second time",
    "swallowed": "began its body although start_response had refused its head",
    "after-swallowed": "start_response was called a second time",
    "raises": "IndexError: list index out of range",
    "raises-exit": "SystemExit: leaving",
    "fails-before": "LookupError: before the first piece",
    "fails-iter": "LookupError: raised in iter",
    "no-arguments": r"start_response takes \(status, response_headers, exc_info=None\)",
    "one-argument": "start_response takes",
    "four-arguments": "start_response takes",
    "keyword": "start_response takes",
    "status-bytes": "status must be str, not bytes: b'200 OK'",
    "status-int": "status must be str, not int: 200",
    "status-none": "status must be str, not NoneType",
    "status-junk": "status must be three digits, a space and a reason, as '200 OK', not 'OK 200'",
    "status-short": "status must be three digits",
    "status-empty": "status must be three digits",
    "status-glued": "status must be three digits",
    "status-digits": "status must be three digits",
    "status-wide": "status has characters that are not in ISO-8859-1",
    "status-crlf": "CR, LF or NUL in the status",
    "status-nul": "CR, LF or NUL in the status",
    "status-100": "status of a response must be 200 or more, not '100 Continue'",
    "status-103": "status of a response must be 200 or more",
    "headers-none": r"response headers must be a list of tuples \(name, value\), not NoneType",
    "headers-tuple": "response headers must be a list of tuples .*, not tuple",
    "headers-dict": "response headers must be a list of tuples .*, not dict",
    "headers-str": r"each header must be a tuple \(name, value\), not 'X: y'",
    "headers-list": r"each header must be a tuple \(name, value\), not \['X', 'y'\]",
    "headers-three": "each header must be a tuple",
    "name-bytes": "header name must be str, not bytes: b'X'",
    "name-empty": r"a header name that is no token .*: \('', 'y'\)",
    "name-colon": "a header name that is no token",
    "name-space": "a header name that is no token",
    "name-crlf": "a header name that is no token",
    "value-int": "header value must be str, not int: 5",
    "value-none": "header value must be str, not NoneType",
    "value-wide": "header value has characters that are not in ISO-8859-1",
    "value-cr": r"a header value with CR, LF or NUL in it \(RFC 9110 5.5\): \('X', 'a\\rb'\)",
    "value-lf": "a header value with CR, LF or NUL in it",
    "value-nul": "a header value with CR, LF or NUL in it",
    "hop-connection": r"a header that only the server may send: \('connection', 'close'\)",
    "hop-coding": "a header that only the server may send",
    "hop-upgrade": "a header that only the server may send",
    "hop-keep-alive": "a header that only the server may send",
    "length-junk": "a Content-Length that is no number",
    "length-negative": "a Content-Length that is no number",
    "length-two": "a Content-Length that is no number or disagrees with the body",
    "length-list-short": "sent more than the 3 bytes that its Content-Length, or len\\(\\), promised",
    "length-list-long": "Content-Length says 5, and the body has 4 bytes",
    "length-past-at-once": "sent more than the 3 bytes that its Content-Length, or len\\(\\), promised",
    "exc-info-junk": "exc_info must be the tuple that sys.exc_info\\(\\) gives",
    "exc-info-nones": "exc_info must be the tuple",
    "returns-none": "returned NoneType; a WSGI application returns an iterable of bytes",
    "returns-int": "returned int; a WSGI application returns an iterable of bytes",
    "returns-str": "returned str; a WSGI application returns an iterable of bytes, as \\[b'...'\\]",
    "returns-bytes": "returned bytes; a WSGI application returns an iterable of bytes, as",
    "returns-bytearray": "returned bytearray; a WSGI application returns an iterable of bytes, as",
    "returns-strs": "returned list, which gave str; a WSGI body consists of bytes",
    "returns-dict": "returned dict, which gave str",
    "returns-ints": "returned list_iterator, which gave int",
    "returns-nones": "returned list, which gave NoneType",
    "returns-coroutine": "returned coroutine; a WSGI application returns an iterable of bytes",
    "returns-view": "returned list, which gave memoryview",
    "write-str": r"write\(\) takes bytes, not str",
    "write-none": r"write\(\) takes bytes, not NoneType",
    "hints-none": "wsgi.early_hints takes one argument, a list of tuples",
    "hints-str": "wsgi.early_hints takes one argument",
    "hints-crlf": "a header value with CR, LF or NUL in it",
    "hints-length": "a header that only the server may send: \\('Content-Length', '5'\\)",
    "wrapper-nothing": "FileWrapper",
    "wrapper-no-file": "'int' object has no attribute 'read'",
    "wrapper-text": "returned _smisk.FileWrapper, which gave str",
    "wrapper-closed": "of closed file|on closed file",
    "errors-bytes": "wsgi.errors takes str, not bytes",
}

# What came before the connection was cut, and what the log says.
CUT = {
    "too-late": (b"first", "LookupError: trapped by the application"),
    "fails-after": (b"first", "LookupError: after the first piece"),
    "lies-of-one": (b"one", r"sent more than the 3 bytes that its Content-Length, or len\(\), promised"),
    "returns-mixed": (b"bytes", "returned list, which gave str"),
    "length-past": (b"123", "sent more than the 3 bytes that its Content-Length, or len\\(\\), promised"),
    "length-not-reached": (b"12", "ended after 2 of the 3 bytes that Content-Length promised"),
    "write-past": (b"123", "sent more than the 3 bytes"),
    "write-then-fail": (b"written", "LookupError: after write"),
    "hints-too-late": (b"first", "wsgi.early_hints was called after the head of the response was sent"),
}

# The answer is complete before the mistake shows.
ANSWERED = {
    "fails-close": (b"piece", "LookupError: raised in close"),
    "bad-close": (b"piece", "'int' object is not callable"),
    "fails-len": (b"piece", None),
    "keep": (b"kept", None),
}


@pytest.fixture(scope="module")
def running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*HTTP, "wsgi_faults:application")


@pytest.fixture
def faults(running: Smiskd) -> Iterator[Smiskd]:
    yield running
    running.check()


@pytest.mark.parametrize("name", REFUSED)
def test_mistake_before_the_head_is_a_500_and_named_in_the_log(faults: Smiskd, name: str) -> None:
    faults.expect_log(rf"\[\S+\] GET /{name}: (?:.|\n)*(?:{REFUSED[name]})")
    with RawHTTP(faults.http) as raw:
        answer = raw.request(get(f"/{name}"))
        assert (answer.status, answer.get("x")) == (500, None)
        assert b"The server's log says more" in answer.body
        assert raw.request(get("/keep")).body == b"kept"  # the connection, and the worker, go on


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
        assert rest.startswith(b"%x\r\n%s\r\n" % (len(came), came)) and not rest.endswith(b"0\r\n\r\n")
    else:
        assert rest == came


@pytest.mark.parametrize("name", ANSWERED)
def test_mistake_after_the_body_leaves_the_answer(faults: Smiskd, name: str) -> None:
    body, said = ANSWERED[name]
    if said:
        faults.expect_log(said)
    with RawHTTP(faults.http) as raw:
        answer = raw.request(get(f"/{name}"))
        assert (answer.status, answer.body) == (200, body)


def test_generator_that_fails_at_its_end_is_cut(faults: Smiskd) -> None:
    faults.expect_log("LookupError: raised in finally")
    with RawHTTP(faults.http) as raw:
        raw.send(get("/fails-finally"))
        assert raw.read_head().status == 200
        assert raw.read_to_end() == b"5\r\npiece\r\n"


def test_body_announced_and_not_begun_is_no_complete_answer(faults: Smiskd) -> None:
    faults.expect_log("ended after 0 of the 3 bytes that Content-Length promised|Content-Length says 3")
    with RawHTTP(faults.http) as raw:
        raw.send(get("/length-not-begun"))
        head = raw.read_head()
        assert head.status == 500 or (head.get("content-length"), raw.read_to_end()) == ("3", b"")


def test_callables_kept_past_their_request_say_so(faults: Smiskd) -> None:
    with RawHTTP(faults.http) as raw:
        assert raw.request(get("/keep")).body == b"kept"
        answer = raw.request(get("/after-the-end"))
    assert answer.body.decode().split("\n") == [
        "start_response was called after its request was over",
        "write() was called after its request was over",
    ]


@pytest.mark.parametrize("name", ["twice", "value-lf", "returns-str", "fails-before"])
def test_mistake_over_fastcgi_is_a_500_and_told_the_front_server(faults: Smiskd, name: str) -> None:
    faults.expect_log(REFUSED[name])
    with FastCGI(faults.fastcgi) as fcgi:
        reply = fcgi.ask(f"/{name}")
    assert (reply.status, reply.header("x")) == (500, None)
    assert re.search(REFUSED[name].split(": ")[-1].encode(), reply.stderr)


def test_mistake_within_the_body_over_fastcgi_ends_the_connection(faults: Smiskd) -> None:
    faults.expect_log("after the first piece")
    with FastCGI(faults.fastcgi) as fcgi:
        fcgi.send(request("/fails-after"))
        records = list(fcgi.records())
    assert b"first" in b"".join(found.content for found in records)
    assert END_REQUEST not in [found.type for found in records]


def test_worker_outlives_all_mistakes(faults: Smiskd) -> None:
    assert len(children(faults.pid)) == len(faults.baseline) == 1


def test_traceback_is_shown_where_the_setting_says_so(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*HTTP, "--set", "show_traceback=true", "wsgi_faults:application")
    daemon.expect_log("before the first piece")
    with RawHTTP(daemon.http) as raw:
        assert b"before the first piece" in raw.request(get("/fails-before")).body
