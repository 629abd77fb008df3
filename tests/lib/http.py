# SPDX-License-Identifier: MIT
"""A raw HTTP/1.1 client: sends exactly the bytes that a test says and reads answers strictly by RFC 9112.

It never retries, adds no fields and forgives nothing: what it cannot parse by the standard is an AssertionError.
"""

import socket
from dataclasses import dataclass, field

from lib.daemon import Address
from lib.pieces import send_pieces

__all__ = ["Answer", "RawHTTP", "connect", "get", "parse_fields"]

TIMEOUT_SECONDS = 15.0


def connect(address: Address, timeout: float = TIMEOUT_SECONDS, source: str | None = None) -> socket.socket:
    """A connected stream socket, TCP (from the local address `source`) or unix; its calls fail after `timeout` seconds."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(address)
        return sock
    return socket.create_connection(address, timeout, None if source is None else (source, 0))


def get(path: str = "/", *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """The bytes of a request without a body: request line, Host, further field lines."""
    lines = [f"{method} {path} {version}", "Host: test.example", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@dataclass
class Answer:
    """One response. `headers` in order of arrival, names in lower case."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name: str) -> str | None:
        """The only value of a field, None when there is none; AssertionError when there are several."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class RawHTTP:
    """A client connection. Use as a context manager: leaving closes the socket."""

    def __init__(self, address: Address, timeout: float = TIMEOUT_SECONDS, source: str | None = None) -> None:
        self.sock = connect(address, timeout, source)
        self._buffer = b""

    def __enter__(self) -> "RawHTTP":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the socket; once more is fine."""
        self.sock.close()

    def send(self, data: bytes | str) -> None:
        """Sends all of it; text goes out as Latin-1."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def send_pieces(self, data: bytes, *cuts: int) -> None:
        """Sends it cut at the given offsets, each piece read alone; unix sockets only."""
        send_pieces(self.sock, data, *cuts)

    def half_close(self) -> None:
        """Says that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    # --- reading ---

    def _more(self) -> bool:
        data = self.sock.recv(262144)
        self._buffer += data
        return bool(data)

    def read_until(self, end: bytes) -> bytes:
        """Bytes up to and with `end`; AssertionError when the connection ends before."""
        while end not in self._buffer:
            assert self._more(), f"connection ended within {self._buffer!r}"
        found, _, self._buffer = self._buffer.partition(end)
        return found + end

    def read_exactly(self, count: int) -> bytes:
        """`count` bytes; AssertionError when the connection ends before."""
        pieces, have = [self._buffer], len(self._buffer)
        while have < count:
            data = self.sock.recv(min(1048576, count - have))
            assert data, f"connection ended after {have} of {count} bytes"
            pieces.append(data)
            have += len(data)
        whole = b"".join(pieces)
        self._buffer = whole[count:]
        return whole[:count]

    def read_to_end(self) -> bytes:
        """Everything until the server closes."""
        pieces = [self._buffer]
        self._buffer = b""
        while data := self.sock.recv(262144):
            pieces.append(data)
        return b"".join(pieces)

    def read_head(self) -> Answer:
        """Status line and fields of the next response (RFC 9112 4, 5)."""
        lines = self.read_until(b"\r\n\r\n").decode("latin-1")[:-4].split("\r\n")
        version, status, reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1" and len(status) == 3, lines[0]
        return Answer(version, int(status), reason, parse_fields(lines[1:]))

    def read_answer(self, method: str = "GET") -> Answer:
        """The next final response with its body; `method` is that of its request (RFC 9112 6.3)."""
        answer = self.read_head()
        length, coding = answer.get("content-length"), answer.get("transfer-encoding")
        assert length is None or coding is None, "both Content-Length and Transfer-Encoding"
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if coding is not None:
            assert coding.lower() == "chunked", coding
            answer.body, answer.trailers = self._read_chunked()
        elif length is not None:
            answer.body = self.read_exactly(int(length))
        else:
            assert answer.get("connection") == "close", "a body without an end"
            answer.body = self.read_to_end()
        return answer

    def _read_chunked(self) -> tuple[bytes, list[tuple[str, str]]]:
        chunks: list[bytes] = []
        while True:
            size = int(self.read_until(b"\r\n").partition(b";")[0], 16)
            if size == 0:
                break
            chunks.append(self.read_exactly(size))
            assert self.read_exactly(2) == b"\r\n", "chunk without its CRLF"
        trailers: list[str] = []
        while line := self.read_until(b"\r\n").decode("latin-1")[:-2]:
            trailers.append(line)
        return b"".join(chunks), parse_fields(trailers)

    def assert_closed(self) -> None:
        """The server ends the connection and has sent nothing more before."""
        rest = self.read_to_end()
        assert rest == b"", f"unexpected bytes before the end: {rest[:200]!r}"

    def request_after(self, before: bytes, data: bytes) -> Answer:
        """Sends a request behind other bytes (a PROXY header) and reads its answer."""
        self.send(before + data)
        return self.read_answer(data.partition(b" ")[0].decode("latin-1"))

    def request(self, data: bytes | str) -> Answer:
        """Sends a request and reads its answer."""
        self.send(data)
        text = data if isinstance(data, str) else data[:8].decode("latin-1")
        return self.read_answer(text.partition(" ")[0])


def parse_fields(lines: list[str]) -> list[tuple[str, str]]:
    """Header fields of their lines, strictly: no folding, no space before the colon."""
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        assert colon and name and name == name.strip(), f"no header field: {line!r}"
        fields.append((name.lower(), value.strip(" \t")))
    return fields
