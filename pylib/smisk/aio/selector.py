# SPDX-License-Identifier: MIT
"""The selector of the worker's loop: one epoll for the host's connections and for what Python watches.

`select()` makes turns of the host's engine, in which requests are served, and returns when Python has something to do.
The bookkeeping is that of `selectors`; the descriptors themselves lie in the host's epoll set.
"""

from __future__ import annotations

from collections.abc import Mapping
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["EngineSelector", "Poll"]


class Poll(Protocol):
    """What the host gives: its epoll set and its turns."""

    def watch(self, fd: int, events: int) -> None:
        """Watches a descriptor, or changes what it is watched for. Raises OSError, as epoll_ctl(2) does."""

    def forget(self, fd: int) -> None:
        """Ends that."""

    def select(self, timeout: float | None) -> list[tuple[int, int]]:
        """Makes turns until something is ready, Python has work of its own, or `timeout` seconds have passed."""

    def turn(self) -> int:
        """Makes one turn without waiting. Milliseconds until the engine wants the next one at the latest, -1: never."""

    def fileno(self) -> int:
        """The epoll descriptor: readable when a turn has something to do."""


class EngineSelector(BaseSelector):
    """A selector over the host's epoll set."""

    def __init__(self, poll: Poll) -> None:
        self._poll = poll
        self._keys: dict[int, SelectorKey] = {}

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> SelectorKey:
        _check(events)
        fd = self._descriptor(fileobj)
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        self._poll.watch(fd, events)
        key = self._keys[fd] = SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> SelectorKey:
        fd = self._descriptor(fileobj)
        key = self._keys.pop(fd, None)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        self._poll.forget(fd)
        return key

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> SelectorKey:
        _check(events)
        fd = self._descriptor(fileobj)
        key = self._keys.get(fd)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        if events != key.events:
            self._poll.watch(fd, events)
        key = self._keys[fd] = key._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = self._poll.select(timeout)
        if not ready:
            return []
        keys = self._keys
        return [(keys[fd], events & keys[fd].events) for fd, events in ready if fd in keys]

    def get_map(self) -> Mapping[FileDescriptorLike, SelectorKey]:
        return cast("Mapping[FileDescriptorLike, SelectorKey]", self._keys)

    def get_key(self, fileobj: FileDescriptorLike) -> SelectorKey:
        try:
            return self._keys[self._descriptor(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def close(self) -> None:
        for fd in self._keys:
            self._poll.forget(fd)
        self._keys.clear()

    def _descriptor(self, fileobj: FileDescriptorLike) -> int:
        """The descriptor of a file object; of one that was closed, the one it was registered with."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if fd >= 0:
            return fd
        for key in self._keys.values():
            if key.fileobj is fileobj:
                return key.fd
        raise ValueError(f"invalid file descriptor: {fd}")


def _check(events: int) -> None:
    if not events or events & ~(EVENT_READ | EVENT_WRITE):
        raise ValueError(f"invalid events: {events!r}")
