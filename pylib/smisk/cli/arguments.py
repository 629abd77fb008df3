# SPDX-License-Identifier: MIT
"""The command line of one subcommand: argparse, with the nearest option named, and words for completion."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from .commands import CommandError

__all__ = ["Parser", "near"]


def near(name: str, candidates: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing."""
    found = get_close_matches(name, list(candidates), 1)
    return f'; did you mean "{found[0]}"?' if found else ""


class Parser(argparse.ArgumentParser):
    """Raises CommandError in place of leaving. `completions`: what completes an argument, by its name: "file",
    "folder", or words.
    """

    def __init__(self, command: str, summary: str) -> None:
        super().__init__(
            prog=f"smisk {command}",
            description=summary[:1].upper() + summary[1:] + ".",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.completions: dict[str, str | tuple[str, ...]] = {}

    def add(self, *names: str, complete: str | tuple[str, ...] = "", **more: Any) -> None:
        """Adds an argument, and what completes it."""
        action = self.add_argument(*names, **more)
        if complete:
            self.completions[action.dest] = complete
        elif action.choices is not None:
            self.completions[action.dest] = tuple(action.choices)

    def read(self, arguments: list[str]) -> argparse.Namespace:
        """Parses; CommandError for what it does not take. `-h` prints the help and leaves with SystemExit."""
        options, rest = self.parse_known_args(arguments)
        if rest:
            self._refuse(rest[0])
        return options

    def _refuse(self, argument: str) -> NoReturn:
        name = argument.partition("=")[0]
        if name.startswith("-"):
            self.error(f'there is no option "{name}"{near(name, self._option_string_actions)}')
        self.error(f'"{argument}" is too much')

    def error(self, message: str) -> NoReturn:
        """Raises what argparse would print."""
        raise CommandError(f"{message}\nTry `{self.prog} --help`.")

    def actions(self) -> list[argparse.Action]:
        """All arguments, in order; for completion."""
        return list(self._actions)
