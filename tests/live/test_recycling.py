# SPDX-License-Identifier: MIT
"""Workers that are replaced while clients keep their connections: reload, max_requests, max_memory, TTIN, TTOU, TERM."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from lib.daemon import Smiskd
from lib.fcgi import KEEP_CONN, STDIN, FastCGI, begin, cgi_env, params, stream
from lib.http import RawHTTP, get
from lib.servers import Front
from lib.wait import until

BOTH = ("--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")
LONG = "drain_idle_timeout=60s"


def pid_of(daemon: Smiskd) -> int:
    """The worker that answers a new connection."""
    with RawHTTP(daemon.http) as raw:
        return int(raw.request(get("/pid")).body)


def ask_kept(fcgi: FastCGI, path: str) -> bytes:
    env = cgi_env(path=path)
    fcgi.send(begin(1, flags=KEEP_CONN) + params(1, env) + stream(STDIN, 1, b""))
    return fcgi.reply().body


def reload(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloaded: all workers run the new code", since)


def replaced(daemon: Smiskd, old: list[int], count: int = 1) -> None:
    until(lambda: len(daemon.workers()) == count and not set(old) & set(daemon.workers()), "new workers only", 30.0)
    daemon.rebase(count)


# --- connections that are kept ---


def test_kept_http_connection_has_a_last_request_answered_after_a_reload(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", LONG, "gated")
    old = daemon.workers()
    with RawHTTP(daemon.http) as raw:
        first = raw.request(get("/pid"))
        assert first.get("connection") is None
        reload(daemon)
        last = raw.request(get("/pid"))
        assert (int(first.body), int(last.body)) == (old[0], old[0])
        assert last.get("connection") == "close"
        raw.assert_closed()
    assert pid_of(daemon) != old[0]
    replaced(daemon, old)


def test_kept_fastcgi_connection_has_a_last_request_answered_after_a_reload(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    daemon = smiskd("--workers", "1", "--fastcgi", f"unix:{tmp_path}/fcgi.sock", "--set", LONG, "gated")
    old = daemon.workers()
    with FastCGI(daemon.fastcgi) as fcgi:
        assert int(ask_kept(fcgi, "/pid")) == old[0]
        reload(daemon)
        pieces = begin(1, flags=KEEP_CONN) + params(1, cgi_env(path="/pid")) + stream(STDIN, 1, b"")
        fcgi.send_pieces(pieces, 3, 8, 20)
        assert int(fcgi.reply().body) == old[0]
        fcgi.assert_closed()
    replaced(daemon, old)


@pytest.mark.parametrize("patience", ["0", "50ms"])
def test_idle_connections_of_a_replaced_worker_end_in_time(smiskd: Callable[..., Smiskd], patience: str) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", f"drain_idle_timeout={patience}", "gated")
    old = daemon.workers()
    with RawHTTP(daemon.http) as raw, FastCGI(daemon.fastcgi) as fcgi:
        raw.request(get("/pid"))
        ask_kept(fcgi, "/pid")
        reload(daemon)
        raw.assert_closed()
        fcgi.assert_closed()
    replaced(daemon, old)


def test_stop_does_not_wait_for_idle_connections(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", LONG, "gated")
    with RawHTTP(daemon.http) as raw, RawHTTP(daemon.http) as other:
        raw.request(get("/pid"))
        reload(daemon)  # the first worker waits for its idle connection
        other.request(get("/pid"))
        daemon.signal(signal.SIGTERM)
        raw.assert_closed()
        other.assert_closed()
    assert daemon.wait() == 0


class Clients:
    """Threads that ask without a pause over kept connections, as front servers do, until `end`."""

    def __init__(self, daemon: Smiskd, count: int) -> None:
        self.daemon = daemon
        self.answers = 0
        self.failures: list[str] = []
        self.stop = threading.Event()
        works = [self._http, self._fastcgi] * (count // 2)
        self.threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        while not self.stop.is_set():
            try:
                work()
            except Exception as error:
                self.failures.append(repr(error))

    def _http(self) -> None:
        with RawHTTP(self.daemon.http) as raw:
            while not self.stop.is_set():
                answer = raw.request(get("/"))
                assert answer.status == 200
                self.answers += 1
                if answer.get("connection") == "close":
                    return

    def _fastcgi(self) -> None:
        """A connection that is not kept tells its end; one that is kept is the business of the front servers' tests."""
        with FastCGI(self.daemon.fastcgi) as fcgi:
            assert fcgi.ask("/").body == b"Hello, world!\n"
            self.answers += 1

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(20.0)
        assert self.failures == []
        assert self.answers > 100


def test_reloads_under_load_lose_nothing(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *BOTH, "gated")
    clients = Clients(daemon, 6)
    try:
        for _ in range(8):
            reload(daemon)
    finally:
        clients.end()
    until(lambda: len(daemon.workers()) == 2, "the old workers have left", 30.0)
    daemon.rebase(2)


# --- recycling ---


def test_worker_that_served_max_requests_is_succeeded_without_loss(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *BOTH, "--set", "max_requests=40", "--set", "max_requests_jitter=20", "gated")
    first = daemon.workers()
    clients = Clients(daemon, 4)
    try:
        daemon.wait_log("has served max_requests; starting its successor", times=6, within=60.0)
        until(lambda: not set(first) & set(daemon.workers()), "both first workers have left", 30.0)
    finally:
        clients.end()
    until(lambda: len(daemon.workers()) == 2, "two workers again", 30.0)
    daemon.rebase(2)


