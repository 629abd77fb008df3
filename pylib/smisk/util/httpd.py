# SPDX-License-Identifier: MIT
"""A small HTTP server before a FastCGI application, for trying things out.

`smiskd --http` serves HTTP by itself, and so does `python myapp.py --http`; this is for looking at an application through
FastCGI where no web server is at hand. One thread a connection; one FastCGI connection a request.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import threading
import time
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes

from .fcgiproto import (
    FCGI_BEGIN_REQUEST,
    FCGI_END_REQUEST,
    FCGI_PARAMS,
    FCGI_RESPONDER,
    FCGI_STDERR,
    FCGI_STDIN,
    FCGI_STDOUT,
    Channel,
    FastCGIError,
    Record,
    writeNameValue,
)

__all__ = ["RequestHandler", "Server"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Address = tuple[str, int] | str

UNAVAILABLE = "503 Service Unavailable (FastCGI backend unavailable)"
MAX_HEAD = 65536
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")  # applications may write either kind of line end
PIECE = 65528  # the most that a record can have without padding
REQUEST_ID = 1


class Server(ThreadingHTTPServer):
    """Serves HTTP at `address` by the FastCGI application at `fcgi_address`, host and port or a socket's path.

    `retries`, `retry_delay`: how often, and after how many seconds each, a connection that is refused is tried again.
    `timeout`: seconds that a client, or the application, may take for the next piece.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        fcgi_address: Address = ("127.0.0.1", 5000),
        request_handler: type[BaseHTTPRequestHandler] | None = None,
        retries: int = 10,
        retry_delay: float = 1.0,
        timeout: float = 60.0,
    ) -> None:
        self.fcgi_address = fcgi_address
        self.retries = retries
        self.retry_delay = retry_delay
        self.exchange_timeout = timeout
        super().__init__(address, request_handler or RequestHandler)

    def connect(self) -> socket.socket:
        """Returns a connection to the application. Raises OSError after the last try."""
        for left in range(self.retries, -1, -1):
            sock = socket.socket(socket.AF_UNIX if isinstance(self.fcgi_address, str) else socket.AF_INET)
            try:
                sock.settimeout(self.exchange_timeout)
                sock.connect(self.fcgi_address)
            except OSError as error:
                sock.close()
                if left == 0 or error.errno not in (errno.ECONNREFUSED, errno.ENOENT):
                    raise
                time.sleep(self.retry_delay)
            else:
                return sock
        raise AssertionError("unreachable")


