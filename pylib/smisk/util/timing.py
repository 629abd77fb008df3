# SPDX-License-Identifier: MIT
"""How long something takes."""

import time

__all__ = ["Timer"]


class Timer:
    """Measures from `start()`, which the constructor calls unless told otherwise, to `finish()`.

    By a clock that nobody sets. Before `finish()` the times are those until now.
    """

    def __init__(self, start: bool = True) -> None:
        self.t0 = self.t1 = 0.0
        self._running = False
        if start:
            self.start()

    def start(self) -> None:
        """Begins, anew if it had begun."""
        self.t0 = time.perf_counter()
        self._running = True

    def finish(self) -> str:
        """Ends, and says how long it took: `0s 3ms 141us`."""
        self.t1 = time.perf_counter()
        self._running = False
        milliseconds, microseconds = divmod(round(self.time() * 1e6), 1000)
        return "{}s {}ms {}us".format(*divmod(milliseconds, 1000), microseconds)

    stop = finish

    def time(self) -> float:
        """Seconds."""
        return (time.perf_counter() if self._running else self.t1) - self.t0

    seconds = time

    def milli(self) -> float:
        """Milliseconds beyond the whole seconds, below 1000."""
        return (self.time() * 1e3) % 1000

    def micro(self) -> float:
        """Microseconds beyond the whole milliseconds, below 1000."""
        return (self.time() * 1e6) % 1000
