# SPDX-License-Identifier: MIT
"""WSGI applications behind smisk.wsgi.Gateway: one for each thing that PEP 3333 says about answers."""

import json
import sys
from wsgiref.validate import validator

from smisk.util.string import normalize_url
from smisk.wsgi import Gateway

PLAIN = [("Content-Type", "text/plain")]


class Closing:
    """Pieces that say when they are closed."""

    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def __iter__(self):
        return self.pieces

    def close(self):
        print("closed the body", file=sys.stderr, flush=True)


@validator
def valid(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.errors"].write("")
    start_response("200 OK", PLAIN)
    return [b"a", b"b", body]


def show(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {
        key: value if isinstance(value, (str, bool, tuple)) else type(value).__name__
        for key, value in environ.items()
    }
    return [json.dumps(seen | {"is dict": type(environ) is dict}).encode()]


def close(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing([b"", b"one ", b"two"])


def break_off(environ, start_response):
    start_response("200 OK", PLAIN)

    def pieces():
        yield b""
        raise LookupError("in the middle")

    return Closing(pieces())


def late(environ, start_response):
    start_response("201 Created", PLAIN)
    yield b"late"


def write(environ, start_response):
    start_response("200 OK", PLAIN)(b"written, ")
    return [b"returned"]


def empty(environ, start_response):
    start_response("404 Not Found", PLAIN)
    return []


def replace(environ, start_response):
    start_response("200 OK", [*PLAIN, ("X-Old", "1")])
    try:
        raise ValueError("found out late")
    except ValueError:
        start_response("503 Busy", [*PLAIN, ("X-New", "1")], sys.exc_info())
    return [b"instead"]


def too_late(environ, start_response):
    start_response("200 OK", PLAIN)(b"begun")
    try:
        raise ValueError("found out too late")
    except ValueError:
        start_response("503 Busy", PLAIN, sys.exc_info())
    return [b"never sent"]


def again(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"never sent"]


def never(environ, start_response):
    return [b"never sent"]


def never_empty(environ, start_response):
    return []


def text(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["never sent"]


def hop(environ, start_response):
    start_response("200 OK", [("Transfer-Encoding", "chunked")])
    return [b"never sent"]


def status(environ, start_response):
    start_response("200", PLAIN)
    return [b"never sent"]


def send_file(environ, start_response):
    start_response("200 OK", PLAIN)
    environ["smisk.app"].request.send_file(__file__)
    return []


def complete(environ, start_response):
    start_response("200 OK", PLAIN)
    return [str(normalize_url(environ["QUERY_STRING"])).encode()]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].partition("/")[2].partition("/")[0]](environ, start_response)


gateway = Gateway(application)
