# SPDX-License-Identifier: MIT
"""Testing applications: `Client` calls one in process, `Server` runs a real `smiskd`. For pytest suites of your own.

Both find out by the same rules as `smiskd` what an application is. The pytest plugin (`smisk.testing.plugin`) gives both
as fixtures. Everything is imported when it is first asked for, since pytest loads the plugin in every project.
"""

__all__ = [
    "Answer",
    "Client",
    "CookieJar",
    "LoadError",
    "Server",
    "ServerError",
    "SmiskdNotFoundError",
    "find_smiskd",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Answer
    from .client import Client
    from .jar import CookieJar
    from .load import LoadError
    from .program import SmiskdNotFoundError, find_smiskd
    from .server import Server, ServerError

_HOMES = {
    "Answer": "answer",
    "Client": "client",
    "CookieJar": "jar",
    "LoadError": "load",
    "Server": "server",
    "ServerError": "server",
    "SmiskdNotFoundError": "program",
    "find_smiskd": "program",
}


def __getattr__(name: str) -> object:
    """Imports an exported name from its module and keeps it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
