# SPDX-License-Identifier: MIT
"""WebSockets byte by byte: handshakes and frames that no client library sends, and what must become of them."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lib.daemon import Smiskd
from lib.fcgi import FastCGI
from lib.http import get
from lib.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
    frame,
    handshake,
    open_websocket,
)

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "websocket"
MAX_SIZE = 1_000_000


@pytest.fixture(scope="module")
def sockets(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(
        *("--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0", "--workers", "1"),
        *("--set", f"ws_max_size={MAX_SIZE}", "sockets:app"),
    )


@pytest.fixture
def daemon(sockets: Smiskd) -> Iterator[Smiskd]:
    yield sockets
    sockets.check()


def seen(daemon: Smiskd, name: str) -> object:
    return eval(requests.get(daemon.url(f"/seen?{name}"), timeout=15).text, {})


def told(daemon: Smiskd) -> int:
    """The code that the application of /echo was told."""
    message = seen(daemon, "echo")
    assert isinstance(message, dict)
    return int(message["code"])


# --- handshakes ---

SOUND = handshake("/echo").decode()


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    [
        ("Sec-WebSocket-Version: 13\r\n", "", 400, "Sec-WebSocket-Version is missing"),
        ("Version: 13", "Version: 8", 426, "version 13"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, "Sec-WebSocket-Key is missing"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400, "16 bytes in base64"),
        ("GET ", "POST ", 400, "must be a GET request"),
        ("Version: 13\r\n", "Version: 13\r\nContent-Length: 4\r\n", 400, "has no body"),
        ("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Protocol: a b\r\n", 400, "list of names"),
    ],
)
def test_handshake_against_the_rules_is_answered_with_the_reason(
    daemon: Smiskd, old: str, new: str, status: int, words: str
) -> None:
    assert old in SOUND
    with RawWebSocket(daemon.http) as client:
        client.send(SOUND.replace(old, new, 1))
        answer = client.read_answer()
        assert answer.status == status
        assert words in answer.body.decode()
        assert answer.get("sec-websocket-version") == ("13" if status == 426 else None)
        assert client.read_to_end() == b""
    daemon.wait_log(f"WebSocket handshake answered {status}: .*{words}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Connection: Upgrade\r\n", ""),
        ("Upgrade: websocket\r\n", ""),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("HTTP/1.1", "HTTP/1.0"),
    ],
)
def test_request_that_asks_for_no_websocket_is_an_ordinary_one(daemon: Smiskd, old: str, new: str) -> None:
    assert old in SOUND
    with RawWebSocket(daemon.http) as client:
        client.send(SOUND.replace(old, new, 1))
        answer = client.read_answer()
        assert (answer.status, answer.body) == (200, b"plain")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Connection: Upgrade", "Connection: keep-alive, UPGRADE"),
        ("Upgrade: websocket", "Upgrade: foo/2 , WebSocket"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"),
    ],
)
def test_handshake_in_another_spelling_is_taken(daemon: Smiskd, old: str, new: str) -> None:
    with RawWebSocket(daemon.http) as client:
        client.send(SOUND.replace(old, new, 1))
        assert client.read_head().status == 101
        client.send(frame(CLOSE))
        client.read_close()
    assert told(daemon) == 1005


def test_frames_that_come_with_the_handshake_are_not_lost(daemon: Smiskd) -> None:
    with RawWebSocket(daemon.http) as client:
        client.send(handshake("/echo") + frame(TEXT, "early") + frame(PING, "p"))
        assert client.read_head().status == 101
        # The pong needs no application, the echo does.
        frames = sorted([client.read_frame(), client.read_frame()], key=lambda each: each.opcode)
        assert [(each.opcode, each.payload) for each in frames] == [(TEXT, b"early"), (PONG, b"p")]
    assert told(daemon) == 1006


def test_websocket_after_keep_alive_requests_is_opened(daemon: Smiskd) -> None:
    with RawWebSocket(daemon.http) as client:
        for _ in range(3):
            client.send(get("/"))
            assert client.read_answer().body == b"plain"
        client.open("/echo")
        client.send(frame(TEXT, "a"))
        assert client.read_frame().payload == b"a"
    assert told(daemon) == 1006


# --- frames ---


def corpus(group: str) -> list[str]:
    names = sorted(path.stem for path in (CORPUS / group).glob("*.bin"))
    return [name for name in names if "limits" not in (CORPUS / group / f"{name}.expect").read_text()]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", [name for name in corpus("invalid") if not name.startswith("deflate")])
def test_frames_against_the_rules_close_with_the_code_of_the_corpus(
    daemon: Smiskd, name: str, bytewise: bool
) -> None:
    data = (CORPUS / "invalid" / f"{name}.bin").read_bytes()
    code = int((CORPUS / "invalid" / f"{name}.expect").read_text().split()[-1])
    with open_websocket(daemon.http, "/echo") as client:
        if bytewise:
            for at in range(min(len(data), 200)):
                client.send(data[at : at + 1])
            data = data[200:]
        client.send(data)
        answer = client.read_frame()
        while answer.opcode == TEXT:  # echoes of what was sound
            answer = client.read_frame()
        assert (answer.opcode, answer.code) == (CLOSE, code)
        assert client.read_to_end() == b""
    assert told(daemon) == code


def test_close_frame_without_code_is_answered_in_kind(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/echo") as client:
        client.send(frame(CLOSE))
        assert client.read_close().code is None
    assert told(daemon) == 1005


def test_what_follows_a_close_frame_is_not_looked_at(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/echo") as client:
        client.send(frame(CLOSE, struct.pack("!H", 1000)) + b"\xff" * 100)
        assert client.read_close().code == 1000
    assert told(daemon) == 1000


def test_messages_before_the_close_are_received_first(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/hold") as client:
        assert seen(daemon, "hold") == "open"
        client.send(b"".join(frame(TEXT, str(number)) for number in range(100)) + frame(CLOSE))
        client.half_close()
        requests.get(daemon.url("/go"), timeout=15)
        assert client.read_close().code is None
    assert seen(daemon, "hold") == {"type": "websocket.disconnect", "code": 1005, "reason": ""}


@pytest.mark.parametrize("abruptly", [False, True], ids=["fin", "reset"])
def test_lost_connection_is_1006(daemon: Smiskd, abruptly: bool) -> None:
    import socket

    with open_websocket(daemon.http, "/echo") as client:
        client.send(frame(TEXT, "unfinished", fin=False))
        client.send(frame(PING))
        assert client.read_frame().opcode == PONG
        if abruptly:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert told(daemon) == 1006


def test_ping_within_a_message_is_answered_before_its_end(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/echo") as client:
        client.send(frame(TEXT, "Hel", fin=False) + frame(PING, "p"))
        assert client.read_frame().payload == b"p"
        client.send(frame(CONTINUATION, "lo"))
        assert client.read_frame().payload == b"Hello"
    assert told(daemon) == 1006


def test_client_that_pings_and_does_not_read_is_not_answered_without_end(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/echo") as client:
        pings = frame(PING, b"p" * 125) * 1000
        for _ in range(200):
            client.send(pings)
        client.send(frame(CLOSE))
        n_pongs = 0
        while (answer := client.read_frame()).opcode == PONG:
            n_pongs += 1
        assert answer.opcode == CLOSE
        assert 0 < n_pongs <= 200_000
    assert told(daemon) == 1005


def test_client_that_does_not_read_makes_send_wait(daemon: Smiskd) -> None:
    with open_websocket(daemon.http, "/push"):
        went_out = seen(daemon, "push")
        # What the kernel's buffers of both sides and write_buffer hold, no more: messages of 64 KiB.
        assert isinstance(went_out, int) and 1 <= went_out < 1000
    assert seen(daemon, "push") == "ClientDisconnected"


# --- sizes ---


@pytest.mark.parametrize("pieces", [1, 3])
def test_message_over_ws_max_size_closes_with_1009(daemon: Smiskd, pieces: int) -> None:
    with open_websocket(daemon.http, "/sizes") as client:
        client.send(frame(BINARY, b"x" * MAX_SIZE))
        assert client.read_frame().payload == f"bytes {MAX_SIZE}".encode()
        size = MAX_SIZE // pieces + 1
        for number in range(pieces):
            client.send(frame(CONTINUATION if number else BINARY, b"x" * size, fin=number == pieces - 1))
        assert client.read_frame().code == 1009
    assert seen(daemon, "sizes") == {
        "type": "websocket.disconnect",
        "code": 1009,
        "reason": "message larger than ws_max_size",
    }


def deflated(data: bytes) -> bytes:
    work = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (work.compress(data) + work.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


OFFER = "Sec-WebSocket-Extensions: permessage-deflate"


@pytest.mark.parametrize(("over", "code"), [(0, None), (1, 1009), (500_000_000, 1009)])
def test_message_is_inflated_up_to_ws_max_size(daemon: Smiskd, over: int, code: int | None) -> None:
    with open_websocket(daemon.http, "/sizes", OFFER) as client:
        client.send(frame(BINARY, deflated(bytes(MAX_SIZE + over)), rsv1=True))
        answer = client.read_frame()
        if code is None:
            assert answer.payload == f"bytes {MAX_SIZE}".encode()
        else:
            assert answer.code == code
    assert seen(daemon, "sizes") == {
        "type": "websocket.disconnect",
        "code": code or 1006,
        "reason": "message larger than ws_max_size" if code else "",
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"\xff\xff", "message that cannot be inflated"), (deflated(b"\xff"), "text that is not UTF-8")],
)
def test_compressed_message_that_is_none_closes_with_1007(daemon: Smiskd, payload: bytes, reason: str) -> None:
    with open_websocket(daemon.http, "/echo", OFFER) as client:
        client.send(frame(TEXT, payload, rsv1=True))
        ended = client.read_close()
        assert (ended.code, ended.reason) == (1007, reason)
    assert told(daemon) == 1007


def test_compressed_fragments_are_inflated_together(daemon: Smiskd) -> None:
    message = json.dumps(list(range(2000))).encode()
    payload = deflated(message)
    with open_websocket(daemon.http, "/echo", OFFER) as client:
        client.send(frame(TEXT, payload[:100], fin=False, rsv1=True) + frame(PING))
        client.send(frame(CONTINUATION, payload[100:]))
        assert client.read_frame().opcode == PONG
        answer = client.read_frame()
        assert answer.rsv1
        assert zlib.decompressobj(-15).decompress(answer.payload + b"\x00\x00\xff\xff") == message
    assert told(daemon) == 1006


def test_compression_that_is_off_is_not_agreed_on(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--http", "127.0.0.1:0", "--workers", "1", "--set", "ws_compression=false", "sockets:app")
    with RawWebSocket(daemon.http) as client:
        assert client.open("/echo", OFFER).get("sec-websocket-extensions") is None
        client.send(frame(TEXT, deflated(b"a"), rsv1=True))
        assert client.read_close().code == 1002


# --- where there are none ---


def test_websocket_over_fastcgi_is_refused_clearly(daemon: Smiskd) -> None:
    env = {"HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_VERSION": "13"}
    with FastCGI(daemon.fastcgi) as client:
        reply = client.ask("/echo", env=env)
    assert b"Status: 501" in reply.stdout
    assert b"FastCGI cannot carry WebSockets" in reply.stdout
    daemon.wait_log("WebSocket handshake answered 501: FastCGI cannot carry WebSockets")


def test_websocket_without_wsproto_is_501_and_the_log_says_what_is_missing(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    (tmp_path / "wsproto.py").write_text("raise ImportError('not installed')\n")
    daemon = smiskd("--pythonpath", str(tmp_path), "--http", "127.0.0.1:0", "--workers", "1", "sockets:app")
    for _ in range(2):
        daemon.expect_log(
            r"WebSockets need wsproto \(pip install 'smisk\[websockets\]'\): ImportError: not installed"
        )
        with RawWebSocket(daemon.http) as client:
            client.send(handshake("/echo"))
            assert client.read_answer().status == 501
    assert requests.get(daemon.url("/"), timeout=15).text == "plain"


def test_native_handler_sees_an_ordinary_request(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--http", "127.0.0.1:0", "--workers", "1", "hello")
    with RawWebSocket(daemon.http) as client:
        client.send(handshake("/"))
        answer = client.read_answer()
        assert answer.status == 200
        assert answer.get("upgrade") is None
