# SPDX-License-Identifier: MIT
"""The thread that looks: at once when the package watchfiles says that something moved, else at intervals.

What has changed is always found by `Watch.scan`; watchfiles, where it is installed, only says when to look. Without
it, the time between two looks is a multiple of what a look costs, so that looking takes a small and fixed share of one
processor; the files that were written last are looked at more often.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from importlib import import_module
from importlib.util import cache_from_source

from .watch import Failure, Watch

__all__ = ["Watcher", "start"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

TICK = 0.1  # seconds between two looks at what may be new
SHARE = 200  # a look every SHARE times what it costs: half a percent of a processor
LONGEST = 5.0  # seconds between two looks, at most
SAFETY = 2.0  # ... where watchfiles says when: some file systems tell nothing
SETTLE = 0.05  # seconds without another change that end a burst of them
MAX_SETTLES = 40


class Watcher(threading.Thread):
    """Calls `tell(text)` in its thread after each burst of changes, until `stop`."""

    def __init__(self, watch: Watch, tell: Callable[[str], object]) -> None:
        super().__init__(name="smiskd-watcher", daemon=True)
        self._watch = watch
        self._tell = tell
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # of the watch and of what follows
        self._pending: list[str] = []

    def look(self) -> None:
        """Takes note of everything as it is now, for any thread; what has changed is told by ours."""
        with self._lock:
            self._pending += self._watch.scan()

    def stop(self) -> None:
        """Ends the thread and waits for its end."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        library = _library()
        while not self._stopping.is_set():
            if library is None:
                self._look_at_intervals()
            else:
                try:
                    self._look_when_told(library)
                except Exception:
                    library = None  # out of inotify watches, for one: looking at intervals always works

    def _look_at_intervals(self) -> None:
        due = 0.0
        while not self._stopping.wait(TICK):
            self._meet()
            if time.monotonic() >= due or self._watch.is_touched():
                due = time.monotonic() + self._tell_changes()

    def _look_when_told(self, library: Any) -> None:
        """Until the folders are others than those that were given to the library."""
        folders = self._watch.folders
        there = [folder for folder in folders if os.path.isdir(folder)]
        if not there:
            self._stopping.wait(TICK)
            self._tell_changes()
            return
        due = time.monotonic() + SAFETY
        told = library.watch(
            *there,
            watch_filter=None,
            debounce=50,
            step=50,
            stop_event=self._stopping,
            rust_timeout=int(TICK * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        for moved in told:
            is_met = self._meet()
            if moved or self._watch.has_failed() or time.monotonic() >= due:
                due = time.monotonic() + max(self._tell_changes(), SAFETY)
                is_met = True
            if is_met and self._watch.folders != folders:
                break

    def _meet(self) -> bool:
        with self._lock:
            return self._watch.meet()

    def _take(self) -> list[str]:
        self.look()
        with self._lock:
            taken, self._pending = self._pending, []
        return taken

    def _tell_changes(self) -> float:
        """Looks, and tells what has changed when the burst is over. Returns how long to wait before the next look."""
        before = time.thread_time()
        names = dict.fromkeys(self._take())
        pause = min((time.thread_time() - before) * SHARE, LONGEST)
        if not names:
            return pause
        for _ in range(MAX_SETTLES):
            if self._stopping.wait(SETTLE):
                return pause
            more = self._take()
            if not more:
                break
            names |= dict.fromkeys(more)
        _drop_bytecode(names)
        self._tell(_sentence([*names]))
        return pause


def _drop_bytecode(paths: Iterable[str]) -> None:
    """Python knows stale bytecode by the source's size and its time in whole seconds: too coarse for quick changes."""
    for path in paths:
        if path.endswith(".py"):
            with suppress(OSError, NotImplementedError):
                os.unlink(cache_from_source(path))


def _sentence(paths: list[str]) -> str:
    here = os.path.join(os.getcwd(), "")
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0].removeprefix(here)}{more} changed"


def _library() -> Any:
    try:
        watchfiles = import_module("watchfiles")
    except Exception:
        return None
    import logging

    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    return watchfiles


def start(tell: Callable[[str], object], failure_fd: int, files: Iterable[str], paths: Iterable[str]) -> Watcher:
    """Watches from now on; what is imported later is watched too. See Watch and Watcher."""
    watcher = Watcher(Watch(files, paths, Failure(failure_fd)), tell)
    watcher.start()
    return watcher
