# SPDX-License-Identifier: MIT
"""Daemons, and parents that wait for their children."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from smisk.core.handover import is_hosted

__all__ = ["control_process_runloop", "daemonize", "wait_for_child_processes"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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

    After one has come, and all of them have ended, `cleanup(signum, frame)` is called. A child that cannot be sent a
    signal is killed. To be called in the main thread.
    """
    left = list(pids)
    taken: list[tuple[int, FrameType | None]] = []

    def hand_on(signum: int, frame: FrameType | None) -> None:
        taken.append((signum, frame))
        for pid in left:
            _send(pid, signum)

    before = {number: signal.signal(number, hand_on) for number in signals}
    try:
        while left:
            _await_end(left[0])
            # From here on the id can be another process's.
            _reap(left.pop(0))
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be restored by it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if taken and cleanup is not None:
        cleanup(*taken[0])


def _await_end(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _send(pid: int, signum: int) -> None:
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    except OSError:
        os.kill(pid, signal.SIGKILL)
