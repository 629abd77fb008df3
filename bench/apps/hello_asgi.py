# SPDX-License-Identifier: MIT
"""The measured application for the ASGI peers: the same 13 bytes and header fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["application"]

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b"Hello, world!"}


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request with the same text (ASGI 3; lifespan is not supported, which servers allow)."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send(START)
    await send(BODY)
