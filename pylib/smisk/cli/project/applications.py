# SPDX-License-Identifier: MIT
"""The application of a new project, and its tests, for each kind."""

__all__ = ["APPLICATIONS", "SERVER_TEST", "TESTS"]

NATIVE = '''
"""@NAME@: answers each request with what handle() returns. See smisk.conf for how it is served."""


def application_will_start():
    """Called in each worker before its first request: the place to connect to databases."""


def handle(request):
    if request.path == "/":
        name = request.get.get("name", "world")
        return f"Hello, {name}!\\n", 200, {"Content-Type": "text/plain; charset=utf-8"}
    if request.path == "/echo" and request.method == "POST":
        return request.json()
    return "Not found.\\n", 404


def application_did_stop():
    """Called in each worker after its last request."""
'''

SMISK = '''
"""@NAME@: answers each request with what service() writes. See smisk.conf for how it is served."""

from smisk.core import Application, request, response


class @CLASS@(Application):
    def application_will_start(self):
        """Called in each worker before its first request: the place to connect to databases."""

    def service(self):
        if request.url.path == "/":
            name = request.get.get("name", "world")
            response.headers = ["Content-Type: text/plain; charset=utf-8"]
            response(f"Hello, {name}!\\n")
        else:
            response.headers = ["Status: 404 Not Found", "Content-Type: text/plain; charset=utf-8"]
            response("Not found.\\n")

    def application_did_stop(self):
        """Called in each worker after its last request."""
'''

WSGI = '''
"""@NAME@: a WSGI application. See smisk.conf for how it is served."""

import json
from urllib.parse import parse_qs


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/":
        name = parse_qs(environ["QUERY_STRING"]).get("name", ["world"])[0]
        return answer(start_response, "200 OK", f"Hello, {name}!\\n")
    if path == "/echo" and method == "POST":
        given = json.loads(environ["wsgi.input"].read())
        return answer(start_response, "200 OK", json.dumps(given), "application/json")
    return answer(start_response, "404 Not Found", "Not found.\\n")


def answer(start_response, status, text, content_type="text/plain; charset=utf-8"):
    start_response(status, [("Content-Type", content_type)])
    return [text.encode()]
'''

ASGI = '''
"""@NAME@: an ASGI application. See smisk.conf for how it is served."""

import json
from urllib.parse import parse_qs


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await answer(send, *await find(scope, receive))


async def lifespan(receive, send):
    await receive()  # each worker starts: the place to connect to databases
    await send({"type": "lifespan.startup.complete"})
    await receive()  # and stops
    await send({"type": "lifespan.shutdown.complete"})


async def find(scope, receive):
    if scope["path"] == "/":
        name = parse_qs(scope["query_string"].decode()).get("name", ["world"])[0]
        return 200, f"Hello, {name}!\\n"
    if scope["path"] == "/echo" and scope["method"] == "POST":
        return 200, json.dumps(json.loads(await read(receive))), b"application/json"
    return 404, "Not found.\\n"


async def read(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send, status, text, content_type=b"text/plain; charset=utf-8"):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]})
    await send({"type": "http.response.body", "body": text.encode()})
'''

CLIENT_TESTS = '''
"""Tests of @NAME@: with a client that calls it in process, and with a real smiskd."""

import urllib.request

import pytest


@pytest.fixture
def client(smisk_client):
    return smisk_client("@MODULE@")


def test_front_page_greets(client):
    answer = client.get("/")
    assert (answer.status, answer.text) == (200, "Hello, world!\\n")


def test_front_page_greets_by_name(client):
    assert client.get("/", params={"name": "Jack & Jill"}).text == "Hello, Jack & Jill!\\n"


def test_unknown_page_is_not_found(client):
    assert client.get("/nowhere").status == 404
'''

ECHO_TEST = """

def test_echo_gives_json_back(client):
    assert client.post("/echo", json={"numbers": [1, 2]}).json() == {"numbers": [1, 2]}
"""

SERVER_TEST = """

def test_it_is_served_as_smisk_conf_says(smisk_server):
    server = smisk_server(config="smisk.conf")
    with urllib.request.urlopen(server.url + "/?name=you", timeout=30) as answer:
        assert answer.read() == b"Hello, you!\\n"
"""

APPLICATIONS = {"native": NATIVE, "smisk": SMISK, "wsgi": WSGI, "asgi": ASGI}
TESTS = {
    "native": CLIENT_TESTS + ECHO_TEST,
    "smisk": CLIENT_TESTS,
    "wsgi": CLIENT_TESTS + ECHO_TEST,
    "asgi": CLIENT_TESTS + ECHO_TEST,
}
