# SPDX-License-Identifier: MIT
"""smisk.testing.Client with WSGI and ASGI applications."""

import asyncio
import sys

import pytest

pytest.importorskip("_smisk")

from smisk.aio.lifespan import LifespanError
from smisk.testing import Client

# --- WSGI ---


def environ_of(client, *arguments, **more):
    """The environ that an application sees."""
    seen = {}

    def application(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b""]

    client(application).request(*arguments, **more)
    return seen


def test_environ_has_what_pep_3333_wants():
    environ = environ_of(
        Client, "POST", "/a%20b?x=1", data=b"body", headers={"X-Name": "v", "Content-Type": "text/x"}
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "x=1",
        "REQUEST_URI": "/a%20b?x=1",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_X_NAME": "v",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "body": b"body",
    }
    assert {name: environ.get(name) for name in expected} == expected


@pytest.mark.parametrize("front", [False, True])
def test_environ_is_latin_1(front):
    def client(application):
        return Client(application, front=front)

    environ = environ_of(client, "GET", "/%E5/å", headers={"X-A": "ü", "X-B": b"\xfc"})
    assert environ["PATH_INFO"] == "/\xe5/\xc3\xa5"
    assert (environ["HTTP_X_A"], environ["HTTP_X_B"]) == ("\xc3\xbc", "\xfc")
    assert "CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(
    ("path", "rest"), [("/shop/cart", "/cart"), ("/cart", "/cart"), ("/shop", ""), ("/shopping", "/shopping")]
)
def test_root_path_is_script_name(path, rest):
    environ = environ_of(lambda application: Client(application, root_path="/shop"), "GET", path)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", rest)


def test_https_is_said_to_wsgi():
    environ = environ_of(lambda application: Client(application, base_url="https://e.example"), "GET", "/")
    assert (environ["wsgi.url_scheme"], environ["HTTPS"], environ["SERVER_PORT"]) == ("https", "on", "443")


def wsgi(status="200 OK", headers=(), body=(b"x",), exc_info=None):
    def application(environ, start_response):
        start_response(status, list(headers), exc_info)
        return body

    return application


def test_wsgi_list_has_its_length():
    answer = Client(wsgi(headers=[("Content-Type", "text/plain"), ("A", "\xfc")], body=[b"a", b"b"])).get("/")
    assert (answer.status, answer.text, answer.headers["Content-Length"], answer.headers["A"]) == (
        200,
        "ab",
        "2",
        "ü",
    )


def test_wsgi_iterable_is_collected_and_closed():
    class Body:
        closed = 0

        def __iter__(self):
            return iter([b"", b"a", b"b"])

        def close(self):
            self.closed += 1

    body = Body()
    answer = Client(wsgi(body=body)).get("/")
    assert (answer.body, answer.headers.get("Content-Length"), body.closed) == (b"ab", None, 1)


def test_wsgi_write_comes_before_the_body():
    def application(environ, start_response):
        start_response("201 Created", [])(b"a")
        return [b"b"]

    answer = Client(application).get("/")
    assert (answer.status, answer.body) == (201, b"ab")


def test_wsgi_file_wrapper_is_read(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 20_000)

    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "20000")])
        return environ["wsgi.file_wrapper"]((tmp_path / "f").open("rb"))

    assert len(Client(application).get("/").body) == 20_000


def test_wsgi_exc_info_replaces_the_head():
    def application(environ, start_response):
        start_response("200 OK", [])
        try:
            raise KeyError("x")
        except KeyError:
            start_response("500 Oops", [("A", "b")], sys.exc_info())
        return [b"sorry"]

    answer = Client(application).get("/")
    assert (answer.status, answer.headers["A"], answer.text) == (500, "b", "sorry")


def test_wsgi_exc_info_after_the_head_is_raised():
    def application(environ, start_response):
        start_response("200 OK", [])(b"out")
        try:
            raise KeyError("x")
        except KeyError:
            start_response("500 Oops", [], sys.exc_info())
        return []

    with pytest.raises(KeyError):
        Client(application).get("/")


