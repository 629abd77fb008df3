# SPDX-License-Identifier: MIT
"""From what was written to settings that hold: overrides, unknown keys, defaults, checks.

All that is wrong is collected, so that one run shows it all.
"""

from __future__ import annotations

import os

from smisk.config.error import ConfigurationError, quoted
from smisk.config.keys import meant
from smisk.config.parser import Parser
from smisk.config.position import Path, Position, find

from .schema import LATER, SETTINGS
from .spot import Spot

__all__ = ["Draft", "resolve"]

ACCUMULATED = ("listen", "pythonpath", "trusted_proxies")
OF_APPLICATION = ("application", "logging")  # which reads the file itself


class Draft:
    """Values as they were written, with their positions, before anything is checked."""

    def __init__(self, values: dict[str, object], positions: dict[Path, Position]) -> None:
        self.values = values
        self.positions = positions
        self._overridden: set[str] = set()

    def override(self, origin: str, key: str, written: str) -> None:
        """Puts a setting from the command line in place. Lists grow with each; the file's list is replaced.

        Raises ConfigurationError when `written` is neither text nor a value of the dialect.
        """
        folder = os.getcwd()
        if "." in key or key in OF_APPLICATION:
            message = f"{quoted(key)} belongs to the application; it is set in the configuration file"
            raise ConfigurationError(message, origin)
        value, texts = _command_line_value(key, origin, written)
        if key in ACCUMULATED:
            value, texts = self._accumulate(key, value, texts)
        if key not in self._overridden:
            self._forget(key)
        self._overridden.add(key)
        self.values[key] = value
        for path, text in {(): "", **texts}.items():
            place = (key, *path)
            self.positions[place] = Position(origin, 0, folder, text)

    def _accumulate(self, key: str, value: object, texts: dict[Path, str]) -> tuple[object, dict[Path, str]]:
        """Puts `value`, an item or a list of them, behind the items that earlier options gave."""
        earlier = self.values[key] if key in self._overridden else []
        assert isinstance(earlier, list)
        if isinstance(value, (list, tuple)):
            shifted = {(len(earlier) + int(str(path[0])), *path[1:]): text for path, text in texts.items() if path}
            return [*earlier, *value], shifted
        return [*earlier, value], {(len(earlier), *path): text for path, text in texts.items()}

    def _forget(self, key: str) -> None:
        for path in [path for path in self.positions if path[0] == key]:
            del self.positions[path]


def _command_line_value(key: str, origin: str, written: str) -> tuple[object, dict[Path, str]]:
    """Reads a value as the dialect does; what does not look like it is text.

    Returns it, and how the numbers in it were written.
    """
    setting = SETTINGS.get(key)
    begins = written.lstrip()[:1]
    structured = begins in tuple("\"'[({")
    if setting is None or (setting.kind.textual and not (origin == "--set" and begins in ('"', "'"))):
        return written, {}
    if key in ACCUMULATED and not (origin == "--set" and structured):
        return written, {}
    parser = Parser(written, origin)
    try:
        value = parser.value()
    except ConfigurationError as error:
        if structured:
            raise ConfigurationError(f"{key}: {error.message}", origin) from None
        return written, {}
    return value, {path: position.text for path, position in parser.positions.items() if position.text}


def resolve(draft: Draft) -> tuple[dict[str, object], list[ConfigurationError]]:
    """Returns every setting that is given or has a default, resolved, and everything that is wrong."""
    errors = _unknown_keys(draft)
    settings: dict[str, object] = {}
    for key, setting in SETTINGS.items():
        value = draft.values.get(key)
        positions = draft.positions
        if value is None:
            if setting.default is None:
                continue
            value, positions = setting.default, {}
        try:
            settings[key] = setting.kind.check(value, Spot(key, (key,), positions))
        except ConfigurationError as error:
            errors.append(error)
    errors += _impossible(settings, draft.positions)
    if settings.get("autoreload"):
        _develop(settings, draft)
    if settings.get("workers") == "auto":
        settings["workers"] = len(os.sched_getaffinity(0))
    return settings, sorted(errors, key=lambda error: (error.origin, error.line))


def _develop(settings: dict[str, object], draft: Draft) -> None:
    """With `autoreload`: one worker and tracebacks unless said otherwise, and no long wait for what runs."""
    for key, value in (("workers", 1), ("show_traceback", True)):
        if key in settings and draft.values.get(key) is None:
            settings[key] = value
    timeouts = (settings.get("shutdown_timeout"), settings.get("autoreload_timeout"))
    settings["shutdown_timeout"] = min(timeout for timeout in timeouts if isinstance(timeout, int))


def _unknown_keys(draft: Draft) -> list[ConfigurationError]:
    errors = []
    for key, value in draft.values.items():
        near = meant(key)
        if key in SETTINGS or ("." in key and key not in LATER and near is None):
            continue
        position = find(draft.positions, (key,))
        if near is not None:
            errors.append(position.error(f'unknown key {quoted(key)}; did you mean "{near}"?'))
        elif key in LATER:
            errors.append(position.error(f"{key} is not available in this version"))
        else:
            errors.append(position.error(f"unknown key {quoted(key)}; {_hint(key, value)}"))
    return errors


def _hint(key: str, value: object) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key.lower().replace("-", "_"), [*SETTINGS, *LATER], 1)
    if near:
        return f'did you mean "{near[0]}"?'
    if isinstance(value, dict):
        return 'an application\'s own keys have a dot in their name (quoted as a whole) or stand in "application"'
    return 'an application\'s own keys have a dot in their name or stand in "application"'


def _impossible(settings: dict[str, object], positions: dict[Path, Position]) -> list[ConfigurationError]:
    """What is right by itself but not together."""
    errors = []
    pidfile = settings.get("pidfile")
    if pidfile is not None and pidfile == settings.get("error_log"):
        position = find(positions, ("pidfile",))
        errors.append(position.error(f"pidfile and error_log are the same file, {quoted(pidfile)}"))
    return errors
