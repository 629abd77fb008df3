# SPDX-License-Identifier: MIT
"""A thread that calls something again and again."""

from __future__ import annotations

import logging
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["Monitor", "PerpetualTimer"]

log = logging.getLogger(__name__)


class PerpetualTimer(threading.Timer):
    """Calls `callback(*args, **kwargs)` every `frequency` seconds, first after that time, until `cancel()`.

    `setup_callback` is called once, in the thread. What the callback raises is logged, and the thread goes on. It is a
    daemon thread: it does not keep the process alive.
    """

    def __init__(
        self,
        frequency: float,
        callback: Callable[..., object],
        setup_callback: Callable[[], object] | None = None,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(frequency, callback, args, kwargs)
        self.daemon = True
        self.setup_callback = setup_callback

    def run(self) -> None:
        """The thread's life; `start()` begins it."""
        if self.setup_callback is not None:
            self.setup_callback()
        while not self.finished.wait(self.interval):
            try:
                self.function(*self.args, **self.kwargs)
            except Exception:
                log.exception("%s failed", self.name)


class Monitor:
    """Calls `callback()` every `frequency` seconds in a thread of its own, between `start()` and `stop()`."""

    frequency: float = 60.0
    thread: PerpetualTimer | None

    def __init__(
        self,
        callback: Callable[[], object],
        setup_callback: Callable[[], object] | None = None,
        frequency: float = 60.0,
    ) -> None:
        self.callback = callback
        self.setup_callback = setup_callback
        self.frequency = frequency
        self.thread = None

    def start(self) -> None:
        """Starts the thread. Nothing happens if it runs already, or if `frequency` is 0 or less."""
        if self.frequency <= 0 or self.thread is not None:
            return
        self.thread = PerpetualTimer(self.frequency, self.callback, self.setup_callback)
        self.thread.name = f"Monitor:{type(self).__name__}"
        self.thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it, unless it is the one that calls. Without a thread nothing happens."""
        thread, self.thread = self.thread, None
        if thread is None:
            return
        thread.cancel()
        if thread is not threading.current_thread():
            thread.join()

    def restart(self) -> None:
        """Ends the thread and starts another."""
        self.stop()
        self.start()
