# SPDX-License-Identifier: MIT
"""The core of Smisk: Application, Request, Response, streams, URLs, sessions, and what they are made of.

Everything here is imported when it is first asked for: a worker pays only for what its application uses.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _smisk import Request, Response

    from . import xml
    from .application import Application
    from .identifiers import object_hash, pack, uid
    from .listen import bind, listening, unbind
    from .proxies import app, request, response
    from .sessions import FileSessionStore, InvalidSessionError, SessionDataError, SessionStore, SessionStoreError
    from .stream import Stream
    from .url import URL

__all__ = [
    "URL",
    "Application",
    "FileSessionStore",
    "InvalidSessionError",
    "Request",
    "Response",
    "SessionDataError",
    "SessionStore",
    "SessionStoreError",
    "Stream",
    "app",
    "bind",
    "listening",
    "object_hash",
    "pack",
    "request",
    "response",
    "uid",
    "unbind",
    "xml",
]

_MODULES = {
    "_smisk": ("Request", "Response"),
    "smisk.core.application": ("Application",),
    "smisk.core.listen": ("bind", "listening", "unbind"),
    "smisk.core.proxies": ("app", "request", "response"),
    "smisk.core.sessions": (
        "FileSessionStore",
        "InvalidSessionError",
        "SessionDataError",
        "SessionStore",
        "SessionStoreError",
    ),
    "smisk.core.stream": ("Stream",),
    "smisk.core.identifiers": ("object_hash", "pack", "uid"),
    "smisk.core.url": ("URL",),
}


def __getattr__(name: str) -> object:
    """Imports an exported name from its module and keeps it."""
    from importlib import import_module

    if name == "xml":
        return import_module("smisk.core.xml")
    module = next((module for module, names in _MODULES.items() if name in names), None)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
