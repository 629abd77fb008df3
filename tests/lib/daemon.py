# SPDX-License-Identifier: MIT
"""A real smiskd under test: started, watched, and inspected after every test.

Comes in: options as a user types them. Owns: the process, its stderr pipe and the expectations about its log. Ports
are the kernel's choice (port 0) and are learnt from the `ready:` line.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from lib import process
from lib.log import SANITIZER, Log, entries, level_of
from lib.wait import until

__all__ = ["APPS", "BINARY", "Address", "Smiskd", "environment", "run_smiskd"]

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "tests" / "apps"
BINARY = Path(os.environ.get("SMISKD", ROOT / "build" / "debug" / "host" / "smiskd"))

START_SECONDS = 30.0
STOP_SECONDS = 20.0
ALARM = re.compile(r"Traceback \(most recent call last\)")
READY = re.compile(r"ready: (?P<listeners>.*) \((?P<workers>\d+) workers?\)")
# As a raw client connects: ("127.0.0.1", 8080), or the path of a unix socket.
Address = tuple[str, int] | str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would lead smiskd to another Python, plus `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name not in ("VIRTUAL_ENV", "FCGI_WEB_SERVER_ADDRS")
    }
    kept.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    kept.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    return kept | dict(extra or {})


def run_smiskd(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    binary: Path | None = None,
    within: float = 30.0,
) -> subprocess.CompletedProcess[str]:
    """Runs smiskd to its end, for what it prints and how it exits; nothing on its stdin. Fails on sanitizer text."""
    done = subprocess.run(
        [str(binary or BINARY), *arguments],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


def parse_address(text: str) -> tuple[str, Address]:
    """("http", ("127.0.0.1", 8080)) of "http://127.0.0.1:8080", ("fastcgi", "/s") of "fastcgi+unix:/s"."""
    scheme, _, rest = text.partition(":")
    protocol, _, unix = scheme.partition("+")
    rest = rest.removeprefix("//").removeprefix("unix:")
    if unix or rest.startswith("/"):
        return protocol, rest
    host, _, port = rest.rpartition(":")
    return protocol, (host.strip("[]"), int(port))


class Smiskd:
    """One running smiskd. `arguments` as on the command line; `stdin` is a listening socket or nothing.

    `program`: what is started with the arguments in place of smiskd, and becomes one.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        prefix: Sequence[str] = (),
        program: Sequence[str] = (),
        ready: bool = True,
    ) -> None:
        self._expected: list[str] = []
        self._allowed: list[str] = []
        self._checked_to = 0
        self._status = 0
        self.baseline: dict[int, dict[int, str]] = {}
        self.addresses: list[tuple[str, Address]] = []
        self._has_uvloop = "loop=uvloop" in arguments
        self.process = subprocess.Popen(
            [*prefix, *(program or (str(BINARY),)), *arguments],
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.log = Log(_piped(self.process.stderr))
        if ready:
            self.wait_ready()

    # --- coming up ---

    def wait_ready(self, since: int = 0) -> None:
        """Blocks until the `ready:` line, learns the addresses from it, and takes the workers' descriptors as baseline."""
        try:
            match = self.log.wait(READY.pattern, since, START_SECONDS)
        except AssertionError:
            self.kill()
            raise
        self.addresses = [parse_address(text) for text in match["listeners"].split(", ")]
        self.rebase(int(match["workers"]))

    @property
    def pid(self) -> int:
        """Process id of the master."""
        return self.process.pid

    def workers(self) -> list[int]:
        """Process ids of the living workers."""
        return [pid for pid in process.children(self.pid) if process.alive(pid)]

    def rebase(self, workers: int = 0) -> None:
        """Takes the workers' descriptors of now as what they must come back to; first waits for `workers` of them.

        One that replaces another exists before it serves, and has not opened everything then.
        """
        if workers:
            until(lambda: len(self.workers()) == workers, f"{workers} workers", 10.0)
            until(lambda: all(self._is_complete(pid) for pid in self.workers()), "workers that serve", 10.0)
        self.baseline = {pid: process.descriptors(pid) for pid in self.workers()}

    def _is_complete(self, pid: int) -> bool:
        """Whether the worker has opened what it needs to serve; uvloop opens two sockets when it first runs."""
        sockets = sum(what.startswith("socket:") for what in process.descriptors(pid).values())
        return process.accepts(pid) and (not self._has_uvloop or sockets >= len(self.addresses) + 3)

    def address(self, protocol: str, number: int = 0) -> Address:
        """Where the `number`th listener for "http" or "fastcgi" can be reached."""
        return [address for spoken, address in self.addresses if spoken == protocol][number]

    @property
    def http(self) -> Address:
        """The first HTTP listener."""
        return self.address("http")

    @property
    def fastcgi(self) -> Address:
        """The first FastCGI listener."""
        return self.address("fastcgi")

    @property
    def port(self) -> int:
        """TCP port of the first HTTP listener."""
        where = self.http
        assert not isinstance(where, str), f"{where} has no port"
        return where[1]

    def url(self, path: str = "/") -> str:
        """An http:// URL of the first HTTP listener, which must be TCP."""
        return f"http://{self.http[0]}:{self.port}{path}"

    # --- what the test says about the log ---

    def expect_log(self, pattern: str, times: int = 1) -> None:
        """Declares that an error entry will have this in it, at least `times` times. It may come later: it is awaited."""
        self._expected += [pattern] * times

    def allow_log(self, pattern: str) -> None:
        """Declares that error entries with this in them are no failure, whether they come or not."""
        self._allowed.append(pattern)

    def expect_exit(self, status: int) -> None:
        """Declares another exit status than 0 for the end of this daemon; -N is death by signal N."""
        self._status = status

    def wait_log(self, pattern: str, since: int = 0, within: float = 10.0, times: int = 1) -> re.Match[str]:
        """See Log.wait."""
        return self.log.wait(pattern, since, within, times)

    # --- the inspection ---

    def check(self) -> None:
        """After a test, while running: descriptors back, no zombie, nothing in the log that was not declared."""
        until(lambda: not self._leaked(), lambda: f"descriptors of {self.baseline}, not {self._leaked()}")
        zombies = [pid for pid in process.children(self.pid) if process.state(pid) == "Z"]
        until(lambda: not [pid for pid in zombies if process.state(pid) == "Z"], f"zombies {zombies} reaped")
        self.check_log()

    def _leaked(self) -> dict[int, dict[int, str]]:
        """Descriptors of those workers that have more than in the baseline."""
        now = {pid: process.descriptors(pid) for pid in self.baseline}
        return {pid: found for pid, found in now.items() if len(found) > len(self.baseline[pid])}

    def _meets(self, pattern: str, times: int, since: int) -> bool:
        """Whether `times` log entries (a heading and its lines) from line `since` on have the pattern in them."""
        return sum(1 for entry in entries(self.log.lines[since:]) if re.search(pattern, entry)) >= times

    def check_log(self) -> None:
        """Looks at the entries since the last look; afterwards all expectations are met and forgotten."""
        since, expected, self._expected = self._checked_to, self._expected, []
        for pattern in sorted(set(expected)):
            until(partial(self._meets, pattern, expected.count(pattern), since), f"in the log: {pattern!r}")
        lines = self.log.lines[since:]
        self._checked_to = since + len(lines)
        allowed = [*expected, *self._allowed]
        for line in lines:
            assert not SANITIZER.search(line), f"sanitizer or interpreter failure in the log:\n{self.log}"
        for entry in entries(lines):
            loud = level_of(entry.split("\n", 1)[0]) in ("error", "critical") or ALARM.search(entry)
            assert not loud or any(re.search(pattern, entry) for pattern in allowed), f"undeclared:\n{entry}"

    # --- the end ---

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the master."""
        self.process.send_signal(number)

    def wait(self, within: float = STOP_SECONDS) -> int:
        """Waits for the master's end; its exit status, -N for a signal."""
        return self.process.wait(within)

    @property
    def running(self) -> bool:
        """Whether the master has not ended yet."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Checks, ends the daemon with TERM unless it has ended, and checks its status and what it leaves behind."""
        try:
            if self.running:
                self.check()
                self.signal(signal.SIGTERM)
            status = self.wait()
            until(lambda: not process.in_session(self.pid), "no process left behind by smiskd")
            self.log.join()
            self.check_log()
            assert status == self._status, f"exit status {status}, not {self._status}:\n{self.log}"
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends whatever is still alive of this daemon's session, at once."""
        for pid in process.in_session(self.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.log.join()


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the process was started without a pipe")
    return pipe
