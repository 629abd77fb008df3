# SPDX-License-Identifier: MIT
"""The one place of `smisk.testing` that knows `smisk.core.Application`.

It asks `smisk.core.application` for two things: the class `Application`, and `serve_request(application, request)`,
which runs `service()` with the proxies set and returns `(status, [(name, value), …], body)` in bytes. Nothing is
imported here unless somebody else has: what is no instance of a class that nobody has imported is none.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .parts import Parts

__all__ = ["answer", "instance", "is_application", "only_application"]

HOME = "smisk.core.application"


def _class() -> type | None:
    found = getattr(sys.modules.get(HOME), "Application", None)
    return found if isinstance(found, type) else None


def is_application(value: object) -> bool:
    """Whether `value` is an Application, or a class of them."""
    base = _class()
    if base is None:
        return False
    return isinstance(value, base) or (isinstance(value, type) and issubclass(value, base))


def only_application(module: ModuleType) -> str | None:
    """The name of the module's only Application class of its own; None where there is none, or several."""
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and is_application(value) and value.__module__ == module.__name__
    ]
    return names[0] if len(names) == 1 else None


def instance(value: Any) -> Any:
    """The application itself, made where its class was given."""
    return value() if isinstance(value, type) else value


def answer(application: Any, request: Any) -> Parts:
    """Runs the application for one request."""
    status, fields, body = sys.modules[HOME].serve_request(application, request)
    return Parts(status, fields, body)
