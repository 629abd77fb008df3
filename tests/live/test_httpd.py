# SPDX-License-Identifier: MIT
"""smisk.util.httpd: a small HTTP server before a real FastCGI application (reference 13.2, B32)."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from smisk.util.fcgiproto import Channel, Record
from smisk.util.httpd import RequestHandler, Server

from lib.daemon import Smiskd
from lib.http import RawHTTP, get
from lib.servers import free_port

Start = Callable[..., Smiskd]


class Quiet(RequestHandler):
    """Keeps what would go to stderr."""

    lines: "list[str]" = []  # noqa: RUF012  each test's server has a class of its own

    def log_message(self, format: str, *args: object) -> None:
        self.lines.append(format % args)


@pytest.fixture
def httpd() -> Iterator[Callable[..., Server]]:
    """Starts servers in threads; ends them after the test."""
    kept: list[tuple[Server, threading.Thread]] = []

    def start(fcgi_address: object, **more: float) -> Server:
        handler = type("Handler", (Quiet,), {"lines": []})
        server = Server(("127.0.0.1", 0), fcgi_address, handler, **more)  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        kept.append((server, thread))
        return server

    yield start
    for server, thread in kept:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def echo(smiskd: Start, httpd: Callable[..., Server]) -> Server:
    """A server before the application `echo`."""
    return httpd(smiskd("--workers", "1", "--fastcgi", "127.0.0.1:0", "echo").fastcgi)


def address_of(server: Server) -> tuple[str, int]:
    host, port = server.server_address[:2]
    return str(host), int(port)


def lines_of(server: Server) -> list[str]:
    found: list[str] = server.RequestHandlerClass.lines  # type: ignore[attr-defined]
    return found


def test_request_reaches_application_with_path_and_query_apart(echo: Server) -> None:
    with RawHTTP(address_of(echo)) as raw:
        answer = raw.request(get("/a%20b.json?x=1&y=/", "X-One: a", "X-One: b", "Proxy: evil", "X_Two: c"))
    seen = json.loads(answer.body)
    fields = dict(seen["headers"])
    assert (answer.status, seen["path"], seen["query"]) == (200, "/a b.json", "x=1&y=/")
    assert (seen["url"], seen["protocol"]) == ("http://test.example/a%20b.json?x=1&y=/", "HTTP/1.1")
    assert fields["X-One"] == "a, b"
    assert not {"Proxy", "X-Two", "X_Two"} & set(fields)
    assert re.fullmatch(r"smiskhttpd/\S+", answer.get("server") or "")
    assert answer.get("date")


def test_connection_is_kept_over_requests_and_bodies(echo: Server) -> None:
    body = bytes(range(256)) * 2000
    with RawHTTP(address_of(echo)) as raw:
        for _ in range(3):
            raw.send(get("/", f"Content-Length: {len(body)}", method="POST") + body)
            assert json.loads(raw.read_answer("POST").body)["body"].encode("latin-1") == body
        assert raw.request(get("/", method="HEAD")).body == b""
        assert raw.request(get("/")).status == 200


def test_backend_that_is_gone_is_503_after_its_retries(httpd: Callable[..., Server]) -> None:
    server = httpd(("127.0.0.1", free_port()), retries=2, retry_delay=0.0)
    with RawHTTP(address_of(server)) as raw:
        answer = raw.request(get("/"))
    assert (answer.status, answer.body) == (503, b"503 Service Unavailable (FastCGI backend unavailable)")
    assert any("cannot connect" in line for line in lines_of(server))


def test_backend_that_comes_late_is_waited_for(httpd: Callable[..., Server], smiskd: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    server = httpd(path, retries=10_000, retry_delay=0.01)
    with RawHTTP(address_of(server), timeout=60) as raw:
        raw.send(get("/"))
        smiskd("--workers", "1", "--fastcgi", f"unix:{path}", "echo")
        assert raw.read_answer().status == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["Transfer-Encoding: chunked"], 411),
        (["Content-Length: 1", "Content-Length: 2"], 400),
        (["Content-Length: x"], 400),
        (["Content-Length: -1"], 400),
    ],
)
def test_body_that_cannot_be_passed_on_is_refused(echo: Server, fields: list[str], status: int) -> None:
    with RawHTTP(address_of(echo)) as raw:
        assert raw.request(get("/", *fields, method="POST")).status == status
        assert raw.read_to_end() == b""


# --- a back end that misbehaves ---


@pytest.fixture
def backend() -> Iterator[socket.socket]:
    """A listening socket that a test answers at by hand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        yield listener


