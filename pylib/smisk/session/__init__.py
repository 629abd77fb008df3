# SPDX-License-Identifier: MIT
"""Sessions: stores (`files`, `redis`, `sql`, `cookie`), their ids and codecs, and their life in a request (`life`).

`Store` is the protocol, the same class as `smisk.core.SessionStore`. Each name is imported when it is first asked for,
for each store needs other libraries.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from smisk.core.sessions import InvalidSessionError, SessionDataError, SessionStoreError
    from smisk.core.sessions import SessionStore as Store

    from .cookie import CookieSessionStore
    from .files import FileSessionStore
    from .redis import RedisSessionStore
    from .sql import SQLSessionStore

__all__ = [
    "CookieSessionStore",
    "FileSessionStore",
    "InvalidSessionError",
    "RedisSessionStore",
    "SQLSessionStore",
    "SessionDataError",
    "SessionStoreError",
    "Store",
]

_HOMES = {
    "CookieSessionStore": "smisk.session.cookie",
    "FileSessionStore": "smisk.session.files",
    "RedisSessionStore": "smisk.session.redis",
    "SQLSessionStore": "smisk.session.sql",
    "Store": "smisk.core.sessions",
}


def __getattr__(name: str) -> object:
    """Imports a name from its home and keeps it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(_HOMES.get(name, "smisk.core.sessions"))
    value: object = getattr(home, "SessionStore" if name == "Store" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
