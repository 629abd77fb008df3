# SPDX-License-Identifier: MIT
"""WSGI applications with every mistake; the path names it, the log must too."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Any]
PLAIN = [("Content-Type", "text/plain")]
kept: list[Any] = []


def started(start: Start, *arguments: Any) -> Iterable[bytes]:
    start(*arguments)
    return [b"body"]


def twice(start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    start("200 OK", PLAIN)
    return [b"body"]


def swallowed(start: Start) -> Iterable[bytes]:
    with contextlib.suppress(ValueError):
        start("200 OK", [("X", "a\r\nSet-Cookie: b=1")])
    return [b"body"]


def after_swallowed(start: Start) -> Iterable[bytes]:
    with contextlib.suppress(ValueError):
        start("nonsense", PLAIN)
    start("200 OK", PLAIN)
    return [b"body"]


def too_late(start: Start) -> Iterator[bytes]:
    start("200 OK", PLAIN)
    yield b"first"
    try:
        raise LookupError("trapped by the application")
    except LookupError:
        start("500 Oops", PLAIN, sys.exc_info())
    yield b"never"


def fails_before(start: Start) -> Iterator[bytes]:
    start("200 OK", PLAIN)
    raise LookupError("before the first piece")
    yield b""


def fails_after(start: Start) -> Iterator[bytes]:
    start("200 OK", PLAIN)
    yield b"first"
    raise LookupError("after the first piece")


class Failing:
    """Raises where it is told to."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.pieces = [b"piece"]

    def __iter__(self) -> "Failing":
        self.fail("iter")
        return self

    def __next__(self) -> bytes:
        if not self.pieces:
            raise StopIteration
        return self.pieces.pop()

    def __len__(self) -> int:
        self.fail("len")
        return 7

    def close(self) -> None:
        self.fail("close")

    def fail(self, place: str) -> None:
        if self.place == place:
            raise LookupError(f"raised in {place}")


class BadClose:
    close = 7

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"piece"])


class LiesOfOne:
    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one", b"two"])


def closing_fails() -> Iterator[bytes]:
    try:
        yield b"piece"
    finally:
        raise LookupError("raised in finally")


def write_of(start: Start, data: Any) -> Iterable[bytes]:
    start("200 OK", PLAIN)(data)
    return []


def write_past(start: Start) -> Iterable[bytes]:
    write = start("200 OK", [("Content-Length", "3")])
    write(b"123")
    write(b"4")
    return []


def write_then_fail(start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)(b"written")
    raise LookupError("after write")


def after_the_end(start: Start) -> Iterable[bytes]:
    errors = []
    for old in kept:
        try:
            old("200 OK", PLAIN) if len(errors) == 0 else old(b"late")
        except RuntimeError as error:
            errors.append(str(error))
    kept.clear()
    start("200 OK", PLAIN)
    return ["\n".join(errors).encode()]


def keep(start: Start) -> Iterable[bytes]:
    kept[:] = [start, start("200 OK", PLAIN)]
    return [b"kept"]


def hints_of(environ: Environ, start: Start, *arguments: Any) -> Iterable[bytes]:
    environ["wsgi.early_hints"](*arguments)
    return started(start, "200 OK", PLAIN)


def hints_too_late(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", PLAIN)
    yield b"first"
    environ["wsgi.early_hints"]([])


def sized(start: Start, length: str, *pieces: bytes) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", length)])
    return iter(pieces)


def wrapped(environ: Environ, start: Start, *arguments: Any) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](*arguments)  # type: ignore[no-any-return]


def returned(start: Start, value: Any) -> Any:
    start("200 OK", PLAIN)
    return value


async def coroutine() -> None:
    pass


