# SPDX-License-Identifier: MIT
"""A gate that many threads pass at once, or that one closes for all others.

Transactions pass; what needs the environment for itself (growing the map, closing it for a fork) closes.
"""

import threading

__all__ = ["Gate"]


class Gate:
    """Open at first. `enter` and `leave` come in pairs, and so do `shut` (if it succeeds) and `reopen`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._is_shut = False

    def enter(self, timeout: float) -> bool:
        """Waits until the gate is open, `timeout` seconds at most; whether one is in."""
        with self._lock:
            if self._is_shut and not self._changed.wait_for(lambda: not self._is_shut, timeout):
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Goes out again."""
        with self._lock:
            self._inside -= 1
            if self._is_shut:
                self._changed.notify_all()

    def shut(self, timeout: float) -> bool:
        """Waits until nobody is inside, while nobody gets in, `timeout` seconds at most; whether it is so now."""
        with self._lock:
            if not self._changed.wait_for(lambda: not self._is_shut, timeout):
                return False
            self._is_shut = True
            if self._changed.wait_for(lambda: not self._inside, timeout):
                return True
            self._is_shut = False
            self._changed.notify_all()
            return False

    def reopen(self) -> None:
        """Lets everybody in again."""
        with self._lock:
            self._is_shut = False
            self._changed.notify_all()