def answer_with(listener: socket.socket, *packets: bytes) -> None:
    """Takes one request without a body to its end, and answers with these bytes."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(15)
        channel = Channel(connection)
        while True:
            record = channel.readPacket()
            if record is None or (record.type == 5 and not record.content):
                break
        connection.sendall(b"".join(packets))


END = Record(3, 1, bytes(8)).toOutputString()


def out(text: bytes) -> bytes:
    return Record(6, 1, text).toOutputString()


@pytest.mark.parametrize(
    "packets",
    [
        [],
        [END],
        [b"HTTP/1.1 200 OK\r\n\r\n"],
        [out(b"no header line\n\nbody"), END],
        [out(b"Status: OK\n\n"), END],
        [out(b"X: a\rSet-Cookie: b\n\n"), END],
        [out(b"X: " + b"x" * 60000), out(b"x" * 6000), END],
        [out(b"X: cut")],
    ],
    ids=["nothing", "no head", "http", "no header", "no status", "bare CR", "long head", "cut"],
)
def test_backend_without_valid_answer_is_502(
    httpd: Callable[..., Server], backend: socket.socket, packets: list[bytes]
) -> None:
    server = httpd(backend.getsockname())
    with RawHTTP(address_of(server)) as raw:
        raw.send(get("/"))
        answer_with(backend, *packets)
        assert raw.read_answer().status == 502


@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_answer_keeps_status_fields_and_body(
    httpd: Callable[..., Server], backend: socket.socket, line: bytes
) -> None:
    server = httpd(backend.getsockname())
    head = line.join([b"Status: 299 Nearly Fine", b"x-own: 1", b"X-Own: 2", b"Server: its own", b"", b""])
    with RawHTTP(address_of(server)) as raw:
        raw.send(get("/"))
        answer_with(
            backend, out(head[:9]), out(head[9:] + b"a\r\n\r\nb"), Record(7, 1, b"a warning").toOutputString(), END
        )
        answer = raw.read_head()
        assert raw.read_to_end() == b"a\r\n\r\nb"
    assert (answer.status, answer.reason, answer.all("x-own")) == (299, "Nearly Fine", ["1", "2"])
    assert (answer.get("server"), answer.get("connection")) == ("its own", "close")
    assert "a warning" in lines_of(server)


def test_backend_that_dies_within_its_answer_ends_the_connection(
    httpd: Callable[..., Server], backend: socket.socket
) -> None:
    server = httpd(backend.getsockname())
    with RawHTTP(address_of(server)) as raw:
        raw.send(get("/"))
        answer_with(backend, out(b"Content-Length: 10\n\nhalf"))
        raw.read_head()
        assert raw.read_to_end() == b"half"


def test_backend_that_does_not_want_the_body_leaves_the_connection_fit(
    httpd: Callable[..., Server], backend: socket.socket
) -> None:
    server = httpd(backend.getsockname())
    body = b"x" * 4_000_000
    with RawHTTP(address_of(server)) as raw:
        raw.send(get("/", f"Content-Length: {len(body)}", method="POST"))
        connection, _ = backend.accept()
        with connection:
            connection.sendall(out(b"Status: 413 Too Large\nContent-Length: 0\n\n") + END)
        raw.send(body)
        assert raw.read_answer("POST").status == 413
        raw.send(get("/"))
        answer_with(backend, out(b"Content-Length: 2\n\nok"), END)
        assert raw.read_answer().body == b"ok"


def test_client_that_leaves_within_its_body_costs_the_backend_no_wait(
    httpd: Callable[..., Server], backend: socket.socket
) -> None:
    server = httpd(backend.getsockname())
    with RawHTTP(address_of(server)) as raw:
        raw.send(get("/", "Content-Length: 10", method="POST") + b"half")
        connection, _ = backend.accept()
    with connection:
        connection.settimeout(15)
        records = list(iter(Channel(connection).readPacket, None))
    assert records[-1].type in (4, 5) and records[-1].content in (b"half", b"")
    assert records[-1].content or records[-1].type == 4
