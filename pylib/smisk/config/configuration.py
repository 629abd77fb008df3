# SPDX-License-Identifier: MIT
"""The configuration as an application sees it: one dict, made of defaults and of every source in order."""

from __future__ import annotations

import logging
import os

from .keys import meant
from .logs import configure_logging
from .masking import SECRET_NAMES, masked
from .parser import NAMES
from .position import Position, find
from .source import MAX_INCLUDE_DEPTH, Source, merge, read_sources, read_string

__all__ = ["Configuration"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, ClassVar, TypeAlias

    from .error import LoggingSettingError

    Filter: TypeAlias = Callable[["Configuration"], object]
    Symbols: TypeAlias = Mapping[str, object]

log = logging.getLogger("smisk.config")


class _Root:
    """What was asked for, a file or (with `text`) a string, and the sources that it led to when it was read last."""

    __slots__ = ("path", "sources", "symbols", "text")

    def __init__(self, path: str, symbols: Symbols | None, text: str | None = None) -> None:
        self.path = path
        self.symbols = dict(symbols or {})
        self.text = text
        self.sources: list[Source] = []

    def own(self) -> dict[str, Any]:
        """The values that stand in the file or string itself."""
        return next(source.values for source in self.sources if source.path == self.path)


class Configuration(dict[str, "Any"]):
    """A dict that remembers where its content comes from and can read it again.

    `sources` lists `(path, own values)` in the order in which they count; a string has the path `<string#0x…>`.
    `filters` are called with the configuration after every load and reload.

    For subclasses and instances: `default_symbols`, the words that stand for values; `filename_ext`, the end of the
    file names of named configurations; `logging_key`, where the settings of logging are, None: nowhere;
    `input_encoding`; `max_include_depth`, how many files deep, 0: directives are ignored; `secret_names`, the parts of
    keys whose values are not logged, in lower case.
    """

    default_symbols: ClassVar[dict[str, object]] = dict(NAMES)
    filename_ext = ".conf"
    logging_key: str | None = "logging"
    input_encoding = "utf-8"
    max_include_depth = MAX_INCLUDE_DEPTH
    secret_names: Collection[str] = SECRET_NAMES

    def __init__(self, *args: Any, **defaults: Any) -> None:
        super().__init__(*args)
        self._roots: list[_Root] = []
        self._sources: list[Source] = []
        self._defaults: dict[str, Any] = defaults
        self.filters: list[Filter] = []
        self.update(defaults)

    @property
    def sources(self) -> list[tuple[str, dict[str, Any]]]:
        """The sources as `(path, own values)`, in the order in which they count. Empty ones are left out."""
        return [(source.path, source.values) for source in self._sources if not source.is_empty]

    @property
    def files(self) -> list[str]:
        """The paths of all files that were read, the empty ones too."""
        roots = {root.path for root in self._roots if root.text is not None}
        return [source.path for source in self._sources if source.path not in roots]

    @property
    def defaults(self) -> dict[str, Any]:
        """What holds where no source says otherwise. Assigning reloads; TypeError for anything but a dict."""
        return self._defaults

    @defaults.setter
    def defaults(self, defaults: dict[str, Any]) -> None:
        self._defaults = _checked(defaults)
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

    def position(self, *keys: Any) -> Position:
        """Returns where the value at the path `keys` was written, or the nearest one around it."""
        for source in reversed(self._sources):
            if keys[:1] and (keys[0],) in source.positions:
                return find(source.positions, keys)
        return Position("")

    def update(self, other: Mapping[str, Any]) -> None:  # type: ignore[override]  # one mapping, as it always was
        """Merges `other` in: mappings merge, everything else is replaced."""
        merge(self, other)

    # Loading

    def __call__(
        self,
        name: str,
        defaults: dict[str, Any] | None = None,
        locations: Iterable[str] = (),
        symbols: Symbols | None = None,
        logging_key: str | None = None,
    ) -> list[str]:
        """Loads the configuration `name` from all places where it may be, and returns the files found, in order.

        Later ones count more: `config_locations`, `/etc/NAME/NAME.conf`, `./NAME.conf`, `./NAME-user.conf`,
        `~/NAME.conf`, and the folders `locations`. Raises ConfigurationError; what cannot be read changes nothing.
        """
        from smisk.config import config_locations

        from .lookup import named_paths

        log.info("loading named configuration %r", name)
        paths = named_paths(name, self.filename_ext, config_locations, locations)
        found = [path for path in paths if os.path.isfile(path)]
        roots = [self._read(_Root(path, symbols)) for path in found]
        if defaults is not None:
            self._defaults = _checked(defaults)
            self._rebuild()
        if logging_key is not None:
            self.logging_key = logging_key
        for root in roots:
            self._keep(root)
        if found:
            self._post_process()
        elif not self._roots:
            logging.basicConfig()
            log.warning("no configuration named %r was found", name)
        return found

    def load(self, path: str, symbols: Symbols | None = None, post_process: bool = True) -> dict[str, Any]:
        """Loads one file with all that it includes, and returns its own values.

        `symbols`: further words that stand for values, also in files that it includes; TOML has none. Raises
        ConfigurationError; what cannot be read changes nothing.
        """
        root = self._read(_Root(os.fspath(path), symbols))
        self._keep(root)
        if post_process:
            self._post_process()
        return root.own()

    def loads(self, string: str, symbols: Symbols | None = None, post_process: bool = True) -> dict[str, Any]:
        """Loads a string; its directives are not followed. Returns its values. Raises ConfigurationError."""
        root = self._read(_Root(f"<string#0x{hash(string) & (1 << 64) - 1:x}>", symbols, string))
        self._keep(root)
        if post_process:
            self._post_process()
        return root.own()

    def _read(self, root: _Root) -> _Root:
        """Reads what `root` names. Returns a root like it."""
        fresh = _Root(root.path, root.symbols, root.text)
        names = {**self.default_symbols, **root.symbols}
        if root.text is None:
            log.info("loading %s", root.path)
            fresh.sources = read_sources(root.path, self.max_include_depth, self.input_encoding, names)
        else:
            fresh.sources = [read_string(root.text, root.path, names=names)]
        return fresh

    def _keep(self, root: _Root) -> None:
        """Takes a root that was read, and its sources, in; each replaces an earlier reading of it in its place."""
        _put(self._roots, root)
        for source in root.sources:
            _put(self._sources, source)
            self.update(source.values)

    def reload(self) -> None:
        """Reads everything again, in order. When something cannot be read, ConfigurationError, and nothing has changed.

        What was put in by hand is gone afterwards.
        """
        log.info("reloading configuration")
        self._roots = [self._read(root) for root in self._roots]
        self._sources = []
        for root in self._roots:
            for source in root.sources:
                _put(self._sources, source)
        self._rebuild()
        self._post_process()

    def _rebuild(self) -> None:
        """Makes the content anew from defaults and sources. Other threads never miss a key that stays."""
        values: dict[str, Any] = {}
        for layer in (self._defaults, *(source.values for source in self._sources)):
            merge(values, layer)
        super().update(values)
        for key in [key for key in self if key not in values]:
            self.pop(key, None)

    def reset(self, reset_defaults: bool = True) -> None:
        """Forgets content, sources and filters, and the defaults unless told otherwise."""
        self.clear()
        self._roots.clear()
        self._sources.clear()
        self.filters.clear()
        if reset_defaults:
            self._defaults = {}

    # After loading

    def add_filter(self, function: Filter) -> None:
        """Has `function(configuration)` called after every load and reload; adding twice changes nothing."""
        if function not in self.filters:
            self.filters.append(function)

    def apply_filters(self) -> None:
        """Calls every filter, in the order in which they were added."""
        for function in self.filters:
            function(self)

    def _post_process(self) -> None:
        self._configure_logging()
        self._warn_of_slips()
        self.apply_filters()
        if log.isEnabledFor(logging.INFO):
            log.info("active configuration: %r", masked(dict(self), self.secret_names))

    def _configure_logging(self) -> None:
        key = self.logging_key
        if not key or key not in self:
            return
        if not isinstance(self[key], dict):
            log.warning("%s", self.position(key).error(f"{key} is not a mapping; logging stays as it is"))
            return
        from .error import LoggingSettingError

        try:
            configure_logging(self[key])
        except LoggingSettingError as error:
            raise self._located(error, key) from None

    def _located(self, error: LoggingSettingError, key: str) -> LoggingSettingError:
        place = self.position(key, *error.key.split("."))
        error.origin, error.line = place.origin, place.line
        return error

    def _warn_of_slips(self) -> None:
        for key in self:
            near = meant(key) if isinstance(key, str) else None
            if near is not None:
                log.warning("%s", self.position(key).error(f'unknown key "{key}"; did you mean "{near}"?'))


def _checked(defaults: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(defaults, dict):
        raise TypeError("defaults must be a dict")
    return defaults


def _put(entries: list[Any], entry: Any) -> None:
    """Puts a root or source at the end, or in the place of an earlier one of the same path."""
    for index, old in enumerate(entries):
        if old.path == entry.path:
            entries[index] = entry
            return
    entries.append(entry)
