# SPDX-License-Identifier: MIT
"""The same keys in a `.toml` file.

The standard reader gives values without lines; a second, simple look at the text finds where each key stands, which
is all that messages need. A key that the look does not find is reported on the line of the table around it.
"""

from __future__ import annotations

from .error import ConfigurationError, ConfigurationSyntaxError
from .parser import MAX_DEPTH
from .position import Path, Position

__all__ = ["parse_toml"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def parse_toml(text: str, origin: str = "", folder: str = "") -> tuple[dict[str, object], dict[Path, Position]]:
    """Reads `text` and returns its mapping, with the position of each key as far as it can be found.

    Raises ConfigurationSyntaxError, or ConfigurationError when this Python has no TOML reader.
    """
    loads = _reader(origin)
    try:
        values = loads(text.replace("\r\n", "\n"))
    except RecursionError:
        raise ConfigurationSyntaxError("too many levels of nesting", origin) from None
    except ValueError as error:
        message, line = _split_position(str(error))
        raise ConfigurationSyntaxError(message, origin, line or text.count("\n") + 1) from None
    if _depth(values) > MAX_DEPTH:
        raise ConfigurationSyntaxError(f"more than {MAX_DEPTH} levels of nesting", origin)
    return values, _Lines(origin, folder).scan(text)


def _reader(origin: str) -> Callable[[str], dict[str, object]]:
    for name in ("tomllib", "tomli"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        loads: Callable[[str], dict[str, object]] = module.loads
        return loads
    raise ConfigurationError("TOML needs Python 3.11, or the package tomli", origin)


def _depth(values: object) -> int:
    """How many containers stand in each other; counted without recursion."""
    depth = 0
    level = [values]
    while level:
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
    return depth - 1


def _split_position(message: str) -> tuple[str, int]:
    """Cuts `… (at line 3, column 5)` into the message and the line; 0 when there is none."""
    text, found, place = message.partition(" (at line ")
    digits = place.partition(",")[0]
    return (text[:1].lower() + text[1:], int(digits)) if found and digits.isdigit() else (text, 0)


class _Lines:
    """Finds the lines of keys: follows table headers and `key =` at line starts, skips multi-line strings."""

    def __init__(self, origin: str, folder: str) -> None:
        self._origin = origin
        self._folder = folder
        self._table: Path = ()
        self._counts: dict[Path, int] = {}
        self._positions: dict[Path, Position] = {}

    def scan(self, text: str) -> dict[Path, Position]:
        inside = ""
        for number, line in enumerate(text.split("\n"), 1):
            if not inside:
                self._line(line.strip(), number)
            for quotes in ('"""', "'''"):
                if inside in ("", quotes) and line.count(quotes) % 2:
                    inside = "" if inside else quotes
        return self._positions

    def _line(self, line: str, number: int) -> None:
        if line.startswith("[["):
            path = self._under(_key_path(line[2:])[0])
            self._counts[path] = self._counts.get(path, -1) + 1
            self._table = (*path, self._counts[path])
            self._note(path, number)
            self._note(self._table, number)
        elif line.startswith("["):
            self._table = self._under(_key_path(line[1:])[0])
            self._note(self._table, number)
        else:
            keys, rest = _key_path(line)
            if keys and rest.startswith("="):
                self._note((*self._table, *keys), number)

    def _under(self, keys: Path) -> Path:
        """Puts the running number behind each key that names an array of tables, except the last."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        return (*path, *keys[-1:])

    def _note(self, path: Path, number: int) -> None:
        for length in range(1, len(path) + 1):
            self._positions.setdefault(path[:length], Position(self._origin, number, self._folder))


def _key_path(text: str) -> tuple[Path, str]:
    """Takes a dotted key from the beginning of `text`. Returns its parts and the rest, without blanks between."""
    keys: list[str] = []
    while True:
        text = text.lstrip()
        quote = text[:1]
        if quote in ('"', "'"):
            end = text.find(quote, 1)
            if end < 0:
                return (), ""
            keys.append(text[1:end])
            text = text[end + 1 :].lstrip()
        else:
            end = 0
            while end < len(text) and (text[end].isalnum() or text[end] in "_-"):
                end += 1
            if not end:
                return (), text
            keys.append(text[:end])
            text = text[end:].lstrip()
        if not text.startswith("."):
            return tuple(keys), text
        text = text[1:]
