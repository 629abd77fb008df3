# SPDX-License-Identifier: MIT
"""Programs that become smiskd: `python program.py`, `python -m program`, with FastCGI and HTTP (reference 4.1, 12, 13)."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lib import process
from lib.daemon import APPS, BINARY, ROOT, Address, Smiskd, environment, run_smiskd
from lib.fcgi import FastCGI
from lib.http import RawHTTP, get
from lib.wait import until

Start = Callable[..., Smiskd]
EXIT_APP = 1
PROGRAM = APPS / "launching.py"
LOCAL = "127.0.0.1:0"


def variables(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What leads the program to this tree and this smiskd."""
    return {"PYTHONPATH": str(ROOT / "pylib"), "SMISKD": str(BINARY), **(more or {})}


@pytest.fixture
def program() -> Iterator[Start]:
    """Starts programs that become smiskd; ends and inspects them after the test. `more` are variables."""
    kept: list[Smiskd] = []

    def start(*arguments: str, cwd: Path, more: Mapping[str, str] | None = None, **options: Any) -> Smiskd:
        started = Smiskd(*arguments, program=(sys.executable,), cwd=cwd, env=variables(more), **options)
        kept.append(started)
        return started

    yield start
    for daemon in reversed(kept):
        daemon.stop()


def run_program(
    *arguments: str, cwd: Path, more: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a program that is to end by itself."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(variables(more)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ask(address: Address) -> dict[str, Any]:
    """What the program's handler finds, by FastCGI."""
    with FastCGI(address) as raw:
        found: dict[str, Any] = json.loads(raw.ask("/").body)
    return found


def ask_http(address: Address) -> dict[str, Any]:
    """The same by HTTP."""
    with RawHTTP(address) as raw:
        found: dict[str, Any] = json.loads(raw.request(get("/")).body)
    return found


# --- as it was started ---


def test_program_finds_itself_as_it_was_started(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), "-x", "two words", "", cwd=tmp_path, more={"BIND": LOCAL})
    seen = ask(daemon.fastcgi)
    where = "{}:{}".format(*daemon.fastcgi)
    assert seen["argv"] == [str(PROGRAM), "-x", "two words", ""]
    assert (seen["name"], seen["package"], seen["main"]) == ("__main__", None, str(PROGRAM))
    assert (seen["cwd"], seen["started"], seen["listening"]) == (str(tmp_path), str(tmp_path), where)
    assert seen["path"][:2] == [str(APPS), str(ROOT / "pylib")]
    assert seen["prefix"] == sys.prefix
    assert (seen["variables"], seen.get("after")) == ([], None)


def test_program_stays_the_same_process(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL})
    assert ask(daemon.fastcgi)["pid"] in daemon.workers()
    assert os.readlink(f"/proc/{daemon.pid}/exe") == str(BINARY.resolve())


def test_program_that_is_a_module_is_run_as_one(program: Start, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shutil.copy(PROGRAM, tmp_path / "shop" / "web.py")
    daemon = program("-m", "shop.web", "x", cwd=tmp_path, more={"BIND": LOCAL})
    seen = ask(daemon.fastcgi)
    assert (seen["name"], seen["package"]) == ("__main__", "shop")
    assert seen["argv"] == [str(tmp_path / "shop" / "web.py"), "x"]


def test_program_that_is_a_package_is_run_as_one(program: Start, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shutil.copy(PROGRAM, tmp_path / "shop" / "__main__.py")
    daemon = program("-m", "shop", cwd=tmp_path, more={"BIND": LOCAL})
    assert ask(daemon.fastcgi)["package"] == "shop"


@pytest.mark.parametrize("name", ["with space.py", 'it\'s "quoted" (1).py', "ümlaut.py", "no-suffix", "a:b.py"])
def test_program_of_any_name_is_run_again(program: Start, tmp_path: Path, name: str) -> None:
    shutil.copy(PROGRAM, tmp_path / name)
    daemon = program(name, cwd=tmp_path, more={"BIND": LOCAL})
    assert ask(daemon.fastcgi)["main"] == str(tmp_path / name)


def test_program_behind_link_stays_behind_it(program: Start, tmp_path: Path) -> None:
    (tmp_path / "program").symlink_to(PROGRAM)
    daemon = program("program", cwd=tmp_path, more={"BIND": LOCAL})
    assert ask(daemon.fastcgi)["main"] == str(tmp_path / "program")


def test_forks_are_processes_beside_the_first(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL, "FORKS": "2"})
    assert len(daemon.workers()) == 3


# --- where it listens ---


def test_program_on_unix_socket_serves_there(program: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "a socket of more than fourteen bytes")
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": path})
    assert daemon.fastcgi == path
    assert ask(path)["listening"] == path


def test_program_with_smisk_bind_serves_there(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"SMISK_BIND": LOCAL})
    assert ask(daemon.fastcgi)["argv"] == [str(PROGRAM)]