@pytest.mark.parametrize(
    ("application", "error", "words"),
    [
        (wsgi("200"), None, ""),
        (wsgi("OK"), ValueError, "a status is three digits"),
        (wsgi("100 Continue"), ValueError, "a status is three digits"),
        (wsgi(headers=[("A", 1)]), TypeError, "a header is a tuple"),
        (wsgi(headers=[("A", "b\nc")]), ValueError, "CR, LF or NUL"),
        (wsgi(headers=[("Connection", "x")]), ValueError, "only the server"),
        (wsgi(body="text"), TypeError, "an iterable of bytes"),
        (wsgi(body=["text"]), TypeError, "the body is bytes"),
        (wsgi(body=None), TypeError, "an iterable of bytes"),
        (wsgi(headers=[("Content-Length", "7")]), ValueError, "Content-Length of 7"),
        (lambda environ, start_response: [b"x"], RuntimeError, "did not call start_response"),
        (lambda environ, start_response: [], RuntimeError, "did not call start_response"),
        (lambda environ, start_response: start_response("200 OK", {}) or [], TypeError, "headers are a list"),
        (
            lambda environ, start_response: start_response("200 OK", []) and start_response("200 OK", []),
            RuntimeError,
            "was called before",
        ),
    ],
)
def test_wsgi_mistakes_are_raised(application, error, words):
    client = Client(application)
    if error is None:
        assert client.get("/").status == 200
        return
    with pytest.raises(error, match=words):
        client.get("/")


def test_wsgi_cookie_values_are_the_applications_own():
    def application(environ, start_response):
        start_response("200 OK", [("Set-Cookie", 'a="x%20y"; Path=/'), ("Set-Cookie", "b=1; HttpOnly")])
        return [environ.get("HTTP_COOKIE", "").encode()]

    client = Client(application)
    assert client.get("/").cookies == {"a": "x%20y", "b": "1"}
    assert client.get("/", cookies={"c": "1+2%"}).text == 'a="x%20y"; b=1; c=1+2%'
    with pytest.raises(ValueError, match="cannot hold"):
        client.get("/", cookies={"c": "1;2"})


# --- ASGI ---


def asgi(*messages):
    async def application(scope, receive, send):
        for message in messages:
            await send(message)

    return application


START = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
BODY = {"type": "http.response.body", "body": b"whole"}


def test_asgi_scope_is_that_of_smiskd():
    seen = {}

    async def application(scope, receive, send):
        seen.update(scope)
        seen["message"] = await receive()
        await send(START)
        await send(BODY)
        seen["end"] = await receive()

    Client(application, base_url="https://e.example:444").post("/å%20?q=1", data=b"body", headers={"X-A": "b"})
    expected = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/å ",
        "raw_path": b"/%C3%A5%20",
        "query_string": b"q=1",
        "root_path": "",
        "client": ("127.0.0.1", 0),
        "server": ("e.example", 444),
        "message": {"type": "http.request", "body": b"body", "more_body": False},
        "end": {"type": "http.disconnect"},
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert (b"x-a", b"b") in seen["headers"] and (b"host", b"e.example:444") in seen["headers"]
    assert "state" not in seen


