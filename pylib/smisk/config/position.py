# SPDX-License-Identifier: MIT
"""Where each value of a configuration was written.

Values stay plain dicts, lists and scalars; beside them goes a table from the value's path (`("listen", 0, "mode")`)
to its position. Because a later source overwrites the positions of all values that it replaces, merging two tables
is `dict.update`.
"""

from __future__ import annotations

from .error import ConfigurationError

__all__ = ["Path", "Position", "find"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

Path: TypeAlias = "tuple[object, ...]"


class Position:
    """One place in one source.

    `origin`: the file as shown to people, or the command-line option; `line`: from 1, 0 for none; `folder`: what
    relative paths are relative to; `text`: a number as it was written (`0660` and `432` are one value but two
    intentions), empty for everything else.
    """

    __slots__ = ("folder", "line", "origin", "text")

    def __init__(self, origin: str, line: int = 0, folder: str = "", text: str = "") -> None:
        self.origin = origin
        self.line = line
        self.folder = folder
        self.text = text

    def __repr__(self) -> str:
        return f"Position({self.origin!r}, {self.line})"

    def error(self, message: str) -> ConfigurationError:
        """Returns the error that says `message` about this place."""
        return ConfigurationError(message, self.origin, self.line)


def find(positions: dict[Path, Position], path: Path) -> Position:
    """Returns the position of `path`, or of the nearest value around it that has one."""
    while path:
        position = positions.get(path)
        if position is not None:
            return position
        path = path[:-1]
    return positions.get(()) or Position("")