def test_program_behind_fastcgi_server_serves_descriptor_0(program: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = program(str(PROGRAM), cwd=tmp_path, stdin=listener.fileno())
        assert daemon.fastcgi == listener.getsockname()
        assert ask(daemon.fastcgi)["listening"] is None


def test_program_serves_http_and_fastcgi_together(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"HTTP": LOCAL, "BIND": LOCAL})
    assert ask_http(daemon.http)["pid"] == ask(daemon.fastcgi)["pid"]


def test_program_behind_fastcgi_server_serves_http_too(program: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = program(str(PROGRAM), cwd=tmp_path, more={"HTTP": LOCAL}, stdin=listener.fileno())
        assert ask_http(daemon.http)["pid"] == ask(daemon.fastcgi)["pid"]


def test_program_that_listens_nowhere_says_how(tmp_path: Path) -> None:
    done = run_program(str(PROGRAM), cwd=tmp_path)
    assert done.returncode == 1
    assert "Application must be run in a FastCGI environment: give an address with --bind" in done.stderr


def test_program_whose_port_is_taken_fails_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_program(str(PROGRAM), cwd=tmp_path, more={"BIND": address})
    assert done.returncode == 1
    assert f"Address already in use: '{address}'" in done.stderr
    assert "smiskd[" not in done.stderr


# --- what goes wrong on the way ---


def test_program_without_smiskd_says_so(tmp_path: Path) -> None:
    done = run_program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL, "SMISKD": f"{tmp_path}/none"})
    assert done.returncode == 1
    assert f"LaunchError: SMISKD is '{tmp_path}/none', which is no program" in done.stderr


def test_program_with_smiskd_that_does_not_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "smiskd").write_bytes(b"\0")
    (tmp_path / "smiskd").chmod(0o755)
    done = run_program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL, "SMISKD": f"{tmp_path}/smiskd"})
    assert done.returncode == 1
    assert f"cannot start {tmp_path}/smiskd: Exec format error" in done.stderr


def test_program_that_is_no_file_says_so(tmp_path: Path) -> None:
    code = "from smisk.core import launch, listen; listen.bind('127.0.0.1:0'); launch.run_application(print)"
    done = run_program("-c", code, cwd=tmp_path)
    assert done.returncode == 1
    assert "neither a file nor a module" in done.stderr


@pytest.mark.parametrize(
    ("trick", "message"),
    [
        ("exit", "launching.py exited with 'on purpose' before it ran its application"),
        ("raise", "ZeroDivisionError: on purpose"),
        ("nothing", "launching.py ended without running its application"),
    ],
)
def test_program_that_fails_in_its_worker_stops_smiskd(
    program: Start, tmp_path: Path, trick: str, message: str
) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL, "TRICK": trick}, ready=False)
    daemon.expect_exit(EXIT_APP)
    daemon.allow_log("before it was ready")
    daemon.expect_log(message)
    assert daemon.wait() == EXIT_APP


