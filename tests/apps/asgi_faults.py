# SPDX-License-Identifier: MIT
"""ASGI applications with every mistake; the path names it, the log must too."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY: Message = {"type": "http.response.body", "body": b"body"}
FIRST: Message = {"type": "http.response.body", "body": b"first", "more_body": True}

# What is sent, one after the other.
SENT: dict[str, list[Any]] = {
    "no-dict": ["http.response.start"],
    "none": [None],
    "no-type": [{"status": 200}],
    "type-bytes": [{"type": b"http.response.start"}],
    "unknown": [{"type": "http.response.strat"}],
    "websocket": [{"type": "websocket.accept"}],
    "body-first": [BODY],
    "trailers-first": [{"type": "http.response.trailers", "headers": []}],
    "path-first": [{"type": "http.response.pathsend", "path": "/dev/null"}],
    "no-status": [{"type": "http.response.start"}],
    "status-str": [{**START, "status": "200"}],
    "status-none": [{**START, "status": None}],
    "status-100": [{**START, "status": 100}, BODY],
    "status-1000": [{**START, "status": 1000}, BODY],
    "status-huge": [{**START, "status": 1 << 80}, BODY],
    "status-negative": [{**START, "status": -200}, BODY],
    "twice": [START, START],
    "hint-late": [START, {"type": "http.response.early_hint", "links": []}],
    "hint-none": [{"type": "http.response.early_hint"}],
    "hint-str": [{"type": "http.response.early_hint", "links": ["</a>"]}],
    "hint-crlf": [{"type": "http.response.early_hint", "links": [b"</a>\r\nX: 1"]}],
    "headers-int": [{**START, "headers": 5}],
    "headers-none": [{**START, "headers": None}],
    "headers-flat": [{**START, "headers": [b"x"]}, BODY],
    "headers-three": [{**START, "headers": [(b"x", b"y", b"z")]}, BODY],
    "headers-dict": [{**START, "headers": {b"xy": b"z"}}, BODY],
    "name-str": [{**START, "headers": [("x", b"y")]}, BODY],
    "value-str": [{**START, "headers": [(b"x", "y")]}, BODY],
    "value-int": [{**START, "headers": [(b"x", 5)]}, BODY],
    "name-empty": [{**START, "headers": [(b"", b"y")]}, BODY],
    "name-space": [{**START, "headers": [(b"x y", b"z")]}, BODY],
    "name-crlf": [{**START, "headers": [(b"x\r\ny", b"z")]}, BODY],
    "value-cr": [{**START, "headers": [(b"x", b"a\rb")]}, BODY],
    "value-lf": [{**START, "headers": [(b"x", b"a\nb")]}, BODY],
    "value-nul": [{**START, "headers": [(b"x", b"a\0b")]}, BODY],
    "length-junk": [{**START, "headers": [(b"content-length", b"four")]}, BODY],
    "length-two": [{**START, "headers": [(b"content-length", b"4"), (b"content-length", b"5")]}, BODY],
    "length-long": [{**START, "headers": [(b"content-length", b"9")]}, BODY],
    "upgrade": [{**START, "headers": [(b"upgrade", b"h2c")]}, BODY],
    "body-str": [START, {**BODY, "body": "text"}],
    "body-none": [START, {**BODY, "body": None}],
    "body-list": [START, {**BODY, "body": [b"x"]}],
    "path-none": [START, {"type": "http.response.pathsend"}],
    "path-int": [START, {"type": "http.response.pathsend", "path": 1.5}],
    "zero-none": [START, {"type": "http.response.zerocopysend"}],
    "zero-str": [START, {"type": "http.response.zerocopysend", "file": "name"}],
    "zero-closed": [START, {"type": "http.response.zerocopysend", "file": 99999}],
    "zero-negative": [START, {"type": "http.response.zerocopysend", "file": 2, "offset": -5}],
    "zero-count": [START, {"type": "http.response.zerocopysend", "file": 2, "count": "all"}],
    "nothing": [],
    "start-only": [START],
    # After the body has begun.
    "late-unknown": [START, FIRST, {"type": "http.response.strat"}],
    "late-start": [START, FIRST, START],
    "late-str": [START, FIRST, {**BODY, "body": "text"}],
    "late-trailers": [START, FIRST, {"type": "http.response.trailers", "headers": []}],
    "past-length": [{**START, "headers": [(b"content-length", b"6")]}, FIRST, BODY],
    "no-end": [START, FIRST],
    "no-trailers": [{**START, "trailers": True}, FIRST, BODY],
    "bad-trailer": [
        {**START, "trailers": True},
        FIRST,
        BODY,
        {"type": "http.response.trailers", "headers": [(b"x", 5)]},
    ],
    "forbidden-trailer": [
        {**START, "trailers": True},
        FIRST,
        BODY,
        {"type": "http.response.trailers", "headers": [(b"content-length", b"5")]},
    ],
    # After the response.
    "body-again": [START, BODY, BODY],
    "start-again": [START, BODY, START],
    "trailers-again": [START, BODY, {"type": "http.response.trailers", "headers": []}],
}


async def raises(receive: Receive, send: Send) -> None:
    raise LookupError("before the start")


async def raises_between(receive: Receive, send: Send) -> None:
    await send(START)
    raise LookupError("between start and body")


async def raises_within(receive: Receive, send: Send) -> None:
    await send(START)
    await send(FIRST)
    raise LookupError("within the body")


async def raises_after(receive: Receive, send: Send) -> None:
    await send(START)
    await send(BODY)
    raise LookupError("after the response")


async def raises_later(receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    raise LookupError("after a sleep")


async def raises_exit(receive: Receive, send: Send) -> None:
    raise SystemExit("leaving")


async def raises_exit_later(receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    raise SystemExit("leaving later")


async def raises_group(receive: Receive, send: Send) -> None:
    await receive()
    raise BaseException("as base as can be")


async def cancels_itself(receive: Receive, send: Send) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def cancels_itself_later(receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    await cancels_itself(receive, send)


async def swallows(receive: Receive, send: Send) -> None:
    """A refused head may be followed by a good one."""
    await send({**START, "headers": [(b"x", b"a\r\nb")]})
    with contextlib.suppress(ValueError):
        await send(BODY)
    await send(START)
    await send(BODY)


async def forgets_receive(receive: Receive, send: Send) -> None:
    receive()
    await send(START)
    await send(BODY)


async def forgets_send(receive: Receive, send: Send) -> None:
    send(START)


async def awaits_twice(receive: Receive, send: Send) -> None:
    again = receive()
    await again
    await again


async def leaves_a_listener(receive: Receive, send: Send) -> None:
    """Fails while a task of its own waits in receive(): that must hear of the end."""
    await receive()
    listeners.add(asyncio.ensure_future(receive()))  # type: ignore[arg-type]
    for listener in listeners:
        listener.add_done_callback(lambda done: print(f"note: heard {done.result()}", flush=True))
    await asyncio.sleep(0)
    raise LookupError("with a listener")


async def receive_argument(receive: Any, send: Send) -> None:
    await receive(1)


async def send_nothing(receive: Receive, send: Any) -> None:
    await send()


async def keep(receive: Receive, send: Send) -> None:
    await send(START)
    await send({**BODY, "body": b"kept"})


listeners: set[asyncio.Future[Message]] = set()
CALLED: dict[str, Callable[[Any, Any], Awaitable[None]]] = {
    "raises": raises,
    "raises-between": raises_between,
    "raises-within": raises_within,
    "raises-after": raises_after,
    "raises-later": raises_later,
    "raises-exit": raises_exit,
    "raises-exit-later": raises_exit_later,
    "raises-base": raises_group,
    "cancels": cancels_itself,
    "cancels-later": cancels_itself_later,
    "swallows": swallows,
    "forgets-receive": forgets_receive,
    "forgets-send": forgets_send,
    "awaits-twice": awaits_twice,
    "listener": leaves_a_listener,
    "receive-argument": receive_argument,
    "send-nothing": send_nothing,
    "keep": keep,
}


async def application(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    name = scope["path"][1:]
    if name in CALLED:
        return await CALLED[name](receive, send)
    for message in SENT[name]:
        await send(message)


def not_awaitable(scope: Any, receive: Receive, send: Send) -> Any:
    """Answers to the lifespan as one may, and with no awaitable to everything else."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    return {"/none": None, "/bytes": b"body", "/function": application}.get(scope["path"])
