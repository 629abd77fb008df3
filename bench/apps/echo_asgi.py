# SPDX-License-Identifier: MIT
"""The measured WebSocket application: sends every message back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["application"]


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Accept, then echo text until the client leaves (ASGI 3, websocket)."""
    if scope["type"] != "websocket":
        raise NotImplementedError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message["text"]})
