# SPDX-License-Identifier: MIT
"""Processes: workers replaced, drained, reloaded; what happens when something runs out."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import process
from lib.daemon import APPS, Smiskd, run_smiskd
from lib.fcgi import KEEP_CONN, OVERLOADED, FastCGI, begin
from lib.http import RawHTTP, get
from lib.servers import free_port, program
from lib.wait import until

EXIT_LISTEN = 3
HTTP = ("--http", "127.0.0.1:0")


def body(daemon: Smiskd, path: str = "/") -> bytes:
    """The body of one answer, on a connection of its own."""
    with RawHTTP(daemon.http) as raw:
        return raw.request(get(path)).body


class InFlight:
    """A request that waits within the application until `finish`."""

    def __init__(self, daemon: Smiskd, folder: Path) -> None:
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        since = daemon.log.mark()
        self.raw = RawHTTP(daemon.http)
        self.raw.send(get(f"/wait?{self.fifo}"))
        daemon.wait_log("request in flight", since)

    def finish(self) -> bytes:
        """Lets it go on; the body of its answer."""
        with open(self.fifo, "w") as fifo:
            fifo.write("yes")
        with self.raw:
            return self.raw.read_answer().body


# --- workers ---


@pytest.mark.parametrize("count", [1, 3])
def test_workers_as_many_as_asked_all_serve(smiskd: Callable[..., Smiskd], count: int) -> None:
    daemon = smiskd("--workers", str(count), *HTTP, "gated")
    assert len(daemon.workers()) == count
    wanted = {str(pid).encode() for pid in daemon.workers()}
    seen: set[bytes] = set()
    for _ in range(2000):
        seen.add(body(daemon, "/pid"))
        if seen == wanted:
            break
    assert seen == wanted


def test_killed_worker_is_replaced_and_log_says_how_it_died(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *HTTP, "gated")
    first, second = daemon.workers()
    daemon.expect_log(rf"{first}.*(SIGKILL|signal 9|[Kk]illed)")
    os.kill(first, signal.SIGKILL)
    until(lambda: len(daemon.workers()) == 2 and first not in daemon.workers(), "a new worker")
    assert second in daemon.workers()
    assert process.state(first) == ""
    assert body(daemon, "/pid") in {str(pid).encode() for pid in daemon.workers()}
    daemon.rebase(2)


def test_worker_that_exits_by_itself_is_replaced(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "quits.py").write_text(
        "import os\ndef handle(request):\n    if request.path == '/quit':\n        os._exit(7)\n    return 'here'\n"
    )
    daemon = smiskd("--workers", "1", *HTTP, "quits", cwd=tmp_path)
    daemon.expect_log(r"(status|code) 7")
    old = daemon.workers()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/quit"))
        raw.assert_closed()
    until(lambda: daemon.workers() not in ([], old), "a new worker")
    assert body(daemon) == b"here"
    daemon.rebase(1)


def test_siblings_serve_while_a_worker_dies(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *HTTP, "gated")
    daemon.expect_log("SIGKILL|signal 9|[Kk]illed")
    with RawHTTP(daemon.http) as raw:
        mine = int(raw.request(get("/pid")).body)
        other = next(pid for pid in daemon.workers() if pid != mine)
        os.kill(other, signal.SIGKILL)
        until(lambda: other not in daemon.workers(), "the other worker is dead")
        for _ in range(50):
            assert raw.request(get("/pid")).body == str(mine).encode()
    until(lambda: len(daemon.workers()) == 2, "a new worker")
    daemon.rebase(2)


def test_application_that_dies_again_and_again_is_started_with_pauses(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    (tmp_path / "loops.py").write_text(
        "import os\nfrom pathlib import Path\nFLAG = Path(__file__).with_name('flag')\n"
        "if FLAG.exists():\n    os._exit(9)\ndef handle(request):\n    return 'well'\n"
    )
    daemon = smiskd("--workers", "1", *HTTP, "loops", cwd=tmp_path)
    daemon.allow_log(".")
    (tmp_path / "flag").touch()
    since = daemon.log.mark()
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.wait_log(r"(status|code) 9", since, times=3)
    third = daemon.log.mark()
    daemon.wait_log(r"again in|trying again|next (try|attempt|start)|back-?off|pause|wait", since)
    (tmp_path / "flag").unlink()
    until(lambda: daemon.log.find("ready", since) is not None or serves(daemon), "it serves again", 30.0)
    assert daemon.log.count(r"(status|code) 9", third) < 10
    until(lambda: serves(daemon), "it serves again", 30.0)
    daemon.rebase(1)


def serves(daemon: Smiskd) -> bool:
    """Whether a request is answered 200 within a second."""
    try:
        with RawHTTP(daemon.http, 1.0) as raw:
            return raw.request(get("/")).status == 200
    except (OSError, AssertionError):
        return False


# --- signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_completes_request_in_flight_and_exits_0(
    smiskd: Callable[..., Smiskd], tmp_path: Path, number: signal.Signals
) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "gated")
    waiting = InFlight(daemon, tmp_path)
    since = daemon.log.mark()
    daemon.signal(number)
    daemon.wait_log("drain|stop|finish|shut", since)
    assert waiting.finish() == b"finished: yes"
    assert daemon.wait() == 0


def test_drain_closes_idle_connections_at_once(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "--fastcgi", f"unix:{tmp_path}/s", "hello")
    with RawHTTP(daemon.http) as web, FastCGI(daemon.fastcgi) as fastcgi:
        assert web.request(get("/")).status == 200
        assert fastcgi.ask("/", flags=KEEP_CONN).status == 200
        daemon.signal(signal.SIGTERM)
        web.assert_closed()
        fastcgi.assert_closed()
    assert daemon.wait(10.0) == 0


def test_drain_refuses_new_connections_while_a_stream_goes_on(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "streams")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/?blocks=1000"))
        raw.read_head()
        daemon.signal(signal.SIGTERM)
        until(lambda: refused(daemon), "new connections are refused")
        assert raw.read_to_end().endswith(b"0\r\n\r\n")
    assert daemon.wait() == 0


def refused(daemon: Smiskd) -> bool:
    try:
        socket.create_connection(daemon.http, 1.0).close()  # type: ignore[arg-type]
    except OSError:
        return True
    return False


def test_shutdown_timeout_ends_what_does_not_finish(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "--set", "shutdown_timeout=300ms", "gated")
    daemon.allow_log("shutdown_timeout|did not|kill|abandon")
    waiting = InFlight(daemon, tmp_path)
    since = daemon.log.mark()
    daemon.signal(signal.SIGTERM)
    daemon.wait(10.0)
    daemon.wait_log("shutdown_timeout|killed|gives up|unfinished", since)
    daemon.expect_exit(daemon.process.returncode)
    waiting.raw.close()


def test_quit_ends_at_once_in_spite_of_request_in_flight(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "2", *HTTP, "gated")
    waiting = InFlight(daemon, tmp_path)
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait(5.0) == 0
    waiting.raw.close()


def test_second_term_while_draining_does_no_harm(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "gated")
    waiting = InFlight(daemon, tmp_path)
    since = daemon.log.mark()
    daemon.signal(signal.SIGTERM)
    daemon.wait_log("drain|stop|finish|shut", since)
    daemon.signal(signal.SIGTERM)
    assert waiting.finish() == b"finished: yes"
    assert daemon.wait() == 0


def test_terminal_interrupt_to_whole_group_drains(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "gated")
    waiting = InFlight(daemon, tmp_path)
    since = daemon.log.mark()
    os.killpg(daemon.pid, signal.SIGINT)  # as Ctrl-C does: master and workers get it
    daemon.wait_log("drain|stop|finish|shut", since)
    assert waiting.finish() == b"finished: yes"
    assert daemon.wait() == 0


def test_hup_restarts_workers_with_new_code(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module = tmp_path / "versioned.py"
    module.write_text("def handle(request):\n    return 'old'\n")
    daemon = smiskd("--workers", "2", *HTTP, "versioned", cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"})
    old = daemon.workers()
    assert body(daemon) == b"old"
    module.write_text("def handle(request):\n    return 'new'\n")
    daemon.signal(signal.SIGHUP)
    until(lambda: len(daemon.workers()) == 2 and not set(old) & set(daemon.workers()), "two new workers", 20.0)
    assert {body(daemon) for _ in range(20)} == {b"new"}
    daemon.rebase(2)


def test_hup_with_broken_code_keeps_old_workers_serving(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module = tmp_path / "versioned.py"
    module.write_text("def handle(request):\n    return 'old'\n")
    daemon = smiskd("--workers", "1", *HTTP, "versioned", cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"})
    old = daemon.workers()
    module.write_text("def handle(request:\n")
    daemon.expect_log("SyntaxError")
    daemon.allow_log("reload|worker|versioned")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("SyntaxError")
    assert body(daemon) == b"old"
    assert set(old) <= set(daemon.workers())
    until(lambda: daemon.workers() == old, "only the old worker")


def test_hup_loses_no_request(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *HTTP, "gated")
    old = daemon.workers()
    daemon.signal(signal.SIGHUP)
    answers = 0
    while set(old) & set(daemon.workers()):
        assert body(daemon) == b"Hello, world!\n"
        answers += 1
        assert answers < 100_000
    assert answers > 0
    daemon.rebase(2)


def test_orphaned_workers_end_when_master_is_killed(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", *HTTP, "hello")
    workers = daemon.workers()
    daemon.expect_exit(-signal.SIGKILL)
    daemon.allow_log("master")
    os.kill(daemon.pid, signal.SIGKILL)
    assert daemon.wait() == -signal.SIGKILL
    until(lambda: not any(process.alive(pid) for pid in workers), "the workers end too", 10.0)


# --- what runs out ---


def test_running_out_of_descriptors_is_survived(smiskd: Callable[..., Smiskd]) -> None:
    limit = (program("prlimit"), "--nofile=64:64")
    daemon = smiskd("--workers", "1", *HTTP, "hello", prefix=limit)
    clients = [RawHTTP(daemon.http) for _ in range(120)]
    daemon.wait_log("cannot accept|[Tt]oo many open files|EMFILE")
    assert clients[0].request(get("/")).status == 200
    for client in clients[:100]:
        client.close()
    for client in clients[100:]:
        assert client.request(get("/")).status == 200
        client.close()
    assert body(daemon) == b"Hello, world!\n"
    daemon.allow_log("cannot accept|[Tt]oo many open files")


def test_http_past_max_connections_is_503_and_logged(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", *HTTP, "--set", "max_connections=4", "hello")
    clients = [RawHTTP(daemon.http) for _ in range(4)]
    for client in clients:
        assert client.request(get("/")).status == 200
    with RawHTTP(daemon.http) as fifth:
        fifth.send(get("/"))
        answer = fifth.read_answer()
        assert (answer.status, answer.get("connection")) == (503, "close")
    daemon.wait_log("max_connections")
    assert clients[0].request(get("/")).status == 200
    for client in clients:
        client.close()
    until(lambda: serves(daemon), "room for new connections")


def test_fastcgi_past_max_connections_is_overloaded(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    options = ("--workers", "1", "--fastcgi", f"unix:{tmp_path}/s", "--set", "max_connections=2")
    daemon = smiskd(*options, "hello")
    clients = [FastCGI(daemon.fastcgi) for _ in range(2)]
    for client in clients:
        assert client.ask("/", flags=KEEP_CONN).status == 200
    with FastCGI(daemon.fastcgi) as third:
        third.send(begin(7))
        assert third.reply(7).protocol_status == OVERLOADED
        third.assert_closed()
    for client in clients:
        assert client.ask("/").status == 200
        client.close()


# --- listeners ---


def test_listener_as_descriptor_0_is_fastcgi(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        smiskd("--workers", "2", "hello", stdin=listener.fileno())
    with FastCGI(path) as raw:
        assert raw.ask("/").body == b"Hello, world!\n"


def test_listener_given_as_fd_setting_serves(smiskd: Callable[..., Smiskd]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        smiskd("--workers", "1", "--http", "fd:0", "hello", stdin=listener.fileno())
    with RawHTTP(where) as raw:
        assert raw.request(get("/")).body == b"Hello, world!\n"


def test_stale_unix_socket_is_replaced_and_removed_at_the_end(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    daemon = smiskd("--workers", "1", "--fastcgi", f"unix:{path}", "hello")
    with FastCGI(str(path)) as raw:
        assert raw.ask("/").status == 200
    daemon.stop()
    assert not path.exists()


def test_live_unix_socket_is_refused_and_left_alone(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    path = tmp_path / "s"
    smiskd("--workers", "1", "--fastcgi", f"unix:{path}", "hello")
    done = run_smiskd("--workers", "1", "--fastcgi", f"unix:{path}", "--pythonpath", str(APPS), "hello")
    assert done.returncode == EXIT_LISTEN
    assert str(path) in done.stderr
    with FastCGI(str(path)) as raw:
        assert raw.ask("/").status == 200


def test_file_in_the_way_of_unix_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("keep me")
    done = run_smiskd("--workers", "1", "--http", f"unix:{path}", "--pythonpath", str(APPS), "hello")
    assert done.returncode == EXIT_LISTEN
    assert path.read_text() == "keep me"


def test_fixed_port_can_be_bound_again_at_once(smiskd: Callable[..., Smiskd]) -> None:
    where = f"127.0.0.1:{free_port()}"
    for _ in range(2):
        daemon = smiskd("--workers", "1", "--http", where, "hello")
        assert body(daemon) == b"Hello, world!\n"
        daemon.stop()


def test_many_connections_at_once_wake_no_herd(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "3", *HTTP, "gated")
    served: dict[bytes, int] = {}
    for _ in range(300):
        pid = body(daemon, "/pid")
        served[pid] = served.get(pid, 0) + 1
    assert sum(served.values()) == 300
    assert set(served) <= {str(pid).encode() for pid in daemon.workers()}


def test_daemonize_detaches_and_leaves_pidfile(tmp_path: Path) -> None:
    pidfile, where = tmp_path / "smisk.pid", str(tmp_path / "s")
    options = ("--workers", "1", "--fastcgi", f"unix:{where}", "--daemonize", "--pidfile", str(pidfile))
    log = ("--set", f"error_log={tmp_path}/error.log")
    done = run_smiskd(*options, *log, "--pythonpath", str(APPS), "hello")
    assert done.returncode == 0, done.stderr
    pid = int(pidfile.read_text())  # it returns when it serves: the file is there
    with FastCGI(where) as raw:
        assert raw.ask("/").status == 200
    os.kill(pid, signal.SIGTERM)
    until(lambda: not process.alive(pid), "the daemon ends", 10.0)
    assert not pidfile.exists()
