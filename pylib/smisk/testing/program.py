# SPDX-License-Identifier: MIT
"""Where `smiskd` is, and what it has to be told so that it serves what a test can import."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable

__all__ = ["SmiskdNotFoundError", "application_name", "find_smiskd", "own_folders", "virtual_environment"]

VARIABLE = "SMISKD"


class SmiskdNotFoundError(FileNotFoundError):
    """There is no smiskd; says where it was looked for."""


def find_smiskd(path: str | os.PathLike[str] | None = None) -> str:
    """The smiskd to run: `path`, the environment's SMISKD, beside the running Python, on PATH; the first that is given
    or found. Raises SmiskdNotFoundError.
    """
    for origin, given in (("smiskd=", path), (VARIABLE, os.environ.get(VARIABLE))):
        if given:
            if os.access(given, os.X_OK) and os.path.isfile(given):
                return os.fspath(given)
            raise SmiskdNotFoundError(f"{origin} names {os.fspath(given)}, which is no program")
    beside = dict.fromkeys((os.path.dirname(sys.executable), sysconfig.get_path("scripts")))
    found = shutil.which("smiskd", path=os.pathsep.join(beside)) or shutil.which("smiskd")
    if found is None:
        raise SmiskdNotFoundError(
            f"there is no smiskd beside the running Python ({', '.join(beside)}) and none on PATH: install smisk "
            f"into this environment, or name the program with {VARIABLE} or smiskd="
        )
    return found


def virtual_environment() -> str | None:
    """The environment that this Python runs in, so that smiskd takes the same; None where it is in none."""
    return sys.prefix if sys.prefix != sys.base_prefix else None


def own_folders() -> list[str]:
    """The folders that this process imports from beside Python's own and the installed packages."""
    paths = sysconfig.get_paths()
    places = {os.path.realpath(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders = (os.path.abspath(entry) for entry in sys.path)
    return list(dict.fromkeys(each for each in folders if os.path.isdir(each) and not _is_in(each, places)))


def _is_in(folder: str, places: Iterable[str]) -> bool:
    real = os.path.realpath(folder)
    return any(real == place or real.startswith(place + os.sep) for place in places)


def application_name(application: object) -> str:
    """The name by which smiskd finds `application`: a name stays as it is, a function or class is named by its file.

    TypeError for what only this process has: another process cannot import it.
    """
    if isinstance(application, (str, os.PathLike)):
        return os.fspath(application)
    name = getattr(application, "__qualname__", "")
    if not name or not all(part.isidentifier() for part in name.split(".")):
        what = f"{name} is within a function" if name else f"an instance of {type(application).__name__} has no name"
        raise TypeError(f"smiskd imports what it serves, and {what}: name it as module:attribute")
    module = sys.modules.get(getattr(application, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        raise TypeError(f"smiskd imports what it serves, and {name} comes from no file")
    return f"{os.path.abspath(file)}:{name}"
