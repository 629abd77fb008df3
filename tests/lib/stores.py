# SPDX-License-Identifier: MIT
"""Real redis-server and memcached processes on unix sockets, and the shared dicts of all backends over them."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lib.wait import until

__all__ = ["StoreServer", "memcached", "redis"]


@dataclass
class StoreServer:
    """A server that can be stopped and started again at the same socket."""

    program: str
    options: Callable[[str], list[str]]
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="store-")))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> str:
        return str(self.folder / "socket")

    @property
    def address(self) -> str:
        """As `smisk.ipc` takes it: a URL of Redis, a node of memcached."""
        return f"unix://{self.socket}?db=0" if self.program == "redis-server" else f"unix:{self.socket}"

    def start(self) -> "StoreServer":
        path = shutil.which(self.program)
        if path is None:
            pytest.skip(f"{self.program} is not installed")
        self.process = subprocess.Popen(
            [path, *self.options(self.socket)], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self.answers, f"{self.program} answers", within=20)
        return self

    def answers(self) -> bool:
        """Whether it takes connections and answers one command."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(self.socket)
                client.sendall(b"PING\r\n" if self.program == "redis-server" else b"version\r\n")
                return bool(client.recv(16))
            except OSError:
                return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


def redis() -> StoreServer:
    """A redis-server that writes nothing to disk."""
    return StoreServer(
        "redis-server",
        lambda path: ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"],
    )


def memcached() -> StoreServer:
    """A memcached of 64 MB."""
    return StoreServer("memcached", lambda path: ["-s", path, "-a", "0700", "-u", "root", "-m", "64"])
