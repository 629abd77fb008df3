# SPDX-License-Identifier: MIT
"""Load on a server: wrk for HTTP, fcgiload for FastCGI, wsload for WebSockets; the C programs are built for it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from report import say
from workload import Workload

__all__ = [
    "Figures",
    "Load",
    "LoadError",
    "cache_folder",
    "fcgiload_figures",
    "free_port",
    "program",
    "take_turn",
    "wait_for_port",
    "websocket_argv",
    "wsload_figures",
]

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "limit": ("limit.c", "limit_listener.c", "limit_options.c"),
    "fcgiload": ("fcgiload.c", "fcgiload_request.c", "latency.c"),
    "wsload": ("wsload.c", "wsload_frame.c", "wsload_options.c", "latency.c"),
}
UNITS_US = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


class LoadError(RuntimeError):
    """The load generator could not run, or got no answer at all."""


def cache_folder() -> Path:
    """Where built programs, logs and the peers' environments go: outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "smisk-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take_turn() -> IO[str]:
    """Wait until no other run measures on this machine; the lock lasts as long as the returned file stays open."""
    lock = (cache_folder() / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another run to end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def program(name: str) -> Path:
    """Path of one of PROGRAMS, built with -O2; built anew when a source or header of this folder is newer."""
    sources = [HERE / source for source in PROGRAMS[name]]
    newest = max(path.stat().st_mtime for path in [*sources, *HERE.glob("*.h")])
    target = cache_folder() / "bin" / name
    if not target.exists() or target.stat().st_mtime < newest:
        target.parent.mkdir(exist_ok=True)
        say(f"building {name}")
        compiler = os.environ.get("CC", "cc")
        argv = [compiler, "-std=gnu17", "-O2", "-Wall", "-Wextra", "-o", str(target), *map(str, sources)]
        subprocess.run(argv, check=True)
    return target


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class Figures:
    """What one run of load saw; latencies in microseconds."""

    requests: int
    errors: int
    requests_per_second: float
    p50_us: float
    p99_us: float
    max_us: float


def wrk_figures(text: str) -> Figures:
    """Read wrk's report (with --latency)."""

    def quantile(pattern: str) -> float:
        found = re.search(pattern + r"\s+([\d.]+)(us|ms|s|m)\b", text)
        return float(found[1]) * UNITS_US[found[2]] if found else 0.0

    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if requests is None or rate is None:
        raise LoadError(f"wrk: {text.strip()[-200:]}")
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    errors += sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    longest = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)\b", text)
    return Figures(
        requests=int(requests[1]),
        errors=errors,
        requests_per_second=float(rate[1]),
        p50_us=quantile("50%"),
        p99_us=quantile("99%"),
        max_us=float(longest[1]) * UNITS_US[longest[2]] if longest else 0.0,
    )


def fcgiload_figures(text: str) -> Figures:
    """Read fcgiload's report (with --json)."""
    try:
        values: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise LoadError(f"fcgiload: {text.strip()[-200:] or 'no output'}") from error
    names = ("requests", "errors", "requests_per_second", "p50_us", "p99_us", "max_us")
    return Figures(**{name: values[name] for name in names})


def wsload_figures(text: str) -> Figures:
    """Read one of wsload's reports (with --json); messages count as requests."""
    try:
        values: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise LoadError(f"wsload: {text.strip()[-200:] or 'no output'}") from error
    return Figures(
        requests=values["messages"],
        errors=values["errors"],
        requests_per_second=values["messages_per_second"],
        p50_us=values["p50_us"],
        p99_us=values["p99_us"],
        max_us=values["max_us"],
    )


def websocket_argv(workload: Workload, address: str, connections: int, *options: str) -> list[str]:
    """Command line of wsload, with --json."""
    fixed = ["--json", "-c", str(connections), "--path", workload.path]
    return [str(program("wsload")), *fixed, *options, address]


def wrk_script(workload: Workload) -> list[str]:
    """Options of wrk for a request with a body: a script that sets it once, so that Lua costs nothing later."""
    if not workload.body:
        return []
    script = cache_folder() / f"{workload.name}.lua"
    body = "".join(f"\\{byte:03d}" for byte in workload.body)
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = "{body}"\nwrk.headers["Content-Type"] = "{workload.content_type}"\n'
    )
    return ["-s", str(script)]


@dataclass(frozen=True)
class Load:
    """How to load a server: with what, over how many connections at once, on which cores."""

    workload: Workload
    connections: int
    cores: tuple[int, ...]

    def argv(self, address: str, seconds: float) -> list[str]:
        """Command line of the generator for the server at `address` (HOST:PORT); not for WebSockets.

        wrk knows whole seconds only: it is told more than it gets, and interrupted.
        """
        if self.workload.protocol == "http":
            wrk = shutil.which("wrk")
            if wrk is None:
                raise LoadError("wrk is not installed")
            options = ["-t1", f"-c{self.connections}", f"-d{round(seconds) + 60}s", "--timeout", "10s", "--latency"]
            return [wrk, *options, *wrk_script(self.workload), f"http://{address}{self.workload.path}"]
        argv = [str(program("fcgiload")), "--json", "-c", str(self.connections), "-d", str(seconds)]
        return [*argv, *(["--close"] if self.workload.protocol == "fcgi-close" else []), address]

    def run(self, address: str, seconds: float) -> Figures:
        """Load the server for `seconds`; raises LoadError when nothing was answered."""
        argv = self.argv(address, seconds)
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=self.bind
        ) as child:
            try:
                if self.workload.protocol == "http":
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(seconds)
                    child.send_signal(signal.SIGINT)
                out, error = child.communicate(timeout=seconds + 60)
            finally:
                child.kill()
        read = wrk_figures if self.workload.protocol == "http" else fcgiload_figures
        return checked(read(out or error))

    def bind(self) -> None:
        """Keep this process on the load's cores."""
        os.sched_setaffinity(0, set(self.cores))

    @contextlib.contextmanager
    def session(self, address: str) -> Iterator[Callable[[float], Figures]]:
        """A function that loads the server for some seconds, as often as it is called.

        WebSockets are opened before and closed after; other loads connect anew for each call.
        """
        if self.workload.protocol != "websocket":
            yield lambda seconds: self.run(address, seconds)
            return
        argv = websocket_argv(self.workload, address, self.connections, "--steps")
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=self.bind
        ) as child:
            try:
                yield websocket_steps(child)
                child.communicate(timeout=60)
            finally:
                child.kill()


def websocket_steps(child: subprocess.Popen[str]) -> Callable[[float], Figures]:
    """The function of a session with wsload; raises LoadError when not all connections came about."""
    to_child, from_child = child.stdin, child.stdout
    if to_child is None or from_child is None:
        raise LoadError("wsload has no pipes")
    opening = wsload_figures(from_child.readline())
    if opening.errors:
        raise LoadError(f"{opening.errors} WebSockets were not opened")

    def run(seconds: float) -> Figures:
        to_child.write(f"{seconds}\n")
        to_child.flush()
        return checked(wsload_figures(from_child.readline()))

    return run


def checked(figures: Figures) -> Figures:
    """The same figures; raises LoadError when there is nothing in them."""
    if figures.requests == 0:
        raise LoadError(f"no request was answered ({figures.errors} errors)")
    return figures


def wait_for_port(address: str, is_alive: Callable[[], bool], seconds: float = 20) -> None:
    """Return when somebody accepts connections at `address`; LoadError when it ended or after `seconds`."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError as error:
            if not is_alive() or time.monotonic() > deadline:
                raise LoadError("did not start") from error
            time.sleep(0.05)
