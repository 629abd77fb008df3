# SPDX-License-Identifier: MIT
"""The servers that are measured: the limit, smiskd, and the peers, each in a throw-away environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from load import Load, LoadError, cache_folder, free_port, program, wait_for_port
from process import Process
from report import say

__all__ = ["PEERS", "Running", "Server", "SkipError", "environment", "limit_server", "peer_server", "smiskd_server"]

APPS = Path(__file__).resolve().parent / "apps"


class SkipError(RuntimeError):
    """A peer cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Server:
    """A server under measurement: which modes it serves, and its command line for a mode and a port."""

    name: str
    modes: frozenset[str]
    argv: Callable[[str, int], list[str]]

    def start(self, mode: str, cores: Iterable[int]) -> Running:
        """Start it on `cores` and return when it gives right answers; raises LoadError."""
        port = free_port()
        address = f"127.0.0.1:{port}"
        logs = cache_folder() / "log"
        logs.mkdir(exist_ok=True)
        log = logs / f"{self.name.split()[0]}-{mode}.log"
        process = Process(self.argv(mode, port), cores=cores, log=log, cwd=APPS)
        try:
            wait_for_port(address, lambda: process.is_alive)
            Load(mode, 1, ()).probe(address)
        except (LoadError, OSError) as error:
            process.stop()
            last = process.log_text().strip().splitlines()[-1:]
            raise LoadError(f"{error}{': ' if last else ''}{''.join(last)[:200]}") from error
        return Running(process, address)


@dataclass(frozen=True)
class Running:
    """A started server: its process and HOST:PORT."""

    process: Process
    address: str


def limit_server(*options: str) -> Server:
    """The fixed-answer C loop, with further options of bench/limit."""
    binary = program("limit")

    def argv(mode: str, port: int) -> list[str]:
        return [str(binary), "--http" if mode == "http" else "--fastcgi", f"127.0.0.1:{port}", *options]

    return Server("limit", frozenset({"http", "fcgi-keep", "fcgi-close"}), argv)


def smiskd_server(binary: Path, *options: str) -> Server:
    """smiskd with the native handler of apps/hello.py and one worker."""
    binary = binary.resolve()

    def argv(mode: str, port: int) -> list[str]:
        listen = ["--http" if mode == "http" else "--fastcgi", f"127.0.0.1:{port}"]
        fixed = ["--pythonpath", str(APPS), "--workers", "1", "--set", "log_level=warning"]
        return [str(binary), "hello", *fixed, *listen, *options]

    return Server("smiskd", frozenset({"http", "fcgi-keep", "fcgi-close"}), argv)


@dataclass(frozen=True)
class Peer:
    """How a peer is installed (pip requirements) and started; `argv` gets the bin folder and the port."""

    requirements: tuple[str, ...]
    modes: frozenset[str]
    argv: Callable[[Path, int], list[str]]


def bjoern_argv(bin_: Path, port: int) -> list[str]:
    return [str(bin_ / "python"), "serve_bjoern.py", str(port)]


def granian_argv(bin_: Path, port: int) -> list[str]:
    options = ["--interface", "wsgi", "--workers", "1", "--no-ws", "--log-level", "warning"]
    return [str(bin_ / "granian"), *options, "--host", "127.0.0.1", "--port", str(port), "hello_wsgi:application"]


def gunicorn_argv(bin_: Path, port: int) -> list[str]:
    options = ["--worker-class", "gthread", "--workers", "1", "--keep-alive", "75", "--log-level", "warning"]
    return [str(bin_ / "gunicorn"), *options, "--bind", f"127.0.0.1:{port}", "hello_wsgi:application"]


def uvicorn_argv(bin_: Path, port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [str(bin_ / "uvicorn"), *options, "--host", "127.0.0.1", "--port", str(port), "hello_asgi:application"]


def uwsgi_argv(bin_: Path, port: int, *listen: str) -> list[str]:
    options = ["--master", "--processes", "1", "--need-app", "--disable-logging", "--listen", "1024", "--die-on-term"]
    address = f"127.0.0.1:{port}"
    return [str(bin_ / "uwsgi"), *options, *(part.format(address) for part in listen), "--wsgi-file", "hello_wsgi.py"]


def flup_argv(bin_: Path, port: int) -> list[str]:
    return [str(bin_ / "python"), "serve_flup.py", str(port)]


HTTP = frozenset({"http"})
FASTCGI = frozenset({"fcgi-keep", "fcgi-close"})
PEERS = {
    "bjoern": Peer(("bjoern",), HTTP, bjoern_argv),
    "granian": Peer(("granian",), HTTP, granian_argv),
    "gunicorn": Peer(("gunicorn",), HTTP, gunicorn_argv),
    "uvicorn": Peer(("uvicorn", "uvloop", "httptools"), HTTP, uvicorn_argv),
    "uwsgi-http": Peer(("uwsgi",), HTTP, lambda bin_, port: uwsgi_argv(bin_, port, "--http-socket", "{}")),
    "uwsgi-http11": Peer(("uwsgi",), HTTP, lambda bin_, port: uwsgi_argv(bin_, port, "--http11-socket", "{}")),
    "uwsgi-router": Peer(
        ("uwsgi",), HTTP, lambda bin_, port: uwsgi_argv(bin_, port, "--http", "{}", "--http-keepalive")
    ),
    "uwsgi-fastcgi": Peer(("uwsgi",), FASTCGI, lambda bin_, port: uwsgi_argv(bin_, port, "--fastcgi-socket", "{}")),
    "flup": Peer(("flup==1.0.3",), FASTCGI, flup_argv),
}


def environment(name: str, *requirements: str) -> Path:
    """The bin folder of a virtual environment with these requirements, made if need be; raises SkipError."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / "peers" / version / name
    made = folder / ".complete"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing {' '.join(requirements) or name}")
        steps = [[sys.executable, "-m", "venv", str(folder)]]
        if requirements:
            steps.append([str(folder / "bin" / "pip"), "install", "--quiet", *requirements])
        for argv in steps:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                said = [line for line in done.stderr.splitlines() if line.strip()]
                errors = [line.strip() for line in said if "error" in line.lower()] or said
                raise SkipError(f"not installed: {errors[0] if errors else argv[-1]}")
        made.touch()
    return folder / "bin"


def version_of(bin_: Path, package: str) -> str:
    """The installed version of a peer; empty when it cannot be told."""
    code = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    done = subprocess.run([str(bin_ / "python"), "-c", code, package], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def peer_server(name: str) -> Server:
    """One of PEERS, installed; raises SkipError."""
    peer = PEERS[name]
    bin_ = environment(peer.requirements[0].replace("=", ""), *peer.requirements)
    version = version_of(bin_, peer.requirements[0].partition("==")[0])
    return Server(f"{name} {version}".strip(), peer.modes, lambda mode, port: peer.argv(bin_, port))
