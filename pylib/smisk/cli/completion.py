# SPDX-License-Identifier: MIT
"""`smisk completion SHELL`: a script that completes the command, made from the table of commands and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arguments import Parser
from .commands import COMMANDS
from .shells import SHELLS, Option, Subject

if TYPE_CHECKING:
    from argparse import Action, Namespace

    from .terminal import Terminal

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """What the command takes."""
    parser.add("shell", choices=tuple(SHELLS), metavar="SHELL", help=", ".join(SHELLS))
    parser.epilog = "\n".join(
        (
            "bash, in ~/.bashrc:           eval \"$(smisk completion bash)\"",
            "zsh, in ~/.zshrc:             eval \"$(smisk completion zsh)\"",
            "fish:                         smisk completion fish > ~/.config/fish/completions/smisk.fish",
        )
    )  # fmt: skip


def run(options: Namespace, terminal: Terminal) -> int:
    """Prints the script."""
    terminal.out.write(SHELLS[options.shell]([_subject(command.name) for command in COMMANDS]))
    return 0


def _subject(name: str) -> Subject:
    command = next(each for each in COMMANDS if each.name == name)
    parser = Parser(command.name, command.summary)
    command.load().arguments(parser)
    options, positional = [], Option((), "", "", takes=False)
    for action in parser.actions():
        option = _option(action, parser)
        if option.names:
            options.append(option)
        else:
            positional = option
    return Subject(command.name, command.summary, options, positional)


def _option(action: Action, parser: Parser) -> Option:
    words = parser.completions.get(action.dest, "")
    return Option(tuple(action.option_strings), action.help or "", words, takes=action.nargs != 0)
