# SPDX-License-Identifier: MIT
"""What a smiskd writes to its log, read from its pipe as it comes, so that it never waits for a reader."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from typing import IO

__all__ = ["ServerLog"]

MAX_BYTES = 4 << 20
MAX_LINE = 64 << 10


class ServerLog:
    """The lines of a pipe, of which the last `MAX_BYTES` are kept. Takes the pipe and closes it at its end."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lines: deque[str] = deque()
        self._size = 0
        self._count = 0  # of all lines that ever came
        self._is_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="smisk.testing log", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while line := self._pipe.readline(MAX_LINE):
                self._add(line.decode("utf-8", "backslashreplace").rstrip("\n"))
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def _add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._count += 1
            self._size += len(line)
            while self._size > MAX_BYTES and len(self._lines) > 1:
                self._size -= len(self._lines.popleft())
            self._changed.notify_all()

    @property
    def is_ended(self) -> bool:
        """Whether nobody can write any more."""
        with self._changed:
            return self._is_ended

    @property
    def text(self) -> str:
        """All lines that are kept."""
        with self._changed:
            return "\n".join(self._lines)

    def wait(self, pattern: str, within: float) -> re.Match[str] | None:
        """The first line with the pattern in it; None after `within` seconds, or when the log has ended without."""
        deadline = time.monotonic() + within
        seen = 0
        with self._changed:
            while True:
                first = self._count - len(self._lines)
                for line in list(self._lines)[max(seen - first, 0) :]:
                    if match := re.search(pattern, line):
                        return match
                seen = self._count
                left = deadline - time.monotonic()
                if self._is_ended or left <= 0:
                    return None
                self._changed.wait(left)

    def join(self, within: float) -> None:
        """Waits for the end of the log."""
        self._thread.join(within)
