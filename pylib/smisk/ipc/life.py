# SPDX-License-Identifier: MIT
"""How long a store lives that is not to be kept: as long as a server that has used it.

Two files beside the store say so. `…-users` carries a shared lock of every process that has the store open.
`…-open` is locked by who opens or closes, so that they do it one after the other, and lists the servers. Whoever opens
the store while nobody uses it and all listed servers are gone is the one creator, and empties it. Locks end with their
process, however it ends. (LMDB's own lock file is never touched: closing it would drop LMDB's locks.)
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .errors import SharedDictError

__all__ = ["Life", "identity", "server_identity"]

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the list of servers. Who is gone is taken off the list, so only that many living ones could be too many.
MAX_LIST = 1 << 20
FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05


def identity(pid: int) -> str:
    """A living process as nobody after it can be: boot, process id, time of its start. Empty when it is gone."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot} {pid} {fields[19]}"


def server_identity() -> str:
    """The process whose life counts: the master of `smiskd`, elsewhere this process."""
    is_worker = "_smisk" in sys.builtin_module_names and _is_same_program(os.getppid())
    return identity(os.getppid() if is_worker else os.getpid())


def _is_same_program(pid: int) -> bool:
    """Whether a process runs the program that runs here: `smiskd -t` is no worker, but the child of a shell."""
    try:
        return os.path.samefile(f"/proc/{pid}/exe", "/proc/self/exe")
    except OSError:
        # Another user's process does not tell: the master, where the worker has given up root.
        return True


def _is_alive(known: str) -> bool:
    words = known.split()
    return len(words) == 3 and words[1].isdigit() and identity(int(words[1])) == known


class Life:
    """The two files of one store. Descriptors are not inherited by other programs."""

    def __init__(self, path: str, mode: int, timeout: float) -> None:
        self._path = path
        self._mode = mode
        self._timeout = timeout
        self._users = -1

    def _open(self, suffix: str) -> int:
        return os.open(self._path + suffix, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, self._mode)

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Nobody else opens or closes meanwhile. Gives the descriptor. SharedDictError when it takes too long."""
        descriptor = self._open("-open")
        try:
            self._wait_for(descriptor)
            try:
                yield descriptor
            finally:
                # A child that was forked meanwhile has the descriptor too: closing it here would not unlock.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._timeout
        pause = FIRST_PAUSE
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise SharedDictError(
                        f"{self._path} is being opened by another process for more than {self._timeout} s"
                    ) from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def join(self, descriptor: int, is_persistent: bool) -> None:
        """Becomes a user; empties the store if this process is its creator. Only inside `locked`."""
        if self._users >= 0:
            return
        users = self._open("-users")
        try:
            known = os.pread(descriptor, MAX_LIST, 0).decode("ascii", "replace").splitlines()
            servers = {server for server in known if _is_alive(server)}
            if _is_free(users) and not servers and not is_persistent:
                self._empty()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, "\n".join(servers | {server_identity()}).encode(), 0)
            fcntl.flock(users, fcntl.LOCK_SH)
        except BaseException:
            os.close(users)
            raise
        self._users = users

    def _empty(self) -> None:
        for path in (self._path, f"{self._path}-lock"):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def leave(self) -> None:
        """Is no user any more. In a forked child this leaves the parent's lock alone."""
        if self._users >= 0:
            os.close(self._users)
            self._users = -1


def _is_free(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
