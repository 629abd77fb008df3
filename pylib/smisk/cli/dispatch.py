# SPDX-License-Identifier: MIT
"""From the command line to the command."""

from __future__ import annotations

import os
import platform
import sys

from .arguments import Parser, near
from .commands import COMMANDS, Command, CommandError
from .terminal import Terminal

__all__ = ["dispatch"]


def dispatch(arguments: list[str] | None = None, terminal: Terminal | None = None) -> int:
    """Runs what `arguments` (None: those of the process) ask for. Returns the exit status; 2 for a wrong command line."""
    terminal = terminal or Terminal()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments, terminal)
    except CommandError as error:
        terminal.complain(f"smisk: {error}")
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has gone; nor shall the interpreter complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(arguments: list[str], terminal: Terminal) -> int:
    if not arguments:
        terminal.err.write(_help(terminal))
        return 2
    first, *rest = arguments
    if first in ("-h", "--help", "help"):
        if rest and first == "help":
            return _run([rest[0], "--help"], terminal)
        terminal.out.write(_help(terminal))
        return 0
    if first in ("-V", "--version"):
        terminal.say(_version())
        return 0
    command = _find(first)
    module = command.load()
    parser = Parser(command.name, command.summary)
    module.arguments(parser)
    try:
        options = parser.read(rest)
    except SystemExit:  # --help
        return 0
    return module.run(options, terminal)


def _find(name: str) -> Command:
    for command in COMMANDS:
        if command.name == name:
            return command
    if name.startswith("-"):
        hint = near(name, ("--help", "--version"))
        raise CommandError(
            f'there is no option "{name}"{hint}\nOptions of a command stand behind it. Try `smisk --help`.'
        )
    hint = near(name, (command.name for command in COMMANDS))
    raise CommandError(f'there is no command "{name}"{hint}\nTry `smisk --help`.')


def _version() -> str:
    try:
        from _smisk import __version__ as version
    except ImportError:
        from importlib.metadata import version as version_of

        version = version_of("smisk")
    return f"smisk {version} (Python {platform.python_version()})"


def _help(terminal: Terminal) -> str:
    lines = [f"Usage: {terminal.paint('smisk COMMAND', 'bold')} [arguments]", ""]
    lines += [f"  {terminal.paint(f'{each.name:<12}', 'cyan')} {each.summary}" for each in COMMANDS]
    lines += [
        "",
        "  smisk COMMAND --help says more. -V, --version prints the versions of Smisk and Python.",
        "  Applications are served by smiskd: see smiskd --help.",
        "",
    ]
    return "\n".join(lines)
