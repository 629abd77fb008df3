# SPDX-License-Identifier: MIT
"""The servers that smiskd is compared with: how each is installed, and started with one worker.

Each is set up as its own documentation would for speed: the fastest event loop and parser that it has, no access log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environment import shared_environment, version_of
from server import FASTCGI, HTTP, WEBSOCKET, Server
from workload import Workload

__all__ = ["PEERS", "peer_server"]

# Gets the environment's folder, the workload and the port.
Argv = Callable[[Path, Workload, int], list[str]]


@dataclass(frozen=True)
class Peer:
    """How a peer is installed (pip requirements, its own package first) and started."""

    interface: str
    protocols: frozenset[str]
    requirements: tuple[str, ...]
    argv: Argv

    @property
    def package(self) -> str:
        """The peer's package, without extras and version."""
        return self.requirements[0].partition("=")[0].partition("[")[0]


def bjoern_argv(folder: Path, workload: Workload, port: int) -> list[str]:
    return [str(folder / "bin/python"), "serve_bjoern.py", workload.module("wsgi"), str(port)]


def flup_argv(folder: Path, workload: Workload, port: int) -> list[str]:
    return [str(folder / "bin/python"), "serve_flup.py", workload.module("wsgi"), str(port)]


def granian(interface: str) -> Argv:
    def argv(folder: Path, workload: Workload, port: int) -> list[str]:
        options = ["--interface", interface, "--workers", "1", "--log-level", "warning", "--http", "1"]
        options += ["--loop", "uvloop"] if interface == "asgi" else []
        options += ["--ws" if workload.protocol == "websocket" else "--no-ws"]
        address = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(folder / "bin/granian"), *options, *address, f"{workload.module(interface)}:application"]

    return argv


def gunicorn_argv(folder: Path, workload: Workload, port: int) -> list[str]:
    options = ["--worker-class", "gthread", "--workers", "1", "--keep-alive", "75", "--log-level", "warning"]
    address = ["--bind", f"127.0.0.1:{port}"]
    return [str(folder / "bin/gunicorn"), *options, *address, f"{workload.module('wsgi')}:application"]


def hypercorn_argv(folder: Path, workload: Workload, port: int) -> list[str]:
    options = ["--worker-class", "uvloop", "--workers", "1", "--keep-alive", "75", "--log-level", "warning"]
    address = ["--bind", f"127.0.0.1:{port}"]
    return [str(folder / "bin/hypercorn"), *options, *address, f"{workload.module('asgi')}:application"]


def uvicorn(websocket: str) -> Argv:
    def argv(folder: Path, workload: Workload, port: int) -> list[str]:
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        options += ["--ws", websocket if workload.protocol == "websocket" else "none"]
        address = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(folder / "bin/uvicorn"), *options, *address, f"{workload.module('asgi')}:application"]

    return argv


def uwsgi(*listen: str) -> Argv:
    def argv(folder: Path, workload: Workload, port: int) -> list[str]:
        options = ["--master", "--processes", "1", "--need-app", "--disable-logging", "--listen", "1024"]
        options += ["--die-on-term", "--virtualenv", str(folder)]
        address = [part.format(f"127.0.0.1:{port}") for part in listen]
        return [str(folder / "bin/uwsgi"), *options, *address, "--wsgi-file", f"{workload.module('wsgi')}.py"]

    return argv


UVICORN = ("uvicorn", "uvloop", "httptools", "websockets", "wsproto")
PEERS = {
    "bjoern": Peer("wsgi", HTTP, ("bjoern",), bjoern_argv),
    "granian-wsgi": Peer("wsgi", HTTP, ("granian[uvloop]",), granian("wsgi")),
    "gunicorn": Peer("wsgi", HTTP, ("gunicorn",), gunicorn_argv),
    "uwsgi-http": Peer("wsgi", HTTP, ("uwsgi",), uwsgi("--http-socket", "{}")),
    "uwsgi-http11": Peer("wsgi", HTTP, ("uwsgi",), uwsgi("--http11-socket", "{}")),
    "uwsgi-router": Peer("wsgi", HTTP, ("uwsgi",), uwsgi("--http", "{}", "--http-keepalive")),
    "uwsgi-fastcgi": Peer("wsgi", FASTCGI, ("uwsgi",), uwsgi("--fastcgi-socket", "{}")),
    "flup": Peer("wsgi", FASTCGI, ("flup==1.0.3",), flup_argv),
    "granian-asgi": Peer("asgi", HTTP | WEBSOCKET, ("granian[uvloop]",), granian("asgi")),
    "uvicorn": Peer("asgi", HTTP | WEBSOCKET, UVICORN, uvicorn("websockets-sansio")),
    "uvicorn-wsproto": Peer("asgi", WEBSOCKET, UVICORN, uvicorn("wsproto")),
    "hypercorn": Peer("asgi", HTTP | WEBSOCKET, ("hypercorn", "uvloop"), hypercorn_argv),
}


def peer_server(name: str) -> Server:
    """One of PEERS, installed; raises SkipError."""
    peer = PEERS[name]
    folder = shared_environment(*peer.requirements)

    def argv(workload: Workload, port: int) -> list[str]:
        shared_environment(*workload.requirements)
        return peer.argv(folder, workload, port)

    title = f"{name} {version_of(folder, peer.package)}".strip()
    return Server(name, title, peer.package, frozenset({peer.interface}), peer.protocols, argv)
