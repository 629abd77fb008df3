# SPDX-License-Identifier: MIT
"""The table of subcommands. A new one is a line here and a module beside it.

Such a module has `arguments(parser)`, which says what it takes, and `run(options, terminal)`, which returns the exit
status, or raises CommandError.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from argparse import Namespace

    from .arguments import Parser
    from .terminal import Terminal

__all__ = ["COMMANDS", "Command", "CommandError", "Module"]


class CommandError(Exception):
    """A command cannot do what it was asked for. The message is for the terminal; `status` is the exit status."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


class Module(Protocol):
    """What a command's module has."""

    def arguments(self, parser: Parser) -> None:
        """Adds what the command takes."""

    def run(self, options: Namespace, terminal: Terminal) -> int:
        """Does it."""


class Command(NamedTuple):
    """One subcommand: its name, its module below smisk.cli, and what it does, in a few words."""

    name: str
    module: str
    summary: str

    def load(self) -> Module:
        """Imports the module."""
        return cast("Module", import_module(f".{self.module}", __package__))


COMMANDS = (
    Command("new", "new", "make a project: application, configuration, tests, deploy files"),
    Command("console", "console", "an interactive console with the application and a client at hand"),
    Command("config", "config", "print the settings that hold, and where each comes from"),
    Command("completion", "completion", "print what makes a shell complete the command"),
)
