# SPDX-License-Identifier: MIT
"""smisk.util.main: command line, folders, addresses, errors, processes (reference 12, 13.1).

What forks is run as a program of its own. Whole programs that become smiskd: tests/live/test_launch.py.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
import smisk.core
from smisk.core import handover
from smisk.core.handover import Handover
from smisk.core.launch import LaunchError, find_smiskd
from smisk.util import main as main_package
from smisk.util.main import (
    Main,
    extrapolate_binds,
    find_program_path,
    fork_binds,
    handle_errors_wrapper,
    main,
    main_cli_filter,
    parse_bind_arg,
    setup_appdir,
)

from lib.log import Log
from lib.process import in_session
from lib.wait import until

PYLIB = Path(__file__).resolve().parents[2] / "pylib"
VARIABLES = ("SMISK_APP_DIR", "SMISK_BIND", "SMISK_ENVIRONMENT", "SMISK_LOG_DIR")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of Smisk is set, and none that a test sets stays."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)


def run_program(text: str, folder: Path, *arguments: str, within: float = 30.0) -> "subprocess.CompletedProcess[str]":
    """Runs a program with its pipes closed at its end, also by what it forked."""
    path = folder / "program.py"
    path.write_text(dedent(text))
    return subprocess.run(
        [sys.executable, str(path), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PYLIB)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


# --- names ---


def test_every_name_of_the_reference_is_there() -> None:
    names = (
        "absapp setup_appdir main_cli_filter handle_errors_wrapper Main main daemonize wait_for_child_processes "
        "control_process_runloop find_program_path parse_bind_arg extrapolate_binds fork_binds"
    )
    assert set(names.split()) <= set(main_package.__all__)
    assert all(callable(getattr(main_package, name)) for name in names.split())
    assert isinstance(main, Main)


# --- addresses: rows of the reference ---


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ("/tmp/s", ("/tmp/s", None, None, [])),
        (":5000", (None, 5000, None, [])),
        ("h:5000", (None, 5000, "h", [])),
        (["x", "--bind", ":1", "y"], (None, 1, None, ["x", "y"])),
        (["x", "--bind=/s"], ("/s", None, None, ["x"])),
        (["-b", "h:2", "-d", "x"], (None, 2, "h", ["-d", "x"])),
        (["--bind", ":1", "--bind", ":2"], (None, 2, None, [])),
        (["x"], (None, None, None, ["x"])),
        ([], (None, None, None, [])),
        ("[::1]:5000", (None, 5000, "::1", [])),
        ("/a:5", ("/a:5", None, None, [])),
    ],
)
def test_parse_bind_arg_takes_addresses_apart(args: "str | list[str]", parts: object) -> None:
    assert parse_bind_arg(args) == parts


def test_parse_bind_arg_leaves_its_argument_alone() -> None:
    args = ["--bind", ":1", "y"]
    parse_bind_arg(args)
    assert args == ["--bind", ":1", "y"]


def test_parse_bind_arg_without_address_is_valueerror() -> None:
    with pytest.raises(ValueError, match="--bind needs an address"):
        parse_bind_arg(["x", "--bind"])


def test_parse_bind_arg_of_no_port_is_oserror() -> None:
    with pytest.raises(OSError, match="a port is a number"):
        parse_bind_arg("h:x")


@pytest.mark.parametrize(
    ("arguments", "addresses"),
    [
        ((3,), ["127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.1:5002"]),
        ((2, "/tmp/s"), ["/tmp/s0", "/tmp/s1"]),
        ((2, "/tmp/s%d.sock"), ["/tmp/s0.sock", "/tmp/s1.sock"]),
        ((2, None, 80, "h"), ["h:80", "h:81"]),
        ((1, None, None, "::1"), ["[::1]:5000"]),
        ((0,), []),
        ((1, "/100%/s"), ["/100%/s0"]),
    ],
)
def test_extrapolate_binds_counts_on(arguments: "tuple[int]", addresses: list[str]) -> None:
    assert extrapolate_binds(*arguments) == addresses


def test_extrapolate_binds_past_last_port_is_valueerror() -> None:
    assert extrapolate_binds(2, None, 65534) == ["127.0.0.1:65534", "127.0.0.1:65535"]
    with pytest.raises(ValueError, match="65535"):
        extrapolate_binds(3, None, 65534)


# --- command line (12.3) ---


def given(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/srv/myapp.py", *arguments])


NOTHING = (None,) * 11 + (False,)
FIELDS = main_package.CommandLine._fields


def changed(**fields: object) -> tuple[object, ...]:
    return tuple(fields.get(name, default) for name, default in zip(FIELDS, NOTHING, strict=True))


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("", {}),
        ("-d a -b :5000 -c 2", {"appdir": "a", "bind": ":5000", "forks": 2}),
        ("--appdir a --bind=/s --forks=0", {"appdir": "a", "bind": "/s", "forks": 0}),
        ("--debug", {"debug": True}),
        ("-s 3 --stdout o --stderr e", {"spawn": 3, "stdout": "o", "stderr": "e"}),
        ("--chdir c --umask 022 --pidfile p", {"chdir": "c", "umask": 0o22, "pidfile": "p"}),
        ("--umask 18", {"umask": 18}),
        ("-H", {"http_port": 8080, "http_addr": "localhost"}),
        ("--http", {"http_port": 8080, "http_addr": "localhost"}),
        ("--http-port 81", {"http_port": 81, "http_addr": "localhost"}),
        ("--http-addr *", {"http_port": 8080, "http_addr": "*"}),
        ("--http --http-port 0 --http-addr h", {"http_port": 0, "http_addr": "h"}),
        ("one --debug two", {"debug": True}),
    ],
)
def test_command_line_is_twelve_values(
    monkeypatch: pytest.MonkeyPatch, arguments: str, fields: dict[str, object]
) -> None:
    given(monkeypatch, *arguments.split())
    assert tuple(main_cli_filter()) == changed(**fields)


def test_command_line_wins_over_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, "--bind", ":2")
    line = main_cli_filter("folder", ":1", 3)
    assert (line.appdir, line.bind, line.forks) == ("folder", ":2", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--nonsense", "unrecognized arguments: --nonsense"),
        ("--forks x", "'x' is not a whole number"),
        ("--forks -1", "expected one argument|not a whole number"),
        ("--spawn 0", "must be at least 1"),
        ("--http-port 65536", "must be at most 65535"),
        ("--umask 8x", "'8x' is not a mask"),
        ("--umask 01000", "'01000' is not a mask"),
        ("--bind", "expected one argument"),
        ("--spawn 2 --http", "do not go together"),
    ],
)
def test_command_line_that_is_wrong_ends_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    given(monkeypatch, *arguments.split())
    with pytest.raises(SystemExit) as caught:
        main_cli_filter()
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_help_names_every_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given(monkeypatch, "--help")
    with pytest.raises(SystemExit) as caught:
        main_cli_filter()
    text = capsys.readouterr().out
    options = (
        "-d --appdir -b --bind -c --forks --debug -s --spawn --chdir --umask --stdout --stderr --pidfile -H --http "
        "--http-port --http-addr -h --help"
    )
    assert caught.value.code == 0
    assert text.startswith("usage: myapp.py ")
    assert [option for option in options.split() if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)] == []


# --- folders ---


def test_appdir_that_is_given_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMISK_APP_DIR", "/elsewhere")
    monkeypatch.chdir(tmp_path)
    assert setup_appdir("app") == os.environ["SMISK_APP_DIR"] == str(tmp_path / "app")


def test_appdir_of_environment_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMISK_APP_DIR", "app")
    monkeypatch.chdir(tmp_path)
    assert setup_appdir() == os.environ["SMISK_APP_DIR"] == str(tmp_path / "app")


def test_appdir_is_else_folder_of_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = ModuleType("__main__")
    program.__file__ = str(tmp_path / "site" / "app.py")
    monkeypatch.setitem(sys.modules, "__main__", program)
    assert setup_appdir() == os.environ["SMISK_APP_DIR"] == str(tmp_path / "site")


def test_appdir_of_no_program_is_environmenterror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    with pytest.raises(EnvironmentError, match="SMISK_APP_DIR"):
        setup_appdir()


def make_program(path: Path, mode: int = 0o755) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


def test_program_is_found_by_path(tmp_path: Path) -> None:
    make_program(tmp_path / "a" / "tool", 0o644)
    second = make_program(tmp_path / "b" / "tool")
    env = {"PATH": f"{tmp_path}/none:{tmp_path}/a:{tmp_path}/b"}
    assert find_program_path("tool", env) == second
    assert find_program_path("tool", env, check_access=os.R_OK) == f"{tmp_path}/a/tool"
    assert find_program_path("other", env) is None
    assert find_program_path("other", env, "default") == "default"
    assert find_program_path(second, {"PATH": ""}) == second
    assert find_program_path(f"{tmp_path}/none", {"PATH": ""}, "default") == "default"


def test_program_is_found_by_own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program_path("tool") is None
    assert find_program_path("tool", default=5) == 5
    assert make_program(tmp_path / "tool") == find_program_path("tool")


# --- smiskd ---


def test_smiskd_beside_python_is_taken_before_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beside = make_program(tmp_path / "venv" / "smiskd")
    make_program(tmp_path / "other" / "smiskd")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert find_smiskd({"PATH": str(tmp_path / "other")}) == beside


def test_smiskd_that_is_named_is_taken(tmp_path: Path) -> None:
    named = make_program(tmp_path / "smiskd")
    assert find_smiskd({"SMISKD": named, "PATH": ""}) == named
    assert find_smiskd({"SMISKD": "smiskd", "PATH": str(tmp_path)}) == named


def test_smiskd_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"SMISKD is .*/none', which is no program"):
        find_smiskd({"SMISKD": f"{tmp_path}/none"})


def test_smiskd_is_found_by_path_and_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "scripts"))
    with pytest.raises(LaunchError, match=f"no smiskd in {tmp_path}/venv or {tmp_path}/scripts, nor on PATH"):
        find_smiskd({"PATH": str(tmp_path / "bin")})
    assert make_program(tmp_path / "bin" / "smiskd") == find_smiskd({"PATH": str(tmp_path / "bin")})


# --- the handover ---


def test_handover_comes_back_as_it_was_dumped() -> None:
    sent = Handover(["a.py", "\udcff ü"], ["/x"], "/f\udc80", "3.12", ":1", True, (1, "/s"))
    text = sent.dump()
    found = Handover.load(text)
    assert text.isascii()
    assert [getattr(found, name) for name in Handover.__slots__] == [getattr(sent, n) for n in Handover.__slots__]


@pytest.mark.parametrize("text", ["", "nonsense", "5", "[]", "{}", '{"child": null}', '{"child": null, "other": 1}'])
def test_handover_of_somebody_else_is_valueerror(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  JSON has its own words
        Handover.load(text)


def test_handover_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "_received", None)
    environ = {"SMISK_HANDOVER": Handover([], [], "/", "3").dump()}
    assert handover.take(environ).folder == "/"
    assert environ == {}
    with pytest.raises(ValueError, match="no SMISK_HANDOVER"):
        handover.take(environ)


def test_plain_python_is_not_hosted() -> None:
    assert not handover.is_hosted()


# --- errors ---


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, with folders for the log, for the application."""
    for name in ("here", "log", "app"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("on purpose")


def test_wrapper_passes_arguments_and_result_through() -> None:
    assert handle_errors_wrapper(lambda *a, **k: (a, k), sys.exit, None, 1, two=2) == ((1,), {"two": 2})


def test_wrapper_of_interrupt_calls_abort() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert handle_errors_wrapper(interrupt, abort_cb=lambda: "aborted") == "aborted"
    assert handle_errors_wrapper(interrupt) is None


def test_wrapper_lets_exit_pass() -> None:
    with pytest.raises(SystemExit) as caught:
        handle_errors_wrapper(sys.exit, fail, None, 7)
    assert caught.value.code == 7


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"SMISK_LOG_DIR": "log", "SMISK_APP_DIR": "app"}, "log"),
        ({"SMISK_APP_DIR": "app"}, "app"),
        ({}, "here"),
    ],
)
def test_wrapper_of_error_writes_log_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Path,
    variables: dict[str, str],
    folder: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(here / value))
    log = here / folder / "error.log"
    log.write_text("before\n")
    codes: list[int] = []
    handle_errors_wrapper(fail, codes.append)
    begin = rf"before\n\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\S* \[{os.getpid()}\] Traceback"
    assert re.match(begin, log.read_text())
    assert log.read_text().endswith("ZeroDivisionError: on purpose\n")
    assert codes == [1]
    said = capsys.readouterr().err
    assert "ZeroDivisionError: on purpose" in said
    assert f"Wrote emergency log to {log}\n" in said


