# SPDX-License-Identifier: MIT
"""An ASGI application for requests and answers that are as they should be; the path says which.

What happens out of the client's sight is printed, which is in the log. `/open/NAME` opens a gate that others wait at.
"""

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

gates: dict[str, asyncio.Event] = {}
SHARED = {"made by": "lifespan"}
MIB = 1048576


def say(text: str) -> None:
    print(f"note: {text}", flush=True)


def gate(name: str) -> asyncio.Event:
    return gates.setdefault(name, asyncio.Event())


def query(scope: Scope, name: str, default: str = "") -> str:
    return parse_qs(scope["query_string"].decode()).get(name, [default])[0]


async def start(send: Send, status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})


async def piece(send: Send, body: bytes, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def answer(send: Send, value: object) -> None:
    await start(send, 200, (b"content-type", b"application/json"))
    await piece(send, json.dumps(value).encode())


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    assert await receive() == {"type": "lifespan.startup"}
    scope["state"].update(shared=SHARED, number=7)
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    say("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


# --- the request ---


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    """The scope, each value with its Python literal, so that types show."""
    await answer(send, {name: repr(value) for name, value in scope.items()})


async def state(scope: Scope, receive: Receive, send: Send) -> None:
    same = scope["state"]["shared"] is SHARED
    scope["state"]["number"] += 1
    scope["extensions"]["mine"] = {}
    await answer(send, [same, scope["state"]["number"]])


async def read(scope: Scope, receive: Receive, send: Send) -> None:
    """Every message of the body, as (type, bytes, more_body)."""
    seen: list[tuple[str, int, bool]] = []
    digest = hashlib.sha256()
    more = True
    while more:
        message = await receive()
        assert set(message) == {"type", "body", "more_body"}, message
        more = message["more_body"]
        assert more is True or more is False
        digest.update(message["body"])
        seen.append((message["type"], len(message["body"]), more))
    await answer(send, {"messages": seen, "sha256": digest.hexdigest()})


async def gated(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits at a gate, then reads the body."""
    say("at the gate")
    await gate(query(scope, "gate")).wait()
    await read(scope, receive, send)


async def opened(scope: Scope, receive: Receive, send: Send) -> None:
    gate(query(scope, "gate")).set()
    await answer(send, "open")


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without having asked for the body."""
    await start(send)
    await piece(send, b"early" * 20000)


# --- who leaves ---


async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits in receive() for the client's leaving, then sends all the same."""
    while (message := await receive())["type"] == "http.request":
        say(f"listens, {len(message['body'])} bytes")
    say(f"{query(scope, 'name')} {message}")
    try:
        await start(send)
        for _ in range(100):
            await piece(send, b"late" * 4096, True)
    except OSError as error:
        say(f"{query(scope, 'name')} send: {type(error).__name__}, {isinstance(error, ConnectionError)}")


async def stream_for_ever(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends until the client has gone."""
    await start(send)
    try:
        while True:
            await piece(send, b"x" * 65536, True)
    except OSError as error:
        say(f"{query(scope, 'name')} ended by {type(error).__name__}")
        raise


async def after(scope: Scope, receive: Receive, send: Send) -> None:
    """What receive() says when the response is complete; twice."""
    await read(scope, receive, send)
    say(f"after: {await receive()} {await receive()}")


async def waits_while_answering(scope: Scope, receive: Receive, send: Send) -> None:
    """A task that listens for the disconnect, as frameworks have it, is woken by the end of the response."""
    await receive()
    listener = asyncio.ensure_future(receive())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await start(send)
    await piece(send, b"done")
    say(f"listener: {await listener}")


# --- the answer ---


async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """`n` pieces of `size` bytes; says how many were taken so far."""
    await start(send, 200, (b"content-type", b"text/plain"))
    for number in range(int(query(scope, "n"))):
        await piece(send, bytes([number % 256]) * int(query(scope, "size")), True)
        say(f"{query(scope, 'name')} piece {number}")
    await piece(send, b"")


async def kinds(scope: Scope, receive: Receive, send: Send) -> None:
    """All kinds of bytes, and keys that may be missing."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": bytearray(b"one"), "more_body": True})
    await send({"type": "http.response.body", "body": memoryview(b"two"), "more_body": True})
    await send({"type": "http.response.body", "more_body": True})
    await send({"type": "http.response.body", "body": b"three"})


async def iterables(scope: Scope, receive: Receive, send: Send) -> None:
    headers = ((name, b"1") for name in (b"x-a", b"x-b", b"Transfer-Encoding"))
    await send({"type": "http.response.start", "status": 299, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok", "unknown": 1})


async def reused(scope: Scope, receive: Receive, send: Send) -> None:
    """One dict for all messages, and headers that change after they were sent."""
    headers = [(b"x-a", b"1")]
    message: dict[str, Any] = {"type": "http.response.start", "status": 201, "headers": headers}
    await send(message)
    headers.append((b"x-b", b"late"))
    message.clear()
    message.update(type="http.response.body", body=b"reused")
    await send(message)


async def status(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, int(query(scope, "code")))
    await piece(send, query(scope, "body").encode())


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, 200, (b"content-length", query(scope, "says").encode()))
    for part in query(scope, "body").split(","):
        await piece(send, part.encode(), True)
    await piece(send, b"")


async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, 200, (b"trailer", b"x-sum, x-end"), trailers=True)
    await piece(send, b"one", True)
    await piece(send, b"two")
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"6")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-end", b"yes")]})


async def hint(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await gate(query(scope, "gate")).wait()
    await start(send)
    await piece(send, b"hinted")


async def path_send(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, 200, (b"content-type", b"text/plain"))
    await send({"type": "http.response.pathsend", "path": query(scope, "file")})


async def zero_copy(scope: Scope, receive: Receive, send: Send) -> None:
    """Parts of a file of 1 MiB: two by offset and count, one from where it stands, one to its end."""
    with tempfile.TemporaryFile() as file:
        file.write(bytes(range(256)) * (MIB // 256))
        file.flush()
        file.seek(10)
        await start(send)
        for more in ({"offset": 0, "count": 3}, {"offset": 250, "count": 10}, {"count": 5}, {"count": 2}):
            await send({"type": "http.response.zerocopysend", "file": file.fileno(), "more_body": True, **more})
        await send({"type": "http.response.zerocopysend", "file": file, "offset": MIB - 4})
        say(f"zero-copy offset {os.lseek(file.fileno(), 0, os.SEEK_CUR)}")


ROUTES: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
    "/state": state,
    "/read": read,
    "/gated": gated,
    "/open": opened,
    "/early": early,
    "/listen": listen,
    "/for-ever": stream_for_ever,
    "/after": after,
    "/waits": waits_while_answering,
    "/pieces": pieces,
    "/kinds": kinds,
    "/iterables": iterables,
    "/reused": reused,
    "/status": status,
    "/length": length,
    "/trailers": trailers,
    "/hint": hint,
    "/path": path_send,
    "/zero": zero_copy,
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    else:
        await ROUTES.get(scope["path"], show)(scope, receive, send)
