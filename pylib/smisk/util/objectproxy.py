# SPDX-License-Identifier: MIT
"""A stand-in for an object that may become another one, or be another one for each request."""

from __future__ import annotations

from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ObjectProxy"]


class ObjectProxy:
    """Does what the object behind it does: attributes, items, calls, iteration, comparison, hash, truth, text.

    Everything asks `_object()`, so a subclass that overrides it decides for each use which object that is. `isinstance`
    sees the proxy; `_object()` gives what is behind.
    """

    __slots__ = ("__behind", "__weakref__")

    def __init__(self, obj: object = None) -> None:
        self._set_object(obj)

    def _object(self) -> Any:
        """The object behind."""
        return self.__behind

    def _set_object(self, obj: object) -> None:
        """Puts another object behind."""
        object.__setattr__(self, "_ObjectProxy__behind", obj)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._object(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._object(), name)

    def __dir__(self) -> list[str]:
        return dir(self._object())

    def __getitem__(self, key: Any) -> Any:
        return self._object()[key]

    def __setitem__(self, key: Any, value: object) -> None:
        self._object()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._object()[key]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._object()(*args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._object())

    def __len__(self) -> int:
        return len(self._object())

    def __contains__(self, item: object) -> bool:
        return item in self._object()

    def __bool__(self) -> bool:
        return bool(self._object())

    def __hash__(self) -> int:
        return hash(self._object())

    def __eq__(self, other: object) -> bool:
        return bool(self._object() == other)

    def __ne__(self, other: object) -> bool:
        return bool(self._object() != other)

    def __lt__(self, other: Any) -> bool:
        return bool(self._object() < other)

    def __le__(self, other: Any) -> bool:
        return bool(self._object() <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self._object() > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self._object() >= other)

    def __repr__(self) -> str:
        return repr(self._object())

    def __str__(self) -> str:
        return str(self._object())
