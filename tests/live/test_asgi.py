# SPDX-License-Identifier: MIT
"""The ASGI interface over HTTP and FastCGI: scope, receive, send, lifespan (ASGI HTTP 2.5, lifespan 2.0)."""

import ast
import hashlib
import json
import select
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.daemon import Smiskd, run_smiskd
from lib.fcgi import (
    ABORT_REQUEST,
    END_REQUEST,
    KEEP_CONN,
    PARAMS,
    STDIN,
    FastCGI,
    begin,
    cgi_env,
    encode_pairs,
    params,
    record,
    stream,
)
from lib.http import Answer, RawHTTP, get

BOTH = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")
MEMORY = 65536
SETTINGS = ("--set", f"request_body_memory={MEMORY}", "--set", "write_buffer=65536")
EXTENSIONS = {
    "http.response.trailers": {},
    "http.response.pathsend": {},
    "http.response.early_hint": {},
    "http.response.zerocopysend": {},
}
STATE = {"shared": {"made by": "lifespan"}, "number": 7}
BLOCK = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*BOTH, *SETTINGS, "asgi_echo:application")


@pytest.fixture
def echo(running: Smiskd) -> Iterator[Smiskd]:
    yield running
    running.check()


def fetch(daemon: Smiskd, path: str = "/", *fields: str, body: bytes = b"", method: str = "GET") -> Answer:
    length = [f"Content-Length: {len(body)}"] if body else []
    with RawHTTP(daemon.http) as raw:
        raw.send(get(path, *length, *fields, method=method) + body)
        return raw.read_answer(method)


def literals(body: bytes) -> dict[str, Any]:
    return {name: ast.literal_eval(value) for name, value in json.loads(body).items()}


def reset(raw: RawHTTP | FastCGI) -> None:
    """Closes with a RST."""
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


# --- scope ---


