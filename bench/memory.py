# SPDX-License-Identifier: MIT
"""What a worker weighs: beside a bare python3, for each idle connection, and what those cost the others."""

from __future__ import annotations

import argparse
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from environment import environment
from load import Load, LoadError, cache_folder, take_turn
from process import Process, raise_file_limit, tree, usable_cores
from report import GREEN, RED, Report, say
from server import Running, Server, limit_server, smiskd_server
from workload import WORKLOADS

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
HTTP = WORKLOADS["http"]
MIB = 1 << 20
MAX_WORKER_BYTES = 4 * MIB
MAX_CONNECTION_BYTES = 1024
MAX_COST_CHANGE = 0.05
KINDS = ("rss", "pss", "pss_anon", "private")
ADDRESSES = 8  # local addresses to spread the idle connections over; each has some 28,000 ports
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def colour(is_kept: bool) -> tuple[str, ...]:
    """Green for a target that is kept, red for one that is missed."""
    return (GREEN,) if is_kept else (RED,)


def worker_pid(root: int) -> int:
    """The process that serves: the youngest of the tree (one worker), or the root when it has no children."""
    return tree(root)[-1]


class IdleConnections:
    """Kept-alive connections that did one request each and stay silent."""

    def __init__(self, address: str, count: int) -> None:
        host, _, port = address.rpartition(":")
        self.sockets: list[socket.socket] = []
        for number in range(count):
            local = (f"127.0.0.{2 + number % ADDRESSES}", 0)
            client = socket.create_connection((host, int(port)), timeout=10, source_address=local)
            self.sockets.append(client)
            client.sendall(REQUEST)
            answer = client.recv(65536)
            if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"Hello, world!")):
                raise LoadError(f"connection {number}: wrong answer {answer[:80]!r}")

    def closed_count(self) -> int:
        """How many of them the server has closed meanwhile."""
        closed = 0
        for client in self.sockets:
            client.setblocking(False)
            try:
                closed += client.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionError:
                closed += 1
        return closed

    def close(self) -> None:
        """Close all of them."""
        for client in self.sockets:
            client.close()
        self.sockets.clear()


def settle(process: Process, seconds: float = 10) -> None:
    """Return when the processes have used no CPU time for 0.3 s, or after `seconds`."""
    deadline = time.monotonic() + seconds
    used = process.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        before, used = used, process.cpu_seconds()
        if used == before:
            return


def bare_python_bytes(python: str, core: int) -> dict[str, int]:
    """Memory of `python -c 'import time; time.sleep(…)'`, in bytes."""
    log = cache_folder() / "python.log"
    process = Process([python, "-c", "import time; time.sleep(1000)"], cores=[core], log=log)
    try:
        settle(process)
        return process.memory_bytes()
    finally:
        process.stop()


def compare_worker(report: Report, server: Server, options: argparse.Namespace) -> bool:
    """Table of the worker beside a bare Python; whether the target is kept."""
    python = options.python or str(environment("bare") / "bin/python")
    bare = bare_python_bytes(python, options.server_core)
    running = server.start(HTTP, [options.server_core])
    try:
        settle(running.process)
        fresh = running.process.memory_bytes(worker_pid(running.process.pid))
        Load(HTTP, 64, (options.load_core,)).run(running.address, 2)
        settle(running.process)
        used = running.process.memory_bytes(worker_pid(running.process.pid))
    finally:
        running.process.stop()
    rows = [["process, MiB", *KINDS]]
    named = {
        "python3, sleeping": bare,
        f"{server.title} worker, ready": fresh,
        f"{server.title} worker, after load": used,
    }
    for name, values in named.items():
        rows.append([name, *(f"{values[kind] / MIB:.2f}" for kind in KINDS)])
    rows.append(["ready − python3", *(f"{(fresh[kind] - bare[kind]) / MIB:+.2f}" for kind in KINDS)])
    rows.append(["after load − python3", *(f"{(used[kind] - bare[kind]) / MIB:+.2f}" for kind in KINDS)])
    is_kept = all(
        values[kind] - bare[kind] <= MAX_WORKER_BYTES for values in (fresh, used) for kind in ("rss", "pss_anon")
    )
    target = "target: rss and pss_anon ≤ python3's + 4 MiB"
    report.table(f"Worker memory ({target})", rows, [(), (), (), colour(is_kept), colour(is_kept)])
    report.data["worker"] = dict(named.items())
    return is_kept


def private_bytes(running: Running) -> int:
    """Private memory of all the server's processes, in bytes."""
    return sum(running.process.memory_bytes(pid)["private"] for pid in tree(running.process.pid))


