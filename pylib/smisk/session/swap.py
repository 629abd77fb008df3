# SPDX-License-Identifier: MIT
"""Stores that are servers: nobody holds a lock, a change is made only if nobody else has made one in the meantime.

Whoever comes late looks again. Each time somebody is late, somebody else got through, so all get through in the end.
"""

from __future__ import annotations

import random
import time

from smisk.core.sessions import SessionStore, SessionStoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["SwapStore"]

_FIRST_PAUSE = 0.0005  # seconds
_LAST_PAUSE = 0.02


class SwapStore(SessionStore):
    """The base of such stores. `busy_timeout`: seconds that an update tries to get through; then SessionStoreError."""

    busy_timeout: float = 5.0

    def update(self, sid: str, merge: Callable[[Any], Any]) -> Any:
        """Replaces the data by `merge(data)` if they are still the same then, else again; None is no session."""
        pause, deadline = _FIRST_PAUSE, time.monotonic() + self.busy_timeout
        while True:
            held, token = self._load(sid)
            data = merge(held)
            if self._swap(sid, token, data):
                return data
            if time.monotonic() >= deadline:
                raise SessionStoreError(
                    f"the session was changed by others for {self.busy_timeout:g} s without a pause"
                )
            time.sleep(pause * random.random())
            pause = min(2 * pause, _LAST_PAUSE)

    def _load(self, sid: str) -> tuple[Any, Any]:
        """Data, and what tells them from all others; None and None where there is no session."""
        raise NotImplementedError("_load")

    def _swap(self, sid: str, token: Any, data: Any) -> bool:
        """Stores the data, or destroys the session if they are None; False, and nothing, if the token is out of date."""
        raise NotImplementedError("_swap")
