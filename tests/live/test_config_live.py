# SPDX-License-Identifier: MIT
"""Command line and smisk.conf as an operator meets them: -t, errors with file and line, what wins over what."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import APPS, Smiskd, run_smiskd
from lib.http import RawHTTP, get

EXIT_APP, EXIT_CONFIG = 1, 2


def conf(folder: Path, text: str, name: str = "smisk.conf") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def complete(*lines: str) -> str:
    """A configuration for tests/apps/hello.py with these lines added."""
    return "\n".join(['"app": "hello",', f'"pythonpath": ["{APPS}"],', '"workers": 1,', *lines, ""])


# --- -t ---


def test_check_of_good_configuration_exits_0_and_says_what_would_run(tmp_path: Path) -> None:
    path = conf(tmp_path, complete('"listen": ["http://127.0.0.1:0"],'))
    done = run_smiskd("-t", "-c", path)
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout + done.stderr
    assert "127.0.0.1:0" in done.stdout + done.stderr


def test_check_opens_no_listener(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", "hello")
    path = conf(tmp_path, complete(f'"listen": ["http://127.0.0.1:{daemon.port}"],'))
    assert run_smiskd("-t", "-c", path).returncode == 0


def test_check_imports_application(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('not today')\n")
    done = run_smiskd("-t", "--pythonpath", str(tmp_path), "broken")
    assert done.returncode == EXIT_APP
    assert "RuntimeError: not today" in done.stderr


def test_check_of_bad_configuration_exits_2(tmp_path: Path) -> None:
    done = run_smiskd("-t", "-c", conf(tmp_path, complete('"workers": -1,')))
    assert done.returncode == EXIT_CONFIG


# --- errors name file, line, and the way out ---

BAD = {
    "unknown-key": ('"worker": 2,', 4, ["worker", "workers"]),
    "unknown-key-far": ('"zzzzzz": 2,', 4, ["zzzzzz"]),
    "wrong-type": ('"max_headers": "many",', 4, ["max_headers"]),
    "negative": ('"max_headers": -1,', 4, ["max_headers"]),
    "bad-duration": ('"header_timeout": "10 parsecs",', 4, ["header_timeout"]),
    "bad-size": ('"max_body_size": "1x",', 4, ["max_body_size"]),
    "bad-listen": ('"listen": ["gopher://:70"],', 4, ["listen", "gopher"]),
    "bad-port": ('"listen": ["http://127.0.0.1:99999"],', 4, ["listen"]),
    "bad-mode": ('"listen": [{"address": "unix:/x", "protocol": "http", "mode": "0999"}],', 4, ["mode"]),
    "not-yet": ('"access_log": "x",', 4, ["access_log", "not available in this version"]),
    "syntax": ('"workers" 2,', 4, []),
    "unclosed": ('"listen": ["http://127.0.0.1:0",', 4, []),
    "code": ('"umask": __import__("os").getpid(),', 4, []),
}


@pytest.mark.parametrize("name", BAD)
def test_error_in_file_names_file_line_and_key(tmp_path: Path, name: str) -> None:
    line, number, words = BAD[name]
    path = conf(tmp_path, complete(line))
    done = run_smiskd("-c", path)
    assert done.returncode == EXIT_CONFIG
    assert "smisk.conf:" in done.stderr
    if name != "unclosed":
        assert f"smisk.conf:{number}:" in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_key_suggests_nearest(tmp_path: Path) -> None:
    done = run_smiskd("-c", conf(tmp_path, complete('"max_conections": 5,')))
    assert 'did you mean "max_connections"?' in done.stderr


def test_missing_file_is_named(tmp_path: Path) -> None:
    done = run_smiskd("-c", str(tmp_path / "nowhere.conf"))
    assert done.returncode == EXIT_CONFIG
    assert "nowhere.conf" in done.stderr


def test_without_application_says_so(tmp_path: Path) -> None:
    done = run_smiskd("-c", conf(tmp_path, '"workers": 1,\n'))
    assert done.returncode == EXIT_CONFIG
    assert "app" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--wrokers", "2", "hello"], "--wrokers"),
        (["--workers"], "--workers"),
        (["--workers", "two", "hello"], "--workers"),
        (["--set", "workers", "hello"], "--set"),
        (["--set", "wrokers=2", "hello"], "wrokers"),
        (["--http", "nowhere:http", "hello"], "--http"),
        (["hello", "again"], "again"),
        (["--interface", "cgi", "hello"], "interface"),
    ],
)
def test_error_on_command_line_names_option(arguments: list[str], word: str) -> None:
    done = run_smiskd(*arguments)
    assert done.returncode == EXIT_CONFIG
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help_exit_0() -> None:
    version = run_smiskd("--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "smiskd")
    usage = run_smiskd("--help")
    assert usage.returncode == 0
    for option in ("--test", "--http", "--fastcgi", "--workers", "--set", "--venv", "--pidfile"):
        assert option in usage.stdout


# --- what is served from a file ---


def test_file_with_comments_and_listen_mapping_serves(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    text = "\n".join(
        [
            "/* a site */",
            "# of one",
            "// application",
            '"app": "hello", "workers": 2,',
            f'"pythonpath": ["{APPS}"],',
            '"listen": [',
            '  "http://127.0.0.1:0",',
            '  {"address": "unix:run.sock", "protocol": "http", "mode": "0600", "backlog": 7},',
            "],",
            "",
        ]
    )
    daemon = smiskd("-c", conf(tmp_path, text))
    assert len(daemon.workers()) == 2
    for number in (0, 1):
        with RawHTTP(daemon.address("http", number)) as raw:
            assert raw.request(get("/")).body == b"Hello, world!\n"
    assert (tmp_path / "run.sock").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a build tree has no tomli; tests/fresh/install has")
def test_toml_file_serves(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    text = f'app = "hello"\nworkers = 1\npythonpath = ["{APPS}"]\nlisten = ["http://127.0.0.1:0"]\n'
    daemon = smiskd("-c", conf(tmp_path, text, "smisk.toml"))
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"Hello, world!\n"


def test_command_line_wins_over_file(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    path = conf(tmp_path, complete('"listen": ["http://127.0.0.1:1"],', '"max_headers": 5,'))
    daemon = smiskd("-c", path, "--workers", "2", "--http", "127.0.0.1:0", "--set", "max_headers=3", "echo")
    assert len(daemon.workers()) == 2
    assert len(daemon.addresses) == 1
    with RawHTTP(daemon.http) as raw:
        assert b'"path"' in raw.request(get("/", "A: 1", "B: 2")).body
        assert raw.request(get("/", "A: 1", "B: 2", "C: 3")).status == 431


def test_last_of_repeated_options_wins(smiskd: Callable[..., Smiskd]) -> None:
    options = ("--set", "workers=3", "--workers", "1", "--http", "127.0.0.1:0")
    assert len(smiskd(*options, "hello").workers()) == 1


def test_include_is_read_and_its_errors_name_it(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    conf(tmp_path, '"listen": ["http://127.0.0.1:0"],\n', "listen.conf")
    path = conf(tmp_path, complete('@include "listen.conf"'))
    daemon = smiskd("-c", path)
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).status == 200
    conf(tmp_path, "\n\n'worker': 1,\n", "listen.conf")
    done = run_smiskd("-c", path)
    assert done.returncode == EXIT_CONFIG
    assert "listen.conf:3:" in done.stderr


def test_error_log_and_pidfile_are_written(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    pidfile, error_log = tmp_path / "smisk.pid", tmp_path / "error.log"
    options = ("--workers", "1", "--fastcgi", f"unix:{tmp_path}/s", "--pidfile", str(pidfile))
    daemon = smiskd(*options, "hello")
    assert int(pidfile.read_text()) == daemon.pid
    daemon.stop()
    assert not pidfile.exists()
    assert not error_log.exists()


def test_default_workers_is_number_of_usable_cpus(smiskd: Callable[..., Smiskd]) -> None:
    prefix = ("taskset", "-c", "0")
    daemon = smiskd("--http", "127.0.0.1:0", "hello", prefix=prefix)
    assert len(daemon.workers()) == 1
