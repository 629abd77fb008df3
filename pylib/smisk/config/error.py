# SPDX-License-Identifier: MIT
"""What can be wrong with a configuration.

Every error knows where it stands: `origin` is the file as a person would name it (or the command-line option),
`line` counts from 1, 0 means "the whole of it". `str(error)` is the one line that is shown.
"""

from __future__ import annotations

import os

__all__ = [
    "ConfigurationError",
    "ConfigurationFileError",
    "ConfigurationSyntaxError",
    "IncludeDepthError",
    "LoggingSettingError",
    "printable",
    "quoted",
    "shown_path",
]

MAX_QUOTED = 60


class ConfigurationError(ValueError):
    """Something in a configuration is wrong; `str()` gives `origin:line: message`."""

    def __init__(self, message: str, origin: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.line = line

    def __str__(self) -> str:
        if not self.origin:
            return self.message
        where = f"{self.origin}:{self.line}" if self.line else self.origin
        return f"{where}: {self.message}"


class ConfigurationSyntaxError(ConfigurationError, SyntaxError):
    """The text is not in the dialect. `filename` and `lineno` are set as for Python's own SyntaxError."""

    def __init__(self, message: str, origin: str = "", line: int = 0) -> None:
        super().__init__(message, origin, line)
        self.msg = message
        self.filename = origin
        self.lineno = line


class ConfigurationFileError(ConfigurationError, OSError):
    """A file cannot be read."""


class IncludeDepthError(ConfigurationError, RuntimeError):
    """Files include each other too deeply, in a circle, or too many of them."""


class LoggingSettingError(ConfigurationError, KeyError):
    """A setting of logging is wrong; `key` names it. `str()` gives the message as for all of these errors."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"logging: {key} {message}")
        self.key = key


def printable(text: str) -> str:
    """`text` with everything that a terminal would not show as itself escaped, so that a message stays one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(value: object) -> str:
    """`value` as a message shows it: in the dialect's own spelling, short, on one line."""
    if isinstance(value, str):
        text = value if len(value) <= MAX_QUOTED else value[: MAX_QUOTED - 1] + "…"
        return f'"{printable(text)}"'
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, (int, float)):
        return repr(value) if abs(value) < 1e30 else "a huge number"
    return "a " + type(value).__name__


def shown_path(path: str) -> str:
    """`path` as a person would name it here: relative when it lies in the current folder, absolute otherwise."""
    try:
        folder = os.path.join(os.getcwd(), "")
        full = os.path.abspath(path)
    except OSError:
        return printable(path)
    return printable(full[len(folder) :] if full.startswith(folder) else full)
