# SPDX-License-Identifier: MIT
"""What autoreload watches and what it finds changed: the scan itself, without threads or waiting."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from smisk.reloading import page
from smisk.reloading.places import Tree, is_library, module_files
from smisk.reloading.watch import Failure, Watch
from smisk.reloading.watcher import Watcher

Import = Callable[[str], None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to import from, which is also the working folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def load() -> Iterator[Import]:
    """Imports modules, which are forgotten after the test."""
    names: list[str] = []

    def load(name: str) -> None:
        names.append(name)
        __import__(name)

    yield load
    for name in names:
        for each in [each for each in sys.modules if each.partition(".")[0] == name.partition(".")[0]]:
            del sys.modules[each]


@pytest.fixture
def failure(tmp_path: Path) -> Iterator[tuple[Failure, Path]]:
    """The host's record of a failure, and the file that stands for it; empty at first."""
    path = tmp_path / "failure"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    yield Failure(fd), path
    os.close(fd)


def later(path: Path, text: str) -> str:
    """Writes a file that is clearly younger than what was there before; its path."""
    path.write_text(text)
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + 1_000_000_000))
    return str(path)


# --- modules ---


def test_imported_module_is_watched_from_its_import_on(site: Path, load: Import) -> None:
    (site / "reload_a.py").write_text("x = 1\n")
    watch = Watch()
    assert not watch.meet()
    load("reload_a")
    assert watch.meet()
    assert not watch.meet()
    assert watch.scan() == []
    changed = later(site / "reload_a.py", "x = 2\n")
    assert watch.scan() == [changed]
    assert watch.scan() == []


def test_submodule_of_a_package_is_watched(site: Path, load: Import) -> None:
    (site / "reload_p/inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/leaf.py"):
        (site / "reload_p" / name).touch()
    load("reload_p.inner.leaf")
    watch = Watch()
    changed = later(site / "reload_p/inner/leaf.py", "y = 1\n")
    assert watch.scan() == [changed]


def test_files_written_last_are_looked_at_first(site: Path) -> None:
    future = 4_000_000_000  # later than this test's own modules
    files = [site / f"{number}.conf" for number in range(60)]
    for number, file in enumerate(files):
        file.touch()
        os.utime(file, (future + number, future + number))
    watch = Watch([str(file) for file in files])
    assert not watch.is_touched()
    os.utime(files[0], (future + 5, future + 5))
    assert not watch.is_touched()
    os.utime(files[59], (future + 7, future + 7))
    assert watch.is_touched()
    assert watch.scan() == [str(files[0]), str(files[59])]
    os.utime(files[1], (future + 3000, future + 3000))
    assert watch.scan() == [str(files[1])]
    os.unlink(files[1])
    assert watch.is_touched()


def test_module_that_was_not_imported_is_not_watched(site: Path, load: Import) -> None:
    (site / "reload_b.py").touch()
    load("reload_b")
    watch = Watch()
    later(site / "other.py", "z = 1\n")
    assert watch.scan() == []


def test_file_replaced_by_rename_or_removed_and_back_is_found(site: Path, load: Import) -> None:
    path = site / "reload_c.py"
    path.write_text("x = 1\n")
    load("reload_c")
    watch = Watch()
    before = path.stat()
    (site / "new").write_text("x = 2\n")
    os.utime(site / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (site / "new").rename(path)
    assert watch.scan() == [str(path)], "same time and size, another file"
    path.unlink()
    assert watch.scan() == [str(path)]
    assert watch.scan() == []
    path.write_text("x = 3\n")
    assert watch.scan() == [str(path)]


def test_standard_library_and_installed_packages_are_not_watched() -> None:
    assert is_library(threading.__file__)
    assert is_library("/opt/v/lib/python3.11/site-packages/django/http.py")
    assert is_library("/usr/lib/python3/dist-packages/x.py")
    assert not is_library("/srv/site/app.py")
    assert threading.__file__ not in module_files(set())


def test_strange_entries_of_sys_modules_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    monkeypatch.setitem(sys.modules, "reload_hostile", Hostile())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "reload_number", 7)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "reload_none", None)  # type: ignore[arg-type]
    assert all(os.path.isabs(path) for path in module_files(set()))


# --- configuration, templates, what the user names ---


def test_configuration_file_is_watched_also_before_it_exists(site: Path) -> None:
    conf, other = site / "a.conf", site / "b.conf"
    conf.write_text("workers: 1")
    watch = Watch([str(conf), str(other)])
    other.write_text("workers: 2")
    assert watch.scan() == [str(other)]
    later(conf, "workers: 3")
    assert watch.scan() == [str(conf)]