def test_program_that_swallows_everything_is_served(program: Start, tmp_path: Path) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL, "TRICK": "swallow"})
    assert ask(daemon.fastcgi)["name"] == "__main__"


def test_program_of_other_python_is_refused(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "argv": [],
            "path": sys.path,
            "folder": "/",
            "python": "2.7",
            "listening": None,
            "debug": False,
            "child": None,
        }
    )
    options = ("--pythonpath", str(ROOT / "pylib"), "-t", f'smisk.core.launched:script("{PROGRAM}")')
    done = run_smiskd(*options, cwd=tmp_path, env={"SMISK_HANDOVER": text})
    assert done.returncode == EXIT_APP
    assert re.search(r"was started by Python 2\.7, but smiskd has Python 3\.\d+: install smisk", done.stderr)


def test_launched_program_without_handover_is_refused(tmp_path: Path) -> None:
    options = ("--pythonpath", str(ROOT / "pylib"), "-t", f'smisk.core.launched:script("{PROGRAM}")')
    done = run_smiskd(*options, cwd=tmp_path)
    assert done.returncode == EXIT_APP
    assert "there is no SMISK_HANDOVER" in done.stderr


# --- as a module of smiskd ---


def test_run_that_is_not_guarded_says_so_and_module_is_served(smiskd: Start) -> None:
    daemon = smiskd("--workers", "1", "--http", LOCAL, "launching", env=variables({"TRICK": "unguarded"}))
    daemon.wait_log(r"launching\.py:\d+: RuntimeWarning: run\(\) does nothing while smiskd imports the module")
    assert ask_http(daemon.http)["name"] == "launching"


def test_bind_within_smiskd_says_so_and_opens_nothing(smiskd: Start) -> None:
    port = "127.0.0.1:1"
    where = variables({"TRICK": "unguarded", "BIND": port})
    daemon = smiskd("--workers", "1", "--http", LOCAL, "launching", env=where)
    daemon.wait_log(r"launching\.py:\d+: RuntimeWarning: bind\('127.0.0.1:1'\) does nothing within smiskd")
    assert ask_http(daemon.http)["listening"] is None


# --- the end, and reloads ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_that_is_told_to_end_finishes_and_exits_0(
    program: Start, tmp_path: Path, number: signal.Signals
) -> None:
    daemon = program(str(PROGRAM), cwd=tmp_path, more={"BIND": LOCAL})
    daemon.signal(number)
    assert daemon.wait() == 0


def test_program_that_has_changed_is_new_after_hup(program: Start, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.read_text())
    daemon = program("program.py", cwd=tmp_path, more={"BIND": LOCAL})
    old = ask(daemon.fastcgi)
    path.write_text(PROGRAM.read_text().replace('"argv": sys.argv', '"argv": "new"'))
    since = daemon.log.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloaded", since)
    until(lambda: len(daemon.workers()) == 1, "one worker is left", 10.0)
    assert (old["argv"], ask(daemon.fastcgi)["argv"]) == (["program.py"], "new")
    daemon.rebase(1)


def test_program_that_changes_is_new_with_reload(program: Start, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.read_text())
    daemon = program("program.py", cwd=tmp_path, more={"BIND": LOCAL, "OPTIONS": "--reload"})
    assert ask(daemon.fastcgi)["argv"] == ["program.py"]
    changed = PROGRAM.read_text().replace('"argv": sys.argv', '"argv": "new"')

    def is_noticed() -> bool:
        # A file is watched from the moment on when the watcher first sees the module.
        path.write_text(changed + f"# {path.stat().st_mtime_ns}\n")
        return any("reloading" in line for line in daemon.log.lines)

    until(is_noticed, "program.py is watched", 30)
    daemon.wait_log("reloaded", 0, 30)
    until(lambda: ask(daemon.fastcgi)["argv"] == "new", "the new program", 20)
    until(lambda: len(daemon.workers()) == 1, "one worker is left", 20)
    daemon.rebase(1)


