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
    """Names the program: its file's name (for `__init__` its folder's) and a hash of the whole path.

    The same in every process that runs the file, and over restarts. Where no file is run (a console, a program that
    embeds Python), `SMISK_APP_DIR` or else the working folder stands for it.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    path = os.path.abspath(path or os.environ.get("SMISK_APP_DIR") or os.curdir)
    name = os.path.splitext(os.path.basename(path))[0]
    if name in ("__init__", "__main__"):
        name = os.path.basename(os.path.dirname(path))
    return f"{name}_{hashlib.sha256(os.fsencode(path)).hexdigest()}"
