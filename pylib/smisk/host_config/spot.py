# SPDX-License-Identifier: MIT
"""The value that is being checked: its name for messages, where it stands, and a way to its parts."""

from __future__ import annotations

from smisk.config.error import ConfigurationError
from smisk.config.position import Path, Position, find

__all__ = ["Spot"]


class Spot:
    """One value's place in the configuration.

    `name` is how messages call it (`workers`, `listen[0].mode`); `position` is the nearest known place in the text.
    """

    __slots__ = ("_path", "_positions", "name")

    def __init__(self, name: str, path: Path, positions: dict[Path, Position]) -> None:
        self.name = name
        self._path = path
        self._positions = positions

    @property
    def position(self) -> Position:
        """Where the value was written."""
        return find(self._positions, self._path)

    def item(self, key: object) -> Spot:
        """Returns the spot of one part, named by its index or key."""
        name = f"{self.name}.{key}" if isinstance(key, str) else f"{self.name}[{key}]"
        return Spot(name, (*self._path, key), self._positions)

    def error(self, message: str) -> ConfigurationError:
        """Returns the error that says `message` about this value."""
        return self.position.error(f"{self.name} {message}")
