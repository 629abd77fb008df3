# SPDX-License-Identifier: MIT
"""What belongs to the life of a worker around its requests: the module's hooks, outermost, and the ASGI lifespan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .load import Loaded
from .portal import Portal

if TYPE_CHECKING:
    from smisk.aio.lifespan import Lifespan

__all__ = ["Life"]


class Life:
    """Runs it once. `state`: the lifespan's, of which each request gets a copy; None without one."""

    def __init__(self, loaded: Loaded, portal: Portal, lifespan: str, timeout: float | None) -> None:
        if lifespan not in ("auto", "on", "off"):
            raise ValueError(f'lifespan is "auto", "on" or "off", not {lifespan!r}')
        self._loaded = loaded
        self._portal = portal
        self._mode = lifespan
        self._timeout = timeout
        self._lifespan: Lifespan | None = None
        self._is_on = False
        self.state: dict[str, Any] | None = None

    def start(self) -> None:
        """Calls the hook, and has an ASGI application start. Raises what they raise."""
        if self._is_on:
            raise RuntimeError("the application has been started already")
        self._call_hook("application_will_start")
        self._is_on = True
        if self._loaded.kind == "asgi" and self._mode != "off":
            try:
                self._portal.run(self._begin(), self._timeout)
            except BaseException:
                self._lifespan = None
                self.stop()
                raise

    async def _begin(self) -> None:
        from smisk.aio.lifespan import Lifespan

        self._lifespan = Lifespan(self._loaded.handler, self._mode)
        await self._lifespan.startup()
        self.state = self._lifespan.state

    def stop(self) -> None:
        """Ends what start() began. Raises what the application raises."""
        if not self._is_on:
            return
        self._is_on = False
        try:
            if self._lifespan is not None:
                lifespan, self._lifespan, self.state = self._lifespan, None, None
                self._portal.run(lifespan.shutdown(), self._timeout)
        finally:
            self._call_hook("application_did_stop")

    def _call_hook(self, name: str) -> None:
        for holder in (self._loaded.handler if self._loaded.kind == "smisk" else None, self._loaded.module):
            hook = getattr(holder, name, None)
            if callable(hook):
                hook()
