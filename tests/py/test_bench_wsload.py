# SPDX-License-Identifier: MIT
"""bench/wsload against servers that behave and servers that do not: a load that counts wrong echoes measures nothing."""

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.walls.source import ROOT

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
SOURCES = ("wsload.c", "wsload_frame.c", "wsload_options.c", "latency.c")
TEXT, CONTINUATION, CLOSE, PING, PONG = 1, 0, 8, 9, 10

Echo = Callable[["Peer", bytes], None]


@pytest.fixture(scope="module")
def wsload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built with the sanitizers."""
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler: {compiler}")
    target = tmp_path_factory.mktemp("wsload") / "wsload"
    sources = [str(ROOT / "bench" / name) for name in SOURCES]
    options = [
        "-std=gnu17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    subprocess.run([compiler, *options, "-o", str(target), *sources], check=True)
    return target


def frame(opcode: int, payload: bytes, *, is_final: bool = True, second: int = 0) -> bytes:
    """A frame as a server sends it; `second` is mixed into the byte of the length."""
    head = bytes([opcode | (0x80 if is_final else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload) | second]) + payload
    return head + bytes([126 | second]) + len(payload).to_bytes(2, "big") + payload


class Peer:
    """One connection of wsload's, seen from the server."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")
        self.pongs: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def accept(self, answer: Callable[[bytes], bytes]) -> None:
        key = b""
        while (line := self.stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            key = value.strip() if name.lower() == b"sec-websocket-key" else key
        self.send(answer(key))

    def frame(self) -> tuple[int, bytes]:
        """The next frame, unmasked; (CLOSE, b"") at the end of the connection."""
        head = self.stream.read(2)
        if len(head) < 2:
            return CLOSE, b""
        assert head[1] & 0x80, "a client's frame is masked (section 5.1)"
        size = head[1] & 0x7F
        size = int.from_bytes(self.stream.read(2), "big") if size == 126 else size
        mask = self.stream.read(4)
        masked = self.stream.read(size)
        return head[0] & 0x0F, bytes(byte ^ mask[i & 3] for i, byte in enumerate(masked))


def accepted(key: bytes) -> bytes:
    token = base64.b64encode(hashlib.sha1(key + GUID).digest())
    fields = b"upgrade: websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Accept: " + token
    return b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\n"


def serve(listener: socket.socket, peers: list[Peer], answer: Callable[[bytes], bytes], echo: Echo) -> None:
    """Serve one connection to its end."""
    connection, _ = listener.accept()
    with connection:
        peer = Peer(connection)
        peers.append(peer)
        peer.accept(answer)
        try:
            while (received := peer.frame())[0] != CLOSE:
                if received[0] == TEXT:
                    echo(peer, received[1])
                else:
                    peer.pongs.append(received[1])
            peer.send(frame(CLOSE, received[1]))
        except OSError:
            pass  # wsload ends connections that it has no use for


def run(
    wsload: Path, echo: Echo, *options: str, answer: Callable[[bytes], bytes] = accepted, lines: str = ""
) -> tuple[int, list[dict[str, Any]], Peer]:
    """Run wsload with one connection: its status, reports, and the connection."""
    peers: list[Peer] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener, peers, answer, echo))
        server.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        argv = [str(wsload), "--json", "-c", "1", "-d", "0.05", "--timeout", "5", *options, address]
        done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=30, check=False)
        server.join(10)
    assert not server.is_alive()
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], peers[0]


def echo_text(peer: Peer, text: bytes) -> None:
    peer.send(frame(TEXT, text))


@pytest.mark.parametrize("size", [16, 64, 125, 126, 65535])
def test_echoes_of_every_length_are_counted(wsload: Path, size: int) -> None:
    sizes = set()

    def echo(peer: Peer, text: bytes) -> None:
        sizes.add(len(text))
        echo_text(peer, text)

    status, [report], _ = run(wsload, echo, "--size", str(size))
    assert status == 0 and report["errors"] == 0 and report["messages"] > 0
    assert sizes == {size}


