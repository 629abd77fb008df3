# SPDX-License-Identifier: MIT
"""The Configuration object: defaults, sources, lookups, filters."""

from pathlib import Path

import pytest
from smisk.config import Configuration, ConfigurationError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.conf").write_text("x: 1, l: [1], d: {a: 1}")
    (tmp_path / "b.conf").write_text("x: 2, l: [2], d: {b: 2}, '@include': 'c.conf'")
    (tmp_path / "c.conf").write_text("x: 3")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_load_merges_files_in_order() -> None:
    conf = Configuration()
    assert conf.load("a.conf") == {"x": 1, "l": [1], "d": {"a": 1}}
    assert conf.load("b.conf") == {"x": 2, "l": [2], "d": {"b": 2}}
    assert conf == {"x": 3, "l": [2], "d": {"a": 1, "b": 2}}
    assert [path for path, _ in conf.sources] == ["a.conf", "b.conf", "c.conf"]


def test_reload_reads_every_file_again(folder: Path) -> None:
    conf = Configuration(q=9)
    conf.load("a.conf")
    conf.load("b.conf")
    (folder / "c.conf").write_text("x: 4")
    conf["temporary"] = True
    conf.reload()
    assert conf == {"q": 9, "x": 4, "l": [2], "d": {"a": 1, "b": 2}}


def test_reload_that_fails_changes_nothing(folder: Path) -> None:
    conf = Configuration()
    conf.load("a.conf")
    (folder / "a.conf").write_text("x 1")
    with pytest.raises(ConfigurationError, match=r"^a\.conf:1: "):
        conf.reload()
    assert conf["x"] == 1


def test_load_that_fails_changes_nothing(folder: Path) -> None:
    (folder / "c.conf").unlink()
    conf = Configuration(x=0)
    with pytest.raises(OSError, match="cannot read"):
        conf.load("b.conf")
    assert conf == {"x": 0}
    assert conf.sources == []


@pytest.mark.usefixtures("folder")
def test_same_source_again_replaces_its_entry() -> None:
    conf = Configuration()
    conf.load("a.conf")
    conf.load("a.conf")
    conf.loads("y: 1")
    conf.loads("y: 1")
    assert [path.split("#")[0] for path, _ in conf.sources] == ["a.conf", "<string"]


def test_string_takes_directives_out_and_does_not_follow_them() -> None:
    conf = Configuration()
    assert conf.loads("x: 1, '@include': 'nowhere.conf', '@inherit': 'nowhere'") == {"x": 1}
    conf.reload()
    assert conf == {"x": 1}


def test_defaults_hold_where_no_source_says_otherwise() -> None:
    conf = Configuration(x=1, d={"a": 1})
    conf.loads("x: 2, d: {b: 2}")
    conf.set_default("y", 3)
    assert conf == {"x": 2, "y": 3, "d": {"a": 1, "b": 2}}
    assert conf.defaults == {"x": 1, "y": 3, "d": {"a": 1}}
    conf.defaults = {"z": 0}
    assert conf == {"z": 0, "x": 2, "d": {"b": 2}}
    with pytest.raises(TypeError, match=r"^defaults must be a dict$"):
        conf.defaults = [1]  # type: ignore[assignment]


def test_g_looks_along_a_path() -> None:
    conf = Configuration()
    conf.loads("a: {b: {c: 1}}")
    assert conf.g("a", "b", "c") == 1
    assert conf.g("a", "x", "c") is None
    assert conf.g("a", "x", default=5) == 5
    with pytest.raises(TypeError):
        conf.g("a", "b", "c", "d")


def test_filters_run_after_each_load_and_only_once_each() -> None:
    seen: list[int] = []
    conf = Configuration()

    def note(configuration: Configuration) -> None:
        seen.append(configuration.get("x", 0))

    conf.add_filter(note)
    conf.add_filter(note)
    conf.loads("x: 1")
    conf.reload()
    assert seen == [1, 1]


def test_reset_forgets_everything_but_defaults_when_told() -> None:
    conf = Configuration(x=1)
    conf.loads("y: 2")
    conf.reset(reset_defaults=False)
    assert (conf, conf.sources, conf.filters, conf.defaults) == ({}, [], [], {"x": 1})
    conf.reset()
    assert conf.defaults == {}
