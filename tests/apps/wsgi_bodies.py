# SPDX-License-Identifier: MIT
"""A WSGI application that answers in every way PEP 3333 allows; says on stderr what was pulled and closed."""

import gzip
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

Environ = dict[str, Any]
Start = Callable[..., Any]
PLAIN = [("Content-Type", "text/plain")]
BLOCK = bytes(range(256)) * 256


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Closing:
    """An iterable of pieces that says when it is closed."""

    def __init__(self, *pieces: bytes, name: str = "body") -> None:
        self.pieces = iter(pieces)
        self.name = name

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        say(f"closed {self.name}")


class One(Closing):
    def __len__(self) -> int:
        return 1


class OldSequence:
    """The iterator protocol from before Python 2.2."""

    def __getitem__(self, index: int) -> bytes:
        return [b"old ", b"sequence"][index]


class SayingFile(io.FileIO):
    def close(self) -> None:
        if not self.closed:
            say("closed file")
        super().close()


def counted(count: int) -> Iterator[bytes]:
    pulled = 0
    try:
        for _ in range(count):
            pulled += 1
            yield BLOCK
    finally:
        say(f"generator over after {pulled} of {count}")


def lazily(start: Start) -> Iterator[bytes]:
    yield b""
    start("203 Lazy", PLAIN)
    yield b""
    yield b"lazy"


def many_empty(start: Start) -> Iterator[bytes]:
    headers = [("X-Kept", "as checked"), *PLAIN]
    start("200 OK", headers)
    for _ in range(200):
        yield b""
        headers[:] = [("X-Kept", "changed later")]
    yield b"after 200 empty pieces"


def changed_mind(start: Start) -> Iterable[bytes]:
    start("200 OK", [("X-First", "1"), ("Content-Length", "5")])
    try:
        raise LookupError("nothing there")
    except LookupError:
        start("404 Not Here", PLAIN, sys.exc_info())
    return [b"changed its mind"]


def by_write(environ: Environ, start: Start) -> Iterable[bytes]:
    write = start("200 OK", PLAIN)
    count = int(parse_qs(environ["QUERY_STRING"]).get("blocks", ["0"])[0])
    for _ in range(count):
        write(BLOCK)
    if count == 0:
        write(b"written, ")
        write(b"")
    return Closing(b"then ", b"returned", name="after write")


def temporary_file(content: bytes) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115 the server closes it
    file.write(content)
    file.seek(0)
    return file


def numbered(size: int) -> bytes:
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def file_of(environ: Environ, start: Start) -> Iterable[bytes]:
    options = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    file = temporary_file(numbered(int(options["size"])))
    file.read(int(options.get("skip", "0")))
    headers = [("Content-Length", options["length"])] if "length" in options else []
    start("200 OK", PLAIN + headers)
    return environ["wsgi.file_wrapper"](file, 4096)  # type: ignore[no-any-return]


def saying_file(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](SayingFile(__file__))  # type: ignore[no-any-return]


def patched_close(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    file = open(__file__, "rb")  # noqa: SIM115 the server closes it
    wrapped = environ["wsgi.file_wrapper"](file)
    plain_close = file.close

    def close() -> None:
        say("closed by the framework's close")
        plain_close()

    file.close = close  # type: ignore[method-assign]
    return wrapped  # type: ignore[no-any-return]


def pipe(environ: Environ, start: Start) -> Iterable[bytes]:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](os.fdopen(reading, "rb"))  # type: ignore[no-any-return]


def zipped(environ: Environ, start: Start) -> Iterable[bytes]:
    file = temporary_file(gzip.compress(b"unzipped on the way"))
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](gzip.GzipFile(fileobj=file))  # type: ignore[no-any-return]


def in_memory(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    file = io.BytesIO(b"xxfrom memory")
    file.seek(2)
    return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]


def proc_file(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](open("/proc/self/cmdline", "rb"))  # type: ignore[no-any-return]


def iterated(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", PLAIN)
    return Closing(*environ["wsgi.file_wrapper"](io.BytesIO(b"abcdefg"), 3), name="pieces")


def hints(environ: Environ, start: Start, early: bool) -> Iterable[bytes]:
    if not early:
        start("200 OK", [*PLAIN, ("X-Final", "yes")])
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    environ["wsgi.early_hints"]((("Link", "</script.js>; rel=preload"),))
    if early:
        start("200 OK", [*PLAIN, ("X-Final", "yes")])
    return [b"hinted"]


def answer(status: str, *headers: tuple[str, str]) -> Callable[[Environ, Start], Iterable[bytes]]:
    def respond(environ: Environ, start: Start) -> Iterable[bytes]:
        start(status, list(headers))
        return [b"body"]

    return respond


def returning(make: Callable[[], Any], *headers: tuple[str, str]) -> Callable[[Environ, Start], Any]:
    def respond(environ: Environ, start: Start) -> Any:
        start("200 OK", PLAIN + list(headers))
        return make()

    return respond


PAGES: dict[str, Callable[[Environ, Start], Any]] = {
    "/list": returning(lambda: [b"one"]),
    "/tuple": returning(lambda: (b"one",)),
    "/two": returning(lambda: [b"one ", b"", b"two"]),
    "/none": returning(list),
    "/empty": returning(lambda: [b"", b""]),
    "/generator": returning(lambda: (piece for piece in (b"", b"a", b"", b"b"))),
    "/closing": returning(lambda: Closing(b"x", b"y")),
    "/one": returning(lambda: One(b"only one")),
    "/old": returning(OldSequence),
    "/long-list": returning(lambda: [BLOCK] * 64),
    "/exact": returning(lambda: Closing(b"12", b"345", name="exact"), ("Content-Length", "5")),
    "/subclass": returning(lambda: [type("Bytes", (bytes,), {})(b"a subclass")]),
    "/lazy": lambda environ, start: lazily(start),
    "/many-empty": lambda environ, start: many_empty(start),
    "/changed-mind": lambda environ, start: changed_mind(start),
    "/write": by_write,
    "/file": file_of,
    "/saying-file": saying_file,
    "/patched-close": patched_close,
    "/pipe": pipe,
    "/zipped": zipped,
    "/memory": in_memory,
    "/proc": proc_file,
    "/iterated": iterated,
    "/hints": lambda environ, start: hints(environ, start, True),
    "/late-hints": lambda environ, start: hints(environ, start, False),
    "/204": answer("204 No Content"),
    "/304": answer("304 Not Modified", ("ETag", '"x"')),
    "/no-reason": answer("404"),
    "/latin": answer("200 Tr\xe8s bien", ("X-Latin", "caf\xe9")),
    "/cookies": answer("200 OK", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
    "/keyword": lambda environ, start: start("200 OK", PLAIN, exc_info=None) and [b"by keyword"],
}


def application(environ: Environ, start_response: Start) -> Any:
    path = environ["PATH_INFO"]
    if path == "/blocks":
        start_response("200 OK", PLAIN)
        return counted(int(environ["QUERY_STRING"]))
    return PAGES[path](environ, start_response)
