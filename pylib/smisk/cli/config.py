# SPDX-License-Identifier: MIT
"""`smisk config`: what holds, in the dialect of smisk.conf, with where each value comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from smisk.config.masking import masked
from smisk.host_config.schema import SETTINGS

from .arguments import near
from .commands import CommandError
from .dialect import written, written_setting
from .resolved import Resolved, add_arguments, read

if TYPE_CHECKING:
    from argparse import Namespace

    from .arguments import Parser
    from .terminal import Terminal

__all__ = ["arguments", "run"]

WIDTH = 40


def arguments(parser: Parser) -> None:
    """What the command takes."""
    add_arguments(parser)
    parser.add("--given", action="store_true", help="only what is written somewhere, no defaults")
    parser.add("--value", action="store_true", help="only the value of KEY, for scripts: text without quotes")
    parser.add("--show-secrets", action="store_true", help="print passwords, tokens and keys too")
    parser.add(
        "key",
        nargs="?",
        metavar="KEY",
        complete=tuple(SETTINGS),
        help="one setting; a path with dots leads into mappings: application.shop.name",
    )
    parser.epilog = "Exit status: 0 fine; 1 there is no such key; 2 the configuration is wrong."


def run(options: Namespace, terminal: Terminal) -> int:
    """Prints it."""
    resolved = read(options)
    printer = Printer(resolved, terminal, options.show_secrets)
    if options.key is not None:
        path = _find(resolved, options.key)
        if options.value:
            terminal.say(printer.plain(path))
        else:
            printer.line(path)
        return 0
    if options.value:
        raise CommandError("--value wants a KEY")
    for key in [*SETTINGS, *resolved.own_keys()]:
        if resolved.is_given(key) or (key in resolved.settings and not options.given):
            printer.line((key,))
    return 0


class Printer:
    """Writes settings, each on a line that could stand in smisk.conf, with its origin as a comment."""

    def __init__(self, resolved: Resolved, terminal: Terminal, shows_secrets: bool) -> None:
        self._resolved = resolved
        self._terminal = terminal
        self._shows_secrets = shows_secrets

    def line(self, path: tuple[object, ...]) -> None:
        """One setting; a mapping takes a line for each of its keys."""
        value = self._value(path)
        name = ".".join(map(str, path)) if len(path) > 1 else str(path[0])
        key = written(name) if "." in name else name
        if isinstance(value, dict) and value:
            self._terminal.say(f"{self._terminal.paint(key, 'cyan')}: {{")
            self._branch(path, value, "  ")
            self._terminal.say("},")
        else:
            self._print(key, self._text(path, value), path, "")

    def _branch(self, path: tuple[object, ...], branch: dict[object, object], indent: str) -> None:
        for name, value in branch.items():
            place = (*path, name)
            if isinstance(value, dict) and value:
                self._terminal.say(f"{indent}{self._terminal.paint(written(name), 'cyan')}: {{")
                self._branch(place, value, indent + "  ")
                self._terminal.say(f"{indent}}},")
            else:
                self._print(written(name), written(value), place, indent)

    def _print(self, key: str, text: str, path: tuple[object, ...], indent: str) -> None:
        line = f"{indent}{key}: {text},"
        gap = " " * max(WIDTH - len(line), 1)
        shown = f"{indent}{self._terminal.paint(key, 'cyan')}: {text},"
        self._terminal.say(f"{shown}{gap}{self._terminal.paint('# ' + self._resolved.origin(*path), 'dim')}")

    def plain(self, path: tuple[object, ...]) -> str:
        """The value alone; text as it is."""
        value = self._value(path)
        return value if isinstance(value, str) else self._text(path, value)

    def _value(self, path: tuple[object, ...]) -> object:
        key = str(path[0])
        value = self._resolved.settings.get(key) if key in SETTINGS else self._resolved.values.get(key)
        for name in path[1:]:
            assert isinstance(value, dict)
            value = value[name]
        if self._shows_secrets:
            return value
        if path == ("app",):
            return _without_arguments(value)
        # Any name on the way may say that what is below it is secret.
        for name in reversed(path):
            value = masked({name: value})
            assert isinstance(value, dict)
            value = value[name]
        return value

    def _text(self, path: tuple[object, ...], value: object) -> str:
        setting = SETTINGS.get(str(path[0])) if len(path) == 1 else None
        return written_setting(value, setting.kind) if setting is not None and value is not None else written(value)


def _without_arguments(app: object) -> object:
    """What a factory is called with may be secret."""
    match = re.fullmatch(r"(?P<name>.*?:[\w.]+)\(.+\)", app, re.DOTALL) if isinstance(app, str) else None
    return app if match is None else match["name"] + "(…)"


def _find(resolved: Resolved, wanted: str) -> tuple[object, ...]:
    """The path that a person's KEY names. CommandError, status 1, for none."""
    if wanted in SETTINGS or wanted in resolved.values:
        return (wanted,)
    words = wanted.split(".")
    for count in range(len(words) - 1, 0, -1):
        key = ".".join(words[:count])
        path = _within(resolved.values.get(key), words[count:])
        if path is not None:
            return (key, *path)
    known = [*SETTINGS, *resolved.own_keys()]
    raise CommandError(f'there is no setting "{wanted}"{near(wanted, known)}', 1)


def _within(value: object, words: list[str]) -> tuple[object, ...] | None:
    """The way down into mappings, whose keys may have dots in them as well."""
    if not words:
        return ()
    if not isinstance(value, dict):
        return None
    for count in range(len(words), 0, -1):
        name = ".".join(words[:count])
        for key, inner in value.items():
            rest = _within(inner, words[count:]) if str(key) == name else None
            if rest is not None:
                return (key, *rest)
    return None
