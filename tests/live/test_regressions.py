# SPDX-License-Identifier: MIT
"""What attacks on a running daemon found, and what they are to go on finding intact."""

import json
import os
import pwd
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib import process
from lib.daemon import APPS, Smiskd, run_smiskd
from lib.fcgi import (
    ABORT_REQUEST,
    END_REQUEST,
    GET_VALUES,
    GET_VALUES_RESULT,
    KEEP_CONN,
    STDIN,
    FastCGI,
    Record,
    begin,
    cgi_env,
    encode_pairs,
    params,
    record,
    request,
    stream,
)
from lib.http import RawHTTP, get
from lib.wait import until

ONE = ("--workers", "1")
HTTP = ("--http", "127.0.0.1:0")
FASTCGI = ("--fastcgi", "127.0.0.1:0")
BLOCK = 65536


def module(folder: Path, name: str, source: str) -> None:
    """Writes an application that the daemon finds with `cwd=folder`."""
    (folder / f"{name}.py").write_text(source)


# --- bounds ---

COUNTING = """
calls = 0

def handle(request):
    global calls
    calls += 1
    if request.path == "/calls":
        return str(calls)
    return bytes(500_000)
"""


def test_answers_that_a_pipelining_client_does_not_read_do_not_pile_up(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "counting", COUNTING)
    daemon = smiskd(*ONE, *HTTP, "counting", cwd=tmp_path)
    with RawHTTP(daemon.http) as greedy, RawHTTP(daemon.http) as other:
        greedy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        greedy.send(get("/") * 400)
        calls = [int(other.request(get("/calls")).body) for _ in range(50)][-1]
        assert calls - 50 < 40, "answers were made that nobody reads"
        for _ in range(400):
            assert len(greedy.read_answer().body) == 500_000
        greedy.send(get("/calls"))
        assert int(greedy.read_answer().body) == 451
    with RawHTTP(daemon.http) as gone:
        gone.send(get("/") * 100)
        gone.half_close()
        for _ in range(100):
            assert len(gone.read_answer().body) == 500_000
        gone.assert_closed()


def test_one_client_that_pipelines_without_end_does_not_starve_the_others(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *HTTP, "hello")
    over = threading.Event()
    with RawHTTP(daemon.http) as flood:

        def ask() -> None:
            many = get("/") * 2000
            while not over.is_set():
                flood.send(many)
            flood.half_close()

        def read() -> None:
            while flood.sock.recv(1 << 20):
                pass

        threads = [threading.Thread(target=work) for work in (ask, read)]
        for thread in threads:
            thread.start()
        try:
            with RawHTTP(daemon.http, 5.0) as other:
                for _ in range(20):
                    assert other.request(get("/")).status == 200
        finally:
            over.set()
            for thread in threads:
                thread.join()


def test_connections_that_are_over_do_not_count_as_load(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *HTTP, "--set", "max_connections=2", "hello")
    worker = daemon.workers()[0]
    with ExitStack() as open_clients:
        os.kill(worker, signal.SIGSTOP)
        clients = [open_clients.enter_context(RawHTTP(daemon.http)) for _ in range(30)]
        for client in clients:
            client.send(get("/", "Connection: close"))
        os.kill(worker, signal.SIGCONT)
        assert [client.read_answer().status for client in clients] == [200] * 30


# --- deadlines ---

SLOW = """
import time

def handle(request):
    time.sleep(1.0 if request.path == "/block" else 0.01)
    return str(len(request.body))
"""


def test_busy_server_does_not_take_its_own_lateness_for_the_clients(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "slow", SLOW)
    limits = [word for name in ("body", "header", "keepalive") for word in ("--set", f"{name}_timeout=500ms")]
    daemon = smiskd(*ONE, *HTTP, *limits, "slow", cwd=tmp_path)
    with ExitStack() as open_clients:
        blocker = open_clients.enter_context(RawHTTP(daemon.http))
        clients = [open_clients.enter_context(RawHTTP(daemon.http)) for _ in range(300)]
        for client in clients:
            client.send(get("/", "Content-Length: 4", method="POST"))
        blocker.send(get("/block"))
        for client in clients:
            client.send("body")
        assert {client.read_answer().status for client in clients} == {200}
        assert blocker.read_answer().status == 200


