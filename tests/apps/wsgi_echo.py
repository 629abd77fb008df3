# SPDX-License-Identifier: MIT
"""A WSGI application under wsgiref's validator that tells what it was given: environ, and the body by any method."""

import io
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

Environ = dict[str, Any]
kept: list[Any] = []


def text_of(value: object) -> object:
    return value if isinstance(value, (str, bool, int, list, tuple)) else type(value).__name__


def environ_of(environ: Environ) -> object:
    return {name: text_of(value) for name, value in environ.items()} | {"is dict": type(environ) is dict}


def pieces(read: Callable[[int], bytes], size: int) -> list[str]:
    found = []
    while data := read(size):
        found.append(data.decode("latin-1"))
    return found


def read_all(environ: Environ) -> object:
    source = environ["wsgi.input"]
    return [
        source.read().decode("latin-1"),
        source.read().decode(),
        source.read(10).decode(),
        source.readline().decode(),
    ]


def read_into(environ: Environ) -> object:
    source, buffer = environ["wsgi.input"], bytearray(4)
    return [(source.readinto(buffer), buffer.decode()), (source.readinto1(buffer), buffer.decode())]


def seek_and_tell(environ: Environ) -> object:
    source = environ["wsgi.input"]
    return [
        source.seek(-3, io.SEEK_END),
        source.read().decode(),
        source.tell(),
        source.seek(2),
        source.read1(2).decode(),
        source.seek(1, io.SEEK_CUR),
        source.read(None).decode(),
        source.seek(1000),
        source.read().decode(),
        [source.readable(), source.seekable(), source.writable(), source.isatty(), source.closed],
    ]


def wrapped_as_text(environ: Environ) -> object:
    lines = list(io.TextIOWrapper(environ["wsgi.input"], "utf-8"))
    return [lines, environ["wsgi.input"].tell()]


def refusals(environ: Environ) -> object:
    source, found = environ["wsgi.input"], []
    for call in (source.fileno, lambda: source.seek(-1), lambda: source.read("x"), lambda: source.readinto(b"x")):
        try:
            call()
        except Exception as error:
            found.append(type(error).__name__)
    return found


RAW: dict[str, Callable[[Environ], object]] = {
    "/read-all": read_all,
    "/readinto": read_into,
    "/seek": seek_and_tell,
    "/text": wrapped_as_text,
    "/refusals": refusals,
    "/read-4": lambda environ: pieces(environ["wsgi.input"].read, 4),
    "/readline-4": lambda environ: pieces(environ["wsgi.input"].readline, 4),
    "/readline": lambda environ: pieces(lambda _: environ["wsgi.input"].readline(), 0),
    "/readlines": lambda environ: [line.decode("latin-1") for line in environ["wsgi.input"].readlines()],
    "/readlines-hint": lambda environ: [line.decode("latin-1") for line in environ["wsgi.input"].readlines(5)],
    "/iterate": lambda environ: [line.decode("latin-1") for line in environ["wsgi.input"]],
    "/length": lambda environ: len(environ["wsgi.input"].read()),
    "/line-lengths": lambda environ: [len(line) for line in environ["wsgi.input"]],
    "/keep": lambda environ: kept.append((environ["wsgi.input"], environ["wsgi.errors"], environ)),
}


def later() -> object:
    """Uses what an earlier request was given."""
    source, errors, environ = kept.pop()
    print("said after the request", file=errors, flush=True)
    found: list[object] = [source.read().decode("latin-1"), source.seek(0), source.readline().decode("latin-1")]
    try:
        environ["wsgi.early_hints"]([("Link", "</x>")])
    except RuntimeError as error:
        found.append(str(error))
    return found


def say(environ: Environ) -> object:
    errors = environ["wsgi.errors"]
    errors.write("one line\n")
    errors.writelines(["in ", "three ", "parts\n", "no end"])
    errors.flush()
    errors.write("first\nsecond \udc80\n")
    errors.write("left over")
    return None


def in_thread(environ: Environ) -> object:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(environ["wsgi.input"].read())))
    thread.start()
    thread.join()
    return found


def respond(start_response: Callable[..., Any], value: object) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


@validator
def checked(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    return respond(start_response, environ_of(environ))


def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path in RAW:
        return respond(start_response, RAW[path](environ))
    if path == "/later":
        return respond(start_response, later())
    if path == "/say":
        return respond(start_response, say(environ))
    if path == "/in-thread":
        return respond(start_response, in_thread(environ))
    if path == "/types":
        return respond(start_response, environ_of(environ))
    return checked(environ, start_response)