BAD: dict[str, Callable[[Environ, Start], Any]] = {
    "not-started": lambda environ, start: [b"body"],
    "not-started-empty": lambda environ, start: [],
    "not-started-generator": lambda environ, start: iter([b"body"]),
    "twice": lambda environ, start: twice(start),
    "swallowed": lambda environ, start: swallowed(start),
    "after-swallowed": lambda environ, start: after_swallowed(start),
    "too-late": lambda environ, start: too_late(start),
    "raises": lambda environ, start: kept[100],
    "raises-exit": lambda environ, start: sys.exit("leaving"),
    "fails-before": lambda environ, start: fails_before(start),
    "fails-after": lambda environ, start: fails_after(start),
    "fails-iter": lambda environ, start: returned(start, Failing("iter")),
    "fails-len": lambda environ, start: returned(start, Failing("len")),
    "fails-close": lambda environ, start: returned(start, Failing("close")),
    "fails-finally": lambda environ, start: returned(start, closing_fails()),
    "bad-close": lambda environ, start: returned(start, BadClose()),
    "lies-of-one": lambda environ, start: returned(start, LiesOfOne()),
    "no-arguments": lambda environ, start: started(start),
    "one-argument": lambda environ, start: started(start, "200 OK"),
    "four-arguments": lambda environ, start: started(start, "200 OK", [], None, None),
    "keyword": lambda environ, start: start("200 OK", PLAIN, colour="red"),
    "status-bytes": lambda environ, start: started(start, b"200 OK", []),
    "status-int": lambda environ, start: started(start, 200, []),
    "status-none": lambda environ, start: started(start, None, []),
    "status-junk": lambda environ, start: started(start, "OK 200", []),
    "status-short": lambda environ, start: started(start, "20", []),
    "status-empty": lambda environ, start: started(start, "", []),
    "status-glued": lambda environ, start: started(start, "200OK", []),
    "status-digits": lambda environ, start: started(start, "2000 OK", []),
    "status-wide": lambda environ, start: started(start, "200 \u20ac", []),
    "status-crlf": lambda environ, start: started(start, "200 OK\r\nX: y", []),
    "status-nul": lambda environ, start: started(start, "200 O\0K", []),
    "status-100": lambda environ, start: started(start, "100 Continue", []),
    "status-103": lambda environ, start: started(start, "103 Early Hints", []),
    "headers-none": lambda environ, start: started(start, "200 OK", None),
    "headers-tuple": lambda environ, start: started(start, "200 OK", ()),
    "headers-dict": lambda environ, start: started(start, "200 OK", {"X": "y"}),
    "headers-str": lambda environ, start: started(start, "200 OK", ["X: y"]),
    "headers-list": lambda environ, start: started(start, "200 OK", [["X", "y"]]),
    "headers-three": lambda environ, start: started(start, "200 OK", [("X", "y", "z")]),
    "name-bytes": lambda environ, start: started(start, "200 OK", [(b"X", "y")]),
    "name-empty": lambda environ, start: started(start, "200 OK", [("", "y")]),
    "name-colon": lambda environ, start: started(start, "200 OK", [("X:", "y")]),
    "name-space": lambda environ, start: started(start, "200 OK", [("X y", "z")]),
    "name-crlf": lambda environ, start: started(start, "200 OK", [("X\r\nY", "z")]),
    "value-int": lambda environ, start: started(start, "200 OK", [("X", 5)]),
    "value-none": lambda environ, start: started(start, "200 OK", [("X", None)]),
    "value-wide": lambda environ, start: started(start, "200 OK", [("X", "\u20ac")]),
    "value-cr": lambda environ, start: started(start, "200 OK", [("X", "a\rb")]),
    "value-lf": lambda environ, start: started(start, "200 OK", [("X", "a\nb")]),
    "value-nul": lambda environ, start: started(start, "200 OK", [("X", "a\0b")]),
    "hop-connection": lambda environ, start: started(start, "200 OK", [("connection", "close")]),
    "hop-coding": lambda environ, start: started(start, "200 OK", [("Transfer-Encoding", "chunked")]),
    "hop-upgrade": lambda environ, start: started(start, "200 OK", [("Upgrade", "h2c")]),
    "hop-keep-alive": lambda environ, start: started(start, "200 OK", [("Keep-Alive", "300")]),
    "length-junk": lambda environ, start: started(start, "200 OK", [("Content-Length", "four")]),
    "length-negative": lambda environ, start: started(start, "200 OK", [("Content-Length", "-4")]),
    "length-two": lambda environ, start: started(start, "200 OK", [("Content-Length", "4"), ("Content-Length", "5")]),
    "length-list-short": lambda environ, start: started(start, "200 OK", [("Content-Length", "3")]),
    "length-list-long": lambda environ, start: started(start, "200 OK", [("Content-Length", "5")]),
    "length-past-at-once": lambda environ, start: sized(start, "3", b"1234"),
    "length-past": lambda environ, start: sized(start, "3", b"123", b"4"),
    "length-not-reached": lambda environ, start: sized(start, "3", b"12"),
    "length-not-begun": lambda environ, start: sized(start, "3"),
    "exc-info-junk": lambda environ, start: started(start, "200 OK", [], "no tuple"),
    "exc-info-nones": lambda environ, start: started(start, "200 OK", [], (None, None, None)),
    "returns-none": lambda environ, start: returned(start, None),
    "returns-int": lambda environ, start: returned(start, 7),
    "returns-str": lambda environ, start: returned(start, "text"),
    "returns-bytes": lambda environ, start: returned(start, b"bytes"),
    "returns-bytearray": lambda environ, start: returned(start, bytearray(b"bytes")),
    "returns-strs": lambda environ, start: returned(start, ["text"]),
    "returns-mixed": lambda environ, start: returned(start, [b"bytes", "text"]),
    "returns-dict": lambda environ, start: returned(start, {"a": 1}),
    "returns-ints": lambda environ, start: returned(start, iter([1, 2])),
    "returns-nones": lambda environ, start: returned(start, [None]),
    "returns-coroutine": lambda environ, start: returned(start, coroutine()),
    "returns-view": lambda environ, start: returned(start, [memoryview(b"x")]),
    "write-str": lambda environ, start: write_of(start, "text"),
    "write-none": lambda environ, start: write_of(start, None),
    "write-past": lambda environ, start: write_past(start),
    "write-then-fail": lambda environ, start: write_then_fail(start),
    "hints-none": lambda environ, start: hints_of(environ, start),
    "hints-str": lambda environ, start: hints_of(environ, start, "x"),
    "hints-crlf": lambda environ, start: hints_of(environ, start, [("Link", "a\r\nb")]),
    "hints-length": lambda environ, start: hints_of(environ, start, [("Content-Length", "5")]),
    "hints-too-late": lambda environ, start: hints_too_late(environ, start),
    "wrapper-nothing": lambda environ, start: wrapped(environ, start),
    "wrapper-no-file": lambda environ, start: wrapped(environ, start, 7),
    "wrapper-text": lambda environ, start: wrapped(environ, start, text_file()),
    "wrapper-closed": lambda environ, start: wrapped(environ, start, closed_file()),
    "errors-bytes": lambda environ, start: environ["wsgi.errors"].write(b"x"),
    "keep": lambda environ, start: keep(start),
    "after-the-end": lambda environ, start: after_the_end(start),
}


def text_file() -> Any:
    return open(__file__, encoding="utf-8")


def closed_file() -> Any:
    with open(__file__, "rb") as file:
        return file


def application(environ: Environ, start_response: Start) -> Any:
    return BAD[environ["PATH_INFO"][1:]](environ, start_response)
