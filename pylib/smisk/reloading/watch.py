# SPDX-License-Identifier: MIT
"""What is watched, and what has changed since the last look. No thread, no clock: `scan` is all there is.

Watched are the files of the application's modules as they are imported, the configuration, templates, and what the
user names. While the newest code does not run, every source in the application's folders counts too: the file that
would mend it may be one that this process never imported.
"""

from __future__ import annotations

import os
import re
import sys
from glob import glob
from heapq import nlargest

from .places import Tree, is_library, module_files, source_folders

__all__ = ["Failure", "Watch"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Signature: TypeAlias = tuple[int, int, int]

_TRACE = re.compile(r'^\s*File "([^"\n]+)", line \d+', re.MULTILINE)
_SOURCES = (".py",)
N_LATEST = 25


def _signature(path: str) -> Signature | None:
    """What tells one state of a file from another; None when there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if status.st_mode & 0o170000 == 0o040000:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Failure:
    """Why the newest code does not run, as the host keeps it in the file `fd`; -1: nobody keeps it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def stamp(self) -> int:
        """When it was written, in nanoseconds since 1970; 0 when there is none."""
        if self._fd < 0:
            return 0
        status = os.fstat(self._fd)
        return status.st_mtime_ns if status.st_size else 0

    def files(self) -> set[str]:
        """The application's files in its tracebacks."""
        text = os.pread(self._fd, 1 << 16, 0).decode("utf-8", "replace") if self._fd >= 0 else ""
        return {path for path in _TRACE.findall(text) if os.path.isabs(path) and not is_library(path)}


class Watch:
    """All watched files with their last state. `files` and `paths` are absolute; paths may be folders or patterns."""

    def __init__(self, files: Iterable[str] = (), paths: Iterable[str] = (), failure: Failure | None = None) -> None:
        paths = list(paths)
        self._failure = failure or Failure(-1)
        self._stamp = 0
        self._modules: set[str] = set()
        self._n_modules = 0
        self._patterns = [path for path in paths if any(c in path for c in "*?[")]
        plain = [path for path in paths if path not in self._patterns]
        self._fixed = {*files, *plain}
        self._trees = {path: Tree(path, everything=True) for path in plain}
        self._sources: dict[str, Tree] = {}
        # Trees and patterns, each with further suffixes, whose files were all seen once: what they list now is new.
        self._listed: set[tuple[str, tuple[str, ...]]] = set()
        self._known: dict[str, Signature | None] = {}
        self._latest: list[str] = []
        self._plant(os.path.join(os.getcwd(), "templates"))
        self.scan()

    @property
    def folders(self) -> set[str]:
        """The folders in which something is watched now."""
        return {os.path.dirname(path) for path in self._known}

    def is_touched(self) -> bool:
        """Whether a look is worth while: one of the files that were written last has changed, or the failure has.

        Most changes are to those; much cheaper than a look.
        """
        return self.has_failed() or any(_signature(path) != self._known[path] for path in self._latest)

    def has_failed(self) -> bool:
        """Whether the failure is another one than at the last look."""
        return self._failure.stamp() != self._stamp

    def meet(self) -> bool:
        """Takes note of modules that were imported since the last look, as they are now. Whether there are any."""
        fresh = self._find_modules()
        self._known |= {path: _signature(path) for path in fresh}
        if fresh:
            self._latest = []  # found anew by the next look
        return bool(fresh)

    def scan(self) -> list[str]:
        """Returns the watched files that were changed, added or removed since the last look, sorted."""
        self.meet()
        since = self._find_failure()
        now: dict[str, Signature | None] = {}
        changed: list[str] = []
        for path, is_new in self._watched():
            if path in now:
                continue
            state = now[path] = _signature(path)
            if path in self._known:
                if state != self._known[path]:
                    changed.append(path)
            elif state is not None and (is_new or (since and state[0] >= since)):
                changed.append(path)
        changed += [p for p, old in self._known.items() if p not in now and old is not None and not os.path.exists(p)]
        if changed or len(now) != len(self._known) or not self._latest:
            self._latest = nlargest(N_LATEST, now, key=lambda path: now[path] or (0, 0, 0))
        self._known = now
        return sorted(changed)

    def _find_modules(self) -> set[str]:
        if len(sys.modules) == self._n_modules:
            return set()
        self._n_modules = len(sys.modules)
        fresh = module_files(self._modules) - self._fixed
        self._fixed |= fresh
        for path in fresh:
            folder = os.path.dirname(path)
            self._plant(folder)
            self._plant(os.path.join(os.path.dirname(folder), "templates"))
        return fresh

    def _plant(self, root: str) -> None:
        """Watches the templates below `root`, unless they are watched already."""
        above = root
        while above not in self._trees and os.path.dirname(above) != above:
            above = os.path.dirname(above)
        if above not in self._trees:
            self._trees[root] = Tree(root)

    def _find_failure(self) -> int:
        """Returns the time of a failure that is new, else 0."""
        stamp = self._failure.stamp()
        is_new = stamp not in (0, self._stamp)
        self._stamp = stamp
        if is_new:
            self._fixed |= self._failure.files()
            self._sources = {root: self._sources.get(root) or Tree(root) for root in source_folders()}
        return stamp if is_new else 0

    def _watched(self) -> list[tuple[str, bool]]:
        """All watched files, and of each whether it would be a new one if it was not known."""
        suffixes = _SOURCES if self._stamp else ()
        watched = [(path, False) for path in self._fixed]
        lists = [(root, tree.files(suffixes)) for root, tree in self._trees.items()]
        if self._stamp:
            lists += [(f"{root} sources", tree.files(suffixes)) for root, tree in self._sources.items()]
        lists += [(pattern, iter(glob(pattern, recursive=True))) for pattern in self._patterns]
        for name, files in lists:
            watched += [(path, (name, suffixes) in self._listed) for path in files]
            self._listed.add((name, suffixes))
        if not suffixes:
            self._listed = {seen for seen in self._listed if not seen[1]}
        return watched
