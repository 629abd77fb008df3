# SPDX-License-Identifier: MIT
"""Asynchronous native handlers: all that they may return, streams, mistakes. Used beside the ASGI applications."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from smisk import Request, Response

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
gates: dict[str, asyncio.Event] = {}


def say(text: str) -> None:
    print(f"note: {text}", flush=True)


async def three() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"", b"two ", b"three"):
        await asyncio.sleep(0)
        yield piece


async def texts() -> AsyncIterator[str]:
    yield "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n "
    yield "\N{EURO SIGN}"


async def nothing() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece


def plain() -> Iterator[bytes]:
    yield b"sync "
    yield b"pieces"


class Iterable:
    """Asynchronous without being a generator: it has no aclose()."""

    def __init__(self) -> None:
        self.left = 3

    def __aiter__(self) -> "Iterable":
        return self

    async def __anext__(self) -> bytes:
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return str(self.left).encode()


async def fails_at_once() -> AsyncIterator[bytes]:
    raise LookupError("before the first piece")
    yield b""


async def fails_later() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.sleep(0)
    raise LookupError("after the first piece")


async def gives_ints() -> AsyncIterator[Any]:
    yield 5


async def gives_ints_later() -> AsyncIterator[Any]:
    yield b"first"
    yield 5


async def counts(name: str, n: int, size: int) -> AsyncIterator[bytes]:
    try:
        for number in range(n):
            yield bytes([number % 256]) * size
            say(f"{name} piece {number}")
    finally:
        say(f"{name} closed")


async def silent(name: str) -> AsyncIterator[bytes]:
    """Gives one piece, then waits for what never comes."""
    try:
        yield b"first"
        say(f"{name} waits")
        await asyncio.Event().wait()
    finally:
        say(f"{name} closed")


KINDS: dict[str, Callable[[], Any]] = {
    "/str": lambda: "<p>gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n</p>",
    "/bytes": lambda: b"\x00\xff",
    "/dict": lambda: {"a": [1, None, True]},
    "/none": lambda: None,
    "/tuple": lambda: ("made", 201, {"X-One": "1", "Content-Type": "text/x-made"}),
    "/response": lambda: Response("ready", 202, {"X-Four": "4"}, "text/x-ready"),
    "/three": three,
    "/texts": texts,
    "/nothing": nothing,
    "/plain": plain,
    "/iterable": Iterable,
    "/tuple-three": lambda: (three(), 203, {"X-Five": "5"}),
    "/response-three": lambda: Response(three(), 203, {"X-Six": "6"}, "text/x-three"),
    "/int": lambda: 5,
    "/fails-at-once": fails_at_once,
    "/fails-later": fails_later,
    "/gives-ints": gives_ints,
    "/gives-ints-later": gives_ints_later,
    "/slow": lambda: counts("slow", 400, 65536),
    "/endless": lambda: counts("endless", 1 << 30, 65536),
    "/silent": lambda: silent("silent"),
}


async def fail(request: Request) -> None:
    await asyncio.sleep(0)
    raise LookupError("no such thing")


async def cancel(request: Request) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def echo(request: Request) -> object:
    await asyncio.sleep(0)
    return {"method": request.method, "path": request.path, "body": request.body.decode()}


async def context(request: Request) -> object:
    before = variable.get()
    variable.set("set")
    await asyncio.sleep(0)
    return [before, variable.get()]


async def wait(request: Request) -> object:
    gate = gates.setdefault(request.path, asyncio.Event())
    say("waits at the gate")
    await gate.wait()
    say("has passed the gate")
    return "waited"


async def opened(request: Request) -> object:
    for gate in gates.values():
        gate.set()
    gates.clear()
    return "open"


CALLED: dict[str, Callable[[Request], Awaitable[object]]] = {
    "/fail": fail,
    "/cancel": cancel,
    "/echo": echo,
    "/context": context,
    "/wait": wait,
    "/open": opened,
}


async def handler(request: Request) -> object:
    if request.path in CALLED:
        return await CALLED[request.path](request)
    if request.query == "late":
        await asyncio.sleep(0.001)
    return KINDS[request.path]()
