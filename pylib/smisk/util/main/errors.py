# SPDX-License-Identifier: MIT
"""What happens to an exception that leaves the program: it is shown, and kept in a file."""

from __future__ import annotations

import os
import sys
import time
import traceback

from .configured import configured

__all__ = ["handle_errors_wrapper"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def handle_errors_wrapper(
    fnc: Callable[..., object],
    error_cb: Callable[[int], object] = sys.exit,
    abort_cb: Callable[[], object] | None = None,
    *args: object,
    **kwargs: object,
) -> object:
    """Returns `fnc(*args, **kwargs)`. An exception goes to stderr and to the emergency log; then `error_cb(1)`.

    KeyboardInterrupt calls `abort_cb()`, if there is one, and is no error; SystemExit passes. The log is
    `smisk.emergency_logfile` of the configuration, else `error.log` in SMISK_LOG_DIR, in SMISK_APP_DIR, or here.
    """
    try:
        return fnc(*args, **kwargs)
    except KeyboardInterrupt:
        return None if abort_cb is None else abort_cb()
    except Exception:
        _report(traceback.format_exc())
        return error_cb(1)


def _report(text: str) -> None:
    sys.stderr.write(text)
    path = _log_path()
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{now} [{os.getpid()}] {text}")
    except OSError as error:
        sys.stderr.write(f"Cannot write emergency log to {path}: {error.strerror}\n")
    else:
        sys.stderr.write(f"Wrote emergency log to {path}\n")


def _log_path() -> str:
    named = configured("smisk.emergency_logfile")
    if named:
        return str(named)
    folder = os.environ.get("SMISK_LOG_DIR") or os.environ.get("SMISK_APP_DIR") or "."
    return os.path.abspath(os.path.join(folder, "error.log"))
