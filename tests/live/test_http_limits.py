# SPDX-License-Identifier: MIT
"""HTTP clients that ask for too much, too slowly, or for what is not there: one defined answer, one log line each."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.http import Answer, RawHTTP, get

LIMITS = {
    "header_timeout": "300ms",
    "body_timeout": "300ms",
    "write_timeout": "500ms",
    "keepalive_timeout": "300ms",
    "linger_timeout": "1s",
    "max_header_size": "8k",
    "max_headers": "20",
    "max_body_size": "100k",
    "request_body_memory": "16k",
}
OPTIONS = [word for key, value in LIMITS.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def daemon(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    """Small limits and short deadlines."""
    return module_smiskd("--workers", "1", "--http", "127.0.0.1:0", *OPTIONS, "files")


@pytest.fixture
def client(daemon: Smiskd) -> Iterator[RawHTTP]:
    """A connection; after the test another client must still be served, and nothing may be left behind."""
    with RawHTTP(daemon.http) as raw:
        yield raw
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/read")).status == 200
    daemon.check()


def assert_refused(daemon: Smiskd, client: RawHTTP, status: int, since: int) -> Answer:
    """The answer has this status and ends the connection; one line in the log says so."""
    answer = client.read_answer()
    assert answer.status == status
    assert answer.get("connection") == "close"
    assert answer.get("content-length") == str(len(answer.body))
    client.half_close()
    client.assert_closed()
    daemon.wait_log(rf"answered {status}\b", since)
    assert daemon.log.count(r"answered \d", since) == 1
    return answer


LONG = "x" * 10_000
REFUSED: dict[str, tuple[str, int | tuple[int, int]]] = {
    "no-host": ("GET / HTTP/1.1\r\n\r\n", 400),
    "two-hosts": ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "host-with-path": ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "no-version": ("GET /\r\n\r\n", 400),
    "no-target": ("GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two-spaces": ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "method-no-token": ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "target-no-slash": ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "target-control": ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "target-fragment": ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tls-hello": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "nul-in-value": ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    "asterisk-get": ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bad-length": ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n", 400),
    "bad-chunk-size": ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nten\r\n", 400),
    "length-over-limit": ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 102401\r\n\r\n", 413),
    "length-over-2-to-64": ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n", (400, 413)),
    "chunk-over-limit": ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n19001\r\n", 413),
    "target-too-long": (f"GET /{LONG} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "target-endless": (f"GET /{LONG}", 414),
    "expectation": ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417),
    "field-too-long": (f"GET / HTTP/1.1\r\nHost: a\r\nX: {LONG}\r\n\r\n", 431),
    "field-endless": (f"GET / HTTP/1.1\r\nHost: a\r\nX: {LONG}", 431),
    "too-many-fields": ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: 1\r\n" * 20 + "\r\n", 431),
    "unknown-coding": ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "version-2": ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "version-0.9": ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    "h2-preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
}


@pytest.mark.parametrize("name", REFUSED)
def test_request_refused_with_its_status_and_one_log_line(daemon: Smiskd, client: RawHTTP, name: str) -> None:
    data, status = REFUSED[name]
    since = daemon.log.mark()
    client.send(data)
    if isinstance(status, tuple):
        answer = client.read_answer()
        assert answer.status in status
    else:
        assert_refused(daemon, client, status, since)


def test_refusal_after_served_request_comes_on_same_connection(daemon: Smiskd, client: RawHTTP) -> None:
    assert client.request(get("/read")).status == 200
    since = daemon.log.mark()
    client.send("BAD\r\n\r\n")
    assert_refused(daemon, client, 400, since)


def test_refusal_page_does_not_repeat_what_client_sent(client: RawHTTP) -> None:
    answer = client.request("GET /<script>alert(1)</script>\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 400
    assert b"script" not in answer.body


def test_refusal_cannot_forge_log_line(daemon: Smiskd, client: RawHTTP) -> None:
    since = daemon.log.mark()
    client.send("GET /\x1b[2J\x7fforged HTTP/1.1\r\nHost: a\r\n\r\n")
    assert_refused(daemon, client, 400, since)
    line = next(line for line in daemon.log.lines[since:] if "answered 400" in line)
    assert all(character.isprintable() for character in line)


def test_limits_met_exactly_are_served(client: RawHTTP) -> None:
    fields = [f"X-{number}: 1" for number in range(19)]
    assert client.request(get("/read", *fields)).status == 200
    body = b"x" * 102_400
    client.send(b"POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: 102400\r\n\r\n" + body)
    assert client.read_answer("POST").status == 200


def test_version_1_2_is_answered_as_1_1(client: RawHTTP) -> None:
    assert client.request(get("/read", version="HTTP/1.2")).status == 200  # RFC 9110 2.5


def test_expect_continue_past_limit_gets_413_and_no_100(client: RawHTTP) -> None:
    fields = ("Content-Length: 102401", "Expect: 100-continue")
    assert client.request(get("/", *fields, method="POST")).status == 413


# --- slow clients ---


@pytest.mark.parametrize("sent", ["G", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: y"])
def test_head_that_does_not_come_is_408(daemon: Smiskd, client: RawHTTP, sent: str) -> None:
    since = daemon.log.mark()
    client.send(sent)
    assert_refused(daemon, client, 408, since)


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_body_that_does_not_come_is_408(daemon: Smiskd, client: RawHTTP, field: str) -> None:
    since = daemon.log.mark()
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n1")
    assert_refused(daemon, client, 408, since)


def test_body_that_comes_slowly_but_steadily_is_served(client: RawHTTP) -> None:
    client.send("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
    for byte in b"abcdefgh":  # 0.8 s in all, each well within body_timeout
        time.sleep(0.1)
        client.send(bytes([byte]))
    assert json.loads(client.read_answer("POST").body) == ["abc", "", "defgh", ""]


def test_idle_connection_is_closed_without_answer_or_warning(daemon: Smiskd, client: RawHTTP) -> None:
    assert client.request(get("/read")).status == 200
    since = daemon.log.mark()
    client.assert_closed()
    assert daemon.log.count("warning|error", since) == 0


def test_connection_that_never_speaks_is_closed(daemon: Smiskd, client: RawHTTP) -> None:
    since = daemon.log.mark()
    client.assert_closed()
    assert daemon.log.count("warning|error", since) == 0


def test_client_that_takes_no_output_is_closed(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", *OPTIONS, "streams")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/?blocks=100000"))
        daemon.wait_log("write_timeout")
        daemon.wait_log(r"generator over after \d+ of 100000")
        data = b"x"
        while data:  # what the kernel holds, then the end, or a reset
            try:
                data = raw.sock.recv(1 << 20)
            except ConnectionResetError:
                break


# --- early answers to unread bodies ---


def send_quietly(sock: socket.socket, data: bytes, times: int, sent: list[int]) -> None:
    for _ in range(times):
        sock.sendall(data)
        sent[0] += len(data)


def test_early_413_to_large_body_arrives_whole_while_client_sends(client: RawHTTP) -> None:
    size, sent = 50 << 20, [0]
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
    sender = threading.Thread(target=send_quietly, args=(client.sock, bytes(1 << 20), 50, sent))
    sender.start()
    sender.join(30)
    assert sent == [size], "the server did not read on after its answer"
    answer = client.read_answer("POST")
    assert answer.status == 413
    client.half_close()
    client.assert_closed()


def test_early_413_to_chunked_body_arrives_whole(client: RawHTTP) -> None:
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64):
        client.send(b"10000\r\n" + bytes(65536) + b"\r\n")
    assert client.read_answer("POST").status == 413
    client.half_close()
    client.assert_closed()


def test_lingering_close_ends_by_itself(client: RawHTTP) -> None:
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
    assert client.read_answer("POST").status == 413
    client.sock.settimeout(5.0)  # linger_timeout is 1 s
    client.assert_closed()


def test_client_gone_within_body_frees_connection(daemon: Smiskd, client: RawHTTP) -> None:
    since = daemon.log.mark()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + "x" * 20_000)
    client.half_close()
    assert client.read_to_end()[:12] in (b"", b"HTTP/1.1 400")
    daemon.wait_log("closed the connection|answered 400", since)