# --- FastCGI ---


def test_two_streams_over_one_connection_both_come_to_their_end(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *FASTCGI, "--set", "write_buffer=64k", "streams")
    for _ in range(5):
        with FastCGI(daemon.fastcgi) as client:
            for request_id in (1, 2, 3):
                client.send(request("/?blocks=80", request_id=request_id, flags=KEEP_CONN))
            for request_id in (1, 2, 3):
                assert len(client.reply(request_id).body) == 80 * BLOCK
            assert len(client.ask("/?blocks=1", flags=KEEP_CONN).body) == BLOCK


WATCHFUL = """
import time

def watch(request):
    yield b"begun"
    while not request.is_aborted:
        time.sleep(0.005)

def handle(request):
    return watch(request) if request.path == "/watch" else "fine"
"""


def test_stream_that_sees_its_abort_and_returns_ends_once(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module(tmp_path, "watchful", WATCHFUL)
    daemon = smiskd(*ONE, *FASTCGI, "watchful", cwd=tmp_path)
    with FastCGI(daemon.fastcgi) as client:
        client.send(request("/watch", request_id=1, flags=KEEP_CONN))
        while b"begun" not in client.take(_next(client)).stdout:
            pass
        client.send(record(ABORT_REQUEST, 1))
        client.send(record(GET_VALUES, 0, encode_pairs({"FCGI_MPXS_CONNS": ""})))
        ends = 0
        seen = set[int]()
        while not {END_REQUEST, GET_VALUES_RESULT} <= seen:
            found = _next(client)
            seen.add(found.type)
            ends += found.type == END_REQUEST
        client.replies.clear()
        assert ends == 1
        assert client.ask("/", flags=KEEP_CONN).body == b"fine"


def _next(client: FastCGI) -> Record:
    found = client.read_record()
    assert found is not None, "the server closed the connection"
    return found


def test_abort_of_a_request_still_coming_in_is_answered_whole(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *FASTCGI, "hello")
    for _ in range(20):
        with FastCGI(daemon.fastcgi) as client:
            client.send(begin(1) + params(1, cgi_env("POST", CONTENT_LENGTH="60000")) + record(ABORT_REQUEST, 1))
            client.reply(1)
            client.send(stream(STDIN, 1, b"x" * 60_000))
            client.sock.shutdown(socket.SHUT_WR)
            client.assert_closed()


# --- master ---

FAILING_LATE = """
import sys, time

print("begins to start", file=sys.stderr, flush=True)
time.sleep(1)
raise RuntimeError("no good")
"""
SLOW_TO_START = """
import sys, time

print("begins to start", file=sys.stderr, flush=True)
time.sleep(1)

def handle(request):
    return "old"
"""
NEW = "def handle(request):\n    return 'new'\n"
FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}


def answer(daemon: Smiskd) -> bytes:
    """The body of one answer, on a connection of its own."""
    with RawHTTP(daemon.http) as raw:
        return raw.request(get("/")).body