def test_wrapper_of_error_writes_log_that_is_configured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    config = ModuleType("smisk.config")
    config.config = {"smisk.emergency_logfile": str(here / "crash")}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "smisk.config", config)
    handle_errors_wrapper(fail, lambda code: None)
    assert "on purpose" in (here / "crash").read_text()
    assert "crash" in capsys.readouterr().err


def test_wrapper_of_error_without_a_place_for_its_log_still_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    monkeypatch.setenv("SMISK_LOG_DIR", str(here / "none"))
    assert handle_errors_wrapper(fail, lambda code: code) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: on purpose" in said
    assert "Cannot write emergency log to" in said


# --- processes ---


def test_fork_binds_calls_function_in_a_child_for_each(tmp_path: Path) -> None:
    done = run_program(
        """
        import os, sys
        from smisk.util.main import fork_binds, wait_for_child_processes

        def child(index, address):
            if index == 1:
                raise ValueError("no such child")
            if index == 2:
                sys.exit(7)
            print(index, address)

        pids = fork_binds(3, child, None, 7000, "h")
        ends = [os.waitpid(pid, 0) for pid in pids]
        print([os.waitstatus_to_exitcode(status) for _, status in ends], len(set(pids)))
        """,
        tmp_path,
    )
    assert done.stdout == "0 h:7000\n[0, 1, 7] 3\n"
    assert "ValueError: no such child" in done.stderr
    assert done.returncode == 0


