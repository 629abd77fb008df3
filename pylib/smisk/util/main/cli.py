# SPDX-License-Identifier: MIT
"""The command line of an application that is a program of its own."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

__all__ = ["CommandLine", "main_cli_filter"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

HTTP_PORT = 8080
HTTP_HOST = "localhost"


class CommandLine(NamedTuple):
    """What `main_cli_filter()` returns, in its order.

    `http_port` and `http_addr` are both None, or both given. Paths are as they were written; `umask` is a number.
    """

    appdir: str | None = None
    bind: str | None = None
    forks: int | None = None
    spawn: int | None = None
    chdir: str | None = None
    umask: int | None = None
    stdout: str | None = None
    stderr: str | None = None
    pidfile: str | None = None
    http_port: int | None = None
    http_addr: str | None = None
    debug: bool = False


def main_cli_filter(
    appdir: str | None = None,
    bind: str | None = None,
    forks: int | None = None,
    spawn: int | None = None,
    chdir: str | None = None,
    umask: int | None = None,
    stdout: str | None = None,
    stderr: str | None = None,
    pidfile: str | None = None,
    http_port: int | None = None,
    http_addr: str | None = None,
    debug: bool = False,
) -> CommandLine:
    """Reads `sys.argv`; what it does not say is as the arguments say.

    Ends the program (SystemExit) with its usage for `--help`, and after a word on what is wrong.
    """
    given = CommandLine(
        appdir, bind, forks, spawn, chdir, umask, stdout, stderr, pidfile, http_port, http_addr, debug
    )
    parser = _parser()
    found = vars(parser.parse_intermixed_args(sys.argv[1:]))
    wants_http = found.pop("http")
    found.pop("rest")
    line = given._replace(**{name: value for name, value in found.items() if value is not None})
    if wants_http or line.http_port is not None or line.http_addr is not None:
        port = HTTP_PORT if line.http_port is None else line.http_port
        line = line._replace(http_port=port, http_addr=line.http_addr or HTTP_HOST)
    if line.spawn is not None and line.http_port is not None:
        parser.error("several servers cannot share one HTTP address: --spawn and --http do not go together")
    return line


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser

    parser = ArgumentParser(prog=os.path.basename(sys.argv[0]) or None)
    add = parser.add_argument
    add("-d", "--appdir", metavar="PATH", help="application folder")
    add("-b", "--bind", metavar="ADDR", help="listen for FastCGI at HOST:PORT, :PORT, [::1]:PORT or a socket's path")
    add("-c", "--forks", metavar="COUNT", type=_count(0), help="processes beside the first")
    add("--debug", action="store_true", default=None, help="log everything")
    add("-s", "--spawn", metavar="COUNT", type=_count(1), help="start so many daemons, at consecutive addresses")
    add("--chdir", metavar="PATH", help="folder to change to before starting")
    add("--umask", metavar="MASK", type=_umask, help="022 is octal, 18 the same in decimal")
    add("--stdout", metavar="PATH", help="where standard output of spawned daemons goes")
    add("--stderr", metavar="PATH", help="where their log goes")
    add("--pidfile", metavar="PATH", help="file for the process id; of each daemon that is spawned, a line")
    add("-H", "--http", action="store_true", help=f"serve HTTP, on {HTTP_HOST}:{HTTP_PORT}")
    add("--http-port", metavar="PORT", type=_count(0, 65535), help="serve HTTP on another port")
    add("--http-addr", metavar="HOST", help="serve HTTP at another address; * is all")
    add("rest", nargs="*", metavar="ARGUMENT", help="for the application")
    return parser


class _count:
    """Reads a whole number of at least `least`, at most `most`."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        from argparse import ArgumentTypeError

        if not (text.isascii() and text.isdigit()):
            raise ArgumentTypeError(f"{text!r} is not a whole number")
        if int(text) < self._least:
            raise ArgumentTypeError(f"must be at least {self._least}")
        if self._most is not None and int(text) > self._most:
            raise ArgumentTypeError(f"must be at most {self._most}")
        return int(text)


def _umask(text: str) -> int:
    from argparse import ArgumentTypeError

    try:
        mask = int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:
        raise ArgumentTypeError(f"{text!r} is not a mask from 0 to 0777")
    return mask
