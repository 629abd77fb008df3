# SPDX-License-Identifier: MIT
"""Smisk: Python web applications hosted by a C program.

Everything here is made on first use, because every worker imports this module and pays for it in memory.
`Request`, `Response` and `__version__` come from `_smisk`, which `smiskd` brings along; the pure Python modules
below `smisk.core` work without it.
"""

__all__ = [
    "Request",
    "Response",
    "__author__",
    "__build__",
    "__copyright__",
    "__license__",
    "__version__",
    "app",
    "request",
    "response",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _smisk import Request, Response, __version__

    from smisk.core.proxies import app, request, response
    from smisk.release import __build__
    from smisk.release import author as __author__
    from smisk.release import copyright as __copyright__
    from smisk.release import license as __license__

_PROXIES = ("app", "request", "response")
_RELEASE = {"__author__": "author", "__build__": "__build__", "__copyright__": "copyright", "__license__": "license"}


def __getattr__(name: str) -> object:
    """Takes an exported name from its module and keeps it. ImportError where there is no `_smisk`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _RELEASE:
        module, attribute = "smisk.release", _RELEASE[name]
    else:
        module, attribute = "smisk.core.proxies" if name in _PROXIES else "_smisk", name
    value: object = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
