# SPDX-License-Identifier: MIT
"""A raw FastCGI 1.0 client, written from the specification: records by hand, at any split, in any order.

Section numbers are those of the FastCGI specification, version 1.0.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lib.daemon import Address
from lib.http import TIMEOUT_SECONDS, connect, parse_fields
from lib.pieces import send_pieces

__all__ = [
    "ABORT_REQUEST",
    "AUTHORIZER",
    "BEGIN_REQUEST",
    "CANT_MPX_CONN",
    "DATA",
    "END_REQUEST",
    "FILTER",
    "GET_VALUES",
    "GET_VALUES_RESULT",
    "KEEP_CONN",
    "OVERLOADED",
    "PARAMS",
    "REQUEST_COMPLETE",
    "RESPONDER",
    "STDERR",
    "STDIN",
    "STDOUT",
    "UNKNOWN_ROLE",
    "UNKNOWN_TYPE",
    "FastCGI",
    "Record",
    "Reply",
    "begin",
    "cgi_env",
    "decode_pairs",
    "encode_pairs",
    "params",
    "record",
    "request",
    "stream",
]

# Section 8: record types, roles, flags, protocol status.
BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA = range(1, 9)
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = range(9, 12)
RESPONDER, AUTHORIZER, FILTER = range(1, 4)
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)

MAX_CONTENT = 65535


@dataclass
class Record:
    """One record as it came (section 3.3)."""

    type: int
    id: int
    content: bytes
    padding: int


@dataclass
class Reply:
    """What came for one request id, until its END_REQUEST."""

    stdout: bytes = b""
    stderr: bytes = b""
    app_status: int = -1
    protocol_status: int = -1
    records: list[Record] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether END_REQUEST has come."""
        return self.protocol_status >= 0

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The CGI response's header fields, names in lower case; AssertionError when it is none (RFC 3875 6)."""
        head, end, _ = self.stdout.partition(b"\r\n\r\n")
        assert end, f"no CGI response: {self.stdout[:200]!r}"
        return parse_fields(head.decode("latin-1").split("\r\n"))

    def header(self, name: str) -> str | None:
        """The only value of a field, None when there is none."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def status(self) -> int:
        """The number in the Status field; 200 without one (RFC 3875 6.3.3)."""
        return int((self.header("status") or "200").split()[0])

    @property
    def body(self) -> bytes:
        """The response's body."""
        return self.stdout.partition(b"\r\n\r\n")[2]


# --- bytes out ---


def record(kind: int, request_id: int, content: bytes = b"", padding: int = 0, version: int = 1) -> bytes:
    """A record with up to 65,535 bytes of content and 255 of padding (section 3.3)."""
    header = struct.pack(">BBHHBx", version, kind, request_id, len(content), padding)
    return header + content + b"\0" * padding


def begin(request_id: int, role: int = RESPONDER, flags: int = 0) -> bytes:
    """BEGIN_REQUEST (section 5.1)."""
    return record(BEGIN_REQUEST, request_id, struct.pack(">HB5x", role, flags))


def encode_pairs(pairs: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]], long: bool = False) -> bytes:
    """Name-value pairs (section 3.4); `long` writes every length in four bytes."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    encoded = bytearray()
    for name, value in items:
        raw = [part.encode() if isinstance(part, str) else part for part in (name, value)]
        for part in raw:
            short = len(part) < 128 and not long
            encoded += bytes([len(part)]) if short else struct.pack(">I", len(part) | 0x80000000)
        encoded += b"".join(raw)
    return bytes(encoded)


def stream(kind: int, request_id: int, data: bytes, size: int = MAX_CONTENT, padding: int | None = None) -> bytes:
    """A whole stream in records of up to `size` bytes, with its empty end record; padding None aligns to 8 bytes."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    padded = ((piece, -len(piece) % 8 if padding is None else padding) for piece in pieces)
    return b"".join(record(kind, request_id, piece, pad) for piece, pad in padded) + record(kind, request_id)


