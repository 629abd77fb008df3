# SPDX-License-Identifier: MIT
"""Configurations asked for by name: where they are looked for, what wins, what happens when there is none."""

import logging
from pathlib import Path

import pytest
import smisk.config
from smisk.config import GLOB_RE, Configuration, ConfigurationError, config_locations
from smisk.config.lookup import named_paths


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders `etc`, `cwd` (the current one), `home` and `more`."""
    for name in ("etc", "cwd", "home", "more"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(smisk.config, "config_locations", [str(tmp_path / "etc")])
    return tmp_path


def test_locations_are_those_of_the_system() -> None:
    assert config_locations == ["/etc/default", "/etc"]


def test_places_are_tried_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert named_paths("app", ".conf", ["/etc/default", "/etc"], ["/srv/a", "/srv/b"]) == [
        "/etc/default/app.conf",
        "/etc/app.conf",
        "/etc/app/app.conf",
        "./app.conf",
        "./app-user.conf",
        "/home/me/app.conf",
        "/srv/a/app.conf",
        "/srv/b/app.conf",
    ]


def test_folder_of_the_name_is_tried_only_below_etc() -> None:
    assert "/etc/app/app.conf" not in named_paths("app", ".conf", ["/opt"])


def test_call_returns_the_files_that_it_loaded(folders: Path) -> None:
    for path in ("cwd/app.conf", "cwd/app-user.conf", "home/app.conf"):
        (folders / path).write_text("x: 1")
    conf = Configuration()
    assert conf("app") == ["./app.conf", "./app-user.conf", f"{folders}/home/app.conf"]
    assert [path for path, _ in conf.sources] == conf.files == conf("app")


def test_later_files_win(folders: Path) -> None:
    places = ("etc/app.conf", "cwd/app.conf", "cwd/app-user.conf", "home/app.conf", "more/app.conf")
    for index, path in enumerate(places):
        (folders / path).write_text(f"x{index}: {index}, last: {index}, d: {{k{index}: {index}}}")
    conf = Configuration()
    conf("app", locations=[str(folders / "more")])
    assert conf["last"] == 4
    assert conf["d"] == {f"k{index}": index for index in range(5)}
    assert [conf[f"x{index}"] for index in range(5)] == [0, 1, 2, 3, 4]


def test_defaults_hold_below_all_files(folders: Path) -> None:
    (folders / "cwd/app.conf").write_text("x: 1")
    conf = Configuration(gone=True)
    conf("app", defaults={"x": 0, "y": 0})
    assert conf == {"x": 1, "y": 0}
    with pytest.raises(TypeError, match=r"^defaults must be a dict$"):
        conf("app", defaults=[])  # type: ignore[arg-type]


def test_symbols_stand_for_values(folders: Path) -> None:
    (folders / "cwd/app.conf").write_text("x: here, y: TRUE")
    conf = Configuration()
    conf("app", symbols={"here": "/srv", "TRUE": True})
    assert conf == {"x": "/srv", "y": True}
    conf.reload()
    assert conf == {"x": "/srv", "y": True}


def test_logging_key_can_be_another_one(folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folders / "cwd/app.conf").write_text("logging: 5, log: 6")
    conf = Configuration()
    conf("app", logging_key="log")
    assert conf.logging_key == "log"
    assert "app.conf:1: log is not a mapping" in caplog.text
    assert "logging is not a mapping" not in caplog.text


def test_filename_ext_can_be_that_of_toml(folders: Path) -> None:
    pytest.importorskip("tomllib")
    (folders / "cwd/app.toml").write_text("x = 1\n[d]\ny = 2")
    conf = Configuration()
    conf.filename_ext = ".toml"
    assert conf("app") == ["./app.toml"]
    assert conf == {"x": 1, "d": {"y": 2}}


@pytest.mark.usefixtures("folders")
def test_without_any_file_there_is_a_warning_and_an_empty_list(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(logging, "basicConfig", lambda: asked.append(1))
    assert Configuration()("app") == []
    assert asked == [1]
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "no configuration named 'app' was found")
    ]


def test_without_any_file_of_the_name_nothing_is_said_when_another_was_loaded(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folders / "cwd/smisk.conf").write_text("x: 1")
    conf = Configuration()
    conf.load("smisk.conf")
    assert conf("app") == []
    assert conf == {"x": 1}
    assert caplog.records == []


def test_mistake_in_one_of_the_files_changes_nothing(folders: Path) -> None:
    (folders / "cwd/app.conf").write_text("x: 1")
    (folders / "home/app.conf").write_text("\nx 1")
    conf = Configuration(x=0)
    with pytest.raises(ConfigurationError, match=r"home/app\.conf:2: expected"):
        conf("app", defaults={"y": 1})
    assert (conf, conf.sources, conf.defaults) == ({"x": 0}, [], {"x": 0})


def test_folder_of_that_name_is_no_configuration(folders: Path) -> None:
    (folders / "cwd/app.conf").mkdir()
    (folders / "etc/app.conf").write_text("x: 1")
    assert Configuration()("app") == [str(folders / "etc/app.conf")]


@pytest.mark.parametrize("text", ["*.conf", "a?", "conf.d/[ab].conf", "[!a]", "a\n*"])
def test_glob_re_matches_patterns(text: str) -> None:
    assert GLOB_RE.match(text)


@pytest.mark.parametrize("text", ["", "a.conf", "a[b", "a]b", "a[]", "]["])
def test_glob_re_does_not_match_names(text: str) -> None:
    assert not GLOB_RE.match(text)
