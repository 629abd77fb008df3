# SPDX-License-Identifier: MIT
"""A raw WebSocket client (RFC 6455): sends exactly the bytes that a test says, reads frames strictly, forgives nothing."""

import base64
import hashlib
import struct
from dataclasses import dataclass

from lib.daemon import Address
from lib.http import Answer, RawHTTP, get

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "RawWebSocket",
    "frame",
    "handshake",
    "open_websocket",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASK = b"\x37\xfa\x21\x3d"


def handshake(path: str = "/", *fields: str) -> bytes:
    """A sound opening handshake with further field lines."""
    return get(
        path,
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *fields,
    )


def frame(opcode: int, payload: bytes | str = b"", fin: bool = True, rsv1: bool = False) -> bytes:
    """A masked frame as a client sends it."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = struct.pack("!BH", 0xFE, size)
    else:
        length = struct.pack("!BQ", 0xFF, size)
    mask = (MASK * (size // 4 + 1))[:size]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    return bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode]) + length + MASK + masked


@dataclass
class Frame:
    """A frame of the server. `code` and `reason` are those of a close frame."""

    opcode: int
    payload: bytes
    rsv1: bool = False

    @property
    def code(self) -> int | None:
        """None: the close frame says nothing."""
        assert self.opcode == CLOSE, self
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None

    @property
    def reason(self) -> str:
        """Text after the code."""
        assert self.opcode == CLOSE, self
        return self.payload[2:].decode()


class RawWebSocket(RawHTTP):
    """A connection that can be upgraded; leaving the context closes the socket."""

    def open(self, path: str, *fields: str) -> Answer:
        """Shakes hands; AssertionError unless the answer is a 101 by the rules (section 4.1)."""
        self.send(handshake(path, *fields))
        answer = self.read_head()
        assert answer.status == 101, answer
        assert (answer.get("upgrade") or "").lower() == "websocket", answer
        assert (answer.get("connection") or "").lower() == "upgrade", answer
        expected = base64.b64encode(hashlib.sha1(KEY.encode() + GUID).digest()).decode()
        assert answer.get("sec-websocket-accept") == expected, answer
        assert answer.get("content-length") is None and answer.get("transfer-encoding") is None, answer
        return answer

    def read_frame(self) -> Frame:
        """The next frame: unfragmented, unmasked, its length in the shortest form (section 5.2)."""
        first, second = self.read_exactly(2)
        assert first & 0x80 and not first & 0x30 and not second & 0x80, (first, second)
        size = second
        if second == 126:
            (size,) = struct.unpack("!H", self.read_exactly(2))
            assert size > 125
        elif second == 127:
            (size,) = struct.unpack("!Q", self.read_exactly(8))
            assert size > 65535
        opcode = first & 0x0F
        assert opcode < CLOSE or size <= 125
        return Frame(opcode, self.read_exactly(size), bool(first & 0x40))

    def read_close(self) -> Frame:
        """The next frame, which must be a close frame, and after it the end of the connection."""
        closing = self.read_frame()
        assert closing.opcode == CLOSE, closing
        assert self.read_to_end() == b"", "bytes after the close frame"
        return closing


def open_websocket(address: Address, path: str, *fields: str) -> RawWebSocket:
    """A new connection, upgraded."""
    client = RawWebSocket(address)
    client.open(path, *fields)
    return client