def cgi_env(method: str = "GET", path: str = "/", query: str = "", **more: str) -> dict[str, str]:
    """The variables that every front server sends (RFC 3875 4.1), PATH_INFO holding the whole path."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "front.example",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": path + ("?" + query if query else ""),
        **more,
    }


def params(request_id: int, env: Mapping[str, str], size: int = MAX_CONTENT) -> bytes:
    """A whole PARAMS stream."""
    return stream(PARAMS, request_id, encode_pairs(env), size)


def request(
    path: str = "/",
    body: bytes = b"",
    *,
    request_id: int = 1,
    flags: int = 0,
    role: int = RESPONDER,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """A whole Responder request; with a body it is a POST with its CONTENT_LENGTH."""
    path, _, query = path.partition("?")
    basic = cgi_env("POST" if body else "GET", path, query)
    if body:
        basic["CONTENT_LENGTH"] = str(len(body))
    whole = begin(request_id, role, flags) + params(request_id, basic | dict(env or {}))
    return whole if role == AUTHORIZER else whole + stream(STDIN, request_id, body)


# --- bytes in ---


def decode_pairs(data: bytes) -> dict[str, str]:
    """Name-value pairs (section 3.4); AssertionError on lengths that do not fit."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(data):
        lengths = []
        for _ in range(2):
            wide = data[at] >> 7
            lengths.append(struct.unpack_from(">I", data, at)[0] & 0x7FFFFFFF if wide else data[at])
            at += 4 if wide else 1
        name, value = data[at : at + lengths[0]], data[at + lengths[0] : at + sum(lengths)]
        at += sum(lengths)
        assert at <= len(data), "name-value lengths past the end"
        pairs[name.decode()] = value.decode()
    return pairs


class FastCGI:
    """A client connection. Use as a context manager: leaving closes the socket."""

    def __init__(self, address: Address, timeout: float = TIMEOUT_SECONDS) -> None:
        self.sock = connect(address, timeout)
        self.replies: dict[int, Reply] = {}
        self._buffer = b""

    def __enter__(self) -> "FastCGI":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the socket; once more is fine."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self.sock.sendall(data)

    def send_pieces(self, data: bytes, *cuts: int) -> None:
        """Sends it cut at the given offsets, each piece read alone; unix sockets only."""
        send_pieces(self.sock, data, *cuts)

    def read_record(self) -> Record | None:
        """The next record; None when the server has closed between two records."""
        while (whole := self._whole()) is None:
            data = self.sock.recv(262144)
            if not data:
                assert not self._buffer, f"connection ended within a record: {self._buffer[:64]!r}"
                return None
            self._buffer += data
        return whole

    def _whole(self) -> Record | None:
        if len(self._buffer) < 8:
            return None
        version, kind, request_id, length, padding = struct.unpack_from(">BBHHBx", self._buffer)
        assert version == 1, f"record version {version}"
        end = 8 + length + padding
        if len(self._buffer) < end:
            return None
        whole = Record(kind, request_id, self._buffer[8 : 8 + length], padding)
        self._buffer = self._buffer[end:]
        return whole

    def records(self) -> Iterator[Record]:
        """Records until the server closes."""
        while (found := self.read_record()) is not None:
            yield found

    def take(self, found: Record) -> Reply:
        """Files an application record under its request id."""
        reply = self.replies.setdefault(found.id, Reply())
        assert not reply.ended, f"a record after END_REQUEST: {found}"
        reply.records.append(found)
        if found.type == STDOUT:
            reply.stdout += found.content
        elif found.type == STDERR:
            reply.stderr += found.content
        else:
            assert found.type == END_REQUEST, f"a server sends no such record: {found}"
            reply.app_status, reply.protocol_status = struct.unpack(">IB3x", found.content)
        return reply

    def reply(self, request_id: int = 1) -> Reply:
        """Reads until this request has ended; records of other requests are filed for later."""
        while not (known := self.replies.get(request_id, Reply())).ended:
            found = self.read_record()
            assert found is not None, f"connection ended before request {request_id} did: {known}"
            self.take(found)
        return self.replies.pop(request_id)

    def ask(self, path: str = "/", body: bytes = b"", **more: object) -> Reply:
        """One request on its way and its reply; see `request` for the keywords."""
        self.send(request(path, body, **more))  # type: ignore[arg-type]
        return self.reply(int(str(more.get("request_id", 1))))

    def assert_closed(self) -> None:
        """The server ends the connection and has sent nothing more before."""
        assert self.read_record() is None, "a record before the end of the connection"
