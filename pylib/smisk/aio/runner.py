# SPDX-License-Identifier: MIT
"""The worker's loop from its making to its end, for each kind that the setting `loop` names.

With "engine" the host is the loop's selector. Any other loop watches the host's epoll set and makes a turn of the
engine whenever there is something in it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, TypeVar, cast

from .selector import EngineSelector, Poll

__all__ = ["Runner"]

T = TypeVar("T")


class Runner:
    """Owns the loop. `poll` None: only to try the application. The host calls `over()` when the worker is done."""

    def __init__(self, kind: str, poll: Poll | None) -> None:
        self._poll = poll
        self.loop = _make(kind, poll)
        asyncio.set_event_loop(self.loop)
        self._over: asyncio.Future[None] | None = None
        self._is_over = False
        self._timer: asyncio.Handle | None = None
        # Turns are begun from within requests; what they serve must not see the context variables of those.
        self._context = contextvars.copy_context()
        self.drives = poll is not None and kind != "engine"
        if poll is not None and self.drives:
            self.loop.add_reader(poll.fileno(), self.turn)

    # --- running ---

    def complete(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end; the engine's turns go on beside it."""
        self._settle()
        return self.loop.run_until_complete(coroutine)

    def run(self) -> None:
        """Serves until `over()`."""
        self.kick()
        self.loop.run_until_complete(self._wait())

    def _settle(self) -> None:
        """Takes a stop() of the application that has not been obeyed yet: it would break off what runs next."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    async def _wait(self) -> None:
        # In a task of its own, as under asyncio.run(): libraries look for the task at the root.
        if not self._is_over:
            self._over = self.loop.create_future()
            await self._over

    def over(self) -> None:
        """Ends `run()`."""
        self._is_over = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # --- turns, where the engine is not the selector ---

    def turn(self) -> None:
        """Makes a turn of the engine and arranges for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = -1 if self._poll is None else self._poll.turn()
        if wait == 0:
            self._timer = self.loop.call_soon(self.turn, context=self._context)
        elif wait > 0:
            self._timer = self.loop.call_later(wait / 1000, self.turn, context=self._context)

    def kick(self) -> None:
        """Something was done to the engine outside of its turns: it wants one soon."""
        if self.drives:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_soon(self.turn, context=self._context)

    # --- the end ---

    def close(self) -> None:
        """Cancels what is left, ends generators and executors, closes the loop."""
        if self.loop.is_closed():
            return
        try:
            self._settle()
            self.loop.run_until_complete(_cancel_all())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._poll is not None and self.drives:
                self.loop.remove_reader(self._poll.fileno())
            asyncio.set_event_loop(None)
            self.loop.close()


def _make(kind: str, poll: Poll | None) -> asyncio.AbstractEventLoop:
    if kind == "engine" and poll is not None:
        return asyncio.SelectorEventLoop(EngineSelector(poll))
    if kind == "uvloop":
        return cast("asyncio.AbstractEventLoop", import_module("uvloop").new_event_loop())
    return asyncio.new_event_loop()


async def _cancel_all() -> None:
    """Cancels every other task and waits for them; reports what they raise to the loop's exception handler."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "a task failed while the worker ended", "exception": task.exception(), "task": task}
            asyncio.get_running_loop().call_exception_handler(context)
