# SPDX-License-Identifier: MIT
"""Lists without duplicates; dictionaries and lists merged into each other."""

from collections.abc import Iterable
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

# The others are asked for by name, so that a star import does not bring a function called `merge`.
__all__ = ["unique", "unique_wild"]


def unique_wild(seq: "Iterable[T]") -> "list[T]":
    """The items without duplicates, in any order. TypeError for what cannot be hashed."""
    return list(set(seq))


def unique(seq: "Iterable[T]") -> "list[T]":
    """The items without duplicates; they need not be hashable.

    Hashable ones keep their order and take linear time. Others are sorted, or, where they have no total order, compared
    with each other (quadratic time).
    """
    items = list(seq)
    try:
        return list(dict.fromkeys(items))
    except TypeError:
        pass
    return _unique_sorted(items) or _unique_compared(items)


def merge(a: "Any", b: "Any") -> "Any":
    """Adds `b` to the list or dict `a`, in place, and returns `a`. TypeError for anything else; see `merge_dict`."""
    if isinstance(a, list):
        a.extend(b)
        return a
    if isinstance(a, dict):
        return merge_dict(a, b)
    raise TypeError(f"first argument must be a list or a dict, not {type(a).__name__}")


def merge_dict(a: "dict[Any, Any]", b: "dict[Any, Any]", merge_lists: bool = True) -> "dict[Any, Any]":
    """Merges `b` into `a`, in place, and returns `a`.

    Dicts in both are merged in turn, lists in both are joined, or replaced if not `merge_lists`; else the value of `b`
    wins.
    """
    for key, value in b.items():
        own = a.get(key)
        if isinstance(own, dict) and isinstance(value, dict):
            merge_dict(own, value, merge_lists)
        elif merge_lists and isinstance(own, list) and isinstance(value, list):
            own.extend(value)
        else:
            a[key] = value
    return a


def merged(a: "Any", b: "Any") -> "Any":
    """As `merge`, into a new list, tuple or dict that shares no list or dict with `a` and `b`."""
    if isinstance(a, (list, tuple)):
        return type(a)((*_copy(list(a)), *_copy(list(b))))
    if isinstance(a, dict):
        return merged_dict(a, b)
    raise TypeError(f"first argument must be a list, a tuple or a dict, not {type(a).__name__}")


def merged_dict(a: "dict[Any, Any]", b: "dict[Any, Any]", merge_lists: bool = True) -> "dict[Any, Any]":
    """As `merge_dict`, into a new dict that shares no list or dict with `a` and `b`."""
    out: dict[Any, Any] = _copy(a)
    return merge_dict(out, _copy(b), merge_lists)


def _copy(value: "Any") -> "Any":
    """Lists and dicts copied to the bottom; everything else is shared."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _unique_sorted(items: "list[Any]") -> "list[Any]":
    """Duplicates lie side by side in what is sorted; an empty list where the items have no total order."""
    try:
        items = sorted(items)
        # Sets sort without an error and without order.
        if not all(one <= other for one, other in pairwise(items)):
            return []
    except TypeError:
        return []
    return [items[0], *(other for one, other in pairwise(items) if one != other)]


def _unique_compared(items: "list[Any]") -> "list[Any]":
    out: list[Any] = []
    for item in items:
        if item not in out:
            out.append(item)
    return out
