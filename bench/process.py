# SPDX-License-Identifier: MIT
"""Processes under measurement: start them on given cores, read what they used, end them."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["Process", "raise_file_limit", "tree", "usable_cores"]

PROCESS_CLOCK = 2  # what a process has used, in the low bits of a clock id (Linux)


def usable_cores() -> list[int]:
    """Numbers of the cores that this process may run on, ascending."""
    return sorted(os.sched_getaffinity(0))


def raise_file_limit(wanted: int) -> int:
    """Raise RLIMIT_NOFILE (descriptors) to `wanted` as far as the system lets us; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(sorted(children.get(pid, [])))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, all threads, also those that have ended, in seconds.

    From each process's CPU-time clock (clock_getcpuclockid(3)): /proc's ticks are too coarse for short turns.
    """
    used = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            used += time.clock_gettime(~pid << 3 | PROCESS_CLOCK)
    return used


def sleeps(pids: Iterable[int]) -> int:
    """How often these processes have gone to sleep (voluntary context switches of their main threads)."""
    count = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    count += int(line.split()[1])
    return count


def memory_bytes(pid: int) -> dict[str, int]:
    """RSS, PSS, its anonymous part and private written memory of one process, in bytes (/proc/PID/smaps_rollup).

    Clean private pages are left out: whether a library's pages are private depends on what else runs.
    """
    values: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return {
        "rss": values["Rss"],
        "pss": values["Pss"],
        "pss_anon": values["Pss_Anon"],
        "private": values["Private_Dirty"],
    }


class Process:
    """A program in a session of its own, bound to `cores`; what it prints goes to the file `log`."""

    def __init__(self, argv: Sequence[str], *, cores: Iterable[int], log: Path, cwd: Path | None = None) -> None:
        """Start `argv` in the folder `cwd`."""
        bound = set(cores)
        self.log = log
        with log.open("wb") as output:
            self.child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, bound),
            )

    @property
    def pid(self) -> int:
        """Process id of the program itself."""
        return self.child.pid

    @property
    def is_alive(self) -> bool:
        """Whether the program still runs."""
        return self.child.poll() is None

    def cpu_seconds(self) -> float:
        """CPU time used so far by the program and its descendants, in seconds."""
        return cpu_seconds(tree(self.pid))

    def sleeps(self) -> int:
        """How often the program and its descendants have gone to sleep so far."""
        return sleeps(tree(self.pid))

    def memory_bytes(self, pid: int | None = None) -> dict[str, int]:
        """Memory of one process (this one by default), in bytes: rss, pss, pss_anon, private."""
        return memory_bytes(self.pid if pid is None else pid)

    def log_text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def stop(self, timeout: float = 5) -> None:
        """Send SIGTERM, and after its end, or `timeout` seconds, SIGKILL to what is left of its session."""
        if self.is_alive:
            self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(timeout)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.child.wait()
