# SPDX-License-Identifier: MIT
"""Python inside smiskd: environments, versions, what sys looks like, ends with live threads, exit codes."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import APPS, BINARY, Smiskd, run_smiskd
from lib.fcgi import FastCGI
from lib.http import RawHTTP, get

HTTP = ("--workers", "1", "--http", "127.0.0.1:0")
# host/base/exit.h
EXIT_APP, EXIT_CONFIG, EXIT_LISTEN, EXIT_PYTHON = 1, 2, 3, 4


def facts(daemon: Smiskd) -> dict[str, object]:
    """What tests/apps/interpreter.py says of its interpreter."""
    with RawHTTP(daemon.http) as raw:
        found: dict[str, object] = json.loads(raw.request(get("/")).body)
        return found


@pytest.fixture(scope="module")
def host_version(module_smiskd: Callable[..., Smiskd]) -> tuple[int, int]:
    """Version of the Python in smiskd, which need not be this test's."""
    seen = facts(module_smiskd(*HTTP, "interpreter"))["version"]
    assert isinstance(seen, list)
    return seen[0], seen[1]


def make_venv(folder: Path, version: tuple[int, int]) -> Path:
    """A venv for that Python with one module of its own, told apart by its name."""
    if version == sys.version_info[:2]:
        venv.create(folder, symlinks=True)
    else:
        interpreter = other_python(version)
        subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    packages = folder / "lib" / f"python{version[0]}.{version[1]}" / "site-packages"
    (packages / "only_in_venv.py").write_text("def handle(request):\n    return __file__\n")
    return folder