def test_worker_is_not_recycled_before_max_requests(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", "max_requests=10", "gated")
    old = daemon.workers()
    for _ in range(9):
        pid_of(daemon)
    assert daemon.workers() == old
    since = daemon.log.mark()
    pid_of(daemon)
    daemon.wait_log(rf"worker 1 \(pid {old[0]}\) has served max_requests", since)
    replaced(daemon, old)


def test_leaking_worker_is_recycled_past_max_memory(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "leaking.py").write_text(
        "import os\nkept = []\n\ndef handle(request):\n"
        "    if request.path == '/leak':\n        kept.append(bytearray(os.urandom(1 << 20)) * 64)\n"
        "    return str(os.getpid())\n"
    )
    daemon = smiskd("--workers", "1", *BOTH, "--set", "max_memory=600m", "leaking", cwd=tmp_path)
    old = daemon.workers()
    for _ in range(10):
        with RawHTTP(daemon.http) as raw:
            raw.request(get("/leak"))
    daemon.wait_log("MiB are resident, max_memory is 600.0", within=30.0)
    daemon.wait_log("has passed max_memory; starting its successor")
    replaced(daemon, old)


def versioned(folder: Path, text: str) -> None:
    (folder / "versioned.py").write_text(text)


GOOD = "import os\n\ndef handle(request):\n    return str(os.getpid())\n"
NO_CACHE = {"PYTHONDONTWRITEBYTECODE": "1"}


def test_successor_that_does_not_start_leaves_the_old_worker_serving(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    versioned(tmp_path, GOOD)
    options = ("--workers", "1", *BOTH, "--set", "max_requests=1")
    daemon = smiskd(*options, "versioned", cwd=tmp_path, env=NO_CACHE)
    old = daemon.workers()
    versioned(tmp_path, "def handle(request:\n")
    daemon.expect_log("SyntaxError")
    daemon.expect_log("before it was ready")
    daemon.expect_log("worker 1 has no successor: the old one goes on")
    daemon.allow_log("versioned")
    for _ in range(3):
        assert pid_of(daemon) == old[0]
    daemon.wait_log("has no successor")
    assert pid_of(daemon) == old[0]
    until(lambda: daemon.workers() == old, "only the old worker")


def test_worker_that_dies_before_its_successor_is_ready_leaves_one(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    versioned(tmp_path, GOOD)
    options = ("--workers", "1", *BOTH, "--set", "max_requests=1")
    daemon = smiskd(*options, "versioned", cwd=tmp_path, env=NO_CACHE)
    (old,) = daemon.workers()
    os.mkfifo(gate)
    versioned(tmp_path, f"open({str(gate)!r}).read()\n{GOOD}")
    assert pid_of(daemon) == old
    with gate.open("w"):  # there is a successor, and it waits in its import
        daemon.expect_log("was killed by signal 9")
        os.kill(old, signal.SIGKILL)
        daemon.wait_log(f"pid {old}.*was killed by signal 9")
        versioned(tmp_path, GOOD)
    until(lambda: pid_of(daemon) not in (0, old), "the successor serves")
    replaced(daemon, [old])


# --- how many ---


def test_ttin_and_ttou_add_and_remove_a_worker(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "gated")
    daemon.signal(signal.SIGTTIN)
    daemon.wait_log("TTIN: 2 workers")
    daemon.rebase(2)
    daemon.signal(signal.SIGTTOU)
    daemon.wait_log("TTOU: 1 worker")
    daemon.rebase(1)
    daemon.signal(signal.SIGTTOU)
    daemon.wait_log("TTOU: not now, with 1 worker")
    assert pid_of(daemon) == daemon.workers()[0]


# --- the end ---


def test_term_with_drain_delay_serves_on_and_then_stops(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", "drain_delay=2s", "gated")
    old = daemon.workers()
    daemon.signal(signal.SIGTERM)
    daemon.wait_log("terminated: serving on for drain_delay, 2.0 s")
    for _ in range(10):
        assert pid_of(daemon) == old[0]
    daemon.wait_log("drain_delay is over: finishing requests, then stopping")
    assert daemon.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_drain_delay(smiskd: Callable[..., Smiskd], second: signal.Signals) -> None:
    daemon = smiskd("--workers", "1", *BOTH, "--set", "drain_delay=1h", "gated")
    daemon.signal(signal.SIGTERM)
    daemon.wait_log("serving on for drain_delay")
    daemon.signal(second)
    assert daemon.wait() == 0


# --- behind web servers that keep their connections ---


@pytest.mark.parametrize("kind", ["nginx-keep", "nginx-close", "apache-keep", "haproxy", "caddy", "lighttpd"])
def test_reloads_and_recycling_behind_a_front_server_lose_nothing(
    smiskd: Callable[..., Smiskd], front: Callable[..., Front], kind: str
) -> None:
    daemon = smiskd("--workers", "2", *BOTH, "--set", "max_requests=300", "gated")
    server = front(kind, daemon.fastcgi)
    stop = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                statuses.append(session.get(server.url("/"), timeout=20).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        reload(daemon)
    stop.set()
    for thread in threads:
        thread.join(30.0)
    assert len(statuses) > 100
    assert [status for status in statuses if status != 200] == []
    until(lambda: len(daemon.workers()) == 2, "the old workers have left", 30.0)
    daemon.rebase(2)
