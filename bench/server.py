# SPDX-License-Identifier: MIT
"""A server under measurement, and two of them: the limit, and smiskd with each of its interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from environment import shared_environment
from load import LoadError, cache_folder, free_port, program, wait_for_port
from probe import probe
from process import Process
from workload import INTERFACES, Workload

__all__ = [
    "FASTCGI",
    "HTTP",
    "SMISKD_VARIANTS",
    "WEBSOCKET",
    "Running",
    "Server",
    "limit_server",
    "smiskd_server",
]

APPS = Path(__file__).resolve().parent / "apps"
HTTP = frozenset({"http"})
FASTCGI = frozenset({"fcgi-keep", "fcgi-close"})
WEBSOCKET = frozenset({"websocket"})
# Name: interface, and further options. Variants with options are told besides and have no targets.
SMISKD_VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{interface: (interface, ()) for interface in INTERFACES},
    "async-uvloop": ("async", ("--set", "loop=uvloop")),
    "asgi-uvloop": ("asgi", ("--set", "loop=uvloop")),
}


@dataclass(frozen=True)
class Server:
    """A server: what it serves, and its command line for a workload and a port.

    `package` is what it belongs to (limit, smiskd, or a peer's package); `argv` may raise SkipError.
    """

    name: str
    title: str
    package: str
    interfaces: frozenset[str]
    protocols: frozenset[str]
    argv: Callable[[Workload, int], list[str]]

    def serves(self, workload: Workload) -> bool:
        """Whether it can take part in a workload; the limit does where it is the reference."""
        if self.package == "limit":
            return workload.reference == self.name
        return workload.protocol in self.protocols and not self.interfaces.isdisjoint(workload.interfaces)

    def start(self, workload: Workload, cores: Iterable[int]) -> Running:
        """Start it on `cores` and return when it gives right answers; raises LoadError or SkipError."""
        port = free_port()
        address = f"127.0.0.1:{port}"
        logs = cache_folder() / "log"
        logs.mkdir(exist_ok=True)
        log = logs / f"{self.name.replace(' ', '-')}-{workload.name}.log"
        process = Process(self.argv(workload, port), cores=cores, log=log, cwd=APPS)
        try:
            wait_for_port(address, lambda: process.is_alive)
            probe(workload, address)
        except (LoadError, OSError) as error:
            process.stop()
            raise LoadError(f"{error}{reason_in(process.log_text())}") from error
        return Running(process, address)


def reason_in(log: str) -> str:
    """What a log tells about a failure: its first line of an error, or its last line."""
    lines = log.strip().splitlines()
    errors = [line for line in lines if "error" in line.lower() or "critical" in line.lower()]
    return f": {(errors or lines[-1:])[0].strip()[:200]}" if lines else ""


@dataclass(frozen=True)
class Running:
    """A started server: its process and HOST:PORT."""

    process: Process
    address: str


def limit_server(*options: str) -> Server:
    """The fixed-answer C loop, with further options of bench/limit."""
    binary = program("limit")

    def argv(workload: Workload, port: int) -> list[str]:
        listen = ["--http" if workload.protocol in HTTP else "--fastcgi", f"127.0.0.1:{port}"]
        return [str(binary), *listen, *workload.limit_options, *options]

    return Server("limit", "limit", "limit", frozenset(), HTTP | FASTCGI, argv)


def smiskd_server(binary: Path, *options: str, variant: str = "native") -> Server:
    """smiskd with one of SMISKD_VARIANTS and one worker."""
    binary = binary.resolve()
    interface, fixed = SMISKD_VARIANTS[variant]
    is_native = interface in ("native", "async")
    needed = ("uvloop",) if "loop=uvloop" in fixed else ()

    def argv(workload: Workload, port: int) -> list[str]:
        listen = ["--fastcgi" if workload.protocol in FASTCGI else "--http", f"127.0.0.1:{port}"]
        app = f"{workload.module(interface)}:{'handle' if is_native else 'application'}"
        common = ["--interface", "native" if is_native else interface, "--pythonpath", str(APPS), "--workers", "1"]
        packages = (*needed, *workload.requirements)
        venv = ["--venv", str(shared_environment(*packages))] if packages else []
        quiet = ["--set", "log_level=warning"]
        return [str(binary), app, *common, *venv, *quiet, *listen, *fixed, *options]

    name = f"smiskd {variant}"
    return Server(name, name, "smiskd", frozenset({interface}), HTTP | FASTCGI | WEBSOCKET, argv)
