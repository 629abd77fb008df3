# SPDX-License-Identifier: MIT
"""Where a command writes: text, in colours where somebody looks at it."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["Terminal"]

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Terminal:
    """Standard output and standard error. Colours only on a terminal, and not with NO_COLOR (https://no-color.org)."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err

    def say(self, text: str = "") -> None:
        """Writes a line to standard output."""
        self.out.write(f"{text}\n")

    def complain(self, text: str) -> None:
        """Writes a line to standard error, its first word (`smisk:`) in red."""
        program, space, rest = text.partition(" ")
        self.err.write(f"{_paint(self.err, program, 'red')}{space}{rest}\n")

    def paint(self, text: str, style: str) -> str:
        """The text in one of CODES, or as it is where no colours are wanted."""
        return _paint(self.out, text, style)


def _paint(stream: TextIO, text: str, style: str) -> str:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{CODES[style]}m{text}\x1b[0m"
