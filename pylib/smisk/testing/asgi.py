# SPDX-License-Identifier: MIT
"""Calling an ASGI application (ASGI HTTP 2.5) in process, with the scope that `smiskd` would make."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from smisk.core.pairs import decode_text

from .outgoing import Outgoing
from .parts import Parts

if TYPE_CHECKING:
    from .load import Loaded

__all__ = ["answer", "scope_of"]

Message = dict[str, Any]


def scope_of(outgoing: Outgoing, root_path: str, state: Message | None) -> Message:
    """The scope of a request."""
    path = decode_text(outgoing.path_bytes)
    if root_path and path != root_path and not path.startswith(root_path + "/"):
        path = root_path + path
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": outgoing.method.upper(),
        "scheme": "https" if outgoing.origin.is_https else "http",
        "path": path,
        "raw_path": outgoing.path.encode("ascii"),
        "query_string": outgoing.query.encode("ascii"),
        "root_path": root_path,
        "headers": [(name.lower(), value) for name, value in outgoing.fields],
        "client": (outgoing.peer, 0) if outgoing.peer else None,
        "server": (outgoing.origin.host, outgoing.origin.port),
        "extensions": {},
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


class Call:
    """One call: the order of messages is the server's."""

    def __init__(self, body: bytes, label: str) -> None:
        self._body: bytes | None = body
        self._label = label
        self._complete = asyncio.Event()
        self._start: Message | None = None
        self._pieces: list[bytes] = []
        self._count = 0

    async def receive(self) -> Message:
        """The body at once; after that, `http.disconnect` when the response is complete."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._complete.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Takes a message. Raises as the server does for one that is out of order, unknown or has wrong values."""
        if not isinstance(message, dict):
            raise TypeError(f"send() takes a dict, not {type(message).__name__}")
        kind = message.get("type")
        if kind not in ("http.response.start", "http.response.body"):
            wanted = "http.response.start" if self._start is None else "http.response.body"
            raise RuntimeError(f"unexpected ASGI message {kind!r}; expected {wanted}")
        if self._complete.is_set():
            raise RuntimeError(f"{kind} came after the response was complete")
        if kind == "http.response.start":
            self._take_start(message)
        else:
            self._take_body(message)

    def _take_start(self, message: Message) -> None:
        if self._start is not None:
            raise RuntimeError("http.response.start came after http.response.start")
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise ValueError(f'http.response.start: "status" is between 200 and 999, not {status!r}')
        for name, value in message.get("headers") or ():
            if not isinstance(name, bytes) or not isinstance(value, bytes):
                raise TypeError(f"http.response.start: names and values of headers are bytes, not {(name, value)!r}")
        headers = [(name, value) for name, value in message.get("headers") or ()]
        Parts(200, headers, b"")  # refuses what the server would
        self._start = {"status": status, "headers": headers}

    def _take_body(self, message: Message) -> None:
        if self._start is None:
            raise RuntimeError("http.response.body came before http.response.start")
        body = message.get("body", b"")
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f'http.response.body: "body" is bytes, not {type(body).__name__}')
        self._pieces.append(bytes(body))
        self._count += 1
        if not message.get("more_body", False):
            self._complete.set()

    def parts(self) -> Parts:
        """The answer. RuntimeError where there is none, or only the beginning of one."""
        if self._start is None:
            raise RuntimeError(f"{self._label} returned without a response")
        if not self._complete.is_set():
            raise RuntimeError(f"{self._label} returned before its response was complete")
        return Parts(self._start["status"], self._start["headers"], b"".join(self._pieces), whole=self._count == 1)


async def answer(loaded: Loaded, outgoing: Outgoing, root_path: str, state: Message | None) -> Parts:
    """Calls the application and waits for its end, so for its background work too. Raises what it raises."""
    call = Call(outgoing.body, loaded.label)
    await loaded.handler(scope_of(outgoing, root_path, state), call.receive, call.send)
    return call.parts()
