# SPDX-License-Identifier: MIT
"""Broken FastCGI: a defined answer or close, one log line, the connection freed, everybody else served."""

import contextlib
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.fcgi import (
    ABORT_REQUEST,
    BEGIN_REQUEST,
    DATA,
    END_REQUEST,
    GET_VALUES,
    GET_VALUES_RESULT,
    KEEP_CONN,
    PARAMS,
    STDERR,
    STDIN,
    STDOUT,
    FastCGI,
    begin,
    cgi_env,
    encode_pairs,
    params,
    record,
    request,
    stream,
)

OPTIONS = [
    word
    for setting in (
        "header_timeout=300ms",
        "body_timeout=300ms",
        "write_timeout=500ms",
        "keepalive_timeout=300ms",
        "linger_timeout=1s",
        "max_header_size=64k",
        "max_headers=50",
        "max_body_size=100k",
        "request_body_memory=16k",
    )
    for word in ("--set", setting)
]


@pytest.fixture(scope="module")
def daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    path = tmp_path_factory.mktemp("bad") / "s"
    return module_smiskd("--workers", "1", "--fastcgi", f"unix:{path}", *OPTIONS, "echo")


@pytest.fixture
def client(daemon: Smiskd) -> Iterator[FastCGI]:
    """A connection, beside another one that must be served before and after."""
    with FastCGI(daemon.fastcgi) as raw:
        yield raw
    with FastCGI(daemon.fastcgi) as raw:
        assert raw.ask("/bystander").status == 200
    daemon.check()


def whole(pairs: bytes, body: bytes = b"") -> bytes:
    """A request with these bytes as its PARAMS."""
    return begin(1, flags=KEEP_CONN) + stream(PARAMS, 1, pairs) + stream(STDIN, 1, body)


# --- what is not FastCGI ends the connection ---

NOT_FASTCGI = {
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tls": bytes.fromhex("16030102000100") + bytes(200),
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "version-0": record(BEGIN_REQUEST, 1, bytes(8), version=0),
    "version-2": record(BEGIN_REQUEST, 1, struct.pack(">HB5x", 1, 0), version=2),
    "version-changes": begin(1) + record(PARAMS, 1, encode_pairs(cgi_env()), version=3),
    "begin-short": record(BEGIN_REQUEST, 1, struct.pack(">HB", 1, 0)),
    "begin-empty": record(BEGIN_REQUEST, 1),
    "begin-long": record(BEGIN_REQUEST, 1, struct.pack(">HB5x", 1, 0) + b"xx"),
    "begin-id-0": record(BEGIN_REQUEST, 0, struct.pack(">HB5x", 1, 0)),
    "params-id-0": record(PARAMS, 0, b"x"),
    "stdin-id-0": record(STDIN, 0, b"x"),
    "begin-twice": begin(1) + begin(1),
    "data-for-responder": begin(1) + params(1, cgi_env()) + record(DATA, 1, b"x"),
}


@pytest.mark.parametrize("name", NOT_FASTCGI)
def test_not_fastcgi_closes_connection_with_one_log_line(daemon: Smiskd, client: FastCGI, name: str) -> None:
    since = daemon.log.mark()
    client.send(NOT_FASTCGI[name])
    try:
        for found in client.records():
            assert found.type == END_REQUEST, found
    except ConnectionResetError:
        pass
    daemon.wait_log("warning|FastCGI", since)
    assert len(daemon.log.lines) - since == 1, daemon.log.lines[since:]


def test_not_fastcgi_after_requests_closes_connection(daemon: Smiskd, client: FastCGI) -> None:
    assert client.ask("/", flags=KEEP_CONN).status == 200
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        client.assert_closed()
    daemon.wait_log("warning")


# --- what is known but out of place is skipped ---

