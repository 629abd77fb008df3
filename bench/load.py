# SPDX-License-Identifier: MIT
"""Load on a server: wrk for HTTP, fcgiload for FastCGI, and the C programs of this folder built for it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from report import say

__all__ = [
    "MODES",
    "Figures",
    "Load",
    "LoadError",
    "cache_folder",
    "free_port",
    "program",
    "take_turn",
    "wait_for_port",
]

HERE = Path(__file__).resolve().parent
MODES = {
    "http": "HTTP, kept alive",
    "fcgi-keep": "FastCGI, kept alive",
    "fcgi-close": "FastCGI, one connection a request",
}
PROGRAMS = {
    "limit": ("limit.c", "limit_listener.c", "limit_options.c"),
    "fcgiload": ("fcgiload.c", "fcgiload_request.c", "latency.c"),
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


@dataclass(frozen=True)
class Load:
    """How to load a server: the mode (a key of MODES), connections at once, and the cores to do it on."""

    mode: str
    connections: int
    cores: tuple[int, ...]

    def argv(self, address: str, seconds: float) -> list[str]:
        """Command line of the generator for the server at `address` (HOST:PORT)."""
        if self.mode == "http":
            wrk = shutil.which("wrk")
            if wrk is None:
                raise LoadError("wrk is not installed")
            whole = max(1, round(seconds))
            return [wrk, "-t1", f"-c{self.connections}", f"-d{whole}s", "--latency", f"http://{address}/"]
        argv = [str(program("fcgiload")), "--json", "-c", str(self.connections), "-d", str(seconds)]
        return [*argv, *(["--close"] if self.mode == "fcgi-close" else []), address]

    def run(self, address: str, seconds: float) -> Figures:
        """Load the server for `seconds` (wrk: whole ones); raises LoadError when nothing was answered."""
        done = subprocess.run(
            self.argv(address, seconds),
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, set(self.cores)),
        )
        read = wrk_figures if self.mode == "http" else fcgiload_figures
        figures = read(done.stdout or done.stderr)
        if figures.requests == 0:
            raise LoadError(f"no request was answered ({figures.errors} errors)")
        return figures

    def probe(self, address: str) -> None:
        """Check one answer: its status and its body; raises LoadError."""
        if self.mode == "http":
            http_probe(address)
            return
        argv = [str(program("fcgiload")), "--json", "-c", "1", "-n", "3", "--timeout", "3", address]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        figures = fcgiload_figures(done.stdout or done.stderr)
        if figures.errors or not figures.requests:
            raise LoadError(f"wrong answers: {done.stdout.strip()}")


def http_probe(address: str) -> None:
    """Check that GET / is answered with 200 and the 13 bytes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=3) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        deadline = time.monotonic() + 3
        while b"Hello, world!" not in answer and time.monotonic() < deadline:
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    if not (answer.startswith(b"HTTP/1.1 200") and answer.count(b"Hello, world!") == 1):
        raise LoadError(f"wrong answer: {answer[:100]!r}")


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
