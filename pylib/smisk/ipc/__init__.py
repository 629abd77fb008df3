# SPDX-License-Identifier: MIT
"""One dict for all processes of an application.

    counters = smisk.ipc.shared_dict()
    counters.incr("hits")

`backend` says what holds it: `lmdb`, a file that needs no server, or `redis` or `memcached`. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

from importlib import import_module

__all__ = [
    "BACKENDS",
    "CodecError",
    "SharedDict",
    "SharedDictError",
    "SharedDictFullError",
    "SharedDictUnavailableError",
    "app_shared_key",
    "shared_dict",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import SharedDict
    from .errors import CodecError, SharedDictError, SharedDictFullError, SharedDictUnavailableError
    from .names import app_shared_key

BACKENDS = ("lmdb", "redis", "memcached")
_HOMES = {
    "SharedDict": "base",
    "CodecError": "errors",
    "SharedDictError": "errors",
    "SharedDictFullError": "errors",
    "SharedDictUnavailableError": "errors",
    "app_shared_key": "names",
}


def shared_dict(name: str | None = None, backend: str = "lmdb", **options: Any) -> SharedDict:
    """The dict called `name`, by default `app_shared_key()`: one for all processes, one object in each.

    `options` are those of `shared_dict()` in the module of that name, `smisk.ipc.lmdb` and so on; `codec` is one of
    all. Raises ValueError for an unknown backend, or when the dict is in use with other options; ImportError when the
    backend's package is missing; SharedDictError when it cannot be had.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; there are {', '.join(BACKENDS)}")
    made: SharedDict = import_module(f".{backend}", __name__).shared_dict(name, **options)
    return made


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