SKIPPED = {
    "params-unknown-id": record(PARAMS, 9, b"x"),
    "stdin-unknown-id": record(STDIN, 9, b"x"),
    "data-unknown-id": record(DATA, 9, b"x"),
    "abort-unknown-id": record(ABORT_REQUEST, 9),
    "server-only-stdout": record(STDOUT, 1, b"x"),
    "server-only-stderr": record(STDERR, 1, b"x"),
    "server-only-end": record(END_REQUEST, 1, bytes(8)),
    "unknown-type-with-id": record(77, 1, b"x" * 100, 5),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_record_out_of_place_is_skipped(client: FastCGI, name: str) -> None:
    client.send(SKIPPED[name] + begin(1) + SKIPPED[name] + params(1, cgi_env()) + stream(STDIN, 1, b""))
    assert client.reply().status == 200


# --- parameters that cannot be read: 400, and the connection goes on ---

BASE = encode_pairs(cgi_env())
BAD_PARAMS = {
    "name-past-end": BASE + b"\x20\x00abc",
    "value-past-end": BASE + b"\x01\x20aabc",
    "length-cut": BASE + b"\x80\x00",
    "second-length-missing": BASE + b"\x05",
    "length-2-to-31": BASE + b"\xff\xff\xff\xff\xff\xff\xff\xffab",
    "length-wraps-32-bits": BASE + b"\xff\xff\xff\xff\x01ab",
    "length-just-over": BASE + b"\x80\x00\x00\x03\x01abc",
    "nul-in-name": BASE + encode_pairs([("HTTP_A\0B", "1")]),
    "nul-in-value": BASE + encode_pairs([("HTTP_A", "1\0")]),
    "empty-name": BASE + encode_pairs([("", "1")]),
    "length-word": BASE + encode_pairs([("CONTENT_LENGTH", "ten")]),
    "length-negative": BASE + encode_pairs([("CONTENT_LENGTH", "-2")]),
    "length-spaces": BASE + encode_pairs([("CONTENT_LENGTH", " 0")]),
    "length-over-64-bits": BASE + encode_pairs([("CONTENT_LENGTH", "99999999999999999999")]),
    "length-twice-different": BASE + encode_pairs([("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "1")]),
}


@pytest.mark.parametrize("name", BAD_PARAMS)
def test_unreadable_parameters_are_400_with_one_log_line(daemon: Smiskd, client: FastCGI, name: str) -> None:
    since = daemon.log.mark()
    client.send(whole(BAD_PARAMS[name]))
    assert client.reply().status == 400
    daemon.wait_log(r"answered 400\b", since)
    assert daemon.log.count(r"answered \d", since) == 1
    assert client.ask("/", request_id=2).status == 200


def test_no_parameters_at_all_is_400_or_served(client: FastCGI) -> None:
    client.send(whole(b""))
    assert client.reply().status in (200, 400)
    assert client.ask("/", request_id=2).status == 200


def test_too_many_parameters_are_431(daemon: Smiskd, client: FastCGI) -> None:
    since = daemon.log.mark()
    client.send(whole(BASE + encode_pairs([(f"HTTP_X_{n}", "1") for n in range(300)])))
    assert client.reply().status == 431
    daemon.wait_log(r"answered 431\b", since)
    assert client.ask("/", request_id=2).status == 200


def test_parameters_past_max_header_size_are_431(daemon: Smiskd, client: FastCGI) -> None:
    since = daemon.log.mark()
    client.send(whole(BASE + encode_pairs([("HTTP_X", "v" * 70_000)])))
    assert client.reply().status == 431
    daemon.wait_log(r"answered 431\b", since)
    assert client.ask("/", request_id=2).status == 200


def test_endless_parameters_are_431_before_their_end(client: FastCGI) -> None:
    client.send(begin(1))
    pair = encode_pairs([("HTTP_X", "v" * 30_000)])
    for _ in range(4):
        client.send(record(PARAMS, 1, pair))
    assert client.reply().status == 431


# --- bodies past the limit ---


def test_content_length_past_limit_is_413(daemon: Smiskd, client: FastCGI) -> None:
    since = daemon.log.mark()
    client.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("POST", "/", CONTENT_LENGTH="102401")))
    assert client.reply().status == 413
    daemon.wait_log(r"answered 413\b", since)
    client.send(stream(STDIN, 1, b"x" * 102_401))  # was on its way: dropped
    assert client.ask("/", request_id=2).status == 200


def test_early_413_without_keep_conn_arrives_whole(client: FastCGI) -> None:
    client.send(begin(1) + params(1, cgi_env("POST", "/", CONTENT_LENGTH="20000000")))
    for _ in range(200):
        client.send(record(STDIN, 1, bytes(65_535)))
    assert client.reply().status == 413
    client.sock.shutdown(1)
    client.assert_closed()


def test_body_without_length_past_limit_is_413(client: FastCGI) -> None:
    client.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("POST", "/")))
    client.send(stream(STDIN, 1, b"x" * 102_401))
    assert client.reply().status == 413
    assert client.ask("/", request_id=2).status == 200


