# SPDX-License-Identifier: MIT
"""Processes that share a dict with a test: each opens it, says so, waits for the word, and runs one piece of code.

As a program this is one such process; `shared` is the dict, and the code's `result` is handed back as JSON.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["Sharer", "race", "sharers"]


class Sharer:
    """One process. `begin` lets its code run; `result` waits for the end."""

    def __init__(self, options: dict[str, Any], code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, json.dumps(options), code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def begin(self) -> None:
        """Gives the word: one line, and that is the first thing on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """What the code left in `result`; the process has ended well."""
        output = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, output
        return json.loads(output.splitlines()[-1])

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)


@contextmanager
def sharers(options: dict[str, Any], codes: Sequence[str]) -> Iterator[list[Sharer]]:
    """Processes that have each opened the dict; what is left of them is killed."""
    started = [Sharer(options, code) for code in codes]
    try:
        for sharer in started:
            assert sharer.line() == "ready"
        yield started
    finally:
        for sharer in started:
            sharer.kill()


def race(options: dict[str, Any], codes: Sequence[str]) -> list[Any]:
    """The results of all codes, run at the same time."""
    with sharers(options, codes) as started:
        for sharer in started:
            sharer.begin()
        return [sharer.result() for sharer in started]


def main() -> None:
    from smisk.ipc import shared_dict

    options = json.loads(sys.argv[1])
    is_open = options.pop("open", True)
    shared = shared_dict(**options)
    if is_open:
        shared.get("open")
    print("ready", flush=True)
    sys.stdin.readline()
    names = {"shared": shared, "result": None}
    exec(sys.argv[2], names)
    shared.close()
    print(json.dumps(names["result"]), flush=True)


if __name__ == "__main__":
    main()
