# SPDX-License-Identifier: MIT
"""The dicts of this process: one for each name and place, so that everybody who asks shares connections and files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["forget", "one_handle"]

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from .base import SharedDict

    Handle = TypeVar("Handle", bound=SharedDict)

_lock = threading.RLock()
_handles: dict[Hashable, tuple[Mapping[str, Any], Any]] = {}


def one_handle(place: Hashable, options: Mapping[str, Any], make: Callable[[], Handle]) -> Handle:
    """The handle for `place`, made on first use. Raises ValueError when it exists with other options."""
    with _lock:
        if place not in _handles:
            _handles[place] = (options, make())
        known, handle = _handles[place]
    for option, value in options.items():
        if known[option] != value:
            raise ValueError(f"{handle!r} is in use with {option}={known[option]!r}, not {value!r}")
    found: Handle = handle
    return found


def forget(handle: SharedDict) -> None:
    """Forgets a handle that was closed."""
    with _lock:
        for place, (_, known) in list(_handles.items()):
            if known is handle:
                del _handles[place]


def _renew() -> None:
    """A child forked while another thread held the lock would wait for it for ever."""
    global _lock
    _lock = threading.RLock()


def _register() -> None:
    import os

    os.register_at_fork(after_in_child=_renew)


_register()
