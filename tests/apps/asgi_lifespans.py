# SPDX-License-Identifier: MIT
"""ASGI applications that differ in how they take the lifespan."""

import asyncio
from typing import Any


async def answer(scope: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"with state" if "state" in scope else b"without state"})


async def raises_in_startup(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("no database")


async def says_failed(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await answer(scope, send)
        return
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is away"})


async def takes_all_for_http(scope: Any, receive: Any, send: Any) -> None:
    """Knows of no other type, and is happy with any message."""
    await receive()
    await answer(scope, send)


async def raises_at_once(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    await answer(scope, send)


async def returns_at_once(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await answer(scope, send)


async def http_only(scope: Any, receive: Any, send: Any) -> None:
    """Does not look at the type at all."""
    scope["method"].lower()
    await answer(scope, send)


async def started(scope: Any, receive: Any, send: Any) -> bool:
    """True: the shutdown is wanted."""
    if scope["type"] == "http":
        await answer(scope, send)
        return False
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    return True


async def fails_in_shutdown(scope: Any, receive: Any, send: Any) -> None:
    if await started(scope, receive, send):
        raise LookupError("cannot say goodbye")


async def says_shutdown_failed(scope: Any, receive: Any, send: Any) -> None:
    if await started(scope, receive, send):
        await send({"type": "lifespan.shutdown.failed", "message": "still busy"})


async def never_shuts_down(scope: Any, receive: Any, send: Any) -> None:
    if await started(scope, receive, send):
        await asyncio.Event().wait()
