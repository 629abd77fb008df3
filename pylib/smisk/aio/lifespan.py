# SPDX-License-Identifier: MIT
"""The ASGI lifespan protocol (ASGI lifespan 2.0), spoken with an application in a task of its own.

The setting `lifespan`: "on" insists, "off" does not ask, "auto" takes an application that knows nothing of it for one
without. It knows of it as soon as it has taken `lifespan.startup`: an exception after that is a failed startup.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Lifespan", "LifespanError"]

App = Callable[..., Awaitable[None]]
logger = logging.getLogger("smisk.lifespan")


class LifespanError(RuntimeError):
    """The application did not start, or did not stop well; says why."""


class Lifespan:
    """One application's lifespan. `state` is what each request gets a copy of; None without a lifespan."""

    def __init__(self, app: App, mode: str) -> None:
        self._app = app
        self._insists = mode == "on"
        self._state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._taken = False
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._phase = "startup"
        self._foreign = ""
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Starts the application. Raises LifespanError, or what the application raised."""
        self._received.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._run())
        answer = await self._next()
        if answer is None:
            self._absent(self._task)
        elif answer["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task], timeout=1)
            cause = None if not self._task.done() or self._task.cancelled() else self._task.exception()
            raise LifespanError(answer.get("message") or "the application said lifespan.startup.failed") from cause
        else:
            self._phase = "shutdown"
            self.state = self._state

    def _absent(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is not None and self._taken and not self._foreign:
            raise error
        if self._insists:
            raise LifespanError("lifespan is on, and the application does not speak it") from error
        logger.debug("no lifespan: %r", error)
        self._task = None

    async def shutdown(self) -> None:
        """Stops the application. Raises LifespanError, or what the application raised."""
        if self._task is None or self._phase != "shutdown":
            return
        if self._task.done():
            error = None if self._task.cancelled() else self._task.exception()
            if error is not None:
                raise error
            return
        self._received.put_nowait({"type": "lifespan.shutdown"})
        answer = await self._next()
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            raise LifespanError(answer.get("message") or "the application said lifespan.shutdown.failed")
        await asyncio.wait([self._task], timeout=1)
        if self._task.done() and not self._task.cancelled() and self._task.exception() is not None:
            raise self._task.exception() or LifespanError("unknown")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        await self._app(scope, self._receive, self._send)

    async def _next(self) -> dict[str, Any] | None:
        """The application's next answer; None when it ended without one."""
        assert self._task is not None
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def _receive(self) -> dict[str, Any]:
        message = await self._received.get()
        self._taken = True
        return message

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind not in (f"lifespan.{self._phase}.complete", f"lifespan.{self._phase}.failed"):
            self._foreign = str(kind)
            raise RuntimeError(
                f"lifespan: the application sent {kind!r}; lifespan.{self._phase}.complete was expected"
            )
        self._answers.put_nowait(message)