# --- Applications: the whole command line ---

OLD_STYLE = """
import json, logging, os, sys
from smisk.core import Application
from smisk.core.listen import listening
from smisk.util.main import main, setup_appdir

class MyApp(Application):
    label = "class"

    def service(self):
        self.response.write(json.dumps({
            "argv": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "label": self.label, "umask": os.umask(0),
            "appdir": os.environ.get("SMISK_APP_DIR"), "environment": os.environ.get("SMISK_ENVIRONMENT"),
            "listening": listening(), "level": logging.getLogger().level,
        }))

if __name__ == "__main__":
    app = MyApp()
    app.label = "instance"
    app.run() if os.environ.get("BARE") else main(app)
    print("what stands behind run() is not executed", file=sys.stderr)
"""


@pytest.fixture
def old_style(tmp_path: Path) -> Path:
    """A folder with a program as they were written for Smisk 1.1."""
    (tmp_path / "myapp.py").write_text(OLD_STYLE)
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_application_is_served_by_smiskd_and_by_itself(program: Start, smiskd: Start, old_style: Path) -> None:
    hosted = smiskd("--workers", "1", "--http", LOCAL, "myapp", cwd=old_style, env=variables())
    assert ask_http(hosted.http)["label"] == "class"
    daemon = program("myapp.py", "--bind", LOCAL, cwd=old_style, more={"SMISK_ENVIRONMENT": "testing"})
    seen = ask(daemon.fastcgi)
    assert (seen["label"], seen["environment"], seen["appdir"]) == ("instance", "testing", str(old_style))
    assert seen["listening"] == "{}:{}".format(*daemon.fastcgi)
    assert not [line for line in daemon.log.lines if "not executed" in line]


@pytest.mark.parametrize("bare", ["", "yes"], ids=["main", "run"])
def test_application_with_every_option_means_the_same(program: Start, old_style: Path, bare: str) -> None:
    options = "--bind 127.0.0.1:0 --forks 1 --chdir sub --umask 027 --pidfile pid --debug --appdir sub --http-port 0"
    daemon = program("myapp.py", *options.split(), cwd=old_style, more={"BARE": bare})
    seen = ask(daemon.fastcgi)
    assert len(daemon.workers()) == 2
    assert (seen["cwd"], seen["umask"], seen["level"]) == (str(old_style / "sub"), 0o27, 10)
    assert (old_style / "pid").read_text() == f"{daemon.pid}\n"
    assert bare or seen["appdir"] == str(old_style / "sub")
    assert ask_http(daemon.http)["label"] == "instance"


def test_application_with_wrong_option_says_so(old_style: Path) -> None:
    done = run_program("myapp.py", "--bind", LOCAL, "--forks", "x", cwd=old_style)
    assert done.returncode == 2
    assert "'x' is not a whole number" in done.stderr