def test_scope_over_http_has_exactly_what_the_specification_names(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        port = raw.sock.getsockname()[1]
        scope = literals(
            raw.request(get("/a%20b/%C3%BC?x=%20y&z", "X-UPPER: V\xe4l", "Cookie: a=1", "cookie: b=2")).body
        )
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "server": ("127.0.0.1", echo.port),
        "client": ("127.0.0.1", port),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/a b/ü",
        "raw_path": b"/a%20b/%C3%BC",
        "query_string": b"x=%20y&z",
        "headers": [(b"host", b"test.example"), (b"x-upper", b"V\xe4l"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
        "extensions": EXTENSIONS,
        "state": STATE,
    }


def test_scope_over_fastcgi_has_exactly_what_the_specification_names(echo: Smiskd) -> None:
    env = {
        **cgi_env("PUT", "/a b/ü", "x=%20y"),
        "REQUEST_URI": "/a%20b/%C3%BC?x=%20y",
        "HTTP_HOST": "front.example",
        "HTTP_X_UPPER": "V",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "",
        "HTTPS": "on",
        "SERVER_PORT": "443",
    }
    with FastCGI(echo.fastcgi) as fcgi:
        fcgi.send(begin(1) + params(1, env) + stream(STDIN, 1, b""))
        scope = literals(fcgi.reply().body)
    assert sorted(scope.pop("headers")) == [
        (b"content-type", b"text/x"),
        (b"host", b"front.example"),
        (b"x-upper", b"V"),
    ]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "server": ("front.example", 443),
        "client": ("192.0.2.7", 40000),
        "scheme": "https",
        "method": "PUT",
        "root_path": "",
        "path": "/a b/ü",
        "raw_path": b"/a%20b/%C3%BC",
        "query_string": b"x=%20y",
        "extensions": EXTENSIONS,
        "state": STATE,
    }


def test_scope_of_http_1_0_and_of_script_name(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        assert literals(raw.request(get("/", version="HTTP/1.0")).body)["http_version"] == "1.0"
    with FastCGI(echo.fastcgi) as fcgi:
        scope = literals(fcgi.ask("/in", env={"SCRIPT_NAME": "/app", "REQUEST_URI": "/app/in"}).body)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/app", "/app/in", b"/app/in")


def test_scopes_take_nothing_from_the_ones_before(echo: Smiskd) -> None:
    long = "X-" + "L" * 60
    with RawHTTP(echo.http) as raw:
        for turn in range(6):
            value = ["one", "two", "w" * 300][turn // 2]
            target = ["/a?q", "/b", "/c%20d?"][turn % 3]
            fields = [f"X-Same: {value}", f"x-same: {turn}", f"{long}: {value}", "X_UNDER: u", "X-Gone: y"][
                : 4 + turn % 2
            ]
            method = "GET" if turn % 3 else "POST"
            scope = literals(raw.request(get(target, *fields, method=method)).body)
            assert (
                scope["headers"]
                == [
                    (b"host", b"test.example"),
                    (b"x-same", value.encode()),
                    (b"x-same", str(turn).encode()),
                    (long.lower().encode(), value.encode()),
                    (b"x_under", b"u"),
                    (b"x-gone", b"y"),
                ][: 5 + turn % 2]
            )
            path, _, query = target.partition("?")
            assert (scope["method"], scope["raw_path"], scope["query_string"]) == (
                method,
                path.encode(),
                query.encode(),
            )
            assert scope["server"] == ("127.0.0.1", echo.port)
    for turn in range(6):
        name = ["a.example", "b.example", "s" * 80 + ".example", ""][turn % 4]
        env = {
            "SERVER_NAME": name,
            "SERVER_PORT": str(8000 + turn // 2),
            "HTTP_X_SAME": str(turn // 2),
            "HTTP_X_UNDER": "u",
            f"HTTP_X_{'L' * 60}": str(turn),
        }
        with FastCGI(echo.fastcgi) as fcgi:
            scope = literals(fcgi.ask("/", env=env).body)
        assert scope["server"] == ((name, 8000 + turn // 2) if name else None)
        headers = dict(scope["headers"])
        assert headers[b"x-same"] == str(turn // 2).encode() and headers[long.lower().encode()] == str(turn).encode()
        assert headers[b"x-under"] == b"u" and b"x_under" not in headers


def test_a_parameter_that_comes_again_is_one_header_with_its_last_value(echo: Smiskd) -> None:
    long = "HTTP_X_" + "L" * 60
    again = [
        ("HTTP_X_TWICE", "first"),
        (long, "first"),
        ("HTTP_X_ONCE", "1"),
        ("HTTP_X_TWICE", "last"),
        (long, "last"),
    ]
    block = encode_pairs([*cgi_env("GET", "/").items(), *again])
    with FastCGI(echo.fastcgi) as fcgi:
        fcgi.send(begin(1) + stream(PARAMS, 1, block) + stream(STDIN, 1, b""))
        headers = literals(fcgi.reply().body)["headers"]
    assert [value for name, value in headers if name == b"x-twice"] == [b"last"]
    assert [value for name, value in headers if name == b"x-" + b"l" * 60] == [b"last"]
    assert dict(headers)[b"x-once"] == b"1"


@pytest.mark.parametrize("target", ["/app/in/it?q", "/in/it?q"])
def test_root_path_stands_in_front_of_path_whether_the_proxy_strips_it_or_not(
    smiskd: Callable[..., Smiskd], target: str
) -> None:
    daemon = smiskd(*BOTH, "--set", "root_path=/app", "asgi_echo:application")
    scope = literals(fetch(daemon, target).body)
    assert (scope["root_path"], scope["path"], scope["query_string"]) == ("/app", "/app/in/it", b"q")
    assert scope["raw_path"] == target.partition("?")[0].encode()


def test_state_is_a_copy_for_each_request_of_the_lifespans_own_objects(echo: Smiskd) -> None:
    for _ in range(2):
        assert json.loads(fetch(echo, "/state").body) == [True, 8]
    assert literals(fetch(echo, "/").body)["extensions"] == EXTENSIONS


def test_scope_of_a_unix_listener_has_no_client(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", "--http", f"unix:{tmp_path}/s", "asgi_echo:application")
    scope = literals(fetch(daemon).body)
    assert scope["client"] is None
    assert scope["server"] in (None, (f"{tmp_path}/s", None))


# --- receive ---


def test_body_that_is_there_comes_in_one_message(echo: Smiskd) -> None:
    for body in (b"", b"x", BLOCK[:30000]):
        seen = json.loads(fetch(echo, "/read", body=body, method="POST").body)
        assert seen["sha256"] == hashlib.sha256(body).hexdigest()
        assert sum(size for _, size, _ in seen["messages"]) == len(body)
        if len(body) < 2:
            assert seen["messages"] == [["http.request", len(body), False]]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_large_body_comes_in_pieces_and_the_connection_goes_on(echo: Smiskd, is_chunked: bool) -> None:
    body = BLOCK * 48  # 3 MiB
    with RawHTTP(echo.http) as raw:
        for _ in range(2):
            if is_chunked:
                chunks = b"".join(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) for _ in range(48)) + b"0\r\nX-T: 1\r\n\r\n"
                raw.send(get("/read", "Transfer-Encoding: chunked", method="POST") + chunks)
            else:
                raw.send(get("/read", f"Content-Length: {len(body)}", method="POST") + body)
            seen = json.loads(raw.read_answer().body)
            assert seen["sha256"] == hashlib.sha256(body).hexdigest()
            assert len(seen["messages"]) > 3 and max(size for _, size, _ in seen["messages"]) <= 262144
            assert [more for _, _, more in seen["messages"]] == [True] * (len(seen["messages"]) - 1) + [False]


def test_large_body_over_fastcgi_comes_in_pieces(echo: Smiskd) -> None:
    body = BLOCK * 48
    with FastCGI(echo.fastcgi) as fcgi:
        for _ in range(2):
            seen = json.loads(fcgi.ask("/read", body, flags=KEEP_CONN).body)
            assert seen["sha256"] == hashlib.sha256(body).hexdigest()
            assert len(seen["messages"]) > 3 and max(size for _, size, _ in seen["messages"]) <= 262144


def test_100_continue_comes_when_the_body_is_asked_for_and_not_otherwise(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        since = echo.log.mark()
        raw.send(get("/gated?gate=continue", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        echo.wait_log("note: at the gate", since)
        assert select.select([raw.sock], [], [], 0)[0] == []
        assert fetch(echo, "/open?gate=continue").status == 200
        assert raw.read_head().status == 100
        raw.send(b"body")
        assert json.loads(raw.read_answer().body)["messages"][-1][2] is False
    with RawHTTP(echo.http) as raw:
        raw.send(get("/early", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert raw.read_head().status == 200  # and no 100 before


@pytest.mark.parametrize("protocol", ["http", "fastcgi"])
def test_sender_of_a_body_that_is_not_read_is_held_up(echo: Smiskd, protocol: str) -> None:
    body = BLOCK * 800  # 50 MiB
    name = f"held-{protocol}"
    raw: RawHTTP | FastCGI
    raw = RawHTTP(echo.http) if protocol == "http" else FastCGI(echo.fastcgi)
    with raw:
        since = echo.log.mark()
        if isinstance(raw, RawHTTP):
            data = get(f"/gated?gate={name}", f"Content-Length: {len(body)}", method="POST") + body
        else:
            env = {**cgi_env("POST", "/gated", f"gate={name}"), "CONTENT_LENGTH": str(len(body))}
            data = begin(1) + params(1, env) + stream(STDIN, 1, body)
        raw.sock.setblocking(False)
        sent = 0
        # Held up: nothing can be sent for half a second.
        while select.select([], [raw.sock], [], 0.5)[1]:
            sent += raw.sock.send(data[sent : sent + 262144])
            assert sent < len(data), "50 MiB were taken though nobody reads"
        echo.wait_log("note: at the gate", since)
        raw.sock.settimeout(30)
        assert fetch(echo, f"/open?gate={name}").status == 200
        raw.sock.sendall(data[sent:])
        answer = raw.read_answer() if isinstance(raw, RawHTTP) else raw.reply()
        assert json.loads(answer.body)["sha256"] == hashlib.sha256(body).hexdigest()


def test_early_answer_to_a_post_that_nobody_reads_arrives_whole(echo: Smiskd) -> None:
    body = BLOCK * 320  # 20 MiB
    with RawHTTP(echo.http) as raw:
        raw.send(get("/early", f"Content-Length: {len(body)}", method="POST") + body)
        assert raw.read_answer().body == b"early" * 20000


# --- those who leave ---


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("body", [b"", b"some"])
def test_client_that_leaves_over_http_is_reported_to_receive_and_send(echo: Smiskd, way: str, body: bytes) -> None:
    since = echo.log.mark()
    raw = RawHTTP(echo.http)
    length = [f"Content-Length: {len(body)}"] if body else []
    raw.send(get("/listen?name=left", *length, method="POST") + body)
    echo.wait_log(f"note: listens, {len(body)} bytes", since)
    reset(raw) if way == "reset" else raw.close()
    echo.wait_log("note: left {'type': 'http.disconnect'}", since)
    echo.wait_log("note: left send: ClientDisconnected, True", since)


def test_client_that_leaves_within_its_body_is_reported(echo: Smiskd) -> None:
    since = echo.log.mark()
    with RawHTTP(echo.http) as raw:
        raw.send(get("/listen?name=half", "Content-Length: 10", method="POST") + b"five.")
        echo.wait_log("note: listens, 5 bytes", since)
    echo.wait_log("note: half {'type': 'http.disconnect'}", since)
    echo.wait_log("note: half send: ClientDisconnected, True", since)


@pytest.mark.parametrize("way", ["abort", "close", "reset"])
def test_client_that_leaves_over_fastcgi_is_reported(echo: Smiskd, way: str) -> None:
    since = echo.log.mark()
    with FastCGI(echo.fastcgi) as fcgi:
        env = cgi_env("GET", "/listen", f"name={way}")
        fcgi.send(begin(1, flags=KEEP_CONN) + params(1, env) + stream(STDIN, 1, b""))
        echo.wait_log("note: listens, 0 bytes", since)
        if way == "abort":
            fcgi.send(record(ABORT_REQUEST, 1))
            echo.wait_log(f"note: {way} {{'type': 'http.disconnect'}}", since)
            assert fcgi.reply().records[-1].type == END_REQUEST
            assert fcgi.ask("/kinds", request_id=2, flags=KEEP_CONN).body == b"onetwothree"
        elif way == "reset":
            reset(fcgi)
    echo.wait_log(f"note: {way} {{'type': 'http.disconnect'}}", since)
    echo.wait_log(f"note: {way} send: ClientDisconnected, True", since)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_stream_without_an_end_ends_when_its_reader_leaves(echo: Smiskd, way: str) -> None:
    since = echo.log.mark()
    raw = RawHTTP(echo.http)
    raw.send(get("/for-ever?name=endless"))
    raw.read_exactly(300000)
    reset(raw) if way == "reset" else raw.close()
    echo.wait_log("note: endless ended by ClientDisconnected", since)
    with FastCGI(echo.fastcgi) as fcgi:
        since = echo.log.mark()
        fcgi.send(begin(1) + params(1, cgi_env("GET", "/for-ever", "name=fcgi")) + stream(STDIN, 1, b""))
        for _ in range(8):
            assert fcgi.read_record() is not None
        fcgi.send(record(ABORT_REQUEST, 1))
        echo.wait_log("note: fcgi ended by ClientDisconnected", since)


def test_receive_after_the_response_is_a_disconnect(echo: Smiskd) -> None:
    since = echo.log.mark()
    with RawHTTP(echo.http) as raw:
        assert raw.request(get("/after")).status == 200
        echo.wait_log("note: after: {'type': 'http.disconnect'} {'type': 'http.disconnect'}", since)
        assert raw.request(get("/waits")).body == b"done"
        echo.wait_log("note: listener: {'type': 'http.disconnect'}", since)
        assert raw.request(get("/kinds")).body == b"onetwothree"


# --- send ---


def test_bodies_of_all_kinds_of_bytes_and_missing_keys(echo: Smiskd) -> None:
    answer = fetch(echo, "/kinds")
    assert (answer.status, answer.body, answer.get("content-type")) == (200, b"onetwothree", None)
    answer = fetch(echo, "/iterables")
    assert (answer.status, answer.body, answer.get("x-a"), answer.get("x-b")) == (299, b"ok", "1", "1")
    assert (answer.get("content-length"), answer.get("transfer-encoding")) == ("2", None)


def test_messages_are_taken_as_they_are_when_they_are_sent(echo: Smiskd) -> None:
    answer = fetch(echo, "/reused")
    assert (answer.status, answer.get("x-a"), answer.get("x-b"), answer.body) == (201, "1", None, b"reused")


def test_slow_reader_holds_up_the_sender(echo: Smiskd) -> None:
    since = echo.log.mark()
    with RawHTTP(echo.http) as raw:
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.send(get("/pieces?n=400&size=65536&name=slow"))  # 25 MiB
        echo.wait_log("note: slow piece 1$", since)
        assert raw.read_head().status == 200
        assert fetch(echo, "/kinds").status == 200  # others are served meanwhile
        assert echo.log.count("note: slow piece 399", since) == 0
        first, total = raw.read_until(b"\r\n"), 0
        while size := int(first, 16):
            assert len(set(raw.read_exactly(size))) <= 2
            total += size
            assert raw.read_exactly(2) == b"\r\n"
            first = raw.read_until(b"\r\n")
        assert total == 400 * 65536
    echo.wait_log("note: slow piece 399", since)


def test_head_204_and_304_have_no_body(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        answer = raw.request(get("/status?code=200&body=four", method="HEAD"))
        assert (answer.status, answer.get("content-length")) == (200, "4")
        assert raw.request(get("/status?code=204&body=four")).get("content-length") is None
        assert raw.request(get("/status?code=304&body=four")).status == 304
        answer = raw.request(get("/pieces?n=3&size=100000&name=head", method="HEAD"))
        assert answer.status == 200
        assert raw.request(get("/status?code=200&body=four")).body == b"four"


def test_content_length_of_the_application_is_kept_to(echo: Smiskd) -> None:
    answer = fetch(echo, "/length?says=6&body=abc,def")
    assert (answer.get("content-length"), answer.get("transfer-encoding"), answer.body) == ("6", None, b"abcdef")
    echo.expect_log("Content-Length")
    with RawHTTP(echo.http) as raw:
        raw.send(get("/length?says=4&body=abc,def"))
        assert raw.read_head().status == 200
        assert raw.read_to_end() == b"abc"
    echo.expect_log("ended after 3 of the 9 bytes that Content-Length promised")
    with RawHTTP(echo.http) as raw:
        raw.send(get("/length?says=9&body=abc"))
        assert raw.read_head().status == 200
        assert raw.read_to_end() == b"abc"
    echo.expect_log("Content-Length that is no number")
    assert fetch(echo, "/length?says=none&body=abc").status == 500


def test_trailers_follow_a_chunked_body(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        for _ in range(2):
            answer = raw.request(get("/trailers", "TE: trailers"))
            assert (answer.body, answer.trailers) == (b"onetwo", [("x-sum", "6"), ("x-end", "yes")])
        assert raw.request(get("/trailers", method="HEAD")).status == 200
        assert raw.request(get("/kinds")).body == b"onetwothree"
    with FastCGI(echo.fastcgi) as fcgi:
        assert fcgi.ask("/trailers").body == b"onetwo"


def test_early_hint_leaves_before_the_response(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        raw.send(get("/hint?gate=hint"))
        hint = raw.read_head()
        assert (hint.status, hint.all("link")) == (103, ["</a.css>; rel=preload", "</b.js>; rel=preload"])
        assert fetch(echo, "/open?gate=hint").status == 200
        assert raw.read_answer().body == b"hinted"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_pathsend_sends_the_file(echo: Smiskd, tmp_path: Path, method: str) -> None:
    for content in (b"", b"short", BLOCK * 50):
        file = tmp_path / "file"
        file.write_bytes(content)
        with RawHTTP(echo.http) as raw:
            answer = raw.request(get(f"/path?file={file}", method=method))
            assert (answer.status, answer.get("content-length")) == (200, str(len(content)))
            assert answer.body == (content if method == "GET" else b"")
            assert raw.request(get("/kinds")).body == b"onetwothree"
        with FastCGI(echo.fastcgi) as fcgi:
            assert fcgi.ask(f"/path?file={file}").body == content


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("relative", "the path must be absolute"),
        ("/no/such", "FileNotFoundError"),
        ("/dev", "OSError"),
        ("/a%00b", "null byte"),
    ],
)
def test_pathsend_of_no_file_is_a_500(echo: Smiskd, file: str, said: str) -> None:
    echo.expect_log(said)
    answer = fetch(echo, f"/path?file={file}")
    assert (answer.status, answer.get("content-type")) == (500, "text/html; charset=utf-8")


def test_zerocopysend_sends_parts_of_a_file_by_offset_and_count(echo: Smiskd) -> None:
    want = bytes([0, 1, 2, 250, 251, 252, 253, 254, 255, 0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 252, 253, 254, 255])
    since = echo.log.mark()
    with RawHTTP(echo.http) as raw:
        assert raw.request(get("/zero")).body == want
        assert raw.request(get("/kinds")).body == b"onetwothree"
    with FastCGI(echo.fastcgi) as fcgi:
        assert fcgi.ask("/zero").body == want
    echo.wait_log("note: zero-copy offset 17", since, times=2)


def test_pipelined_requests_are_answered_in_order(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        body = get("/read", "Content-Length: 3", method="POST") + b"abc"
        raw.send(b"".join([get("/kinds"), body, get("/pieces?n=3&size=70000&name=pipe"), get("/early"), body]))
        assert raw.read_answer().body == b"onetwothree"
        assert json.loads(raw.read_answer().body)["messages"][-1][2] is False
        assert len(raw.read_answer().body) == 210000
        assert raw.read_answer().body == b"early" * 20000
        assert json.loads(raw.read_answer().body)["sha256"] == hashlib.sha256(b"abc").hexdigest()


def test_multiplexed_fastcgi_requests_are_served_side_by_side(echo: Smiskd) -> None:
    with FastCGI(echo.fastcgi) as fcgi:
        for number in (1, 2):
            env = cgi_env("GET", "/gated", "gate=mpx") if number == 1 else cgi_env("GET", "/open", "gate=mpx")
            fcgi.send(begin(number, flags=KEEP_CONN) + params(number, env) + stream(STDIN, number, b""))
        assert fcgi.reply(2).body == b'"open"'
        assert fcgi.reply(1).status == 200


# --- lifespan ---


@pytest.mark.parametrize("loop", ["engine", "asyncio"])
def test_lifespan_is_shut_down_on_term(smiskd: Callable[..., Smiskd], loop: str) -> None:
    daemon = smiskd(*BOTH, "--set", f"loop={loop}", "asgi_echo:application")
    assert fetch(daemon, "/state").status == 200
    daemon.stop()
    daemon.wait_log("note: shutdown")


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("raises_in_startup", "LookupError: no database"),
        ("says_failed", "LifespanError: the database is away"),
    ],
)
def test_failed_startup_is_fatal(app: str, said: str, mode: str) -> None:
    done = run_smiskd(
        "--pythonpath",
        str(Path(__file__).parents[1] / "apps"),
        *BOTH,
        "--set",
        f"lifespan={mode}",
        f"asgi_lifespans:{app}",
    )
    assert said in done.stderr
    assert "Traceback (most recent call last)" in done.stderr
    assert "ready:" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("app", ["raises_at_once", "returns_at_once", "http_only", "takes_all_for_http"])
def test_application_without_lifespan_is_served_unless_lifespan_is_on(
    smiskd: Callable[..., Smiskd], app: str
) -> None:
    daemon = smiskd(*BOTH, f"asgi_lifespans:{app}")
    assert fetch(daemon).body == b"without state"
    done = run_smiskd(
        "--pythonpath",
        str(Path(__file__).parents[1] / "apps"),
        *BOTH,
        "--set",
        "lifespan=on",
        f"asgi_lifespans:{app}",
    )
    assert "lifespan is on, and the application does not speak it" in done.stderr
    assert done.returncode == 1


def test_lifespan_off_does_not_ask(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*BOTH, "--set", "lifespan=off", "asgi_lifespans:says_failed")
    assert fetch(daemon).body == b"without state"


@pytest.mark.parametrize(
    ("app", "said"),
    [("fails_in_shutdown", "LookupError: cannot say goodbye"), ("says_shutdown_failed", "LifespanError: still busy")],
)
def test_failed_shutdown_is_logged(smiskd: Callable[..., Smiskd], app: str, said: str) -> None:
    daemon = smiskd(*BOTH, f"asgi_lifespans:{app}")
    assert fetch(daemon).body == b"with state"
    daemon.allow_log(said)
    daemon.stop()
    daemon.wait_log(said)


def test_shutdown_that_never_ends_is_bounded(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*BOTH, "--set", "shutdown_timeout=500ms", "asgi_lifespans:never_shuts_down")
    assert fetch(daemon).body == b"with state"
    daemon.allow_log("its lifespan did not end well")
    daemon.stop()
    daemon.wait_log("its lifespan did not end well")
