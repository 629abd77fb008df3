# SPDX-License-Identifier: MIT
"""A shared dict below smiskd: all workers have the same one, and it lives as long as the server does."""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import APPS, Smiskd
from lib.http import RawHTTP, get
from lib.wait import until

pytest.importorskip("lmdb", reason="lmdb is not installed")
Start = Callable[..., Smiskd]


@pytest.fixture
def start(smiskd: Start, tmp_path: Path) -> Start:
    def start_one(*arguments: str) -> Smiskd:
        return smiskd(*arguments, "--http", "127.0.0.1:0", "sharing", env={"XDG_RUNTIME_DIR": str(tmp_path)})

    return start_one


def body(daemon: Smiskd, path: str = "/") -> bytes:
    """The body of one answer, on a connection of its own."""
    with RawHTTP(daemon.http) as raw:
        return raw.request(get(path)).body


def count(daemon: Smiskd) -> int:
    return int(json.loads(body(daemon))[0])


def test_all_workers_count_in_one_dict_that_outlives_their_reload(start: Start) -> None:
    daemon = start("--workers", "2")
    wanted = set(daemon.workers())
    seen: set[int] = set()
    numbers = []
    while len(numbers) < 2000 and (seen != wanted or len(numbers) < 20):
        number, pid = json.loads(body(daemon))
        numbers.append(number)
        seen.add(pid)
    assert seen == wanted
    assert numbers == list(range(1, len(numbers) + 1))
    since = daemon.log.mark()
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_log("reloaded", since, 30.0)
    assert count(daemon) == len(numbers) + 1
    daemon.rebase(2)


def test_dict_outlives_its_only_worker_and_not_its_server(start: Start) -> None:
    daemon = start("--workers", "1")
    assert [count(daemon), count(daemon)] == [1, 2]
    (worker,) = daemon.workers()
    daemon.expect_log(rf"{worker}.*(SIGKILL|signal 9|[Kk]illed)")
    os.kill(worker, signal.SIGKILL)
    until(lambda: daemon.workers() and worker not in daemon.workers(), "a new worker", 30.0)
    assert count(daemon) == 3
    daemon.rebase(1)
    daemon.stop()
    assert count(start("--workers", "1")) == 1


def test_dict_is_named_after_the_application(start: Start, tmp_path: Path) -> None:
    daemon = start("--workers", "1")
    digest = hashlib.sha256(os.fsencode(APPS / "sharing.py")).hexdigest()[:32]
    assert body(daemon, "/key").decode() == f"sharing_{digest}"
    assert (tmp_path / f"sharing_{digest}.ipc" / "dict.mdb").exists()
