# SPDX-License-Identifier: MIT
"""A dictionary that cannot be changed, and so can be a key or be shared."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn, TypeVar

    K = TypeVar("K")
    V = TypeVar("V")

__all__ = ["frozendict"]


class frozendict(dict):  # type: ignore[type-arg]
    """A dict whose items stay as they were made; hashable if its values are. Changing it is a TypeError."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("frozendict object does not support item assignment")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = _refuse

    def update(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:  # type: ignore[override]
        """Takes what dict.update() takes, and returns an updated copy, which is an ordinary dict."""
        out = self.copy()
        out.update(*args, **kwargs)
        return out

    def copy(self) -> dict[Any, Any]:
        """An ordinary dict with the same items."""
        return dict(self)

    @classmethod
    def fromkeys(cls, iterable: Iterable[K], value: V | None = None) -> frozendict:
        return cls(dict.fromkeys(iterable, value))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[frozendict], tuple[dict[Any, Any]]]:
        return type(self), (self.copy(),)
