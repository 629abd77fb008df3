# SPDX-License-Identifier: MIT
"""An Application that does wrong what one can: an error() that raises, a service() that is a coroutine."""

from collections.abc import Awaitable
from typing import Any

from smisk.core import Application

__all__ = ["Faults"]


class Faults(Application):
    def service(self) -> Any:
        if self.request.path == "/error":
            raise ValueError("first")
        if self.request.path == "/async":
            return self.later()
        self.response("fine")
        return None

    async def later(self) -> Awaitable[None] | None:
        return None

    def error(self, typ: type[BaseException], val: BaseException, tb: Any) -> None:
        if isinstance(val, ValueError):
            raise KeyError("second")
        super().error(typ, val, tb)