def test_body_at_limit_is_served(client: FastCGI) -> None:
    assert client.ask("/", b"x" * 102_400).status == 200


# --- front servers that leave, or do not go on ---

CUT = request("/cut", b"Hello", env={"HTTP_X": "y" * 20})


def test_connection_ended_at_every_byte_frees_it(daemon: Smiskd, client: FastCGI) -> None:
    for cut in range(len(CUT)):
        with FastCGI(daemon.fastcgi) as raw:
            raw.send(CUT[:cut])
            raw.sock.shutdown(1)
            found = list(raw.records())
        assert [one.type for one in found] in ([], [STDOUT, STDOUT, END_REQUEST]), cut
    assert client.ask("/").status == 200


@pytest.mark.parametrize("cut", [1, 8, 20, 40])
def test_head_that_does_not_come_ends_with_log_line(daemon: Smiskd, client: FastCGI, cut: int) -> None:
    since = daemon.log.mark()
    client.send(CUT[:cut])
    found = list(client.records())
    assert all(one.type in (STDOUT, END_REQUEST) for one in found)
    daemon.wait_log("header_timeout|408|timed? ?out", since)


def test_body_that_does_not_come_is_408(daemon: Smiskd, client: FastCGI) -> None:
    since = daemon.log.mark()
    client.send(begin(1) + params(1, cgi_env("POST", "/", CONTENT_LENGTH="9")) + record(STDIN, 1, b"x"))
    assert client.reply().status == 408
    daemon.wait_log(r"answered 408\b", since)


def test_stalled_request_does_not_hold_up_its_neighbour(client: FastCGI) -> None:
    client.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("POST", "/", CONTENT_LENGTH="9")))
    assert client.ask("/", request_id=2, flags=KEEP_CONN).status == 200
    assert client.reply(1).status == 408


def test_idle_connection_is_closed_quietly(daemon: Smiskd, client: FastCGI) -> None:
    assert client.ask("/", flags=KEEP_CONN).status == 200
    since = daemon.log.mark()
    client.assert_closed()
    assert daemon.log.count("warning|error", since) == 0


def test_get_values_flood_is_bounded_and_answered(client: FastCGI) -> None:
    ask = record(GET_VALUES, 0, encode_pairs([("FCGI_MPXS_CONNS", "")]))
    for _ in range(20):
        client.send(ask * 100)
        for _ in range(100):
            assert client.read_record() is not None


def test_get_values_flood_unread_is_not_buffered_without_bound(daemon: Smiskd, client: FastCGI) -> None:
    ask = record(GET_VALUES, 0, encode_pairs([("FCGI_MPXS_CONNS", "")])) * 1000
    before = resident(daemon.workers()[0])
    client.sock.settimeout(0.5)
    deadline = time.monotonic() + 5
    try:
        while time.monotonic() < deadline:
            client.send(ask)
    except (TimeoutError, OSError):
        pass
    assert resident(daemon.workers()[0]) - before < 32 << 20
    daemon.allow_log("write_timeout")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_get_values_malformed_is_answered_or_ends_connection(client: FastCGI) -> None:
    client.send(record(GET_VALUES, 0, b"\x80\xff"))
    found = client.read_record()
    assert found is None or found.type == GET_VALUES_RESULT


def test_many_broken_connections_leave_nothing(daemon: Smiskd, client: FastCGI) -> None:
    for number in range(200):
        with FastCGI(daemon.fastcgi) as raw:
            raw.send(CUT[: number % len(CUT)])
    assert client.ask("/").status == 200
