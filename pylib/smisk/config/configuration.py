# SPDX-License-Identifier: MIT
"""The configuration as an application sees it: one dict, made of defaults and of every source in order."""

from __future__ import annotations

from .source import MAX_INCLUDE_DEPTH, Source, merge, read_sources, read_string

__all__ = ["Configuration"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Filter: TypeAlias = Callable[["Configuration"], object]


class Configuration(dict[str, "Any"]):
    """A dict that remembers where its content comes from and can read it again.

    `sources` lists `(path, own values)` in the order in which they count; a string has the path `<string#0x…>`.
    `filters` are called with the configuration after every load and reload.
    """

    input_encoding = "utf-8"
    max_include_depth = MAX_INCLUDE_DEPTH

    def __init__(self, *args: Any, **defaults: Any) -> None:
        super().__init__(*args)
        self._sources: list[Source] = []
        self._strings: set[str] = set()
        self._defaults: dict[str, Any] = {}
        self.filters: list[Filter] = []
        if defaults:
            self.defaults = defaults

    @property
    def sources(self) -> list[tuple[str, dict[str, Any]]]:
        """The sources as `(path, own values)`, in the order in which they count."""
        return [(source.path, source.values) for source in self._sources]

    @property
    def defaults(self) -> dict[str, Any]:
        """What holds where no source says otherwise. Assigning reloads; TypeError for anything but a dict."""
        return self._defaults

    @defaults.setter
    def defaults(self, defaults: dict[str, Any]) -> None:
        if not isinstance(defaults, dict):
            raise TypeError("defaults must be a dict")
        self._defaults = defaults
        self.reload()

    def set_default(self, key: str, value: Any) -> None:
        """Sets one default and reloads."""
        self._defaults[key] = value
        self.reload()

    def g(self, *keys: Any, default: Any = None) -> Any:
        """Returns the value at the path `keys`, `default` when it does not exist.

        Raises TypeError when something on the way cannot hold a key.
        """
        value: Any = self
        try:
            for key in keys:
                value = value[key]
        except KeyError:
            return default
        return value

    def update(self, other: Mapping[str, Any]) -> None:  # type: ignore[override]  # one mapping, as it always was
        """Merges `other` in: mappings merge, everything else is replaced."""
        merge(self, other)

    def load(self, path: str) -> dict[str, Any]:
        """Loads one file with all that it includes. Returns its own values. Raises ConfigurationError."""
        sources = read_sources(path, self.max_include_depth, self.input_encoding)
        for source in sources:
            self._put(source)
        self.apply_filters()
        return next(source.values for source in sources if source.path == path)

    def loads(self, text: str) -> dict[str, Any]:
        """Loads a string; its directives are not followed. Returns its values. Raises ConfigurationError."""
        source = read_string(text, f"<string#0x{hash(text) & 0xFFFFFFFF:x}>")
        self._strings.add(source.path)
        self._put(source)
        self.apply_filters()
        return source.values

    def _put(self, source: Source) -> None:
        """Makes `source` the last one; replaces an earlier reading of it in its place."""
        for index, old in enumerate(self._sources):
            if old.path == source.path:
                self._sources[index] = source
                break
        else:
            self._sources.append(source)
        self.update(source.values)

    def reload(self) -> None:
        """Reads every file again, in order. When one cannot be read, ConfigurationError, and nothing has changed."""
        fresh = [self._read_again(source) for source in self._sources]
        self._sources = fresh
        self.clear()
        self.update(self._defaults)
        for source in fresh:
            self.update(source.values)
        self.apply_filters()

    def _read_again(self, source: Source) -> Source:
        if source.path in self._strings:
            return source
        return read_sources(source.path, 0, self.input_encoding)[0]

    def reset(self, reset_defaults: bool = True) -> None:
        """Forgets content, sources and filters, and the defaults unless told otherwise."""
        self.clear()
        self._sources.clear()
        self._strings.clear()
        self.filters.clear()
        if reset_defaults:
            self._defaults = {}

    def add_filter(self, function: Filter) -> None:
        """Has `function(configuration)` called after every load and reload; adding twice changes nothing."""
        if function not in self.filters:
            self.filters.append(function)

    def apply_filters(self) -> None:
        """Calls every filter, in the order in which they were added."""
        for function in self.filters:
            function(self)
