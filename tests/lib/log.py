# SPDX-License-Identifier: MIT
"""The log of a program under test, read from its stderr pipe as it is written.

A thread reads the pipe; tests wait for lines without polling. A heading line (date, program, level) begins an entry,
and what follows until the next heading (a traceback) belongs to it.
"""

import fcntl
import os
import re
import select
import termios
import threading
import time
from collections.abc import Iterable
from typing import IO

__all__ = ["SANITIZER", "Log", "entries", "level_of"]

HEADING = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+\[\d+\](?: worker \d+)? (?P<level>debug|info|warning|error|critical): "
)
# Never expected, in no test.
SANITIZER = re.compile(
    r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|Fatal Python error"
    r"|Exception ignored in|Assertion .* failed|_PyObject_Dump"
)


def level_of(line: str) -> str:
    """The level of a heading line, "" for any other line."""
    match = HEADING.match(line)
    return match["level"] if match else ""


def entries(lines: Iterable[str]) -> list[str]:
    """Lines joined into entries: each heading with the lines that follow it."""
    joined: list[str] = []
    for line in lines:
        if not joined or level_of(line):
            joined.append(line)
        else:
            joined[-1] += "\n" + line
    return joined


class Log:
    """Lines of a pipe, collected by a thread until the pipe's last writer is gone. Takes the pipe and closes it.

    Whoever looks sees every line that was written before the look: the thread empties the pipe only under the lock.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        ready = select.poll()
        ready.register(self._pipe.fileno(), select.POLLIN)
        with self._pipe:
            while not self._ended:
                ready.poll()
                with self._changed:
                    chunk = os.read(self._pipe.fileno(), 65536)
                    *whole, rest = (rest + chunk).split(b"\n")
                    self._ended = not chunk
                    if self._ended and rest:
                        whole.append(rest)
                    self._lines += [line.decode("utf-8", "backslashreplace") for line in whole]
                    self._changed.notify_all()

    def _caught_up(self) -> bool:
        return self._ended or fcntl.ioctl(self._pipe.fileno(), termios.FIONREAD, bytes(4)) == bytes(4)

    @property
    def lines(self) -> list[str]:
        """A copy of all lines so far."""
        with self._changed:
            self._changed.wait_for(self._caught_up)
            return list(self._lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def mark(self) -> int:
        """A place to search from: the number of lines so far."""
        return len(self.lines)

    def find(self, pattern: str, since: int = 0) -> re.Match[str] | None:
        """The first line from `since` on in which the pattern is found."""
        return next((match for line in self.lines[since:] if (match := re.search(pattern, line))), None)

    def count(self, pattern: str, since: int = 0) -> int:
        """How many lines from `since` on have the pattern in them."""
        return sum(1 for line in self.lines[since:] if re.search(pattern, line))

    def wait(self, pattern: str, since: int = 0, within: float = 10.0, times: int = 1) -> re.Match[str]:
        """Blocks until the pattern was found in `times` lines from `since` on; the last match.

        AssertionError with the whole log after `within` seconds, or at once when the log has ended before.
        """
        deadline = time.monotonic() + within
        found: list[re.Match[str]] = []
        with self._changed:
            while True:
                while since < len(self._lines) and len(found) < times:
                    if match := re.search(pattern, self._lines[since]):
                        found.append(match)
                    since += 1
                if len(found) >= times:
                    return found[-1]
                left = deadline - time.monotonic()
                if self._ended or left <= 0 or not self._changed.wait(left):
                    break
        raise AssertionError(f"{len(found)} of {times} lines match {pattern!r} in the log:\n{self}")

    def join(self, within: float = 5.0) -> None:
        """Waits for the pipe's end; AssertionError when a writer is still there."""
        self._thread.join(within)
        if self._thread.is_alive():
            raise AssertionError(f"the log is still held open {within} s after the program's end:\n{self}")