class RequestHandler(BaseHTTPRequestHandler):
    """One client's connection: each request goes to the application, its answer comes back piece by piece."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        """Sets the time limit of the connection."""
        super().setup()
        self.connection.settimeout(self.server.exchange_timeout)

    def version_string(self) -> str:
        """The name in the Server field."""
        import smisk

        return f"smiskhttpd/{smisk.__version__}"

    def serve(self) -> None:
        """Handles one request of any method."""
        length = self._body_length()
        if length is None:
            return
        try:
            sock = self.server.connect()
        except OSError as error:
            self.log_error("cannot connect to %s: %s", self.server.fcgi_address, error)
            self._refuse(503, UNAVAILABLE)
            return
        with closing(sock):
            self._exchange(sock, length)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = serve

    def _body_length(self) -> int | None:
        """The length of the body, 0 without one; None after an answer to a request whose body cannot be passed on."""
        given = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            self._refuse(411, "411 Length Required (chunked bodies are for smiskd --http)")
        elif len(given) > 1 or not all(text.isascii() and text.isdigit() for text in given):
            self._refuse(400, "400 Bad Request (Content-Length)")
        else:
            return int(given[0]) if given else 0
        return None

    def _refuse(self, status: int, text: str) -> None:
        body = text.encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # --- to the application ---

    def _exchange(self, sock: socket.socket, length: int) -> None:
        channel = Channel(sock)
        answer = _Answer(self)
        # In a thread of its own, for an application may answer before it has read everything.
        sender = threading.Thread(target=self._send, args=(channel, length), daemon=True)
        sender.start()
        try:
            for piece in self._output(channel):
                answer.feed(piece)
            answer.end()
        except (FastCGIError, OSError) as error:
            self.log_error("the application's answer failed: %s", error)
            self._fail(answer)
        finally:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sender.join()

    def _fail(self, answer: _Answer) -> None:
        self.close_connection = True
        if not answer.has_begun:
            with suppress(OSError):
                self._refuse(502, "502 Bad Gateway (the FastCGI backend gave no valid answer)")

    def _send(self, channel: Channel, length: int) -> None:
        """Sends the request. Goes on reading the body when nobody takes it any more, for the next request is behind."""
        is_wanted = True
        try:
            for record in self._records(length):
                if is_wanted:
                    is_wanted = _write_packet(channel, record)
        except (OSError, FastCGIError) as error:
            self.log_error("the request's body ended early: %s", error)
            self.close_connection = True
            with suppress(OSError):
                channel.socket.shutdown(socket.SHUT_RDWR)

    def _records(self, length: int) -> Iterator[Record]:
        """The request as records. Raises OSError, FastCGIError when its body does not come whole."""
        yield Record(FCGI_BEGIN_REQUEST, REQUEST_ID, struct.pack(">HB5x", FCGI_RESPONDER, 0))
        pairs = b"".join(writeNameValue(name, value) for name, value in self._params(length).items())
        for start in range(0, len(pairs), PIECE):
            yield Record(FCGI_PARAMS, REQUEST_ID, pairs[start : start + PIECE])
        yield Record(FCGI_PARAMS, REQUEST_ID)
        while length > 0:
            piece = self.rfile.read(min(length, PIECE))
            if not piece:
                raise FastCGIError(f"{length} bytes are missing")
            length -= len(piece)
            yield Record(FCGI_STDIN, REQUEST_ID, piece)
        yield Record(FCGI_STDIN, REQUEST_ID)

    def _output(self, channel: Channel) -> Iterator[bytes]:
        """The pieces of standard output. Raises FastCGIError when the application goes away before its end."""
        while (record := channel.readPacket()) is not None:
            if record.type == FCGI_STDOUT and record.content:
                yield record.content
            elif record.type == FCGI_STDERR and record.content:
                self.log_error("%s", record.content.decode("utf-8", "backslashreplace").rstrip())
            elif record.type == FCGI_END_REQUEST:
                return
        raise FastCGIError("the connection ended before the request did")

    def _params(self, length: int) -> dict[bytes, bytes]:
        """The parameters of CGI (RFC 3875 4.1), and those that web servers add."""
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        own = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": self.version_string(),
            "SERVER_NAME": self.server.server_name,
            "SERVER_ADDR": str(self.connection.getsockname()[0] or host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REQUEST_METHOD": self.command,
            "REQUEST_URI": self.path,
            "QUERY_STRING": query,
            "PATH_INFO": "",
            "DOCUMENT_ROOT": os.getcwd(),
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length) if length or "Content-Length" in self.headers else "",
        }
        params = {name.encode(): value.encode("latin-1", "replace") for name, value in own.items()}
        params[b"SCRIPT_NAME"] = unquote_to_bytes(path.encode("latin-1", "replace"))
        params[b"SCRIPT_FILENAME"] = os.fsencode(os.getcwd()) + params[b"SCRIPT_NAME"]
        for name in self.headers:
            # Fields of one meaning in two spellings must not become one parameter.
            if name.lower() not in ("content-type", "content-length", "proxy") and "_" not in name:
                key = "HTTP_" + name.upper().replace("-", "_")
                params[key.encode("latin-1", "replace")] = ", ".join(self.headers.get_all(name, [])).encode("latin-1")
        return params


def _write_packet(channel: Channel, record: Record) -> bool:
    try:
        channel.writePacket(record)
    except OSError:
        return False
    return True


class _Answer:
    """An answer as CGI writes it (RFC 3875 6), on its way to the client."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._head = b""
        self.has_begun = False

    def feed(self, piece: bytes) -> None:
        """Takes more of the application's output. Raises FastCGIError for a head that is none."""
        if self.has_begun:
            self._write(piece)
            return
        self._head += piece
        end = END_OF_HEAD.search(self._head)
        if end is not None:
            head = self._head[: end.start()].decode("latin-1")
            self._begin([line.removesuffix("\r") for line in head.split("\n")])
            self._write(self._head[end.end() :])
        elif len(self._head) > MAX_HEAD:
            raise FastCGIError(f"the head of the answer is longer than {MAX_HEAD} bytes")

    def end(self) -> None:
        """The output is complete. Raises FastCGIError when it had no head."""
        if not self.has_begun:
            raise FastCGIError("the answer has no head")

    def _begin(self, lines: list[str]) -> None:
        status, reason, fields = 200, None, []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip() or "\r" in line:
                raise FastCGIError(f"the answer has the header line {line!r}")
            if name.lower() == "status":
                status, reason = self._status(value.strip())
            else:
                fields.append((name, value.strip()))
        self._send_head(status, reason, fields)

    @staticmethod
    def _status(value: str) -> tuple[int, str | None]:
        code, _, reason = value.partition(" ")
        if not (len(code) == 3 and code.isascii() and code.isdigit()):
            raise FastCGIError(f"the answer has the status {value!r}")
        return int(code), reason or None

    def _send_head(self, status: int, reason: str | None, fields: list[tuple[str, str]]) -> None:
        handler = self._handler
        names = {name.lower() for name, _ in fields}
        self.has_begun = True
        handler.log_request(status)
        handler.send_response_only(status, reason)
        if "server" not in names:
            handler.send_header("Server", handler.version_string())
        if "date" not in names:
            handler.send_header("Date", handler.date_time_string())
        for name, value in fields:
            if name.lower() != "connection":
                handler.send_header(name, value)
        if "content-length" not in names and status not in (204, 304):
            handler.close_connection = True
        if handler.close_connection:
            handler.send_header("Connection", "close")
        handler.end_headers()

    def _write(self, piece: bytes) -> None:
        if piece and self._handler.command != "HEAD":
            self._handler.wfile.write(piece)
