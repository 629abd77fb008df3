# SPDX-License-Identifier: MIT
"""Smisk: Python web applications hosted by a C program.

Everything here is made on first use, because every worker imports this module and pays for it in memory.
`Request`, `Response` and `__version__` come from `_smisk`, which `smiskd` brings along; the pure Python modules
below `smisk.core` work without it.
"""

__all__ = ["Request", "Response", "__version__"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _smisk import Request, Response, __version__


def __getattr__(name: str) -> object:
    """Takes an exported name from `_smisk` and keeps it. ImportError where there is no `_smisk`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import _smisk

    value: object = getattr(_smisk, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
