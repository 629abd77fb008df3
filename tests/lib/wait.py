# SPDX-License-Identifier: MIT
"""Bounded waiting for states that the kernel reports by no event.

Everything that can be awaited on a descriptor (a log line, an answer, the end of a process) is awaited there; this
module is for the rest: another process's descriptor table, its children, a port that is not open yet.
"""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until"]

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 0.005


def until(condition: Callable[[], T], what: str | Callable[[], str], within: float = 5.0) -> T:
    """The first true value of `condition()`; AssertionError with `what` (made then, if it is a function) when
    none came `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            said = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {within} s: {said}")
        time.sleep(LOOK_AGAIN_SECONDS)
