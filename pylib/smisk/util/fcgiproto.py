# SPDX-License-Identifier: MIT
"""FastCGI 1.0 records and name-value pairs, and a channel that carries them over a socket.

Section numbers are those of the FastCGI specification, version 1.0. `smiskd` has its own, in C; this is for clients and
tools in Python. Lengths are believed only as far as there are bytes.
"""

from __future__ import annotations

import socket
import struct

__all__ = [
    "FCGI_ABORT_REQUEST", "FCGI_AUTHORIZER", "FCGI_BEGIN_REQUEST", "FCGI_CANT_MPX_CONN", "FCGI_DATA",
    "FCGI_END_REQUEST", "FCGI_FILTER", "FCGI_GET_VALUES", "FCGI_GET_VALUES_RESULT", "FCGI_HEADER_LEN",
    "FCGI_KEEP_CONN", "FCGI_MAX_PACKET_LEN", "FCGI_OVERLOADED", "FCGI_PARAMS", "FCGI_REQUEST_COMPLETE",
    "FCGI_RESPONDER", "FCGI_STDERR", "FCGI_STDIN", "FCGI_STDOUT", "FCGI_UNKNOWN_ROLE", "FCGI_UNKNOWN_TYPE",
    "FCGI_VERSION_1", "Channel", "FastCGIError", "Record", "getLenBytes", "parseNameValues", "writeNameValue",
]  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FCGI_VERSION_1 = 1
FCGI_HEADER_LEN = 8
FCGI_MAX_PACKET_LEN = 0xFFFF

# Types of records (section 8).
FCGI_BEGIN_REQUEST = 1
FCGI_ABORT_REQUEST = 2
FCGI_END_REQUEST = 3
FCGI_PARAMS = 4
FCGI_STDIN = 5
FCGI_STDOUT = 6
FCGI_STDERR = 7
FCGI_DATA = 8
FCGI_GET_VALUES = 9
FCGI_GET_VALUES_RESULT = 10
FCGI_UNKNOWN_TYPE = 11

# A flag of FCGI_BEGIN_REQUEST, and roles (section 5.1).
FCGI_KEEP_CONN = 1
FCGI_RESPONDER = 1
FCGI_AUTHORIZER = 2
FCGI_FILTER = 3

# Protocol status of FCGI_END_REQUEST (section 5.5).
FCGI_REQUEST_COMPLETE = 0
FCGI_CANT_MPX_CONN = 1
FCGI_OVERLOADED = 2
FCGI_UNKNOWN_ROLE = 3

_HEADER = struct.Struct(">BBHHBx")
_BEGIN = struct.Struct(">HB5x")
_RECEIVED_AT_ONCE = 65536


class FastCGIError(Exception):
    """What came is not FastCGI, or not all of it."""


# --- records ---


class Record:
    """One record (section 3.3): `version`, `type`, `reqId` from 0 to 65535, `content`.

    `length` and `padding` count the bytes of content and of what follows it up to the next record.
    """

    def __init__(self, type: int, reqId: int, content: bytes = b"", version: int = FCGI_VERSION_1) -> None:
        """Raises ValueError for content longer than 65535 bytes, and for numbers that have no room in a header."""
        if len(content) > FCGI_MAX_PACKET_LEN:
            raise ValueError(f"a record has at most {FCGI_MAX_PACKET_LEN} bytes of content, not {len(content)}")
        if not (0 <= type <= 255 and 0 <= reqId <= 0xFFFF and 0 <= version <= 255):
            raise ValueError(f"no record can have type {type}, request id {reqId} and version {version}")
        self.version = version
        self.type = type
        self.reqId = reqId
        self.content = content
        self.length = len(content)
        self.padding = -self.length % 8

    @classmethod
    def fromHeaderString(cls, header: bytes) -> Record:
        """Returns the record of which these 8 bytes are the header; its content is still empty, its lengths are known.

        Raises FastCGIError for another number of bytes, and for another version than 1.
        """
        if len(header) != FCGI_HEADER_LEN:
            raise FastCGIError(f"a header has {FCGI_HEADER_LEN} bytes, not {len(header)}")
        version, kind, request_id, length, padding = _HEADER.unpack(header)
        if version != FCGI_VERSION_1:
            raise FastCGIError(f"version {version} of the protocol is not known")
        record = cls(kind, request_id, version=version)
        record.length, record.padding = length, padding
        return record

    def totalLength(self) -> int:
        """Returns how many bytes follow the header: content and padding."""
        return self.length + self.padding

    def toOutputString(self) -> bytes:
        """Returns the bytes to send: header, content, padding."""
        header = _HEADER.pack(self.version, self.type, self.reqId, self.length, self.padding)
        return header + self.content + bytes(self.padding)

    def __repr__(self) -> str:
        return f"Record(type={self.type}, reqId={self.reqId}, length={self.length})"


# --- name-value pairs ---


def getLenBytes(length: int) -> bytes:
    """Returns a length as pairs carry it: 1 byte up to 127, 4 above (section 3.4). Raises ValueError from 2^31 on."""
    if not 0 <= length < 1 << 31:
        raise ValueError(f"a length is from 0 to {(1 << 31) - 1}, not {length}")
    return bytes([length]) if length < 128 else struct.pack(">I", length | 1 << 31)


def writeNameValue(name: bytes, value: bytes) -> bytes:
    """Returns one pair, encoded."""
    return getLenBytes(len(name)) + getLenBytes(len(value)) + name + value


