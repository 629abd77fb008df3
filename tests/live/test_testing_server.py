# SPDX-License-Identifier: MIT
"""smisk.testing.Server: a real smiskd that comes, serves and goes with whoever started it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from smisk.testing import Server, ServerError, SmiskdNotFoundError, find_smiskd
from smisk.testing.program import own_folders

from lib import process
from lib.daemon import APPS, BINARY
from lib.fcgi import FastCGI
from lib.http import RawHTTP, get
from lib.wait import until


@pytest.fixture(autouse=True)
def _program(monkeypatch):
    monkeypatch.setenv("SMISKD", str(BINARY))
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")


def handle(request):
    """What the tests below serve, named by this file."""
    return {"pid": os.getpid(), "path": request.path, "variable": os.environ.get("SHOP"), "argv": sys.argv}


class Shop:
    """Something that only this process has an instance of."""

    def __call__(self, request):
        return "x"


def fetch(server, path="/"):
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return answer.status, answer.read()


def gone(pids):
    return not [pid for pid in pids if process.alive(pid)]


@pytest.fixture
def family():
    """Gives the process ids of a server: the master, its workers, and the shell that waits beside them."""
    others = set(process.children(os.getpid()))  # servers that fixtures of the whole session keep

    def pids_of(server):
        beside = [pid for pid in process.children(os.getpid()) if pid not in others]
        return [server.pid, *process.children(server.pid), *beside]

    return pids_of


# --- coming and going ---


def test_server_serves_a_name_and_leaves_nothing(family):
    with Server("hello", pythonpath=[APPS]) as server:
        assert fetch(server)[0] == 200
        assert server.address() == ("127.0.0.1", server.port)
        assert server.url == f"http://127.0.0.1:{server.port}"
        pids = family(server)
        assert len(pids) >= 3
        folder = server._folder
        assert Path(folder, "pid").read_text().strip() == str(server.pid)
    until(lambda: gone(pids), f"{pids} have ended")
    assert not Path(folder).exists()
    assert "stopped" in server.log
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.pid


def test_server_serves_a_function_of_a_test_module():
    with Server(handle, env={"SHOP": "open"}) as server:
        status, body = fetch(server, "/x")
    assert status == 200
    assert b'"path":"/x","variable":"open"' in body


def test_server_keeps_the_configuration_and_overrides_what_is_for_production(tmp_path):
    (tmp_path / "smisk.conf").write_text(
        'app: "hello",\nlisten: ["http://127.0.0.1:1"],\nlog_level: error,\n'
        f'error_log: "{tmp_path}/log",\npidfile: "{tmp_path}/pid",\ndaemonize: true,\nmax_headers: 8,\n'
    )
    with Server(config=tmp_path / "smisk.conf", pythonpath=[APPS], settings={"show_traceback": True}) as server:
        assert fetch(server)[0] == 200
        with RawHTTP(server.address()) as raw:
            raw.send(get("/", *(f"A{number}: 1" for number in range(8))))
            assert raw.read_answer().status == 431
    assert sorted(path.name for path in tmp_path.iterdir()) == ["smisk.conf"]


def test_server_listens_on_sockets_and_for_fastcgi():
    with Server("hello", pythonpath=[APPS], http="unix", fastcgi=True) as server:
        path = server.address()
        assert isinstance(path, str)
        with RawHTTP(path) as raw:
            assert raw.request(get("/")).status == 200
        with FastCGI(server.address("fastcgi")) as front:
            assert front.ask("/").status == 200
        assert server.port == server.address("fastcgi")[1]
        with pytest.raises(LookupError, match="has no URL"):
            _ = server.url
    assert not Path(path).exists()


def test_server_without_http_says_so():
    with Server("hello", pythonpath=[APPS], http=False, fastcgi="unix") as server:
        with pytest.raises(LookupError, match="does not listen for http"):
            _ = server.url
        with pytest.raises(LookupError, match="no TCP port"):
            _ = server.port


def test_server_with_several_workers_has_them():
    with Server("hello", pythonpath=[APPS], workers=2) as server:
        assert len(process.children(server.pid)) == 2


def test_interface_is_passed_on():
    with Server("echo:handle", "native", pythonpath=[APPS]) as server:
        assert fetch(server)[0] == 200
    with pytest.raises(ServerError, match="can never be called as a WSGI"), Server(handle, "wsgi"):
        pass


def test_wait_log_finds_what_the_application_prints(tmp_path):
    (tmp_path / "talk.py").write_text("def handle(request):\n    print('asked for', request.path)\n    return ''\n")
    with Server("talk", pythonpath=[tmp_path]) as server:
        fetch(server, "/tea")
        assert server.wait_log(r"asked for (\S+)")[1] == "/tea"
        with pytest.raises(TimeoutError, match="no line with"):
            server.wait_log("never", within=0)


# --- going wrong ---


def test_server_that_does_not_start_fails_with_its_log(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    server = Server("broken", pythonpath=[tmp_path])
    with pytest.raises(ServerError, match="ZeroDivisionError") as failed:
        server.start()
    assert (failed.value.status, "ZeroDivisionError" in failed.value.log) == (1, True)
    assert "ended with status 1" in str(failed.value)
    assert server._folder == ""
    server.stop()


def test_server_that_is_never_ready_fails_in_time_and_is_gone(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\nopen('pid', 'w').write(str(os.getpid()))\nsignal.pause()\n"
    )
    server = Server("slow", pythonpath=[tmp_path], cwd=tmp_path, start_timeout=2.0)
    with pytest.raises(ServerError, match=r"was not ready within 2.0 s"):
        server.start()
    if (tmp_path / "pid").exists():
        pid = int((tmp_path / "pid").read_text())
        until(lambda: gone([pid]), "the worker has ended")


def test_wrong_setting_is_named():
    with pytest.raises(ServerError, match='unknown key "workes"; did you mean "workers"'):
        Server("hello", settings={"workes": 2}).start()


def test_server_that_dies_is_told_by_stop():
    server = Server("hello", pythonpath=[APPS]).start()
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ServerError, match="ended with status -9"):
        server.stop()
    server.stop()


def test_failure_of_the_test_comes_before_that_of_the_server():
    def fail():
        with Server("hello", pythonpath=[APPS]) as server:
            os.kill(server.pid, signal.SIGKILL)
            raise LookupError("of the test")

    with pytest.raises(LookupError, match="of the test"):
        fail()


def test_server_that_does_not_end_is_killed(family, tmp_path):
    (tmp_path / "busy.py").write_text("import time\ndef handle(request):\n    while True:\n        time.sleep(1)\n")
    server = Server("busy", pythonpath=[tmp_path], stop_timeout=0.5).start()
    pids = family(server)
    with socket.create_connection(server.address()) as client:
        client.sendall(get("/"))
        until(lambda: process.state(pids[1]) == "S", "the handler sleeps")
        with pytest.raises(ServerError, match=r"had to be killed after 0.5 s"):
            server.stop()
    until(lambda: gone(pids), f"{pids} have ended")


def test_missing_smiskd_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv("SMISKD", str(tmp_path / "none"))
    with pytest.raises(SmiskdNotFoundError, match=r"SMISKD names .*none, which is no program"):
        Server("hello")
    monkeypatch.delenv("SMISKD")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(SmiskdNotFoundError, match="install smisk"):
        find_smiskd()
    (tmp_path / "smiskd").write_text("#!/bin/sh\n")
    (tmp_path / "smiskd").chmod(0o755)
    assert find_smiskd() == str(tmp_path / "smiskd")


@pytest.mark.parametrize(
    ("app", "words"), [(lambda request: "", "is within a function"), (Shop(), "has no name"), (print, "from no file")]
)
def test_what_no_other_process_can_import_is_refused(app, words):
    with pytest.raises(TypeError, match=words):
        Server(app)


@pytest.mark.parametrize("more", [{}, {"app": "hello", "http": False}])
def test_server_without_application_or_protocol_is_refused(more):
    with pytest.raises(TypeError):
        Server(**more)


def test_started_server_cannot_be_started_again():
    with Server("hello", pythonpath=[APPS]) as server, pytest.raises(RuntimeError, match="started already"):
        server.start()


# --- many, and the death of the test ---


def test_servers_in_threads_are_apart():
    def run(number):
        with Server(handle, env={"SHOP": str(number)}) as server:
            return fetch(server)[1]

    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(run, range(4)))
    assert [f'"variable":"{number}"'.encode() in body for number, body in enumerate(bodies)] == [True] * 4


def test_server_survives_the_thread_that_started_it():
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(Server("hello", pythonpath=[APPS]).start).result()
    try:
        assert fetch(server)[0] == 200
    finally:
        server.stop()


CHILD = """
import sys
from smisk.testing import Server
server = Server("hello", pythonpath=[sys.argv[1]]).start()
print(server.pid, server.port, server._folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, 0])
def test_server_does_not_outlive_a_test_that_dies(number):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(own_folders())}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(APPS)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin and child.stdout
        pid, port, folder = child.stdout.readline().decode().split()
        pids = [int(pid), *process.children(int(pid))]
        if number:
            child.send_signal(number)
        child.stdin.close()
        child.wait(30)
        until(lambda: gone(pids), f"{pids} have ended", 30)
        until(lambda: not Path(folder).exists(), "its folder is removed")
        with pytest.raises(OSError, match="refused"):
            http.client.HTTPConnection("127.0.0.1", int(port), timeout=5).connect()
