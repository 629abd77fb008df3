# SPDX-License-Identifier: MIT
"""`python -m smisk.host_config --list`: all settings, as text or (`--list=markdown`) as a table for a page."""

from __future__ import annotations

import sys

from .listing import markdown_table, text_table

__all__: list[str] = []

USAGE = "usage: python -m smisk.host_config --list[=text|markdown]\n"


def _run(arguments: list[str]) -> int:
    if arguments in (["--list"], ["--list=text"]):
        sys.stdout.write(text_table())
    elif arguments == ["--list=markdown"]:
        sys.stdout.write(markdown_table())
    else:
        sys.stderr.write(USAGE)
        return 2
    return 0


sys.exit(_run(sys.argv[1:]))
