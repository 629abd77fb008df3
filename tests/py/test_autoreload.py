# SPDX-License-Identifier: MIT
"""smisk.autoreload: what it looks at, what it tells, and what happens then."""

import os
import sys
import threading
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import smisk.core
from smisk.autoreload import Autoreloader, is_wanted
from smisk.config import config
from smisk.util.threads import Monitor

WAIT = 20.0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from; the shared configuration is empty before and after."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    config.reset()
    yield tmp_path
    config.reset()
    for name in [name for name in sys.modules if name.startswith("watched_")]:
        del sys.modules[name]


class Recorder(Autoreloader):
    """Keeps what it is told."""

    def __init__(self, match: str | None = "watched_") -> None:
        super().__init__(match=match)
        self.told: list[str] = []

    def on_module_modified(self, path: str) -> None:
        self.told.append(path)

    def on_config_modified(self, path: str) -> None:
        self.told.append("config " + path)


def load(folder: Path, name: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text("x = 1\n")
    __import__(name)
    return path


def touch(path: Path) -> None:
    """Gives the file another time of change, however coarse the clock."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


# --- what is asked for ---


@pytest.mark.parametrize(
    ("values", "modules", "files"),
    [
        ({}, False, False),
        ({"smisk.autoreload": True}, True, True),
        ({"smisk.autoreload": False}, False, False),
        ({"smisk.autoreload.modules": True}, True, False),
        ({"smisk.autoreload.config": True}, False, True),
        ({"smisk.autoreload": True, "smisk.autoreload.config": False}, True, False),
        ({"smisk.autoreload": True, "smisk.autoreload.modules": False}, False, True),
    ],
)
def test_keys_say_what_is_watched(values: dict[str, bool], modules: bool, files: bool) -> None:
    config.update(values)
    assert (is_wanted("modules"), is_wanted("config"), is_wanted()) == (modules, files, modules or files)


def test_nothing_is_watched_unless_asked_for(folder: Path) -> None:
    path = load(folder, "watched_a")
    watcher = Recorder()
    watcher.look()
    touch(path)
    watcher.look()
    assert watcher.told == []


# --- modules ---


def test_module_that_changes_is_told_once(folder: Path) -> None:
    config["smisk.autoreload"] = True
    path = load(folder, "watched_a")
    watcher = Recorder()
    watcher.look()
    assert watcher.told == []
    touch(path)
    watcher.look()
    watcher.look()
    assert watcher.told == [str(path)]


def test_module_that_is_removed_is_told(folder: Path) -> None:
    config["smisk.autoreload.modules"] = True
    path = load(folder, "watched_a")
    watcher = Recorder()
    watcher.look()
    path.unlink()
    watcher.look()
    watcher.look()
    assert watcher.told == [str(path)]


def test_older_file_put_in_place_is_a_change(folder: Path) -> None:
    config["smisk.autoreload"] = True
    path = load(folder, "watched_a")
    watcher = Recorder()
    watcher.look()
    os.utime(path, ns=(0, 0))
    watcher.look()
    assert watcher.told == [str(path)]


def test_module_that_is_imported_later_counts_from_then_on(folder: Path) -> None:
    config["smisk.autoreload"] = True
    watcher = Recorder()
    watcher.look()
    path = load(folder, "watched_b")
    watcher.look()
    assert watcher.told == []
    touch(path)
    watcher.look()
    assert watcher.told == [str(path)]


def test_only_modules_that_match_count(folder: Path) -> None:
    config["smisk.autoreload"] = True
    paths = [load(folder, "watched_a"), load(folder, "watched_b")]
    watcher = Recorder("watched_b")
    watcher.look()
    for path in paths:
        touch(path)
    watcher.look()
    watcher.look()
    assert watcher.told == [str(paths[1])]


def test_without_match_all_modules_count(folder: Path) -> None:
    config["smisk.autoreload"] = True
    path = load(folder, "watched_a")
    watcher = Recorder(None)
    watcher.look()
    touch(path)
    watcher.look()
    assert watcher.told == [str(path)]


def test_one_change_is_told_in_each_round(folder: Path) -> None:
    config["smisk.autoreload"] = True
    paths = [load(folder, "watched_a"), load(folder, "watched_b")]
    watcher = Recorder()
    watcher.look()
    for path in paths:
        touch(path)
    watcher.look()
    assert len(watcher.told) == 1
    watcher.look()
    assert sorted(watcher.told) == sorted(map(str, paths))


def test_source_is_watched_where_the_module_names_bytecode(folder: Path) -> None:
    config["smisk.autoreload"] = True
    module = types.ModuleType("watched_c")
    module.__file__ = str(folder / "c.pyc")
    sys.modules["watched_c"] = module
    (folder / "c.py").write_text("")
    watcher = Recorder()
    watcher.look()
    touch(folder / "c.py")
    watcher.look()
    assert watcher.told == [str(folder / "c.py")]


def test_bytecode_without_source_is_left_alone(folder: Path) -> None:
    config["smisk.autoreload"] = True
    module = types.ModuleType("watched_c")
    module.__file__ = str(folder / "c.pyc")
    sys.modules["watched_c"] = module
    watcher = Recorder()
    watcher.look()
    watcher.look()
    assert watcher.told == []


def test_archive_is_watched_as_a_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config["smisk.autoreload"] = True
    archive = folder / "lib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("watched_z.py", "x = 1")
    monkeypatch.syspath_prepend(archive)
    __import__("watched_z")
    watcher = Recorder()
    watcher.look()
    touch(archive)
    watcher.look()
    assert watcher.told == [str(archive)]


def test_odd_modules_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(types.ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    config["smisk.autoreload"] = True
    for number, value in enumerate((None, Odd("odd"), object(), 5)):
        monkeypatch.setitem(sys.modules, f"watched_odd{number}", value)
    no_text = types.ModuleType("watched_bad")
    no_text.__file__ = 5  # type: ignore[assignment]
    sys.modules["watched_bad"] = no_text
    with_nul = types.ModuleType("watched_nul")
    with_nul.__file__ = "/a\0b"
    sys.modules["watched_nul"] = with_nul
    watcher = Recorder()
    watcher.look()
    watcher.look()
    assert watcher.told == []


# --- the configuration ---


def test_every_file_of_the_configuration_is_watched(folder: Path) -> None:
    (folder / "app.conf").write_text("'smisk.autoreload.config': true, '@include': 'more.conf'")
    (folder / "more.conf").write_text("x: 1")
    config.load("app.conf")
    watcher = Recorder()
    watcher.look()
    touch(folder / "more.conf")
    watcher.look()
    assert watcher.told == ["config more.conf"]


def test_file_of_the_configuration_that_is_gone_counts_when_it_is_back(folder: Path) -> None:
    path = folder / "app.conf"
    path.write_text("'smisk.autoreload': true")
    config.load("app.conf")
    watcher = Recorder()
    watcher.look()
    path.unlink()
    watcher.look()
    assert watcher.told == []
    path.write_text("'smisk.autoreload': true, x: 1")
    watcher.look()
    assert watcher.told == ["config app.conf"]


def test_configuration_that_changes_is_read_again(folder: Path) -> None:
    path = folder / "app.conf"
    path.write_text("'smisk.autoreload.config': true, x: 1")
    config.load("app.conf")
    watcher = Autoreloader()
    watcher.look()
    path.write_text("'smisk.autoreload.config': true, x: 22")
    watcher.look()
    assert config["x"] == 22


def test_configuration_with_a_mistake_leaves_the_old_one(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "app.conf"
    path.write_text("'smisk.autoreload.config': true, x: 1")
    config.load("app.conf")
    watcher = Autoreloader()
    watcher.look()
    path.write_text("'smisk.autoreload.config': true,\nx 2")
    watcher.look()
    assert config["x"] == 1
    assert "the configuration stays as it was: app.conf:2: expected" in caplog.text
    path.write_text("'smisk.autoreload.config': true, x: 333")
    watcher.look()
    assert config["x"] == 333


# --- the thread ---


class App:
    """Stands for the application: learns that it is to end."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def exit(self) -> None:
        self.ended.set()


def test_module_that_changes_ends_the_watching_and_the_application(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["smisk.autoreload"] = True
    path = load(folder, "watched_a")
    app = App()
    monkeypatch.setattr(smisk.core, "app", app, raising=False)
    looked = threading.Event()

    class Telling(Autoreloader):
        def look(self) -> None:
            super().look()
            looked.set()

    watcher = Telling(frequency=0.01, match="watched_")  # type: ignore[arg-type]
    watcher.start()
    thread = watcher.thread
    assert thread is not None
    assert looked.wait(WAIT)
    assert not app.ended.is_set()
    touch(path)
    assert app.ended.wait(WAIT)
    thread.join(WAIT)
    assert not thread.is_alive()
    assert watcher.thread is None


def test_autoreloader_is_a_monitor_that_looks_every_second() -> None:
    watcher = Autoreloader()
    assert isinstance(watcher, Monitor)
    assert (watcher.frequency, watcher.match) == (1, None)


def test_start_takes_files_as_they_are_then(folder: Path) -> None:
    config["smisk.autoreload"] = True
    path = load(folder, "watched_a")
    watcher = Recorder()
    watcher.look()
    touch(path)
    watcher.frequency = 3600
    watcher.start()
    watcher.stop()
    watcher.look()
    assert watcher.told == []
