# SPDX-License-Identifier: MIT
"""`smisk new`: a project that runs, with tests that pass."""

from __future__ import annotations

import keyword
import os
import sys
from typing import TYPE_CHECKING

from .commands import CommandError
from .project import KINDS, files_of

if TYPE_CHECKING:
    from argparse import Namespace

    from .arguments import Parser
    from .terminal import Terminal

__all__ = ["arguments", "run"]

TAKEN = ("smisk", "tests", "deploy")
MAX_NAME = 64


def arguments(parser: Parser) -> None:
    """What the command takes."""
    parser.add("--kind", choices=tuple(KINDS), default="native", help="what kind of application; default: native")
    parser.add("name", metavar="NAME", complete="folder", help="the project's folder; its last part names the module")
    kinds = "\n".join(f"  {name:<8} {about}" for name, about in KINDS.items())
    parser.epilog = f"Kinds:\n{kinds}"


def run(options: Namespace, terminal: Terminal) -> int:
    """Makes the files. Nothing that is there is overwritten."""
    folder = os.path.normpath(options.name)
    name = os.path.basename(os.path.abspath(folder))
    module = _module_of(name)
    files = files_of(options.kind, name, module)
    _refuse_full(folder)
    for path, text in files.items():
        _write(os.path.join(folder, path), text)
        terminal.say(f"  {terminal.paint(path, 'green')}")
    terminal.say(f"\n{terminal.paint(name, 'bold')} is made. Go on with:\n")
    terminal.say(f"  cd {folder}\n  python -m pytest\n  smiskd --reload")
    return 0


def _module_of(name: str) -> str:
    """The module's name. CommandError for a name that cannot be imported, or would hide another module."""
    module = name.lower().replace("-", "_")
    if not (module.isidentifier() and module.isascii()) or keyword.iskeyword(module) or len(module) > MAX_NAME:
        raise CommandError(
            f'"{name}" cannot name a module: it wants letters, digits, _ and -, and begins with a letter'
        )
    if module in sys.stdlib_module_names or module in TAKEN:
        raise CommandError(f'"{name}" would hide the module "{module}" that is there already; choose another name')
    return module


def _refuse_full(folder: str) -> None:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}", 1) from None
    if names:
        raise CommandError(f"{folder} is there and not empty; nothing was changed", 1)


def _write(path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", 1) from None
