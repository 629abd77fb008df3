# SPDX-License-Identifier: MIT
"""`smisk console`: Python with the application loaded, as smiskd would load it, and a client to ask it with."""

from __future__ import annotations

import code
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .commands import CommandError
from .resolved import Resolved, add_arguments, read

if TYPE_CHECKING:
    from argparse import Namespace

    from smisk.testing import Client

    from .arguments import Parser
    from .terminal import Terminal

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """What the command takes."""
    add_arguments(parser)
    parser.add("--plain", action="store_true", help="Python's own console, also where IPython is installed")
    parser.add(
        "app", nargs="?", metavar="APP", complete="file", help="the application, in place of the configuration's"
    )
    parser.epilog = "Without -c and APP, smisk.conf in the current folder is read."


def run(options: Namespace, terminal: Terminal) -> int:
    """Loads the application, starts it (hooks, lifespan), and talks."""
    resolved = read(options, options.app)
    if resolved.settings.get("app") is None:
        raise CommandError("no application is named: give one as `smisk console APP`, or as `app` in smisk.conf")
    client = _client(resolved)
    with client:
        names = _names(client)
        _interact(names, _banner(client, names, terminal), options.plain)
    return 0


def _client(resolved: Resolved) -> Client:
    from smisk.testing import Client, LoadError

    if resolved.path is not None:
        os.environ["SMISK_CONFIG"] = resolved.path  # as in a worker: smisk.config.config has it
    settings = resolved.settings
    chdir = settings.get("chdir")
    if isinstance(chdir, str):
        os.chdir(chdir)
    folders = settings.get("pythonpath")
    sys.path[:0] = [*(folders if isinstance(folders, list) else []), os.getcwd()]
    try:
        return Client(
            settings["app"],
            str(settings["interface"]),
            root_path=str(settings.get("root_path") or ""),
            lifespan=str(settings["lifespan"]),
            timeout=None,
        )
    except LoadError as error:
        raise CommandError(str(error), 1) from None


def _names(client: Client) -> dict[str, Any]:
    """What the console knows."""
    from smisk.config import config

    return {
        "app": client.application,
        "client": client,
        "get": client.get,
        "post": client.post,
        "config": config,
    }


def _banner(client: Client, names: dict[str, Any], terminal: Terminal) -> str:
    title = terminal.paint(repr(client).strip("<>").removeprefix("Client of "), "bold")
    return f"Smisk console: {title}\nAt hand: {', '.join(names)}. Try get('/').text"


def _interact(names: dict[str, Any], banner: str, is_plain: bool) -> None:
    if not is_plain and _talk_by_ipython(names, banner):
        return
    _complete(names)
    code.interact(banner, local={"__name__": "__console__", "__doc__": None, **names}, exitmsg="")


def _talk_by_ipython(names: dict[str, Any], banner: str) -> bool:
    """Whether IPython is installed, and so has been the console."""
    try:
        ipython = import_module("IPython")
        traitlets = import_module("traitlets.config")
    except ImportError:
        return False
    config = traitlets.Config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    ipython.start_ipython(argv=[], user_ns=names, config=config)
    return True


def _complete(names: dict[str, Any]) -> None:
    """The tab key completes names, where this Python can."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