def test_templates_are_watched_with_new_and_removed_ones(site: Path, load: Import) -> None:
    (site / "templates/mail").mkdir(parents=True)
    (site / "templates/mail/hello.txt").touch()
    (site / "reload_d").mkdir()
    (site / "reload_d/__init__.py").touch()
    (site / "reload_d/page.jinja2").touch()
    load("reload_d")
    watch = Watch()
    assert watch.scan() == []
    changed = [later(site / "reload_d/page.jinja2", "a"), later(site / "templates/mail/hello.txt", "b")]
    assert watch.scan() == changed
    new = later(site / "templates/mail/new.xml", "c")
    assert watch.scan() == [new]
    os.unlink(new)
    assert watch.scan() == [new]


def test_other_data_hidden_files_and_editors_leftovers_are_no_templates(site: Path, load: Import) -> None:
    (site / "reload_e").mkdir()
    (site / "reload_e/__init__.py").touch()
    (site / "templates").mkdir()
    load("reload_e")
    watch = Watch()
    for name in ("reload_e/data.txt", "reload_e/cache.xml", "templates/.x.swp", "templates/a.html~", "templates/#a#"):
        later(site / name, "x")
    assert watch.scan() == []


def test_named_files_folders_and_patterns_are_watched(site: Path) -> None:
    (site / "data/deep").mkdir(parents=True)
    (site / "one.txt").touch()
    (site / "etc").mkdir()
    watch = Watch(paths=[str(site / "data"), str(site / "one.txt"), str(site / "etc/*.ini")])
    changed = [later(site / name, "x") for name in ("data/deep/x.bin", "etc/a.ini", "one.txt")]
    later(site / "etc/a.txt", "x")
    assert watch.scan() == changed


def test_tree_of_a_virtual_environment_is_empty(site: Path) -> None:
    (site / "env/templates").mkdir(parents=True)
    (site / "env/pyvenv.cfg").touch()
    (site / "env/templates/a.html").touch()
    (site / "b.html").touch()
    assert [*Tree(str(site)).files()] == [str(site / "b.html")]


# --- while the newest code does not run ---


def test_while_code_is_broken_every_source_counts(site: Path, load: Import, failure: tuple[Failure, Path]) -> None:
    record, path = failure
    (site / "reload_f.py").touch()
    old = later(site / "unseen.py", "(")
    load("reload_f")
    watch = Watch(failure=record)
    later(path, "importing failed")
    os.utime(old, ns=(0, path.stat().st_mtime_ns - 1))
    assert watch.scan() == []
    later(Path(old), "()")
    assert watch.scan() == [old]
    new = later(site / "missing.py", "x = 1")
    assert watch.scan() == [new]
    path.write_text("")
    assert watch.scan() == []
    later(Path(new), "x = 22")
    assert watch.scan() == [], "the newest code runs and has not imported it"


def test_file_that_was_mended_just_after_the_failure_counts(
    site: Path, load: Import, failure: tuple[Failure, Path]
) -> None:
    record, path = failure
    (site / "reload_g.py").touch()
    load("reload_g")
    watch = Watch(failure=record)
    path.write_text("importing failed")
    mended = later(site / "unseen.py", "x = 1")
    assert watch.has_failed()
    assert watch.is_touched()
    assert watch.scan() == [mended]
    assert not watch.has_failed()


def test_file_in_the_traceback_counts_wherever_it_is(
    site: Path, tmp_path: Path, failure: tuple[Failure, Path]
) -> None:
    record, path = failure
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text("(")
    os.utime(elsewhere, ns=(0, 0))
    watch = Watch(failure=record)
    path.write_text(f'app: failed\nTraceback:\n  File "{elsewhere}", line 1\n  File "{threading.__file__}", line 2\n')
    assert record.files() == {str(elsewhere)}
    assert watch.scan() == []
    elsewhere.write_text("()")
    assert watch.scan() == [str(elsewhere)]


# --- the thread, the page ---


@pytest.mark.parametrize("has_library", [True, False])
def test_watcher_tells_once_what_changed(site: Path, has_library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if has_library:
        pytest.importorskip("watchfiles")
    else:
        monkeypatch.setitem(sys.modules, "watchfiles", None)  # type: ignore[arg-type]
    (site / "a.conf").touch()
    told: list[str] = []
    heard = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        heard.set()

    watcher = Watcher(Watch([str(site / "a.conf"), str(site / "b.conf")]), tell)
    watcher.start()
    try:
        later(site / "a.conf", "x")
        assert heard.wait(10)
    finally:
        watcher.stop()
    assert told == ["a.conf changed"]
    assert not watcher.is_alive()


def test_page_shows_the_failure_escaped_and_follows_it() -> None:
    text = (
        b'app: <b> failed\nTraceback\n  File "<frozen importlib._bootstrap>", line 1\n  File "/a&b.py", line 2\n\xff'
    )
    shown = page(text, 12345).decode()
    assert "app: &lt;b&gt; failed" in shown
    assert "/a&amp;b.py" in shown
    assert "frozen" not in shown
    assert '"Smisk-Reload": "12345"' in shown


def test_page_of_a_failure_without_details_has_none() -> None:
    assert '<div class="frame">' not in page(b"it failed\n", 1).decode()
