# SPDX-License-Identifier: MIT
"""Keys for caches: of callables, and of the application among others on the machine."""

from types import FunctionType, MethodType

from smisk.ipc.names import app_shared_key

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
