# SPDX-License-Identifier: MIT
"""Daemons, and parents that wait for their children."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress

from smisk.core.handover import is_hosted

__all__ = ["control_process_runloop", "daemonize", "wait_for_child_processes"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def daemonize(
    chdir: str | None = "/",
    umask: int | None = None,
    stdin: str = os.devnull,
    stdout: str = os.devnull,
    stderr: str = os.devnull,
) -> None:
    """Goes on in the background: in a process without a terminal, with these files for its standard streams.

    The processes that the caller started from end at once, without exit hooks. `stdout` and `stderr` are appended to.
    Raises OSError, in the process that called, when a file cannot be opened. Does nothing within `smiskd`.
    """
    if is_hosted():
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [os.open(stdin, os.O_RDONLY), os.open(stdout, append, 0o666), os.open(stderr, append, 0o666)]
    if chdir is not None:
        os.chdir(chdir)
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    if umask is not None:
        os.umask(umask)
    for number, fd in enumerate(files):
        os.dup2(fd, number)
    for fd in files:
        if fd > 2:
            os.close(fd)


def wait_for_child_processes(options: int = 0) -> None:
    """Waits until no child is left. `options` as for os.waitpid(); with WNOHANG: until none has ended just now."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0] != 0:
            pass


def control_process_runloop(
    pids: Iterable[int],
    signals: Iterable[int] = ENDING,
    cleanup: Callable[[int, FrameType | None], object] | None = None,
) -> None:
    """Waits for the children `pids`; hands them the `signals` that come meanwhile.

    After one has come, and all of them have ended, `cleanup(signum, frame)` is called; its frame is None. A child that
    cannot be sent a signal is killed. To be called in the main thread.
    """
    numbers = frozenset(int(number) for number in signals)
    left = list(pids)
    taken: list[int] = []
    with _signals_as_bytes(numbers | {signal.SIGCHLD}) as pipe:
        while left := [pid for pid in left if not _has_ended(pid)]:
            for number in os.read(pipe, 256):
                if number in numbers:
                    taken.append(number)
                    for pid in left:
                        _send(pid, number)
    if taken and cleanup is not None:
        cleanup(taken[0], None)


@contextmanager
def _signals_as_bytes(numbers: Iterable[int]) -> Iterator[int]:
    """A descriptor from which the numbers of signals can be read, so that none is missed between two looks."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    fd_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield read_end
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be restored by it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(fd_before)
        os.close(read_end)
        os.close(write_end)


def _has_ended(pid: int) -> bool:
    """Whether a child is no more; then nobody sends it anything, for its id may soon be another's."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _send(pid: int, signum: int) -> None:
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    except OSError:
        os.kill(pid, signal.SIGKILL)
