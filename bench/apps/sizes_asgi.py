# SPDX-License-Identifier: MIT
"""Larger answers and an echo, ASGI: the paths of sizes.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sizes import BODIES

__all__ = ["application"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def request_body(receive: Receive) -> bytes:
    """The request's whole body."""
    message = await receive()
    if not message.get("more_body"):
        return bytes(message["body"])
    pieces = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        pieces.append(message["body"])
    return b"".join(pieces)


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer with the body of the path, or with the request's own (ASGI 3; lifespan is not supported)."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = BODIES.get(scope["path"]) or await request_body(receive)
    fields = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})
