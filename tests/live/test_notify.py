# SPDX-License-Identifier: MIT
"""The service manager's protocol, sd_notify(3): what is said when, by whom, over which kind of socket."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.daemon import Smiskd
from lib.http import RawHTTP, get

HTTP = ("--workers", "1", "--http", "127.0.0.1:0")
GOOD = "import os\n\ndef handle(request):\n    return repr([os.environ.get(name) for name in NAMES])\n"
NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Manager:
    """The receiving end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(20.0)

    def next(self) -> dict[str, str]:
        """The next message that is no watchdog's."""
        while True:
            text = self.socket.recv(4096).decode()
            found = dict(line.split("=", 1) for line in text.splitlines())
            if "WATCHDOG" not in found:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"{tmp_path}/notify" if request.param == "path" else f"@smisk-test-{os.getpid()}-{tmp_path.name}"
    made = Manager(name)
    yield made
    made.socket.close()


def write(folder: Path, text: str) -> None:
    (folder / "told.py").write_text(f"NAMES = {NAMES!r}\n{text}")


def test_manager_hears_of_start_reload_and_stop(
    smiskd: Callable[..., Smiskd], manager: Manager, tmp_path: Path
) -> None:
    write(tmp_path, GOOD)
    env = {"NOTIFY_SOCKET": manager.name, "PYTHONDONTWRITEBYTECODE": "1"}
    daemon = smiskd(*HTTP, "told", cwd=tmp_path, env=env)
    assert manager.next() == {"READY": "1", "MAINPID": str(daemon.pid), "STATUS": "serving with 1 worker"}
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"[None, None, None]"  # nothing that it starts can speak for it
    asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    told = manager.next()
    assert (told["RELOADING"], asked <= int(told["MONOTONIC_USEC"])) == ("1", True)
    assert manager.next()["READY"] == "1"
    daemon.signal(signal.SIGTERM)
    assert manager.next()["STOPPING"] == "1"
    assert daemon.wait() == 0


def test_manager_hears_that_a_failed_reload_is_over(
    smiskd: Callable[..., Smiskd], manager: Manager, tmp_path: Path
) -> None:
    write(tmp_path, GOOD)
    conf = tmp_path / "x.conf"
    conf.write_text('app: "told", pythonpath: ["."], workers: 1, listen: "http://127.0.0.1:0"')
    env = {"NOTIFY_SOCKET": manager.name, "PYTHONDONTWRITEBYTECODE": "1"}
    daemon = smiskd("-c", str(conf), cwd=tmp_path, env=env)
    assert "READY" in manager.next()
    daemon.allow_log("told|reload|configuration|worker|x.conf")
    write(tmp_path, "def handle(request:\n")
    daemon.expect_log("SyntaxError")
    daemon.signal(signal.SIGHUP)
    assert ["RELOADING" in manager.next(), "READY" in manager.next()] == [True, True]
    conf.write_text("workerz: 1")
    daemon.expect_log("the configuration is wrong")
    daemon.signal(signal.SIGHUP)
    assert ["RELOADING" in manager.next(), "READY" in manager.next()] == [True, True]


def test_application_that_does_not_start_is_never_ready(
    smiskd: Callable[..., Smiskd], manager: Manager, tmp_path: Path
) -> None:
    write(tmp_path, "raise RuntimeError('not today')\n")
    daemon = smiskd(*HTTP, "told", cwd=tmp_path, env={"NOTIFY_SOCKET": manager.name}, ready=False)
    daemon.allow_log("not today|worker|told|start")
    daemon.expect_exit(1)
    assert daemon.wait() == 1
    assert "STOPPING" in manager.next()


def test_watchdog_is_fed(smiskd: Callable[..., Smiskd], manager: Manager) -> None:
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000"}
    smiskd(*HTTP, "hello", env=env)
    said = [manager.socket.recv(4096) for _ in range(6)]
    assert said.count(b"WATCHDOG=1") >= 4


def test_watchdog_of_another_process_is_not_fed(smiskd: Callable[..., Smiskd], manager: Manager) -> None:
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "50000", "WATCHDOG_PID": "1"}
    daemon = smiskd(*HTTP, "hello", env=env)
    daemon.stop()
    manager.socket.setblocking(False)
    said = []
    while True:
        try:
            said.append(manager.socket.recv(4096))
        except BlockingIOError:
            break
    assert len(said) == 2 and not any(b"WATCHDOG" in one for one in said)


@pytest.mark.parametrize("name", ["", "relative", "@", "/nowhere/at/all", "/" + "x" * 200])
def test_manager_that_is_none_does_no_harm(smiskd: Callable[..., Smiskd], name: str) -> None:
    smiskd(*HTTP, "hello", env={"NOTIFY_SOCKET": name})
