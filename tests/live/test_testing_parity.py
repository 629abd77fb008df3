# SPDX-License-Identifier: MIT
"""smisk.testing.Client answers as smiskd does: the same requests to both, for each interface."""

import json
from contextlib import ExitStack

import pytest
from smisk.testing import Client, Server

from lib.daemon import BINARY
from lib.http import RawHTTP

# What the server adds on the way, and a test does not see.
OF_THE_WAY = {"date", "server", "connection", "transfer-encoding", "keep-alive"}
# What differs between two servers by their nature.
VARIABLE = {"REMOTE_PORT", "SERVER_PORT", "HTTP_HOST", "SERVER_SOFTWARE"}

APPLICATION = """
import json
from smisk import Response
from smisk.core.forms import FormError

ANSWERS = {
    "/str": lambda: "å",
    "/bytes": lambda: b"b",
    "/dict": lambda: {"a": "å"},
    "/none": lambda: None,
    "/empty": lambda: "",
    "/pair": lambda: ("gone", 410),
    "/triple": lambda: ("x", 201, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    "/bare": lambda: Response("x", content_type=""),
    "/response": lambda: Response(b"x", 202, {"X-A": "ü"}, "text/x"),
    "/generator": lambda: (piece for piece in ("", "a", b"b")),
    "/nothing": lambda: iter([]),
    "/file": lambda: open(__file__, "rb"),
    "/reset": lambda: ("x", 205),
    "/same": lambda: ("", 304, {"ETag": '"1"'}),
    "/length": lambda: (iter([b"abc"]), 200, {"Content-Length": "3"}),
    "/set": lambda: {1, 2},
    "/injected": lambda: ("x", 200, {"A": "b\\r\\nc: d"}),
    "/hop": lambda: ("x", 200, {"Transfer-Encoding": "chunked"}),
}


def handle(request):
    if request.path == "/mistake":
        raise FormError("no", 422)
    if request.path == "/fail":
        raise LookupError("no stock")
    if request.path.startswith("/seen"):
        env = dict(request.env)
        return {"env": env, "get": request.get, "post": request.post, "cookies": request.cookies,
                "headers": sorted(request.headers.pairs), "path": request.path, "query": request.query,
                "files": {name: [each.filename, each.content_type, each.size] for name, each in request.files.items()}}
    return ANSWERS[request.path]()


async def handle_async(request):
    if request.path == "/generator":
        async def pieces():
            for piece in ("", "a", b"b"):
                yield piece
        return pieces()
    return handle(request)


def plain(value):
    return value if isinstance(value, (str, int, bool, type(None))) else repr(value)


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/generator":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"", b"a", b"b"])
    if path == "/one":
        start_response("201 Created", [("X", "\\xfc"), ("Set-Cookie", "a=1")])
        return [b"a", b"b"]
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    if path == "/injected":
        start_response("200 OK", [("A", "b\\nc")])
        return []
    if path == "/fail":
        raise LookupError("no stock")
    seen = {name: plain(value) for name, value in environ.items() if name.upper() == name}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    seen["scheme"] = environ["wsgi.url_scheme"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/fail":
        raise LookupError("no stock")
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    if scope["path"] == "/pieces":
        await send(start)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})
        return
    if scope["path"] == "/early":
        await send({"type": "http.response.body", "body": b"a"})
    message = await receive()
    keep = ("type", "asgi", "http_version", "method", "scheme", "path", "root_path", "raw_path", "query_string", "headers")
    seen = {name: repr(scope[name]) for name in keep}
    await send(start)
    await send({"type": "http.response.body", "body": json.dumps([seen, message["body"].decode()]).encode()})
"""

NATIVE_PATHS = [
    *(
        "/str",
        "/bytes",
        "/dict",
        "/none",
        "/empty",
        "/pair",
        "/triple",
        "/bare",
        "/response",
        "/generator",
        "/nothing",
    ),
    *("/file", "/reset", "/same", "/length", "/set", "/injected", "/hop", "/mistake", "/fail"),
]