def test_hup_during_a_reload_that_fails_is_not_lost(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module(tmp_path, "versions", NEW.replace("new", "old"))
    daemon = smiskd(*ONE, *HTTP, "versions", cwd=tmp_path, env=FRESH)
    daemon.expect_log("no good")
    daemon.allow_log("reload failed|status 1")
    module(tmp_path, "versions", FAILING_LATE)
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("begins to start")
    module(tmp_path, "versions", NEW)
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloaded: all workers")
    until(lambda: answer(daemon) == b"new", "the newest code serves")
    daemon.rebase(1)


def test_hup_during_start_is_not_lost(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module(tmp_path, "versions", SLOW_TO_START)
    daemon = smiskd(*ONE, *HTTP, "versions", cwd=tmp_path, env=FRESH, ready=False)
    daemon.wait_log("begins to start")
    module(tmp_path, "versions", NEW)
    daemon.signal(signal.SIGHUP)
    daemon.wait_ready()
    daemon.wait_log("reloaded: all workers")
    until(lambda: answer(daemon) == b"new", "the newest code serves")
    daemon.rebase(1)


def test_child_that_outlives_its_worker_does_not_block_the_master(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "forks", FORKS)
    daemon = smiskd(*ONE, *HTTP, "forks", cwd=tmp_path)
    daemon.allow_log("killed by signal 9|status 7")
    (tmp_path / "die").touch()
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.wait_log("before it was ready", times=3)
    (tmp_path / "die").unlink()
    until(lambda: daemon.log.count("child has ended") >= 1, "a child that ended", 10.0)
    until(lambda: len(daemon.workers()) == 1 and serves(daemon), "it serves again", 20.0)
    daemon.rebase(1)


FORKS = """
import os, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
if os.path.exists(HERE + "/die"):
    if os.fork() == 0:
        time.sleep(0.5)
        print("child has ended", file=sys.stderr, flush=True)
        os._exit(0)
    os._exit(7)

def handle(request):
    return "here"
"""


def serves(daemon: Smiskd) -> bool:
    """Whether a request is answered within a second."""
    try:
        with RawHTTP(daemon.http, 1.0) as raw:
            return raw.request(get("/")).status == 200
    except (OSError, AssertionError):
        return False


# --- identity ---

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534


def is_open_to_others(folder: str) -> bool:
    """Whether every user may go where this folder is."""
    return all(one.stat().st_mode & 0o001 for one in (Path(folder), *Path(folder).parents))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, with a Python that every user may start."""
    elsewhere = shutil.which(f"python{sys.version_info[0]}.{sys.version_info[1]}", path="/usr/local/bin:/usr/bin")
    if not is_open_to_others(sys.base_prefix) and elsewhere is None:
        pytest.skip(f"other users cannot read the Python in {sys.base_prefix}")
    with tempfile.TemporaryDirectory(prefix="smisk-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@only_root
def test_user_given_as_a_number_does_not_keep_the_group_of_root(
    smiskd: Callable[..., Smiskd], open_folder: Path
) -> None:
    module(open_folder, "plain", NEW)
    daemon = smiskd(*ONE, *HTTP, "--user", str(NOBODY), "--pythonpath", str(open_folder), "plain", cwd=open_folder)
    status = Path(f"/proc/{daemon.workers()[0]}/status").read_text()
    ids = {line.split()[0]: set(line.split()[1:]) for line in status.splitlines() if line.startswith(("Uid", "Gid"))}
    assert ids == {"Uid:": {str(NOBODY)}, "Gid:": {str(pwd.getpwuid(NOBODY).pw_gid)}}
    assert answer(daemon) == b"new"


@only_root
def test_rotated_log_is_written_by_workers_of_another_user(smiskd: Callable[..., Smiskd], open_folder: Path) -> None:
    module(open_folder, "plain", "def handle(request):\n    request.log_error('seen')\n    return 'x'\n")
    path = open_folder / "error.log"
    log = ("--set", f"error_log={path}")
    pidfile = open_folder / "pid"
    options = (*ONE, "--http", f"unix:{open_folder}/s", "--user", "nobody", "--pythonpath", str(open_folder))
    done = run_smiskd(*options, *log, "--daemonize", "--pidfile", str(pidfile), "plain", cwd=open_folder)
    assert done.returncode == 0, done.stderr
    master = int(pidfile.read_text())
    try:
        path.rename(open_folder / "error.log.1")
        os.kill(master, signal.SIGUSR1)
        until(lambda: path.exists() and "log reopened" in path.read_text(), "the master's line in the new file")
        with RawHTTP(str(open_folder / "s")) as raw:
            until(lambda: raw.request(get("/")).status == 200 and "seen" in path.read_text(), "the worker's line")
    finally:
        os.kill(master, signal.SIGTERM)
        until(lambda: not process.alive(master), "the master ends", 10.0)


def test_connection_ends_for_the_client_though_a_forked_child_lives(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *HTTP, "forking")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/", "Connection: close"))
        answer = raw.read_answer()
        child = int(answer.body)
        try:
            raw.assert_closed()
            # The parent may have answered before the child had run at all.
            until(lambda: not any("socket:" in what for what in process.descriptors(child).values()), "its sockets")
            assert process.alive(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_prints_of_a_daemon_go_to_its_error_log(tmp_path: Path) -> None:
    pidfile, where, log = tmp_path / "pid", str(tmp_path / "s"), tmp_path / "error.log"
    options = (*ONE, "--fastcgi", f"unix:{where}", "--daemonize", "--pidfile", str(pidfile))
    done = run_smiskd(*options, "--set", f"error_log={log}", "--pythonpath", str(APPS), "forking")
    assert done.returncode == 0, done.stderr
    pid = int(pidfile.read_text())
    try:
        with FastCGI(where) as raw:
            os.kill(int(raw.ask("/before").body), signal.SIGKILL)
            log.rename(tmp_path / "error.log.1")
            os.kill(pid, signal.SIGUSR1)
            until(lambda: log.exists() and "log reopened" in log.read_text(), "the new log")
        with FastCGI(where) as raw:
            os.kill(int(raw.ask("/after").body), signal.SIGKILL)
        assert "printed for /before" in (tmp_path / "error.log.1").read_text()
        until(
            lambda: any("printed for /after" in file.read_text() for file in tmp_path.glob("error.log*")), "the print"
        )
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not process.alive(pid), "the daemon ends", 10.0)


# --- pieces from the loop ---

LATE = """
import asyncio

BIG = b"x" * 1_000_000

async def pieces():
    await asyncio.sleep(0)
    yield BIG
    yield b"end"

async def native(request):
    return pieces()

async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    await asyncio.sleep(0)
    trailers = scope["path"] == "/trailers"
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": trailers})
    await send({"type": "http.response.body", "body": BIG, "more_body": not trailers})
    if trailers:
        await send({"type": "http.response.trailers", "headers": [(b"x-end", b"yes")]})
    else:
        await send({"type": "http.response.body", "body": b"end"})
"""


@pytest.mark.parametrize(
    ("app", "path", "end"), [("native", "/", b"end"), ("asgi", "/", b"end"), ("asgi", "/trailers", b"")]
)
def test_piece_beyond_write_buffer_from_the_loop_is_sent_without_a_push(
    smiskd: Callable[..., Smiskd], tmp_path: Path, app: str, path: str, end: bytes
) -> None:
    # Sent while asyncio and not the engine calls: nothing else then sends what is queued, and `resume` never comes.
    module(tmp_path, "late", LATE)
    daemon = smiskd(*ONE, *HTTP, f"late:{app}", cwd=tmp_path)
    with RawHTTP(daemon.http, timeout=10.0) as raw:
        answer = raw.request(get(path))
        assert answer.status == 200
        assert answer.body == b"x" * 1_000_000 + end


# --- what nginx says twice ---

TWICE = """
def native(request):
    return {name.lower(): value for name, value in request.headers.items()}

async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    names = [name for name, _ in scope["headers"]]
    assert len(names) == len(set(names)), names
    body = str({name.decode(): value.decode() for name, value in scope["headers"]}).replace("'", '"').encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize("app", ["native", "asgi"])
def test_fields_of_the_body_said_twice_over_fastcgi_count_once(
    smiskd: Callable[..., Smiskd], tmp_path: Path, app: str
) -> None:
    module(tmp_path, "twice", TWICE)
    daemon = smiskd(*ONE, *FASTCGI, f"twice:{app}", cwd=tmp_path)
    said = {
        "CONTENT_TYPE": "text/plain",
        "HTTP_CONTENT_TYPE": "text/plain",
        "HTTP_CONTENT_LENGTH": "3",
        "HTTP_X": "y",
    }
    with FastCGI(daemon.fastcgi) as raw:
        headers = json.loads(raw.ask("/", b"abc", env=said).body)
    assert headers == {"content-type": "text/plain", "content-length": "3", "x": "y"}


# --- the client has gone, said by a group ---

GROUPED = """
import asyncio, sys

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    except OSError as error:
        gone = error
    print("the application noticed", file=sys.stderr, flush=True)
    raise RuntimeError("wrapped") from ExceptionGroup("of a task group", [gone])
"""


def test_disconnect_wrapped_by_application_in_a_group_is_no_error(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "grouped", GROUPED)
    daemon = smiskd(*ONE, *HTTP, "grouped:app", cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/"))
        assert raw.read_head().status == 200
    daemon.wait_log("the application noticed")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/"))
        assert raw.read_head().status == 200
    daemon.wait_log("the application noticed", times=2)
