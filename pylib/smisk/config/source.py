# SPDX-License-Identifier: MIT
"""From a file's name to its values and those of all files that it includes.

One file gives a list of sources in the order in which they count: what a file inherits comes before its own values,
what it includes comes behind them. Merging is then `merge`, in that order. Limits: 16 MiB a file, `MAX_INCLUDE_DEPTH`
files deep, `MAX_FILES` files; a circle is an error.
"""

from __future__ import annotations

import os

from .error import ConfigurationFileError, ConfigurationSyntaxError, IncludeDepthError, printable, quoted, shown_path
from .parser import DIRECTIVES, NAMES, parse
from .position import Path, Position, find

__all__ = ["MAX_INCLUDE_DEPTH", "Source", "merge", "merged", "read_sources", "read_string"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_FILE_SIZE = 16 << 20
MAX_INCLUDE_DEPTH = 7
MAX_FILES = 1000


class Source:
    """One file's (or string's) own values, without the directives, and where each was written.

    `is_empty`: nothing stood there, not even a directive.
    """

    __slots__ = ("is_empty", "path", "positions", "values")

    def __init__(self, path: str, values: dict[str, object], positions: dict[Path, Position]) -> None:
        self.path = path
        self.values = values
        self.positions = positions
        self.is_empty = not values


def merge(target: dict[str, object], source: Mapping[str, object]) -> None:
    """Puts `source` into `target`: mappings are merged, everything else is replaced. No mapping or list is shared."""
    for key, value in source.items():
        if isinstance(value, dict):
            old = target.get(key)
            branch: dict[str, object] = old if isinstance(old, dict) else {}
            target[key] = branch
            merge(branch, value)
        else:
            target[key] = _copied(value)


def _copied(value: object) -> object:
    """`value`, of which what can be changed is new: who appends to a list of the result changes no source."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value


def read_string(text: str, origin: str = "", folder: str = "", names: Mapping[str, object] = NAMES) -> Source:
    """Reads a configuration from a string. Directives are taken out and not followed."""
    source = Source(origin, *parse(text, origin, folder, names))
    for name in DIRECTIVES:
        source.values.pop(name, None)
    return source


def read_sources(
    path: str,
    max_depth: int = MAX_INCLUDE_DEPTH,
    encoding: str = "utf-8",
    names: Mapping[str, object] = NAMES,
) -> list[Source]:
    """Reads the file `path` and everything it inherits and includes, in the order in which they count.

    With `max_depth` 0 directives are ignored. A path that ends in `.toml` is read as TOML; `names` are for all others,
    the words that stand for values. Raises ConfigurationError and its kinds.
    """
    return _Reader(max_depth, encoding, names).read(path, Position(""))


class _Reader:
    def __init__(self, max_depth: int, encoding: str, names: Mapping[str, object] = NAMES) -> None:
        self._max_depth = max_depth
        self._encoding = encoding
        self._names = names
        self._open: list[str] = []  # the real paths of the files that are being read
        self._count = 0

    def read(self, path: str, asked: Position) -> list[Source]:
        """Reads `path`, for which `asked` asked."""
        real = os.path.realpath(path)
        if real in self._open:
            circle = " → ".join(shown_path(p) for p in [*self._open[self._open.index(real) :], real])
            raise IncludeDepthError(f"files include each other in a circle: {circle}", asked.origin, asked.line)
        if self._max_depth and len(self._open) > self._max_depth:
            message = f"maximum include depth exceeded; at most {self._max_depth} files deep"
            raise IncludeDepthError(message, asked.origin, asked.line)
        self._count += 1
        if self._count > MAX_FILES:
            raise IncludeDepthError(f"more than {MAX_FILES} files included", asked.origin, asked.line)
        self._open.append(real)
        sources = self._follow(path, self._parse(path, asked))
        self._open.pop()
        return sources

    def _parse(self, path: str, asked: Position) -> Source:
        text = self._text(path, asked)
        origin = shown_path(path)
        folder = os.path.dirname(os.path.abspath(path))
        if path.endswith(".toml"):
            from .toml import parse_toml

            return Source(path, *parse_toml(text, origin, folder))
        return Source(path, *parse(text, origin, folder, self._names))

    def _text(self, path: str, asked: Position) -> str:
        data = self._data(path, asked)
        if len(data) > MAX_FILE_SIZE:
            raise ConfigurationFileError(f"larger than {MAX_FILE_SIZE >> 20} MiB", shown_path(path))
        try:
            return data.decode(self._encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"not valid {self._encoding.upper()}: byte 0x{data[error.start]:02x}"
            raise ConfigurationSyntaxError(message, shown_path(path), line) from None

    def _data(self, path: str, asked: Position) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(MAX_FILE_SIZE + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name"
            message = f"cannot read {quoted(shown_path(path))}: {reason}"
            raise ConfigurationFileError(message, asked.origin, asked.line) from None

    def _follow(self, path: str, source: Source) -> list[Source]:
        sources = [source]
        for name in DIRECTIVES:
            asked = source.values.pop(name, None)
            if not self._max_depth:
                continue
            followed: list[Source] = []
            for target, position in _targets(asked, (name,), source.positions):
                for each in _expand(os.path.dirname(path), target, position):
                    followed += self.read(each, position)
            sources = followed + sources if name == "@inherit" else sources + followed
        return sources


def _targets(value: object, path: Path, positions: dict[Path, Position]) -> Iterator[tuple[str, Position]]:
    """The file names in a directive's value, a string or lists of them; false items are skipped."""
    position = find(positions, path)
    if isinstance(value, str) and value:
        yield value, position
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _targets(item, (*path, index), positions)
    elif value:
        raise position.error(f"{printable(str(path[0]))} takes a file name or a list of them, not {quoted(value)}")


def _expand(folder: str, target: str, position: Position) -> list[str]:
    """The files that `target` names, relative to `folder`; a pattern without a match names none."""
    if "\0" in target:
        raise position.error("a file name cannot contain a NUL")
    if not _is_pattern(target):
        return [os.path.join(folder, target)]
    from glob import escape, glob

    pattern = os.path.join(escape(folder), target)
    return sorted(path for path in glob(pattern) if os.path.isfile(path))


def _is_pattern(target: str) -> bool:
    """Whether `target` has a wildcard; `GLOB_RE` of this package for who does not mind importing `re`."""
    return "*" in target or "?" in target or ("]" in target[target.find("[") + 2 :] and "[" in target)


def merged(sources: list[Source]) -> tuple[dict[str, object], dict[Path, Position]]:
    """Returns what `sources` say together, and where each value was written."""
    values: dict[str, object] = {}
    positions: dict[Path, Position] = {}
    for source in sources:
        merge(values, source.values)
        positions.update(source.positions)
    return values, positions
