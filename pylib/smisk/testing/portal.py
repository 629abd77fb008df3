# SPDX-License-Identifier: MIT
"""An event loop in a thread of its own, for asynchronous applications and tests that are not.

So it does not matter whether the test itself runs in a loop, and what an application does in the background goes on
between two requests.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Portal"]

T = TypeVar("T")

JOIN_SECONDS = 10.0


class Portal:
    """Owns the loop and its thread from the first `run()` to `close()`, or until nobody has the portal any more."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Runs a coroutine to its end, in a copy of the caller's context. Raises what it raises.

        TimeoutError after `timeout` seconds (None: wait for ever): then the coroutine is cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(_shielded(coroutine), self._started())
        try:
            value, error = future.result(timeout)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise TimeoutError(f"the application has not answered within {timeout} s") from None
        except BaseException:
            future.cancel()
            raise
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # without an error there is one

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_serve, args=(self._loop,), name="smisk.testing", daemon=True)
            thread.start()
            self._finalizer = weakref.finalize(self, _end, self._loop, thread)
        return self._loop

    def close(self) -> None:
        """Cancels the tasks that are left and ends the thread; once more is fine."""
        if self._finalizer is not None:
            self._finalizer()
        self._loop = self._finalizer = None


async def _shielded(coroutine: Coroutine[Any, Any, T]) -> tuple[T | None, BaseException | None]:
    """What would end the loop, and not just the task, goes back as a value."""
    try:
        return await coroutine, None
    except (SystemExit, KeyboardInterrupt) as error:
        return None, error


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join(JOIN_SECONDS)