@pytest.mark.parametrize("path", ["/shop/cart", "/cart"])
def test_asgi_path_contains_the_root_path(path):
    async def application(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": f"{scope['root_path']} {scope['path']}".encode()})

    assert Client(application, root_path="/shop").get(path).text == "/shop /shop/cart"


def test_asgi_answer_in_one_piece_has_its_length():
    answer = Client(asgi(START, BODY)).get("/")
    assert (answer.status, answer.headers["X"], answer.text, answer.headers["Content-Length"]) == (
        200,
        "y",
        "whole",
        "5",
    )


def test_asgi_answer_in_pieces_is_collected():
    pieces = [{**BODY, "body": piece, "more_body": True} for piece in (b"a", b"b")]
    answer = Client(asgi(START, *pieces, {"type": "http.response.body"})).get("/")
    assert (answer.text, answer.headers.get("Content-Length")) == ("ab", None)


def test_asgi_work_after_the_response_is_awaited():
    done = []

    async def application(scope, receive, send):
        await send(START)
        await send(BODY)
        await asyncio.sleep(0)
        done.append(True)

    Client(application).get("/")
    assert done == [True]


@pytest.mark.parametrize(
    ("messages", "error", "words"),
    [
        ([], RuntimeError, "without a response"),
        ([START], RuntimeError, "before its response was complete"),
        ([BODY], RuntimeError, "before http.response.start"),
        ([START, START], RuntimeError, "came after"),
        ([START, BODY, BODY], RuntimeError, "after the response was complete"),
        ([{"type": "http.response.push"}], RuntimeError, "unexpected ASGI message"),
        (["text"], TypeError, "takes a dict"),
        ([{**START, "status": "200"}], ValueError, "between 200 and 999"),
        ([{**START, "headers": [("a", "b")]}], TypeError, "are bytes"),
        ([{**START, "headers": [(b"a", b"b\r\n")]}], ValueError, "CR, LF or NUL"),
        ([START, {**BODY, "body": "text"}], TypeError, "is bytes"),
        ([{**START, "headers": [(b"content-length", b"1")]}, BODY], ValueError, "Content-Length of 1"),
    ],
)
def test_asgi_mistakes_are_raised(messages, error, words):
    with pytest.raises(error, match=words):
        Client(asgi(*messages)).get("/")


class Shop:
    """An ASGI application with a lifespan that is written down."""

    def __init__(self, startup="complete"):
        self.log = []
        self.startup = startup

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["name"] = "shop"
            await send({"type": f"lifespan.startup.{self.startup}", "message": "no stock"})
            self.log.append("started")
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            self.log.append("stopped")
            return
        await send(START)
        await send({"type": "http.response.body", "body": scope.get("state", {}).get("name", "none").encode()})


def test_lifespan_runs_within_the_context():
    shop = Shop()
    with Client(shop) as client:
        assert client.get("/").text == "shop"
        assert shop.log == ["started"]
    assert shop.log == ["started", "stopped"]


def test_lifespan_does_not_run_without_the_context_or_when_off():
    shop = Shop()
    assert Client(shop).get("/").text == "none"
    with Client(shop, lifespan="off") as client:
        assert client.get("/").text == "none"
    assert shop.log == []


def test_lifespan_that_fails_is_raised():
    with pytest.raises(LifespanError, match="no stock"), Client(Shop("failed"), timeout=10):
        pass


def test_application_without_lifespan_starts_unless_it_is_on():
    async def application(scope, receive, send):
        assert scope["type"] == "http"
        await send(START)
        await send(BODY)

    with Client(application) as client:
        assert client.get("/").text == "whole"
    with pytest.raises(LifespanError), Client(application, lifespan="on"):
        pass


# --- frameworks ---


def test_flask_site_keeps_its_session():
    flask = pytest.importorskip("flask")
    app = flask.Flask("shop")
    app.secret_key = "only for this test"

    @app.post("/count")
    def count():
        flask.session["n"] = flask.session.get("n", 0) + int(flask.request.form["by"])
        return {"n": flask.session["n"]}

    client = Client(app)
    assert client.interface == "wsgi"
    assert [client.post("/count", data={"by": "2"}).json()["n"] for _ in range(2)] == [2, 4]
    assert client.get("/count").status == 405


def test_starlette_site_streams_and_fails():
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")

    async def stream(request):
        return responses.StreamingResponse(iter(["a", "b"]), media_type="text/plain")

    async def fail(request):
        raise LookupError("nothing here")

    app = applications.Starlette(routes=[routing.Route("/stream", stream), routing.Route("/fail", fail)])
    with Client(app) as client:
        assert client.interface == "asgi"
        assert client.get("/stream").text == "ab"
        assert client.get("/none").status == 404
        with pytest.raises(LookupError, match="nothing here"):
            client.get("/fail")
