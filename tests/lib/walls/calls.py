# SPDX-License-Identifier: MIT
"""Which calls have a room of their own, and which files are that room."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lib.walls.source import without_literals

__all__ = ["ROOMS", "Room", "calls_outside"]


@dataclass(frozen=True)
class Room:
    """`calls`: a pattern of whole names. `files`: globs below host/. `anywhere`: also names that are not called."""

    what: str
    calls: str
    files: tuple[str, ...]
    anywhere: bool = False


ROOMS = (
    Room("epoll", r"epoll_\w+", ("net/loop.c",)),
    Room("processes", r"v?fork|clone3?|posix_spawnp?|daemon|system|popen", ("engine/master.c",)),
    Room("interpreter", r"Py_(?:Initialize|Finalize|RunMain|BytesMain|NewInterpreter)\w*", ("py/interp.c",), True),
    Room("client bytes", r"(?:recv|send)(?:from|to|msg|mmsg|file)?|splice", ("net/conn.c",)),
    # Pipes and files: plain calls would reach a client's socket too, so their files are named as well.
    Room(
        "reads and writes",
        r"p?(?:read|write)v?2?",
        (
            "base/log.c",
            "net/conn.c",
            "net/signals.c",
            "engine/master.c",
            "engine/process.c",
            "engine/slots.c",
            "engine/spool.c",
            "engine/worker.c",
            "py/spool.c",
        ),
    ),
    Room("sockets", r"socket|socketpair|bind|listen|accept4?|connect|[gs]etsockopt|shutdown", ("net/*.c",)),
    Room(
        "standard error",
        r"stderr|v?fprintf|v?dprintf|perror|fput[cs]|fwrite|v?syslog|PySys_(?:Write|Format)Stderr"
        r"|PyErr_Print(?:Ex)?|PyErr_Display",
        ("base/log.c", "engine/cli.c"),
        True,
    ),
    Room("standard output", r"stdout|v?printf|puts|putc|putchar", ("engine/cli.c",), True),
)


def calls_outside(room: Room, path: str, text: str) -> list[str]:
    """Uses of the room's calls in a file under host/ that is not the room. Fields (`x->send(…)`) are no calls."""
    if any(fnmatchcase(path.removeprefix("host/"), pattern) for pattern in room.files):
        return []
    tail = r"\b" if room.anywhere else r"\s*\("
    pattern = re.compile(rf"(?<![\w.])(?<!->)(?<!format\()(?:{room.calls})(?!\w){tail}")
    return [
        f"{path}:{number}: {found[0].rstrip('( ')} belongs to {', '.join(room.files)} ({room.what})"
        for number, line in enumerate(without_literals(text).splitlines(), 1)
        for found in pattern.finditer(line)
    ]
