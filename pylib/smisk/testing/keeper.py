# SPDX-License-Identifier: MIT
"""A process that does not outlive the one that started it, however that ends.

A small shell stands between the two: it starts the program, says its process id, and waits for a line or the end of
its input, a pipe that only this process has open. Then it sends TERM, removes the program's folder, and returns its
exit status. Unlike PR_SET_PDEATHSIG this does not depend on the thread that started it, and needs no code between fork
and exec.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, cast

__all__ = ["Kept"]

# Descriptor 3 is the log. The shell keeps neither it nor the program's descriptors, so that their end is the program's.
SHELL = "/bin/sh"
SCRIPT = """exec 3>&2 2>/dev/null
folder=$1
shift
"$@" </dev/null >/dev/null 2>&3 3>&- &
pid=$!
echo "$pid"
exec 3>&- >/dev/null
read -r _
kill -TERM "$pid"
wait "$pid"
status=$?
/bin/rm -rf -- "$folder"
exit "$status"
"""


class Kept:
    """A program that runs. `pid`: its process id; `log`: what it writes to standard error. `folder` ends with it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: str | None, folder: str) -> None:
        self._shell = subprocess.Popen(
            [SHELL, "-c", SCRIPT, "smisk-testing", folder, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        self.log = cast("IO[bytes]", self._shell.stderr)
        said = cast("IO[bytes]", self._shell.stdout)
        with said:
            self.pid = int(said.readline() or b"0")

    def end(self, within: float) -> int | None:
        """Ends the program with TERM and returns its exit status, -N for signal N.

        None where it has not ended `within` seconds: then it was killed, with all that it had started.
        """
        with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", self._shell.stdin) as pipe:
            pipe.write(b"\n")
        try:
            return _status(self._shell.wait(within))
        except subprocess.TimeoutExpired:
            # All of them: a worker that is busy would not notice that its master is gone.
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
            return None


def _status(code: int) -> int:
    """A shell says 128 + N for signal N."""
    return 128 - code if code > 128 else code