def parseNameValues(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the pairs of a complete stream. Raises FastCGIError where a length leads past its end."""
    at = 0
    while at < len(data):
        name_length, at = _read_length(data, at)
        value_length, at = _read_length(data, at)
        middle, end = at + name_length, at + name_length + value_length
        if end > len(data):
            raise FastCGIError(f"a pair of {name_length + value_length} bytes has only {len(data) - at}")
        yield data[at:middle], data[middle:end]
        at = end


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length, and where it ends."""
    size = 4 if data[at : at + 1] >= b"\x80" else 1
    if at + size > len(data):
        raise FastCGIError("the stream ends within the length of a pair")
    return int.from_bytes(data[at : at + size], "big") & (0x7FFFFFFF if size == 4 else 0x7F), at + size


# --- channels ---


class Channel:
    """Records over a connected stream socket, which stays the caller's.

    A client writes and reads packets. A server calls `handlePacket()` with what it reads, and overrides the methods
    that are named after what can come; what concerns no request is answered here. `values`: what FCGI_GET_VALUES is
    told (section 4.1).
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.values: dict[bytes, bytes] = {b"FCGI_MPXS_CONNS": b"0"}
        self._buffer = bytearray()

    def readPacket(self, tryrecv: bool = False) -> Record | None:
        """Returns the next record; None when the peer has closed between two records.

        `tryrecv`: does not wait; None also when no whole record is there yet. Raises FastCGIError when the connection
        ends within a record, or what comes is none; OSError, TimeoutError among them, as the socket does.
        """
        while (record := self._take()) is None:
            data = self._receive(tryrecv)
            if data is None:
                return None
            if not data:
                if self._buffer:
                    raise FastCGIError(f"the connection ended {len(self._buffer)} bytes into a record")
                return None
            self._buffer += data
        return record

    def _receive(self, tryrecv: bool) -> bytes | None:
        """What has come; None when nothing has yet, and waiting is not wanted."""
        if not tryrecv:
            return self.socket.recv(_RECEIVED_AT_ONCE)
        before = self.socket.gettimeout()
        self.socket.settimeout(0)
        try:
            return self.socket.recv(_RECEIVED_AT_ONCE)
        except BlockingIOError:
            return None
        finally:
            self.socket.settimeout(before)

    def _take(self) -> Record | None:
        """Cuts the first record off the buffer, if all of it is there."""
        if len(self._buffer) < FCGI_HEADER_LEN:
            return None
        record = Record.fromHeaderString(bytes(self._buffer[:FCGI_HEADER_LEN]))
        end = FCGI_HEADER_LEN + record.totalLength()
        if len(self._buffer) < end:
            return None
        record.content = bytes(self._buffer[FCGI_HEADER_LEN : FCGI_HEADER_LEN + record.length])
        del self._buffer[:end]
        return record

    def writePacket(self, record: Record) -> None:
        """Sends a record whole. Raises OSError."""
        self.socket.sendall(record.toOutputString())

    def writeStream(self, type: int, reqId: int, data: bytes, end: bool = True) -> None:
        """Sends `data` as records of a stream, in pieces where it must, and with `end` the empty one that ends it."""
        step = FCGI_MAX_PACKET_LEN - FCGI_MAX_PACKET_LEN % 8
        for start in range(0, len(data), step):
            self.writePacket(Record(type, reqId, data[start : start + step]))
        if end:
            self.writePacket(Record(type, reqId))

    # --- the server's half ---

    def handlePacket(self, record: Record) -> None:
        """Passes a record that a client sent to the method for it, or answers it. Raises FastCGIError, OSError."""
        if record.reqId == 0:
            self._manage(record)
        elif record.type == FCGI_BEGIN_REQUEST:
            if record.length != _BEGIN.size:
                raise FastCGIError(f"FCGI_BEGIN_REQUEST has {_BEGIN.size} bytes, not {record.length}")
            role, flags = _BEGIN.unpack(record.content)
            self.beginRequest(record.reqId, role, flags)
        elif record.type == FCGI_ABORT_REQUEST:
            self.abortRequest(record.reqId)
        elif record.type in (FCGI_PARAMS, FCGI_STDIN, FCGI_DATA):
            receive = {FCGI_PARAMS: self.params, FCGI_STDIN: self.stdin, FCGI_DATA: self.data}[record.type]
            receive(record.reqId, record.content)
        else:
            raise FastCGIError(f"a client does not send {record}")

    def _manage(self, record: Record) -> None:
        """Sections 4.1 and 4.2."""
        if record.type == FCGI_GET_VALUES:
            asked = [name for name, _ in parseNameValues(record.content)]
            known = (writeNameValue(name, self.values[name]) for name in asked if name in self.values)
            self.writePacket(Record(FCGI_GET_VALUES_RESULT, 0, b"".join(known)))
        else:
            self.writePacket(Record(FCGI_UNKNOWN_TYPE, 0, bytes([record.type]) + bytes(7)))

    def beginRequest(self, reqId: int, role: int, flags: int) -> None:
        """A request begins."""

    def abortRequest(self, reqId: int) -> None:
        """The client gives a request up."""

    def params(self, reqId: int, content: bytes) -> None:
        """More of the parameters of a request; nothing: they are complete."""

    def stdin(self, reqId: int, content: bytes) -> None:
        """More of its body; nothing: that is complete."""

    def data(self, reqId: int, content: bytes) -> None:
        """More of its second stream; nothing: that is complete."""

    def endRequest(self, reqId: int, appStatus: int = 0, protocolStatus: int = FCGI_REQUEST_COMPLETE) -> None:
        """Sends FCGI_END_REQUEST (section 5.5)."""
        self.writePacket(Record(FCGI_END_REQUEST, reqId, struct.pack(">IB3x", appStatus, protocolStatus)))