def test_fork_binds_with_calling_thread_serves_the_last_itself(tmp_path: Path) -> None:
    done = run_program(
        """
        import os
        from smisk.util.main import fork_binds, wait_for_child_processes

        parent = os.getpid()
        def child(index, address):
            with open(f"{index}", "w") as file:
                file.write(f"{address} {os.getpid() == parent}")

        pids = fork_binds(2, child, "/s", None, None, include_calling_thread=True)
        wait_for_child_processes()
        print(len(pids))
        """,
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert ((tmp_path / "0").read_text(), (tmp_path / "1").read_text()) == ("/s0 False", "/s1 True")


def test_fork_binds_of_none_does_nothing() -> None:
    assert fork_binds(0, fail) == []


def test_wait_for_child_processes_reaps_all(tmp_path: Path) -> None:
    done = run_program(
        """
        import os
        from smisk.util.main import wait_for_child_processes

        for _ in range(3):
            if os.fork() == 0:
                os._exit(0)
        wait_for_child_processes()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("none left")
        wait_for_child_processes()
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            os.close(write_end)
            os.read(read_end, 1)
            os._exit(0)
        wait_for_child_processes(os.WNOHANG)
        print("did not wait")
        """,
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("none left\ndid not wait\n", "")


def test_daemonize_leaves_terminal_folder_and_streams(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before\n")
    (tmp_path / "work").mkdir()
    done = run_program(
        f"""
        import atexit, os, sys
        from smisk.util.main import daemonize

        atexit.register(print, "exit hook")
        print("parent", flush=True)
        session = os.getsid(0)
        daemonize({str(tmp_path / "work")!r}, 0o027, stdout="out", stderr="err")
        print(os.getcwd(), os.getsid(0) != session, os.getsid(0) != os.getpid(), oct(os.umask(0)))
        print(sys.stdin.read() == "")
        print("wrong", file=sys.stderr)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent\n", "")
    out = tmp_path / "out"
    until(lambda: out.read_text().endswith("exit hook\n"), "the daemon has ended")
    assert out.read_text() == f"before\n{tmp_path / 'work'} True True 0o27\nTrue\nexit hook\n"
    assert (tmp_path / "err").read_text() == "wrong\n"


def test_daemonize_with_file_that_cannot_be_opened_fails_where_it_is_seen(tmp_path: Path) -> None:
    done = run_program(
        """
        from smisk.util.main import daemonize
        daemonize(stdout="/none/out")
        """,
        tmp_path,
    )
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


RUNLOOP = r"""
    import os, signal, sys
    from smisk.util.main import control_process_runloop

    def child():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        os.write(2, b"child ready\n")
        got = signal.sigwait({signal.SIGINT, signal.SIGTERM})
        os.write(2, b"child got %d\n" % got)
        os._exit(3)

    pids = []
    for _ in range(2):
        pids.append(os.fork())
        if pids[-1] == 0:
            child()
    before = signal.getsignal(signal.SIGTERM)
    control_process_runloop(pids, cleanup=lambda signum, frame: print("cleanup", signum, file=sys.stderr))
    print("restored", signal.getsignal(signal.SIGTERM) == before, file=sys.stderr)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runloop_hands_signals_on_and_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "program.py").write_text(dedent(RUNLOOP))
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PYLIB)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        log = Log(running.stderr)
        try:
            log.wait("child ready", times=2)
            # Its handlers stand when it waits.
            wait_until_waiting(running.pid)
            running.send_signal(number)
            assert running.wait(20) == 0
        finally:
            for pid in in_session(running.pid):
                os.kill(pid, signal.SIGKILL)
        log.join()
    assert log.lines.count(f"child got {int(number)}") == 2
    assert f"cleanup {int(number)}" in log.lines
    assert "restored True" in log.lines


def wait_until_waiting(pid: int) -> None:
    """Until SIGTERM is caught, by the mask in /proc."""

    def catches() -> bool:
        mask = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        return mask is not None and bool(int(mask[1], 16) >> (signal.SIGTERM - 1) & 1)

    until(catches, "the handlers of the run loop")


def test_runloop_of_children_that_end_by_themselves_returns(tmp_path: Path) -> None:
    done = run_program(
        """
        import os
        from smisk.util.main import control_process_runloop

        pids = []
        for _ in range(2):
            pids.append(os.fork())
            if pids[-1] == 0:
                os._exit(0)
        print(control_process_runloop(pids, cleanup=print), control_process_runloop([1 << 21]))
        """,
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("None None\n", "")


# --- applications ---


def test_absapp_takes_classes_instances_and_nothing() -> None:
    base = smisk.core.Application  # type: ignore[attr-defined]

    class Own(base):  # type: ignore[misc, valid-type]
        pass

    absapp = main_package.absapp
    made = absapp(Own)
    assert type(made) is Own
    assert absapp(made) is made
    assert absapp(None) is base.current is made
    base.current = None
    assert type(absapp(None, Own)) is Own
    base.current = None
    assert type(absapp()) is base


@pytest.mark.parametrize("wrong", [5, "app", object(), dict, fail])
def test_absapp_of_no_application_is_valueerror(wrong: object) -> None:
    with pytest.raises(ValueError, match="neither an Application"):
        main_package.absapp(wrong)


def test_main_sets_up_once_and_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = smisk.core.Application  # type: ignore[attr-defined]

    class Own(base):  # type: ignore[misc, valid-type]
        def run(self) -> str:
            return f"forks {self.forks}"

    given(monkeypatch, "--forks", "3", "--appdir", str(tmp_path))
    start = Main()
    assert start(Own) == "forks 3"
    assert os.environ["SMISK_APP_DIR"] == str(tmp_path)
    current = base.current
    assert start.setup(Own, "elsewhere") is current
    assert os.environ["SMISK_APP_DIR"] == str(tmp_path)
    assert start.run(forks=1) == "forks 1"
