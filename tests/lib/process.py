# SPDX-License-Identifier: MIT
"""What /proc says about other processes: children, descriptors, states, sessions."""

import os
import re
from pathlib import Path

__all__ = ["accepts", "alive", "children", "descriptors", "in_session", "state"]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the program's name, state first; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def state(pid: int) -> str:
    """One letter as ps(1) prints it ("S", "Z"), or "" when the process is gone."""
    return (_stat(pid) or [""])[0]


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    return state(pid) not in ("", "Z", "X")


def children(pid: int) -> list[int]:
    """Process ids of the children of all threads of `pid`, zombies included, in rising order."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:
            continue
    return sorted(found)


def descriptors(pid: int) -> dict[int, str]:
    """Open descriptors of a process and what they refer to; empty when the process is gone."""
    found: dict[int, str] = {}
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for name in names:
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
    return found


def accepts(pid: int) -> bool:
    """Whether the process has an epoll instance that watches a socket: a worker that has come as far as its listeners."""
    held = descriptors(pid)
    for number, what in held.items():
        if what != "anon_inode:[eventpoll]":
            continue
        try:
            watched = re.findall(r"^tfd:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{number}").read_text(), re.MULTILINE)
        except OSError:
            continue
        if any(held.get(int(one), "").startswith("socket:") for one in watched):
            return True
    return False


def in_session(session: int) -> list[int]:
    """Living processes (no zombies) that belong to a session, its leader included."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    fields = {pid: _stat(pid) for pid in pids}
    return sorted(pid for pid, stat in fields.items() if stat and int(stat[3]) == session and stat[0] not in "ZX")
