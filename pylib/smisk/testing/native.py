# SPDX-License-Identifier: MIT
"""What a native handler returned, as an answer: the rules of host/py/answer.c and stream.c, with the same words.

Sync handlers run in the test's own thread; those that are `async def`, and asynchronous bodies, in the client's loop.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from .load import Loaded
from .parts import Parts, has_no_body, pairs_of

__all__ = ["answer", "answer_async"]

HTML = "text/html; charset=utf-8"
OCTETS = "application/octet-stream"
FILE_PIECE = 64 * 1024
PLACES = "str, bytes, a dict or list (JSON), None, an iterable of bytes or str, a Response, (body, status) or " \
         "(body, status, headers)"  # fmt: skip


class Returned:
    """What a handler returned, taken apart."""

    def __init__(self, value: Any, label: str) -> None:
        from _smisk import Response

        self.label = label
        self.body: Any = value
        self.status = 204 if value is None else 200
        self.headers: object = None
        self.content_type: str | None = None
        if type(value) is tuple:
            self._unpack(value)
        elif isinstance(value, Response):
            self.body, self.status = value.body, value.status
            self.headers, self.content_type = value.headers, value.content_type
        if isinstance(self.body, Response):
            raise TypeError(f"{label} returned a Response as the body of another answer; return it by itself")

    def _unpack(self, value: tuple[Any, ...]) -> None:
        if len(value) not in (2, 3):
            raise TypeError(
                f"{self.label} returned a tuple of {len(value)}; it is (body, status) or (body, status, headers)"
            )
        self.body = value[0]
        self.status = _status(value[1], self.label)
        self.headers = value[2] if len(value) == 3 else None

    def parts(self, body: bytes, usual: str, whole: bool) -> Parts:
        """The answer with that body; `usual` is its type unless the handler says another."""
        fields = pairs_of(self.headers, f"{self.label} returned")
        has_type = any(_is_type(name) for name, _ in fields)
        kind = usual if self.content_type is None else self.content_type
        if kind and not has_type:
            fields.append(("Content-Type", kind))
        return Parts(self.status, fields, body, whole)


def _status(status: object, label: str) -> int:
    if not isinstance(status, int) or isinstance(status, bool):
        raise TypeError(f"{label} returned a status that is no int but {type(status).__name__}")
    if not 200 <= status <= 999:
        raise ValueError(f"{label} returned a status that is not between 200 and 999: {status}")
    return int(status)


def _is_type(name: str | bytes) -> bool:
    return (name.encode() if isinstance(name, str) else name).lower() == b"content-type"


# --- whole bodies ---


def _whole(returned: Returned) -> Parts | None:
    """The answer where the body is at hand; None where it comes in pieces."""
    body = returned.body
    if isinstance(body, str):
        return returned.parts(body.encode(), HTML, whole=True)
    if isinstance(body, (bytes, bytearray, memoryview)):
        return returned.parts(bytes(body), OCTETS, whole=True)
    if isinstance(body, (dict, list)):
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return returned.parts(text.encode(), "application/json", whole=True)
    if body is None:
        return returned.parts(b"", "", whole=True)
    return None


def _refuse(returned: Returned) -> TypeError:
    body = returned.body
    if inspect.iscoroutine(body):
        body.close()
    is_async = inspect.iscoroutine(body) or inspect.isasyncgen(body)
    hint = "; only an async def may return what is to be awaited" if is_async else ""
    return TypeError(f"{returned.label} returned {type(body).__name__}{hint}; a handler returns {PLACES}")


# --- bodies in pieces ---


def _is_stream(body: object) -> bool:
    return isinstance(body, Iterable) and not isinstance(body, (tuple, AbstractSet, Mapping))


def _pieces(body: Any) -> Iterator[Any]:
    read = None if inspect.isgenerator(body) else getattr(body, "read1", None) or getattr(body, "read", None)
    if not callable(read):
        yield from body
        return
    while piece := read(FILE_PIECE):
        yield piece


class Collected:
    """Pieces of a body, put together; the first that is not empty decides about the type."""

    def __init__(self, returned: Returned, method: str) -> None:
        self._returned = returned
        self._pieces: list[bytes] = []
        self._usual = ""
        self._is_short = has_no_body(method, returned.status)

    def take(self, piece: object) -> bool:
        """Takes a piece. Whether more is wanted: of a body that is not sent, the first piece is enough."""
        if isinstance(piece, (bytearray, memoryview)):
            piece = bytes(piece)
        if not isinstance(piece, (bytes, str)):
            kind = type(self._returned.body).__name__
            raise TypeError(
                f"{self._returned.label} returned {kind}, which gave {type(piece).__name__}; "
                "an iterable body gives bytes or str"
            )
        if piece:
            self._usual = self._usual or (HTML if isinstance(piece, str) else OCTETS)
            self._pieces.append(piece.encode() if isinstance(piece, str) else piece)
        return not (piece and self._is_short)

    def parts(self) -> Parts:
        """The answer."""
        return self._returned.parts(b"".join(self._pieces), self._usual, whole=not self._pieces)


def _stream(returned: Returned, method: str) -> Parts:
    body = returned.body
    if not _is_stream(body):
        raise _refuse(returned)
    collected = Collected(returned, method)
    try:
        for piece in _pieces(body):
            if not collected.take(piece):
                break
    finally:
        close = getattr(body, "close", None)
        if callable(close):
            close()
    return collected.parts()


# --- both kinds of handler ---


def answer(loaded: Loaded, request: Any, method: str) -> Parts:
    """Calls a sync handler. Raises what it raises."""
    returned = Returned(loaded.handler(request), loaded.label)
    return _whole(returned) or _stream(returned, method)


async def answer_async(loaded: Loaded, request: Any, method: str) -> Parts:
    """Calls an `async def` handler. Raises what it raises."""
    handler: Callable[[Any], Any] = loaded.handler
    value = handler(request)
    if inspect.isawaitable(value):
        value = await value
    returned = Returned(value, loaded.label)
    if not isinstance(returned.body, AsyncIterable):
        return _whole(returned) or _stream(returned, method)
    collected = Collected(returned, method)
    iterator = returned.body.__aiter__()
    try:
        async for piece in iterator:
            if not collected.take(piece):
                break
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
    return collected.parts()
