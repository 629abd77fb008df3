# SPDX-License-Identifier: MIT
"""The configuration that holds, as smiskd would have it: the host's settings, the application's keys, and for each
where it comes from.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smisk.config.error import ConfigurationError, printable
from smisk.config.position import find
from smisk.config.source import merged, read_sources
from smisk.host_config.resolve import Draft, resolve
from smisk.host_config.schema import SETTINGS
from smisk.host_config.spot import Spot

from .commands import CommandError

if TYPE_CHECKING:
    from argparse import Namespace

    from .arguments import Parser

__all__ = ["Resolved", "add_arguments", "read"]

USUAL = "smisk.conf"
DEFAULT = "default"


class Resolved:
    """What holds. `path`: the file, None for none; `settings`: the host's, resolved; `values`: everything, as written."""

    def __init__(self, path: str | None, draft: Draft, settings: dict[str, object]) -> None:
        self.path = None if path is None else os.path.abspath(path)
        self.settings = settings
        self.values = draft.values
        self._positions = draft.positions

    def is_given(self, key: str) -> bool:
        """Whether the setting was written somewhere."""
        return self.values.get(key) is not None

    def origin(self, *path: object) -> str:
        """Where the value at that path was written: `smisk.conf:12`, `--set`, or `default`."""
        if not self.is_given(str(path[0])):
            return DEFAULT + self._because(str(path[0]))
        position = find(self._positions, path)
        where = f"{position.origin}:{position.line}" if position.line else position.origin
        return where + self._because(str(path[0]))

    def _because(self, key: str) -> str:
        """What else made the value what it is."""
        setting = SETTINGS.get(key)
        if setting is None or key not in self.settings:
            return ""
        written = self.values.get(key)
        positions = self._positions if written is not None else {}
        plain = setting.kind.check(setting.default if written is None else written, Spot(key, (key,), positions))
        if isinstance(plain, (list, dict)) or plain == self.settings[key]:
            return ""
        return " (auto)" if plain == "auto" else " (autoreload)"

    def own_keys(self) -> list[str]:
        """The application's own keys at the top level, those with a dot in their name."""
        return [key for key in self.values if key not in SETTINGS]


def add_arguments(parser: Parser) -> None:
    """What names a configuration: -c and --set."""
    parser.add(
        "-c", "--config", metavar="CONF", complete="file", help=f"the file; default: {USUAL} here, if there is one"
    )
    parser.add(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="any setting, as for smiskd"
    )


def read(options: Namespace, app: str | None = None) -> Resolved:
    """Reads and checks. CommandError with all that is wrong, as smiskd would say it."""
    path = options.config or (USUAL if os.path.exists(USUAL) and app is None else None)
    try:
        draft = Draft(*merged(read_sources(path) if path else []))
        for text in options.overrides:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise CommandError(f'--set wants KEY=VALUE, not "{text}"')
            draft.override("--set", key, value)
        if app is not None:
            draft.override("APP", "app", app)
        settings, errors = resolve(draft)
    except ConfigurationError as error:
        errors = [error]
    if errors:
        raise CommandError("the configuration is wrong\n" + "\n".join(printable(str(error)) for error in errors))
    return Resolved(path, draft, settings)