def test_application_that_cannot_bind_leaves_emergency_log(old_style: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_program(
            "myapp.py", "--bind", address, cwd=old_style, more={"SMISK_LOG_DIR": str(old_style / "sub")}
        )
    log = old_style / "sub" / "error.log"
    assert done.returncode == 1
    assert f"Wrote emergency log to {log}" in done.stderr
    assert "Address already in use" in log.read_text()


def test_application_spawned_is_daemons_at_consecutive_addresses(old_style: Path) -> None:
    options = ("--spawn", "2", "--bind", str(old_style / "s"), "--pidfile", "pid", "--stderr", "log")
    done = run_program("myapp.py", *options, cwd=old_style)
    found = re.findall(r"^server (\d+) starting at (\S+)$", done.stdout, re.MULTILINE)
    pids = [int(pid) for pid, _ in found]
    try:
        assert done.returncode == 0, done.stderr
        assert sorted(where for _, where in found) == [str(old_style / "s0"), str(old_style / "s1")]
        assert sorted((old_style / "pid").read_text().split()) == sorted(pid for pid, _ in found)
        for pid, where in found:
            until(lambda pid=pid: process.children(int(pid)), f"a worker of {pid}", 30)  # type: ignore[misc]
            seen = ask(where)
            assert (seen["cwd"], seen["listening"], seen["label"]) == ("/", where, "instance")
            assert seen["pid"] in process.children(int(pid))
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in pids:
            until(lambda pid=pid: not process.alive(pid), f"{pid} has ended", 20)  # type: ignore[misc]


def test_application_spawned_where_it_cannot_be_says_how_many_failed(old_style: Path) -> None:
    done = run_program("myapp.py", "--spawn", "2", "--bind", f"{old_style}/none/s", cwd=old_style)
    assert done.returncode == 1
    assert "2 of 2 servers did not start" in done.stderr
    assert "No such file or directory" in done.stderr


CONFIGURED = """
from smisk.config import config
from smisk.core import Application
from smisk.util.main import main

class MyApp(Application):
    def service(self):
        self.response.write('{"greeting": "%s"}' % config["greeting"])

if __name__ == "__main__":
    main(MyApp, config="site")
"""


def test_application_loads_its_configuration_from_its_folder(program: Start, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "site.conf").write_text('"greeting": "hello",')
    (tmp_path / "program.py").write_text(CONFIGURED)
    options = ("--bind", LOCAL, "--appdir", "app", "--chdir", "/")
    daemon = program("program.py", *options, cwd=tmp_path)
    assert ask(daemon.fastcgi) == {"greeting": "hello"}


DEFERRED = """
import os, signal, sys
from smisk.core import Application
from smisk.util.main import Main

if __name__ == "__main__":
    main = Main()
    main.setup(Application)
    child = main.run_deferred(bind=sys.argv[1], keepalive="keep" in sys.argv, pause=0.0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("child", child, flush=True)
    # The watcher says when the application is over.
    print("signal", int(signal.sigwait({signal.SIGTERM})), os.waitpid(child, 0)[1], flush=True)
"""


@contextlib.contextmanager
def deferred(folder: Path, *arguments: str) -> Iterator["tuple[subprocess.Popen[str], int]"]:
    """Runs DEFERRED; the process, and the id of its child. Ends what is left of it."""
    (folder / "deferred.py").write_text(DEFERRED)
    with subprocess.Popen(
        [sys.executable, "deferred.py", *arguments],
        cwd=folder,
        env=environment(variables()),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            assert running.stdout is not None
            yield running, int(running.stdout.readline().split()[1])
        finally:
            for pid in process.in_session(running.pid):
                os.kill(pid, signal.SIGKILL)


def serving(child: int, gone: int = 0) -> int:
    """The smiskd below `child`, once it has a worker; another one than `gone`."""

    def find() -> int:
        found = [pid for pid in process.children(child) if pid != gone and process.children(pid)]
        return found[0] if found else 0

    return until(find, "the application's process and its worker", 30)


def status_of(path: str) -> int:
    with FastCGI(path) as raw:
        return raw.ask("/").status


def test_application_deferred_runs_in_child_that_tells_parent_its_end(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with deferred(tmp_path, path) as (running, child):
        server = serving(child)
        assert status_of(path) == 200
        os.kill(server, signal.SIGTERM)
        assert running.stdout is not None
        assert running.stdout.readline() == f"signal {int(signal.SIGTERM)} 0\n"
        assert running.wait(20) == 0


def test_application_deferred_and_kept_alive_runs_again_until_told(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with deferred(tmp_path, path, "keep") as (running, child):
        first = serving(child)
        assert status_of(path) == 200
        os.kill(first, signal.SIGTERM)
        second = serving(child, first)
        assert status_of(path) == 200
        os.kill(child, signal.SIGTERM)
        assert running.stdout is not None
        assert running.stdout.readline() == f"signal {int(signal.SIGTERM)} 0\n"
        assert not process.alive(second)
        assert running.wait(20) == 0