KINDS = ("handle", "handle_async", "wsgi", "asgi")
PATHS = {
    "handle": NATIVE_PATHS,
    "handle_async": NATIVE_PATHS,
    "wsgi": ["/generator", "/one", "/nothing", "/injected", "/fail"],
    "asgi": ["/pieces", "/early", "/fail"],
}
CASES = [(kind, method, path) for kind in KINDS for path in PATHS[kind] for method in ("GET", "HEAD")]
REQUESTS = [
    ("GET", "/seen", [], b""),
    ("GET", "/seen/%C3%A5%20b/%E5?a=1&b&a=%C3%BC", [("X-A", "1"), ("X-A", "2"), ("Cookie", "a=b; c=d%20e")], b""),
    ("GET", "/seen?", [("Proxy", "x"), ("X_Y", "1")], b""),
    ("POST", "/seen", [("Content-Type", "application/x-www-form-urlencoded")], b"a=1&b=%C3%BC&a=2"),
    ("PUT", "/seen", [], b""),
    ("DELETE", "/seen/x", [("X-Long", "y" * 5000)], b"body"),
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """For each kind a server and a client of the same application."""
    path = tmp_path_factory.mktemp("parity") / "parity_of_testing.py"
    path.write_text(APPLICATION, encoding="utf-8")
    made = {}
    with ExitStack() as stack:
        for kind in KINDS:
            name = f"{path}:{kind}"
            server = stack.enter_context(Server(name, smiskd=BINARY, env={"ASAN_OPTIONS": "detect_leaks=0"}))
            client = Client(name, raise_errors=False, base_url=server.url)
            stack.callback(client.close)
            made[kind] = (server, client)
        yield made


def ask(server, method, target, headers, body):
    """The server's answer, in the same form as `told`."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *(f"{n}: {v}" for n, v in headers)]
    with RawHTTP(server.address()) as raw:
        raw.send("\r\n".join([*lines, "", ""]).encode() + body)
        answer = raw.read_answer(method)
    fields = sorted((name, text(value)) for name, value in answer.headers if name not in OF_THE_WAY)
    return answer.status, fields, answer.body


def text(value):
    """A value as the client reads it: UTF-8, or Latin-1 where it is none."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def told(answer):
    return answer.status, sorted((name.lower(), value) for name, value in answer.headers.pairs), answer.body


def compare(pair, method, target, headers=(), body=b""):
    """Asks both and compares; their bodies, or None where the page is one of the server's own."""
    server, client = pair
    sent = [("User-Agent", "smisk.testing"), ("Accept", "*/*"), *headers]
    if body or method in ("POST", "PUT", "PATCH"):
        sent.append(("Content-Length", str(len(body))))
    by_server = ask(server, method, target, sent, body)
    client.cookies.clear()
    by_client = told(client.request(method, target, headers=list(headers), data=body or None))
    if by_server[0] in (422, 500):
        assert by_server[0] == by_client[0]
        return None
    if target.startswith("/seen"):  # its length is that of what was seen
        by_client, by_server = (
            (status, [field for field in fields if field[0] != "content-length"], body)
            for status, fields, body in (by_client, by_server)
        )
    assert by_client[:2] == by_server[:2]
    return by_client[2], by_server[2]


@pytest.mark.parametrize(("kind", "method", "path"), CASES)
def test_answers_are_the_same(pairs, kind, method, path):
    bodies = compare(pairs[kind], method, path)
    assert bodies is None or bodies[0] == bodies[1]


def without_variable(seen):
    """What was seen, without what differs between two servers."""
    if isinstance(seen, dict):
        return {name: without_variable(value) for name, value in seen.items() if name not in VARIABLE}
    return [without_variable(each) for each in seen] if isinstance(seen, list) else seen


@pytest.mark.parametrize(("method", "target", "headers", "body"), REQUESTS)
@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_seen_the_same(pairs, kind, method, target, headers, body):
    bodies = compare(pairs[kind], method, target, headers, body)
    assert bodies is not None
    by_client, by_server = (without_variable(json.loads(each)) for each in bodies)
    assert by_client == by_server