def test_messages_of_a_connection_are_numbered(wsload: Path) -> None:
    texts: list[bytes] = []

    def echo(peer: Peer, text: bytes) -> None:
        texts.append(text)
        echo_text(peer, text)

    _, [report], _ = run(wsload, echo)
    assert [int(text[:16], 16) for text in texts] == list(range(1, report["messages"] + 1))


def test_echo_in_pieces_with_a_ping_between_is_one_message(wsload: Path) -> None:
    def echo(peer: Peer, text: bytes) -> None:
        peer.send(frame(TEXT, text[:10], is_final=False) + frame(PING, b"there?"))
        peer.send(frame(CONTINUATION, text[10:]))

    status, [report], peer = run(wsload, echo)
    assert status == 0 and report["messages"] > 0
    assert len(peer.pongs) == report["messages"] and set(peer.pongs) == {b"there?"}


def test_echo_byte_by_byte_is_one_message(wsload: Path) -> None:
    def echo(peer: Peer, text: bytes) -> None:
        for byte in frame(TEXT, text):
            peer.send(bytes([byte]))

    status, [report], _ = run(wsload, echo)
    assert status == 0 and report["messages"] > 0


@pytest.mark.parametrize(
    ("answer", "counter"),
    [
        (lambda text: frame(TEXT, text[:-1] + b"y"), "wrong"),
        (lambda text: frame(TEXT, text[:-1]), "wrong"),
        (lambda text: frame(TEXT, text + b"x"), "wrong"),
        (lambda text: frame(TEXT, b"0" * 16 + text[16:]), "wrong"),
        (lambda text: frame(TEXT, text, second=0x80), "malformed"),
        (lambda text: frame(TEXT | 0x40, text), "malformed"),
        (lambda text: frame(2, text), "malformed"),
        (lambda text: frame(CONTINUATION, text), "malformed"),
        (lambda text: frame(TEXT, text[:5], is_final=False) + frame(TEXT, text[5:]), "malformed"),
        (lambda text: frame(PING, b"x" * 126), "malformed"),
        (lambda text: frame(CLOSE, b"\x03\xe8"), "broken"),
    ],
    ids=["byte", "short", "long", "number", "masked", "reserved", "binary", "lone", "interleaved", "ping", "close"],
)
def test_wrong_echo_is_an_error_of_its_kind(wsload: Path, answer: Callable[[bytes], bytes], counter: str) -> None:
    status, [report], _ = run(wsload, lambda peer, text: peer.send(answer(text)))
    assert status == 1
    assert (report["messages"], report["errors"], report[counter]) == (0, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        lambda key: accepted(b"another key"),
        lambda key: accepted(key).replace(b"101", b"200"),
        lambda key: accepted(key).replace(b"upgrade: websocket\r\n", b""),
        lambda key: b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 4096,
    ],
    ids=["key", "status", "upgrade", "endless"],
)
def test_handshake_that_is_not_accepted_is_an_error(wsload: Path, answer: Callable[[bytes], bytes]) -> None:
    status, [report], _ = run(wsload, echo_text, answer=answer)
    assert status == 1
    assert (report["connections"], report["connect_errors"]) == (0, 1)


def test_silent_server_is_a_timeout(wsload: Path) -> None:
    status, [report], _ = run(wsload, lambda peer, text: None, "--timeout", "0.3")
    assert status == 1
    assert (report["messages"], report["timeouts"]) == (0, 1)


def test_steps_report_the_opening_and_each_run_alone(wsload: Path) -> None:
    texts: list[bytes] = []

    def echo(peer: Peer, text: bytes) -> None:
        texts.append(text)
        echo_text(peer, text)

    status, reports, _ = run(wsload, echo, "--steps", lines="0.05\n0.05\n")
    assert status == 0
    assert [report["connections"] for report in reports] == [1, 1, 1]
    assert reports[0]["messages"] == 0
    assert sum(report["messages"] for report in reports) == len(texts)


@pytest.mark.parametrize("options", [["--size", "15"], ["--size", "65536"], ["-c", "0"], ["--nothing"]])
def test_wrong_options_print_the_usage(wsload: Path, options: list[str]) -> None:
    done = subprocess.run([str(wsload), *options, "127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage: wsload" in done.stderr
