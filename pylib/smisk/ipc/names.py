# SPDX-License-Identifier: MIT
"""How the processes of one application find the same dict: its name, and the folder for it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
from urllib.parse import quote

__all__ = ["MAX_NAME", "app_path", "app_shared_key", "default_folder", "file_name"]

MAX_NAME = 200
KEY_DIGITS = 32


def app_path() -> str:
    """The absolute path of the application: of the main program or, below `smiskd`, of the module that it serves.

    Where neither has a file (an interactive console), the current folder.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None) or _served_file()
    return os.path.abspath(path or os.getcwd())


def _served_file() -> str | None:
    """The file of the module that `smiskd` serves: it names the application, `module:attribute`, in argv."""
    word = re.match(r"[\w.]+", sys.argv[0] if sys.argv else "")
    module = sys.modules.get(word.group()) if word else None
    return getattr(module, "__file__", None)


def app_shared_key() -> str:
    """A name that is the same in every process of this application: its base name and a digest of its path.

    The digest is the first 128 bits of the SHA-256 of `app_path()` as 32 hexadecimal digits. A package is named after
    its folder.
    """
    path = app_path()
    name = os.path.splitext(os.path.basename(path))[0]
    if name in ("__init__", "__main__"):
        name = os.path.basename(os.path.dirname(path))
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:KEY_DIGITS]
    return f"{name}_{digest}"


def file_name(name: str) -> str:
    """`name` as one part of a path or key: what is not a letter, digit or `_.-~` is percent-encoded.

    Raises TypeError when it is not a str, ValueError when it is empty or longer than `MAX_NAME` bytes once encoded.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a shared dict must be a str, not {type(name).__name__}")
    encoded = quote(name, safe="", errors="surrogateescape")
    if not 0 < len(encoded) <= MAX_NAME:
        raise ValueError(f"the name of a shared dict must have 1 to {MAX_NAME} characters")
    return encoded


def default_folder(name: str) -> str:
    """`<runtime or temporary folder>/<name>.ipc`.

    The runtime folder is systemd's for the service, or the user's; each counts if it is this user's own.
    """
    service = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    for folder in (service, os.environ.get("XDG_RUNTIME_DIR", "")):
        if folder and _is_own(folder):
            break
    else:
        folder = tempfile.gettempdir()
    return os.path.join(folder, f"{file_name(name)}.ipc")


def _is_own(folder: str) -> bool:
    try:
        status = os.stat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and os.access(folder, os.W_OK)
