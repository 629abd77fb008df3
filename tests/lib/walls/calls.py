# SPDX-License-Identifier: MIT
"""Which calls have a room of their own, and which files are that room."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lib.walls.sizes import c_functions
from lib.walls.source import without_literals

__all__ = ["ROOMS", "Room", "calls_outside", "places_without_use"]


@dataclass(frozen=True)
class Room:
    """`calls`: a pattern of whole names. `places`: globs below host/, or `file:function`. `anywhere`: uncalled names too."""

    what: str
    calls: str
    places: tuple[str, ...]
    anywhere: bool = False


ROOMS = (
    Room("epoll", r"epoll_\w+", ("net/loop.c",)),
    Room("processes", r"v?fork|clone3?|posix_spawnp?|daemon|system|popen", ("engine/master.c",)),
    Room("interpreter", r"Py_(?:Initialize|Finalize|RunMain|BytesMain|NewInterpreter)\w*", ("py/interp.c",), True),
    Room(
        "client bytes",
        r"(?:recv|send)(?:from|to|msg|mmsg|file)?|p?(?:read|write)v2?|splice|tee",
        (
            "net/conn.c:sm_conn_recv",
            "net/conn.c:sm_conn_send",
            "net/conn.c:sm_conn_sendfile",
            "net/words.c:sm_words_say",
            "net/words.c:sm_words_hear",
            "net/notify.c:sm_notify",
        ),
    ),
    # Of pipes and files. A client's socket would let itself be read so too, hence each function by its name.
    Room(
        "reads and writes",
        r"p?(?:read|write)",
        (
            "base/log.c:sm_log_write",
            "net/outq.c:sm_outq_load",
            "net/signals.c:sm_signals_note",
            "net/signals.c:sm_signals_next",
            "engine/failure.c:sm_failure_append",
            "engine/failure.c:sm_failure_read",
            "engine/master.c:sm_master_read_all",
            "engine/master.c:sm_master_report",
            "engine/master.c:sm_master_daemonize",
            "engine/process.c:sm_process_write_pid",
            "engine/spool.c:sm_spool_read",
            "engine/spool.c:sm_spool_write",
            "engine/process.c:sm_process_memory",
            "py/reload.c:tell_change",
            "py/spool.c:smpy_spool_read",
        ),
    ),
    Room("new clients", r"accept4?", ("net/listener.c:sm_listener_accept",)),
    Room("sockets", r"socket|socketpair|bind|listen|connect|[gs]etsockopt|shutdown", ("net/*.c",)),
    Room(
        "standard error",
        r"stderr|STDERR_FILENO|v?fprintf|v?dprintf|perror|fput[cs]|fwrite|v?syslog|PySys_(?:Write|Format)Stderr"
        r"|PyErr_Print(?:Ex)?|PyErr_Display",
        ("base/log.c", "engine/cli.c"),
        True,
    ),
    Room(
        "standard output",
        r"stdout|STDOUT_FILENO|v?printf|puts|putc|putchar",
        ("base/log.c", "engine/cli.c", "engine/master.c:sm_master_detach"),
        True,
    ),
)


def _uses(room: Room, path: str, text: str) -> list[tuple[int, str, str]]:
    """(line, name, `file:function` below host/) of each use of the room's calls; fields (`x->send(…)`) are no calls."""
    tail = r"\b" if room.anywhere else r"\s*\("
    pattern = re.compile(rf"(?<![\w.])(?<!->)(?<!format\()(?:{room.calls})(?!\w){tail}")
    functions = c_functions(text)
    uses = []
    for number, line in enumerate(without_literals(text).splitlines(), 1):
        around = next((name for name, first, lines in functions if first <= number < first + lines), "")
        place = f"{path.removeprefix('host/')}:{around}"
        uses += [(number, found[0].rstrip("( "), place) for found in pattern.finditer(line)]
    return uses


def _holds(pattern: str, place: str) -> bool:
    return fnmatchcase(place if ":" in pattern else place.partition(":")[0], pattern)


def calls_outside(room: Room, path: str, text: str) -> list[str]:
    """Uses of the room's calls in a file under host/, where that file or function is not the room."""
    return [
        f"{path}:{number}: {name} belongs to {', '.join(room.places)} ({room.what})"
        for number, name, place in _uses(room, path, text)
        if not any(_holds(pattern, place) for pattern in room.places)
    ]


def places_without_use(room: Room, files: Mapping[str, str]) -> list[str]:
    """Those of the room's places that none of its calls is in any more: doors that stand open for nothing."""
    used = {place for path, text in files.items() for _, _, place in _uses(room, path, text)}
    return [pattern for pattern in room.places if not any(_holds(pattern, place) for place in used)]
