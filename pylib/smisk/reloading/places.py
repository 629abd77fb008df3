# SPDX-License-Identifier: MIT
"""Where an application's files are: its modules in `sys.modules`, and trees of folders.

The standard library and installed packages are no part of the application; a package in development, installed as a
link to its sources, is.
"""

from __future__ import annotations

import os
import sys

__all__ = ["Tree", "is_library", "module_files", "source_folders"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FOLDERS = 1000  # of one tree; somebody's home folder must not cost more
_STDLIB = tuple(
    {
        os.path.join(path, "")
        for path in (os.path.dirname(os.__file__), os.path.realpath(os.path.dirname(os.__file__)))
    }
)
_LIBRARY_PARTS = ("/site-packages/", "/dist-packages/")
_NO_FOLDERS = ("__pycache__", "node_modules")
_TEMPLATE_SUFFIXES = (".html", ".jinja", ".jinja2", ".j2", ".mako")


def is_library(path: str) -> bool:
    """Whether a file or folder belongs to Python itself or to an installed package."""
    path = os.path.join(path, "")
    return path.startswith(_STDLIB) or any(part in path for part in _LIBRARY_PARTS)


def module_files(seen: set[str]) -> set[str]:
    """The files of the application's modules whose names are not yet in `seen`; puts these names there.

    Never raises, whatever stands in sys.modules.
    """
    files = set()
    for name, module in list(sys.modules.items()):
        if name in seen:
            continue
        seen.add(name)
        try:
            file = object.__getattribute__(module, "__dict__").get("__file__")
        except Exception:
            continue
        if isinstance(file, str) and os.path.isabs(file) and not is_library(file):
            files.add(file)
    return files


def source_folders() -> set[str]:
    """The folders that the application's modules are imported from."""
    folders = (os.path.abspath(path) for path in sys.path if isinstance(path, str))
    return {folder for folder in folders if os.path.isdir(folder) and not is_library(folder)}


def _is_noise(name: str) -> bool:
    """Hidden files, and what editors leave beside the file that they write."""
    return name.startswith((".", "#")) or name.endswith("~")


class _Folder:
    """One folder as it was listed last; None for `mtime` when it is not there."""

    __slots__ = ("files", "folders", "mtime")

    def __init__(self, path: str, mtime: int) -> None:
        self.mtime = mtime
        self.files: list[str] = []
        self.folders: list[str] = []
        names: dict[str, bool] = {}
        try:
            with os.scandir(path) as entries:
                names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except OSError:
            return
        if "pyvenv.cfg" in names:
            return
        for name in sorted(names):
            if _is_noise(name) or name in _NO_FOLDERS:
                continue
            (self.folders if names[name] else self.files).append(os.path.join(path, name))


class Tree:
    """The files below a folder that count: templates, or with `everything` all of them.

    Templates are all files in folders named `templates`, and elsewhere those whose suffix says so. A folder is listed
    again only when something was added or taken away there.
    """

    def __init__(self, root: str, everything: bool = False) -> None:
        self.root = root
        self._everything = everything or os.path.basename(root) == "templates"
        self._folders: dict[str, _Folder] = {}

    def files(self, suffixes: tuple[str, ...] = ()) -> Iterator[str]:
        """Yields the files that are there now; with `suffixes` those that end so as well."""
        suffixes = _TEMPLATE_SUFFIXES + suffixes
        seen: dict[str, _Folder] = {}
        waiting = [(self.root, self._everything)]
        while waiting and len(seen) < MAX_FOLDERS:
            path, everything = waiting.pop(0)
            folder = self._listed(path)
            if folder is None:
                continue
            seen[path] = folder
            yield from (file for file in folder.files if everything or file.endswith(suffixes))
            waiting += [(inner, everything or inner.endswith("/templates")) for inner in folder.folders]
        self._folders = seen

    def _listed(self, path: str) -> _Folder | None:
        try:
            mtime = os.stat(path).st_mtime_ns
        except OSError:
            return None
        known = self._folders.get(path)
        return known if known is not None and known.mtime == mtime else _Folder(path, mtime)
