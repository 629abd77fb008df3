# SPDX-License-Identifier: MIT
"""Smisk: Python web applications hosted by a C program.

Everything here is made on first use, because every worker imports this module and pays for it in memory.
`Request`, `Response`, `__version__` and `__build__` come from `_smisk`, which `smiskd` brings along; the pure Python
modules below `smisk.core` work without it.
"""

__all__ = [
    "Request",
    "Response",
    "__author__",
    "__build__",
    "__copyright__",
    "__license__",
    "__version__",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _smisk import Request, Response, __build__, __version__

    from .release import author as __author__
    from .release import copyright as __copyright__
    from .release import license as __license__

_OF_RELEASE = ("__author__", "__copyright__", "__license__")


def __getattr__(name: str) -> object:
    """Takes an exported name from where it is and keeps it. ImportError where that needs `_smisk`, which is not there."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object
    if name in _OF_RELEASE:
        from . import release

        value = getattr(release, name.strip("_"))
    else:
        import _smisk

        value = getattr(_smisk, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
