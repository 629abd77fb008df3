# SPDX-License-Identifier: MIT
"""Keys for caches: of callables, and of the application among others on the machine."""

import hashlib
import os
import sys
from types import FunctionType, MethodType

__all__ = ["app_shared_key", "callable_cache_key"]


def callable_cache_key(node: object) -> object:
    """A key for what is known of a callable: a function itself; for a method the hash of it and its class.

    Other callables give their hash; those without one, a number that is theirs as long as they live.
    """
    if isinstance(node, FunctionType):
        return node
    if isinstance(node, MethodType):
        owner = node.__self__
        return hash((node, owner if isinstance(owner, type) else type(owner)))
    try:
        return hash(node)
    except TypeError:
        return id(node)


def app_shared_key() -> str:
    """Names the program: its file's name (for `__init__` its folder's) and 128 bits of a hash of the whole path.

    The same in every process that runs the file, and over restarts. Below `smiskd` the file is that of the module which
    is served; where there is none (a console), the working folder stands for it.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None) or _served_file()
    path = os.path.abspath(path or os.getcwd())
    name = os.path.splitext(os.path.basename(path))[0]
    if name in ("__init__", "__main__"):
        name = os.path.basename(os.path.dirname(path))
    return f"{name}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}"


def _served_file() -> str | None:
    """The file of the module that `smiskd` serves: argv names the application, `module:attribute`."""
    module = sys.modules.get((sys.argv[0] if sys.argv else "").partition(":")[0])
    return getattr(module, "__file__", None)
