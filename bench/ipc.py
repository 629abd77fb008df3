# SPDX-License-Identifier: MIT
"""Reads and writes of smisk.ipc on one core, beside the same store used bare: what the dict costs.

A value is a small JSON object among 10,000 keys; bare means the store's own client with bytes in and out, without JSON,
expiry, or keys of any length. Counted for each second of processor time, the store's server included, and by turns:
whatever else the machine does then meets both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from load import take_turn
from process import cpu_seconds, usable_cores
from report import GREEN, RED, Report, say

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
KEYS = [f"session {number}" for number in range(10_000)]
VALUE = {"user": 4711, "name": "Ada", "cart": [1, 2, 3]}
RAW = b'{"user":4711,"name":"Ada","cart":[1,2,3]}'
TARGET = 100_000
START_SECONDS = 10.0
BATCH = 500
Work = Callable[[str], object]
Sides = dict[str, dict[str, Work]]


class MissingError(Exception):
    """A store cannot be measured here; the message says why."""


@contextmanager
def server(program: str, *options: str) -> Iterator[tuple[str, int]]:
    """Runs a server on a unix socket; gives the path and the process id."""
    found = shutil.which(program)
    if found is None:
        raise MissingError(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        running = subprocess.Popen(
            [found, *options, path], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not os.path.exists(path):
                if running.poll() is not None or time.monotonic() > deadline:
                    raise MissingError(f"{program} does not start")
                time.sleep(0.01)
            yield path, running.pid
        finally:
            running.terminate()
            running.wait()


def lmdb_works(stack: ExitStack) -> tuple[Sides, list[int]]:
    """What is measured of LMDB: the binding by itself, then the dict; no server."""
    try:
        import lmdb
        from smisk.ipc.lmdb import shared_dict
    except ImportError as error:
        raise MissingError(str(error)) from error
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    environment = lmdb.open(os.path.join(folder, "bare"), map_size=64 << 20, sync=False, metasync=False)
    stack.callback(environment.close)

    def read(key: str) -> object:
        with environment.begin() as transaction:
            return transaction.get(key.encode())

    def write(key: str) -> object:
        with environment.begin(write=True) as transaction:
            return transaction.put(key.encode(), RAW)

    shared = shared_dict("bench", folder=os.path.join(folder, "shared"))
    stack.callback(shared.close)
    return {"lmdb": {"read": read, "write": write}, "smisk.ipc, lmdb": works(shared)}, []


def redis_works(stack: ExitStack) -> tuple[Sides, list[int]]:
    """The same of Redis."""
    try:
        import redis
        from smisk.ipc.redis import shared_dict
    except ImportError as error:
        raise MissingError(str(error)) from error
    path, pid = stack.enter_context(server("redis-server", "--port", "0", "--save", "", "--unixsocket"))
    url = f"unix://{path}?db=0"
    client = redis.Redis.from_url(url)
    stack.callback(client.close)
    shared = shared_dict("bench", url=url)
    stack.callback(shared.close)
    bare: dict[str, Work] = {"read": client.get, "write": lambda key: client.set(key, RAW)}
    return {"redis-py": bare, "smisk.ipc, redis": works(shared)}, [pid]


def memcached_works(stack: ExitStack) -> tuple[Sides, list[int]]:
    """The same of memcached."""
    try:
        from pymemcache.client.base import Client
        from smisk.ipc.memcached import shared_dict
    except ImportError as error:
        raise MissingError(str(error)) from error
    path, pid = stack.enter_context(server("memcached", "-u", "root", "-s"))
    client = Client(f"unix:{path}", default_noreply=False)
    stack.callback(client.close)
    shared = shared_dict("bench", [f"unix:{path}"])
    stack.callback(shared.close)
    bare: dict[str, Work] = {
        "read": lambda key: client.get(key.replace(" ", "_")),
        "write": lambda key: client.set(key.replace(" ", "_"), RAW),
    }
    return {"pymemcache": bare, "smisk.ipc, memcached": works(shared)}, [pid]


STORES = {"lmdb": lmdb_works, "redis": redis_works, "memcached": memcached_works}


def works(shared: Any) -> dict[str, Work]:
    """What a shared dict is measured at."""
    return {
        "read": shared.__getitem__,
        "write": lambda key: shared.set(key, VALUE),
        "incr": lambda key: shared.incr(f"n {key}"),
    }


def rate(work: Work, seconds: float, servers: list[int]) -> float:
    """Calls for each second of processor time, of this process and the servers."""
    calls = 0
    begin = time.process_time() + cpu_seconds(servers)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for key in KEYS[calls % len(KEYS) :][:BATCH]:
            work(key)
        calls += BATCH
    return calls / (time.process_time() + cpu_seconds(servers) - begin)


def measure(report: Report, store: str, options: argparse.Namespace) -> bool:
    """One table for one store; whether the target, if it has one, was kept."""
    with ExitStack() as stack:
        sides, servers = STORES[store](stack)
        for side in sides.values():
            for key in KEYS:
                side["write"](key)
        rates: dict[tuple[str, str], list[float]] = {}
        for number in range(1, options.rounds + 1):
            for name, side in sides.items():
                for what, work in side.items():
                    rates.setdefault((name, what), []).append(rate(work, options.seconds, servers))
            say(f"{store}: round {number}/{options.rounds}")
    middle = {which: statistics.median(found) for which, found in rates.items()}
    bare = next(iter(sides))
    rows = [["", "calls/CPU s", "lowest–highest", "of the bare store"]]
    for (name, what), found in rates.items():
        share = middle[name, what] / middle[bare, what] if (bare, what) in middle else 0.0
        spread = f"{min(found):,.0f}–{max(found):,.0f}"
        rows.append([f"{name}, {what}", f"{middle[name, what]:,.0f}", spread, f"{share:.2f}" if share else ""])
    is_kept = store != "lmdb" or middle["smisk.ipc, lmdb", "read"] >= TARGET
    target = f" (target: {TARGET:,} reads/CPU s)" if store == "lmdb" else ""
    report.table(f"{store}{target}", rows, [(), (), (GREEN if is_kept else RED,)])
    report.data[store] = {f"{name}, {what}": found for (name, what), found in rates.items()}
    return is_kept


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench ipc", description=__doc__)
    parser.add_argument("--only", default=",".join(STORES), help="stores, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--core", type=int, default=usable_cores()[0], help="for this process and the servers")
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    options = parser.parse_args(arguments)
    options.stores = options.only.split(",")
    for store in options.stores:
        if store not in STORES:
            parser.error(f"no store {store!r}; there are {', '.join(STORES)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when the target was kept, 1 when not."""
    options = parse(arguments)
    turn = take_turn()
    os.sched_setaffinity(0, {options.core})
    report = Report("ipc", "smisk.ipc beside the stores themselves, one core")
    is_kept = True
    for store in options.stores:
        try:
            is_kept = measure(report, store, options) and is_kept
        except MissingError as error:
            say(f"{store} is skipped: {error}")
    report.write(options.results)
    turn.close()
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
