# SPDX-License-Identifier: MIT
"""Where the application lies, and where programs do."""

from __future__ import annotations

import os
import sys

__all__ = ["find_program_path", "setup_appdir"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    T = TypeVar("T")


def setup_appdir(appdir: str | None = None) -> str:
    """Sets SMISK_APP_DIR, the absolute path of the application's folder, and returns it.

    It is `appdir`, else what the variable says already, else the folder of the program's file. Raises OSError
    (EnvironmentError) where there is none of them.
    """
    path = appdir or os.environ.get("SMISK_APP_DIR")
    if not path:
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        if not file:
            raise OSError("SMISK_APP_DIR is not set, and the program is no file whose folder could be taken")
        path = os.path.dirname(os.path.abspath(file))
    os.environ["SMISK_APP_DIR"] = os.path.abspath(path)
    return os.environ["SMISK_APP_DIR"]


def find_program_path(
    file: str, env: Mapping[str, str] | None = None, default: T | None = None, check_access: int = os.X_OK
) -> str | T | None:
    """Returns the path of the program `file` by the PATH of `env`; `default` when it is not there.

    `check_access`: what must be possible with it, as os.access() takes it.
    """
    if "/" in file:
        return file if _is_usable(file, check_access) else default
    search = (os.environ if env is None else env).get("PATH", os.defpath)
    paths = (os.path.join(folder or ".", file) for folder in search.split(os.pathsep))
    return next((path for path in paths if _is_usable(path, check_access)), default)


def _is_usable(path: str, access: int) -> bool:
    return os.path.isfile(path) and os.access(path, access)
