# SPDX-License-Identifier: MIT
"""`app`, `request` and `response` as global names: what an Application serves in this thread or task.

The old way to reach them; `self.request` in a service() is the same and says where it comes from. Outside of a request
`request` and `response` stand for None, and `app` for `Application.current`.
"""

from __future__ import annotations

import sys

import _smisk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["CallableProxy", "Proxy", "app", "request", "response"]


class Proxy:
    """Stands for what `find()` gives each time; for None it is false, and has no attributes."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._find(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._find(), name)

    def __bool__(self) -> bool:
        return bool(self._find())

    def __eq__(self, other: object) -> bool:
        found: object = self._find()
        return found == (other._find() if isinstance(other, Proxy) else other)

    def __hash__(self) -> int:
        return hash(self._find())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._find())

    def __dir__(self) -> list[str]:
        return dir(self._find())

    def __repr__(self) -> str:
        return repr(self._find())

    def __str__(self) -> str:
        return str(self._find())


class CallableProxy(Proxy):
    """One that is called too: `response("text")`. The host would take the others for handlers."""

    __slots__ = ()

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._find()(*args, **named)


def _application() -> Any:
    served = _smisk._application()
    if served is not None:
        return served
    module = sys.modules.get("smisk.core.application")
    return None if module is None else module.Application.current


app: Any = Proxy(_application)
request: Any = Proxy(_smisk._request)
response: Any = CallableProxy(_smisk._response)
