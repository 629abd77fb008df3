# SPDX-License-Identifier: MIT
"""What every shared dict can do, whatever holds it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import ItemsView, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any

__all__ = [
    "MAX_KEY_BYTES",
    "MISSING",
    "SharedDict",
    "check_integer",
    "check_ttl",
    "encode_key",
    "first_sum",
    "sum_of",
]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .codec import Codec

MAX_KEY_BYTES = 65536
MAX_TTL = 100 * 366 * 86400.0
INTEGERS = range(-(1 << 63), 1 << 63)
# No value, where None is one; and none that pop() found, where MISSING means that no default was given.
MISSING = object()
GONE = object()


def encode_key(key: object) -> bytes:
    """A key as UTF-8. Raises TypeError when it is not a str, ValueError beyond `MAX_KEY_BYTES`."""
    if not isinstance(key, str):
        raise TypeError(f"keys of a shared dict must be str, not {type(key).__name__}")
    encoded = key.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_KEY_BYTES:
        raise ValueError(f"the key has {len(encoded)} bytes; {MAX_KEY_BYTES} are allowed")
    return encoded


def check_ttl(ttl: float | None) -> None:
    """Raises TypeError or ValueError unless `ttl` is None or a positive number of seconds, 100 years at most."""
    if ttl is None:
        return
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise TypeError(f"ttl must be a number of seconds or None, not {type(ttl).__name__}")
    if math.isnan(ttl) or not 0 < ttl <= MAX_TTL:
        raise ValueError(f"ttl must be more than 0 seconds and at most 100 years, not {ttl}")


def check_integer(value: Any, what: str) -> int:
    """`value`, if it is an int of 64 bits with sign and no bool. Raises TypeError, OverflowError."""
    if type(value) is not int:
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if value not in INTEGERS:
        raise OverflowError(f"{what} does not fit into 64 bits")
    return value


def first_sum(by: Any, initial: Any) -> int:
    """What `incr` stores under a key that is not there. Raises TypeError, OverflowError."""
    return check_integer(check_integer(initial, "initial") + check_integer(by, "by"), "the sum")


def sum_of(value: Any, by: int) -> int:
    """What `incr` makes of a stored value. Raises TypeError, OverflowError."""
    return check_integer(check_integer(value, "a counter") + by, "the sum")


class SharedItems(ItemsView[str, Any]):
    """The pairs of a shared dict; one that another process removes meanwhile is left out, not an error."""

    _mapping: SharedDict

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._mapping._pairs()


class SharedValues(ValuesView[Any]):
    """The values of a shared dict, likewise."""

    _mapping: SharedDict

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._mapping._pairs())


class SharedDict(MutableMapping[str, Any]):
    """A dict for all processes. Keys are str; a value that is read is a copy: assign it again to change it.

    Each method is atomic; two calls in a row are not, which is what `setdefault`, `incr` and `compare_and_set` are for.
    All may raise SharedDictError. `ttl` is a number of seconds after which a key is gone, None for never.
    """

    def __init__(self, name: str, codec: Codec) -> None:
        self.name = name
        self.codec = codec

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        if not self.discard(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, MISSING) is not MISSING

    def popitem(self) -> tuple[str, Any]:
        """Removes some pair and returns it. Raises KeyError when there is none. One process gets it."""
        for key in self:
            value = self.pop(key, GONE)
            if value is not GONE:
                return key, value
        raise KeyError("popitem(): the shared dict is empty")

    def items(self) -> SharedItems:
        """All pairs, in no order that means anything; changes made meanwhile may or may not be seen."""
        return SharedItems(self)

    def values(self) -> SharedValues:
        """All values, likewise."""
        return SharedValues(self)

    @abstractmethod
    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, else `default`."""

    @abstractmethod
    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Stores a value, for `ttl` seconds."""

    @abstractmethod
    def discard(self, key: str) -> bool:
        """Removes a key; whether it was there."""

    @abstractmethod
    def pop(self, key: str, default: Any = MISSING) -> Any:
        """Removes a key and returns its value, else `default`, else raises KeyError. One process gets it."""

    @abstractmethod
    def setdefault(self, key: str, default: Any = None, ttl: float | None = None) -> Any:
        """The value of `key`; if there is none, stores `default` and returns it. One process stores."""

    @abstractmethod
    def incr(self, key: str, by: int = 1, initial: int = 0, ttl: float | None = None) -> int:
        """Adds `by` and returns the sum; a key that is not there counts from `initial` and gets `ttl`.

        The time to live of a key that is there stays. Raises TypeError unless all are int, OverflowError beyond 64 bits.
        """

    @abstractmethod
    def compare_and_set(self, key: str, old: Any, new: Any) -> bool:
        """Replaces the value if it equals `old`; whether it did. A missing key equals nothing. The time to live stays."""

    @abstractmethod
    def _pairs(self) -> Iterator[tuple[str, Any]]: ...

    @abstractmethod
    def sync(self) -> None:
        """Has what was stored so far written to disk, where the store has one."""

    @abstractmethod
    def close(self) -> None:
        """Lets the store go. Calling `shared_dict()` again makes a new handle; this one raises SharedDictError."""
