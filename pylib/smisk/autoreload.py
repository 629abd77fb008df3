# SPDX-License-Identifier: MIT
"""Ends the process when a module changes, and reads the configuration again when that does.

This is what `smisk.autoreload` in an application's configuration means, for a server that starts ended processes again.
Under smiskd, `smiskd --reload` does more and better (see `smisk.reloading`): the old code answers until the new code
runs, templates count too, and an error is shown in the browser. Use one of the two.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from importlib import import_module

from smisk.config import ConfigurationError, config
from smisk.util.threads import Monitor

__all__ = ["Autoreloader", "is_wanted"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    Signature = tuple[int, int, int]

KEY = "smisk.autoreload"

log = logging.getLogger(__name__)


def is_wanted(what: str = "") -> bool:
    """Whether the configuration asks for `what`, "modules" or "config"; without it, for any of them."""
    if not what:
        return is_wanted("modules") or is_wanted("config")
    return bool(config.get(f"{KEY}.{what}", config.get(KEY, False)))


class Autoreloader(Monitor):
    """A thread that looks at files at intervals, from `start()` to `stop()`.

    `frequency`: seconds between two looks; `match`: a regular expression for the names of the modules that count, from
    their beginning, None: all. Subclasses and instances may replace `on_module_modified` and `on_config_modified`.
    """

    def __init__(self, frequency: float = 1, match: str | re.Pattern[str] | None = None) -> None:
        super().__init__(self.look, None, frequency)
        self.match = re.compile(match) if match is not None else None
        self._known: dict[str, Signature | None] = {}

    def start(self) -> None:
        """Starts looking. Files count as unchanged as they are now."""
        self._known = {}
        super().start()

    def look(self) -> None:
        """Looks at all files once, and tells the first change that it finds. First sight only remembers."""
        # A file that is gone is about to be written anew, or its configuration cannot be read without it anyway.
        files = [path for path in config.files if os.path.exists(path)] if is_wanted("config") else []
        if self._tell_first(files, self.on_config_modified):
            return
        if is_wanted("modules"):
            self._tell_first(_module_files(self.match), self.on_module_modified)

    def on_module_modified(self, path: str) -> None:
        """A module's file was changed or is gone: stops looking and ends the application."""
        log.info("%s was modified; ending", path)
        self.stop()
        import_module("smisk.core").app.exit()

    def on_config_modified(self, path: str) -> None:
        """A file of the configuration was changed: reads it again. What cannot be read leaves everything as it was."""
        log.info("%s was modified", path)
        try:
            config.reload()
        except ConfigurationError as error:
            log.error("the configuration stays as it was: %s", error)

    def _tell_first(self, paths: Iterable[str], tell: Callable[[str], object]) -> bool:
        """Calls `tell` with the first of `paths` that is not as it was; whether there was one."""
        for path in paths:
            state = _signature(path)
            if path not in self._known:
                self._known[path] = state
                continue
            before, self._known[path] = self._known[path], state
            if before is not None and before != state:
                tell(path)
                return True
        return False


def _signature(path: str) -> Signature | None:
    """What tells one state of a file from another; None when there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _module_files(match: re.Pattern[str] | None) -> Iterator[str]:
    """The files of the loaded modules whose names match: sources instead of bytecode, archives as a whole."""
    seen = set()
    for name, module in list(sys.modules.items()):
        if match is not None and not match.match(name):
            continue
        path = _file_of(module)
        if path is not None and path not in seen:
            seen.add(path)
            yield path


def _file_of(module: ModuleType | None) -> str | None:
    """The file that `module` comes from, None where there is none. Never raises, whatever stands in sys.modules."""
    try:
        names = object.__getattribute__(module, "__dict__")
        path = getattr(names.get("__loader__"), "archive", None) or names.get("__file__")
    except Exception:
        return None
    if not isinstance(path, str) or not path:
        return None
    return path[:-1] if path.endswith((".pyc", ".pyo")) else path
