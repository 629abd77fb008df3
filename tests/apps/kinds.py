# SPDX-License-Identifier: MIT
"""Every kind of value that a handler may return, one path each; the unknown path is an error of the application."""

import io
from collections.abc import Iterator
from typing import Any

from smisk import Response


def three() -> Iterator[bytes]:
    yield b"one "
    yield b"two "
    yield b"three"


KINDS: dict[str, Any] = {
    "/str": "<p>gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n</p>",
    "/bytes": b"\x00\xff",
    "/bytearray": bytearray(b"array"),
    "/dict": {"a": [1, None, True], "b": "\N{EURO SIGN}"},
    "/list": [1, "two"],
    "/none": None,
    "/empty": b"",
    "/status": ("teapot", 418),
    "/tuple": ("made", 201, {"X-One": "1", "Content-Type": "text/x-made"}),
    "/pairs": ("twice", 200, [("X-Two", "a"), ("X-Two", "b")]),
    "/nobody": (None, 204, {"X-Three": "3"}),
    "/unchanged": ("", 304, {"ETag": '"v1"'}),
    "/response": Response("ready", 202, {"X-Four": "4"}, "text/x-ready"),
}


def handle(request: Any) -> object:
    if request.path == "/generator":
        return three()
    if request.path == "/sized":
        return three(), 200, {"Content-Length": "13"}
    if request.path == "/iterator":
        return iter([b"a", b"", b"b"])
    if request.path == "/texts":
        return iter(["te", "xt"])
    if request.path == "/file":
        return io.BytesIO(b"line 1\nline 2\n")
    return KINDS[request.path]
