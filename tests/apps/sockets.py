# SPDX-License-Identifier: MIT
"""WebSockets of every kind, and what became of them: GET /seen?NAME waits for what the WebSocket of that path noted
(/echo?NAME: under that name)."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import unquote

seen: dict[str, asyncio.Queue] = {}


def note(name, what):
    seen.setdefault(name, asyncio.Queue()).put_nowait(what)


async def echo(scope, receive, send):
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        with suppress(OSError):  # the next receive() tells why
            await send(
                {"type": "websocket.send", **{key: message[key] for key in ("text", "bytes") if key in message}}
            )
    note(scope["query_string"].decode() or "echo", message)


async def sizes(scope, receive, send):
    """Answers with the length and the kind of each message."""
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", "text": f"{kind} {len(message[kind])}"})
    note("sizes", message)


async def scope_(scope, receive, send):
    plain = {key: repr(value) for key, value in scope.items()}
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(plain)})
    await send({"type": "websocket.close"})


async def accept(scope, receive, send):
    """Accepts with what the query is: JSON; headers as pairs of str."""
    how = json.loads(scope["query_string"].replace(b"%22", b'"').replace(b"%20", b" "))
    if "headers" in how:
        how["headers"] = [(name.encode(), value.encode()) for name, value in how["headers"]]
    await send({"type": "websocket.accept", **how})
    await send({"type": "websocket.close"})


async def close(scope, receive, send):
    """Closes with CODE,REASON of the query, before it receives anything."""
    code, _, reason = unquote(scope["query_string"].decode()).partition(",")
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(code), "reason": reason})
    note("close", await receive())
    note("close", await receive())
    try:
        await send({"type": "websocket.send", "text": "late"})
    except RuntimeError as error:
        note("close", str(error))


async def refuse(scope, receive, send):
    await send({"type": "websocket.close", "code": 4000})
    note("refuse", await receive())


async def deny(scope, receive, send):
    headers = [(b"content-type", b"text/plain"), (b"x-why", b"closed")]
    await send({"type": "websocket.http.response.start", "status": 451, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"here"})
    note("deny", await receive())


async def raise_before(scope, receive, send):
    raise ValueError("before accept")


async def raise_after(scope, receive, send):
    await send({"type": "websocket.accept"})
    await receive()
    raise ValueError("after accept")


async def return_before(scope, receive, send):
    pass


async def return_after(scope, receive, send):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "bye"})


async def hold(scope, receive, send):
    """Accepts, receives nothing before it is told to by GET /seen?release, then counts what has come."""
    await send({"type": "websocket.accept"})
    note("hold", "open")
    await seen.setdefault("go", asyncio.Queue()).get()
    count = 0
    while (message := await receive())["type"] == "websocket.receive":
        count += 1
        if message.get("text") == "last":
            await send({"type": "websocket.send", "text": str(count)})
    note("hold", message)


async def push(scope, receive, send):
    """Sends until the client is gone; notes how many messages of 64 KiB went out before a send() had to wait."""
    await send({"type": "websocket.accept"})
    count, data = 0, b"x" * 65536
    try:
        while True:
            sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": data}))
            done, _ = await asyncio.wait([sending], timeout=0.2 if count else None)
            if not done:
                note("push", count)
            await sending
            count += 1
    except OSError as error:
        note("push", type(error).__name__)


async def cancel(scope, receive, send):
    """Gives up a receive() that waits; the next one gets what comes then."""
    await send({"type": "websocket.accept"})
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    waiting.cancel()
    await send({"type": "websocket.send", "text": "cancelled"})
    message = await receive()
    await send({"type": "websocket.send", "text": message["text"]})
    await send({"type": "websocket.close"})


WRONG = {
    "neither": {"type": "websocket.send"},
    "both": {"type": "websocket.send", "text": "a", "bytes": b"a"},
    "text": {"type": "websocket.send", "text": b"a"},
    "bytes": {"type": "websocket.send", "bytes": "a"},
    "surrogate": {"type": "websocket.send", "text": "\ud800"},
    "again": {"type": "websocket.accept"},
    "http": {"type": "http.response.start", "status": 200},
    "start": {"type": "websocket.http.response.start", "status": 200},
    "unknown": {"type": "websocket.shout"},
    "typeless": {"text": "a"},
    "list": ["websocket.send"],
    "code": {"type": "websocket.close", "code": 1005},
    "code-large": {"type": "websocket.close", "code": 1 << 70},
    "code-text": {"type": "websocket.close", "code": "1000"},
    "reason": {"type": "websocket.close", "reason": b"why"},
}


async def wrong(scope, receive, send):
    """Sends a wrong message, tells which error that was, and goes on."""
    await send({"type": "websocket.accept"})
    try:
        await send(WRONG[scope["query_string"].decode()])
    except Exception as error:
        await send({"type": "websocket.send", "text": f"{type(error).__name__}: {error}"})
    await send({"type": "websocket.close"})


async def early(scope, receive, send):
    """Sends data before it has accepted, tells which error that was."""
    try:
        await send({"type": "websocket.send", "text": "a"})
    except Exception as error:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"{type(error).__name__}: {error}"})


async def http(scope, receive, send):
    name = scope["query_string"].decode()
    if scope["path"] == "/go":
        seen.setdefault("go", asyncio.Queue()).put_nowait(None)
        answer = "went"
    elif scope["path"] == "/seen":
        answer = ascii(await asyncio.wait_for(seen.setdefault(name, asyncio.Queue()).get(), 10))
    else:
        answer = "plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": answer.encode()})


SOCKETS = {
    "/echo": echo, "/sizes": sizes, "/scope": scope_, "/accept": accept, "/close": close, "/refuse": refuse,
    "/deny": deny, "/raise-before": raise_before, "/raise-after": raise_after, "/return-before": return_before,
    "/return-after": return_after, "/hold": hold, "/push": push, "/cancel": cancel, "/wrong": wrong, "/early": early,
}  # fmt: skip


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        connect = await receive()
        assert connect == {"type": "websocket.connect"}, connect
        await SOCKETS[scope["path"].removeprefix("/mount")](scope, receive, send)
    elif scope["type"] == "http":
        await http(scope, receive, send)
    else:
        raise NotImplementedError(scope["type"])
