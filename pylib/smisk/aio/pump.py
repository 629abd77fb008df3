# SPDX-License-Identifier: MIT
"""What a request's task runs beside the handler's own coroutine."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

__all__ = ["pump", "wait"]


async def pump(body: AsyncIterable[Any], write: Callable[[Any], Awaitable[None]]) -> None:
    """Sends the pieces of an asynchronous iterable, each when there is room for it; closes it in the end."""
    iterator = body.__aiter__()
    try:
        async for piece in iterator:
            await write(piece)
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def wait(awaitable: Awaitable[Any]) -> Any:
    """Waits for something that is awaitable without being a coroutine."""
    return await awaitable