def weigh_connections(report: Report, running: Running, options: argparse.Namespace) -> bool:
    """Bytes of server memory for each idle connection; whether the target is kept."""
    Load(HTTP, 64, (options.load_core,)).run(running.address, 1)
    settle(running.process)
    before = private_bytes(running)
    idle = IdleConnections(running.address, options.idle)
    settle(running.process)
    each = (private_bytes(running) - before) / options.idle
    closed = idle.closed_count()
    idle.close()
    settle(running.process)
    left = (private_bytes(running) - before) / options.idle
    is_kept = each <= MAX_CONNECTION_BYTES and closed == 0
    rows = [
        ["idle connections", "bytes each", "of those left after their end", "closed by the server"],
        [f"{options.idle:,}", f"{each:,.0f}", f"{left:,.0f}", str(closed)],
    ]
    report.table("Idle kept-alive connection (target ≤ 1,024 bytes of the server's memory)", rows, [colour(is_kept)])
    report.data["connection"] = {"count": options.idle, "bytes": each, "bytes_left": left, "closed": closed}
    return is_kept


def cost_us(running: Running, load: Load, seconds: float) -> float:
    """CPU time a request under this load, in microseconds."""
    before = running.process.cpu_seconds()
    figures = load.run(running.address, seconds)
    return (running.process.cpu_seconds() - before) * 1e6 / figures.requests


def weigh_crowd(report: Report, running: Running, options: argparse.Namespace) -> bool:
    """Cost of a request beside no and beside many idle connections, by turns; whether the target is kept."""
    load = Load(HTTP, 64, (options.load_core,))
    alone, crowded = [], []
    for number in range(1, options.rounds + 1):
        alone.append(cost_us(running, load, options.seconds))
        idle = IdleConnections(running.address, options.idle)
        settle(running.process)
        crowded.append(cost_us(running, load, options.seconds))
        idle.close()
        settle(running.process)
        say(f"round {number}/{options.rounds}: {alone[-1]:.2f} µs alone, {crowded[-1]:.2f} µs in the crowd")
    ratios = [many / none for none, many in zip(alone, crowded, strict=True)]
    ratio = statistics.median(ratios)
    is_kept = ratio < 1 + MAX_COST_CHANGE
    rows = [
        ["idle connections", "CPU µs/request", "ratio", "lowest–highest"],
        ["0", f"{statistics.median(alone):.2f}", "1.00", ""],
        [
            f"{options.idle:,}",
            f"{statistics.median(crowded):.2f}",
            f"{ratio:.3f}",
            f"{min(ratios):.2f}–{max(ratios):.2f}",
        ],
    ]
    report.table("A request's cost beside idle connections (target: < 1.05)", rows, [(), colour(is_kept)])
    report.data["crowd"] = {"alone_us": alone, "crowded_us": crowded, "ratio": ratio}
    return is_kept


def with_server(server: Server, core: int, step: Callable[[Running], bool]) -> bool:
    """Run one step against a newly started server."""
    running = server.start(HTTP, [core])
    try:
        return step(running)
    finally:
        running.process.stop()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--smiskd", type=Path, help="release build of smiskd; without it, bench/limit is measured")
    parser.add_argument(
        "--smiskd-option", action="append", default=[], metavar="OPTION", help="passed on; may repeat"
    )
    parser.add_argument("--python", help="the bare Python to compare with; a new environment's unless told")
    parser.add_argument("--idle", type=int, default=10000, help="idle connections")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--server-core", type=int, default=usable_cores()[0])
    parser.add_argument("--load-core", type=int, default=usable_cores()[-1])
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when every target was kept, 1 when not."""
    options = parse(arguments)
    turn = take_turn()
    limit = raise_file_limit(max(65536, 2 * options.idle))
    if limit < options.idle + 100:
        raise SystemExit(f"only {limit} descriptors may be open: not enough for {options.idle} connections")
    report = Report("memory", "What a worker weighs")
    if options.smiskd is None:
        server = limit_server()
    else:
        room = ["--set", f"max_connections={options.idle + 1000}", "--set", "keepalive_timeout=1h"]
        server = smiskd_server(options.smiskd, *room, *options.smiskd_option)
    core = options.server_core
    kept = [
        compare_worker(report, server, options),
        with_server(server, core, lambda running: weigh_connections(report, running, options)),
        with_server(server, core, lambda running: weigh_crowd(report, running, options)),
    ]
    report.write(options.results)
    turn.close()
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