def other_python(version: tuple[int, int]) -> str:
    """Path of an interpreter of that version; skips when there is none."""
    name = f"python{version[0]}.{version[1]}"
    places = [*os.environ.get("PATH", "").split(":"), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    for place in places:
        path = Path(place) / name
        if path.exists() and ".pyenv/shims" not in str(path):
            return str(path)
    pytest.skip(f"no {name} on this machine")


def fake_venv(folder: Path, version: tuple[int, int]) -> Path:
    """What a venv of another Python looks like: configuration, interpreter link and site-packages."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "lib" / f"python{version[0]}.{version[1]}" / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version[0]}.{version[1]}.0\n")
    return folder


# --- environments ---


def test_venv_option_makes_its_packages_importable(
    smiskd: Callable[..., Smiskd], host_version: tuple[int, int], tmp_path: Path
) -> None:
    folder = make_venv(tmp_path / "v", host_version)
    daemon = smiskd(*HTTP, "--venv", str(folder), "only_in_venv")
    with RawHTTP(daemon.http) as raw:
        assert str(folder).encode() in raw.request(get("/")).body


def test_venv_sets_prefix_and_executable(
    smiskd: Callable[..., Smiskd], host_version: tuple[int, int], tmp_path: Path
) -> None:
    folder = make_venv(tmp_path / "v", host_version)
    seen = facts(smiskd(*HTTP, "--venv", str(folder), "interpreter"))
    assert seen["prefix"] == str(folder)
    assert seen["base_prefix"] != seen["prefix"]
    assert Path(str(seen["executable"])).parent == folder / "bin"


def test_virtual_env_variable_is_used(
    smiskd: Callable[..., Smiskd], host_version: tuple[int, int], tmp_path: Path
) -> None:
    folder = make_venv(tmp_path / "v", host_version)
    daemon = smiskd(*HTTP, "only_in_venv", env={"VIRTUAL_ENV": str(folder)})
    with RawHTTP(daemon.http) as raw:
        assert str(folder).encode() in raw.request(get("/")).body


def test_venv_option_wins_over_variable(
    smiskd: Callable[..., Smiskd], host_version: tuple[int, int], tmp_path: Path
) -> None:
    first, second = make_venv(tmp_path / "one", host_version), make_venv(tmp_path / "two", host_version)
    seen = facts(smiskd(*HTTP, "--venv", str(first), "interpreter", env={"VIRTUAL_ENV": str(second)}))
    assert seen["prefix"] == str(first)


def test_venv_beside_binary_is_used(
    smiskd: Callable[..., Smiskd], host_version: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_venv(tmp_path / "v", host_version)
    installed = folder / "bin" / "smiskd"
    installed.write_bytes(BINARY.read_bytes())
    installed.chmod(0o755)
    monkeypatch.setattr("lib.daemon.BINARY", installed)
    assert facts(smiskd(*HTTP, "interpreter"))["prefix"] == str(folder)


def test_venv_of_other_version_is_refused_with_both_versions(host_version: tuple[int, int], tmp_path: Path) -> None:
    other = (3, 9) if host_version != (3, 9) else (3, 10)
    folder = fake_venv(tmp_path / "v", other)
    done = run_smiskd(*HTTP, "--pythonpath", str(APPS), "--venv", str(folder), "hello")
    assert done.returncode in (EXIT_CONFIG, EXIT_PYTHON)
    assert f"{other[0]}.{other[1]}" in done.stderr
    assert f"{host_version[0]}.{host_version[1]}" in done.stderr
    assert "Traceback" not in done.stderr


def test_real_venv_of_other_version_is_refused_with_both_versions(
    host_version: tuple[int, int], tmp_path: Path
) -> None:
    other = (3, 12) if host_version != (3, 12) else (3, 13)
    folder = tmp_path / "v"
    subprocess.run([other_python(other), "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    done = run_smiskd(*HTTP, "--pythonpath", str(APPS), "hello", env={"VIRTUAL_ENV": str(folder)})
    assert done.returncode in (EXIT_CONFIG, EXIT_PYTHON)
    assert f"{other[0]}.{other[1]}" in done.stderr
    assert f"{host_version[0]}.{host_version[1]}" in done.stderr


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_venv_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "v"
    if kind == "empty":
        folder.mkdir()
    done = run_smiskd(*HTTP, "--pythonpath", str(APPS), "--venv", str(folder), "hello")
    assert done.returncode in (EXIT_CONFIG, EXIT_PYTHON)
    assert str(folder) in done.stderr


# --- what the application sees ---


def test_sys_looks_as_a_python_user_expects(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    seen = facts(smiskd(*HTTP, "interpreter", cwd=tmp_path))
    path = seen["path"]
    assert isinstance(path, list)
    assert str(APPS) in path
    assert path.index(str(APPS)) < next(at for at, entry in enumerate(path) if entry.endswith("site-packages"))
    assert any(entry.endswith("lib-dynload") for entry in path)
    assert seen["site"] is True
    assert (seen["stdout"], seen["filesystem"]) == ("utf-8", "utf-8")
    assert seen["main"] == "__main__"


def test_argv_is_the_application_not_the_hosts_options(smiskd: Callable[..., Smiskd]) -> None:
    argv = facts(smiskd(*HTTP, "interpreter"))["argv"]
    assert isinstance(argv, list)
    assert len(argv) == 1
    assert "--http" not in argv


def test_executable_is_a_python_that_runs(smiskd: Callable[..., Smiskd], host_version: tuple[int, int]) -> None:
    executable = str(facts(smiskd(*HTTP, "interpreter"))["executable"])
    script = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == [str(host_version[0]), str(host_version[1])]


def test_signals_stay_with_the_host(smiskd: Callable[..., Smiskd]) -> None:
    assert facts(smiskd(*HTTP, "interpreter"))["sigint"] is False


def test_application_in_working_directory_is_found(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("def handle(request):\n    return 'here'\n")
    daemon = smiskd(*HTTP, "here", cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"here"


@pytest.mark.parametrize("name", ["package.site", "package.site:answer", "package.site:inner.answer"])
def test_application_by_dotted_name_and_attribute(smiskd: Callable[..., Smiskd], tmp_path: Path, name: str) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "site.py").write_text(
        "def answer(request):\n    return 'found'\nhandle = answer\nclass inner:\n    answer = staticmethod(answer)\n"
    )
    daemon = smiskd(*HTTP, name, cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"found"


def test_pythonpath_from_environment_is_respected(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("def handle(request):\n    return 'elsewhere'\n")
    daemon = smiskd(*HTTP, "elsewhere", env={"PYTHONPATH": str(tmp_path)})
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"elsewhere"


# --- the end ---


def test_end_with_live_threads_is_clean(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", "--http", "127.0.0.1:0", "threads")
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body.count(b",") == 2
    daemon.stop()
    assert daemon.log.count("exit handler ran") == 2


def test_start_and_end_many_times_is_clean(smiskd: Callable[..., Smiskd]) -> None:
    for _ in range(5):
        smiskd("--workers", "1", "--http", "127.0.0.1:0", "threads").stop()


# --- what cannot start ---


def run_app(tmp_path: Path, text: str | None, name: str = "broken") -> tuple[int, str]:
    """Exit status and log of smiskd with an application module of this text (None: without one)."""
    if text is not None:
        (tmp_path / f"{name}.py").write_text(text)
    done = run_smiskd(*HTTP, name, cwd=tmp_path)
    return done.returncode, done.stderr


def test_missing_module_is_named_with_exit_1(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, None, "no_such_module")
    assert status == EXIT_APP
    assert "no_such_module" in log


def test_missing_attribute_is_named_with_exit_1(tmp_path: Path) -> None:
    (tmp_path / "present.py").write_text("x = 1\n")
    status, log = run_app(tmp_path, None, "present:absent")
    assert status == EXIT_APP
    assert "absent" in log


def test_module_without_application_says_what_it_looked_for(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, "x = 1\n")
    assert status == EXIT_APP
    assert "handle" in log


def test_syntax_error_shows_file_and_line_with_exit_1(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, "x = 1\ndef handle(request:\n    pass\n")
    assert status == EXIT_APP
    assert "SyntaxError" in log
    assert "broken.py" in log
    assert "line 2" in log


def test_import_error_shows_traceback_with_exit_1(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, "import not_there_at_all\n")
    assert status == EXIT_APP
    assert "broken.py" in log
    assert "No module named 'not_there_at_all'" in log


def test_error_in_application_will_start_shows_traceback_with_exit_1(tmp_path: Path) -> None:
    text = "def handle(request): pass\ndef application_will_start():\n    raise RuntimeError('no database')\n"
    status, log = run_app(tmp_path, text)
    assert status == EXIT_APP
    assert "RuntimeError: no database" in log


def test_module_that_exits_is_an_error_with_exit_1(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, "raise SystemExit(0)\n")
    assert status == EXIT_APP
    assert "SystemExit" in log


def test_object_that_is_no_application_is_named_with_exit_1(tmp_path: Path) -> None:
    status, log = run_app(tmp_path, "handle = 42\n")
    assert status == EXIT_APP
    assert "handle" in log


def test_address_in_use_is_named_with_exit_3(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", "hello")
    done = run_smiskd("--workers", "1", "--http", f"127.0.0.1:{daemon.port}", "--pythonpath", str(APPS), "hello")
    assert done.returncode == EXIT_LISTEN
    assert f"127.0.0.1:{daemon.port}" in done.stderr


def test_folder_that_cannot_be_written_is_named_with_exit_3(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "s"
    done = run_smiskd("--workers", "1", "--fastcgi", f"unix:{path}", "--pythonpath", str(APPS), "hello")
    assert done.returncode == EXIT_LISTEN
    assert str(path) in done.stderr


def test_sanitised_fastcgi_and_http_serve_same_application(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", f"unix:{tmp_path}/s", "hello")
    with RawHTTP(daemon.http) as web, FastCGI(daemon.fastcgi) as fastcgi:
        assert web.request(get("/")).body == fastcgi.ask("/").body
