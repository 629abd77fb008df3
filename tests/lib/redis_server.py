# SPDX-License-Identifier: MIT
"""A real redis-server in a folder of its own, on a unix socket; as a cluster of one node, on a port of 127.0.0.1.

It keeps nothing on disk: what a test finds after a restart is what was written after it. Owns the process, which is
ended by its id.
"""

import os
import signal
import subprocess
from pathlib import Path

from lib.servers import free_port, program
from lib.wait import until

__all__ = ["RedisServer"]


class RedisServer:
    """One server. `url`: where a store finds it."""

    def __init__(self, folder: Path, cluster: bool = False) -> None:
        self.folder = folder
        self.cluster = cluster
        self.port = free_port() if cluster else 0
        self.url = f"redis://127.0.0.1:{self.port}" if cluster else f"unix://{folder}/redis.sock"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--dir", str(self.folder), "--unixsocket", str(self.folder / "redis.sock")]
        if self.cluster:
            options += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
        log = (self.folder / "redis.log").open("wb")
        self._running = subprocess.Popen([program("redis-server"), *options], stdout=log, stderr=log)
        log.close()
        until(lambda: self.ask("PING") == "PONG", self._said, 15.0)
        if self.cluster and "cluster_slots_assigned:16384" not in self.ask("CLUSTER", "INFO"):
            self.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        if self.cluster:
            until(lambda: "cluster_state:ok" in self.ask("CLUSTER", "INFO"), self._said, 15.0)

    def ask(self, *command: str) -> str:
        """What it answers to a command, as redis-cli prints it; empty if it is not there."""
        argv = [program("redis-cli"), "-s", str(self.folder / "redis.sock"), *command]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    def kill(self) -> None:
        """Ends it at once, as a crash would. Does nothing to one that is not running."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(10.0)
            self._running = None

    def pause(self) -> None:
        """It takes connections and answers nothing, until `go_on`."""
        assert self._running is not None
        os.kill(self._running.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Ends `pause`."""
        assert self._running is not None
        os.kill(self._running.pid, signal.SIGCONT)

    def _said(self) -> str:
        return f"redis-server does not answer:\n{(self.folder / 'redis.log').read_text(errors='replace')}"
