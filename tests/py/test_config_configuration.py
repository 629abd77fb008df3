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


def test_arguments_are_content_and_keywords_are_defaults() -> None:
    conf = Configuration({"x": 1, "d": {"a": 1}}, y=2, d={"b": 2})
    assert conf == {"x": 1, "y": 2, "d": {"a": 1, "b": 2}}
    assert conf.defaults == {"y": 2, "d": {"b": 2}}


def test_class_attributes_are_those_of_1_1() -> None:
    symbols = {
        "true": True, "false": False, "null": None,
        "CRITICAL": 50, "FATAL": 50, "ERROR": 40, "WARN": 30, "WARNING": 30, "INFO": 20, "DEBUG": 10, "NOTSET": 0,
        "critical": 50, "fatal": 50, "error": 40, "warn": 30, "warning": 30, "info": 20, "debug": 10, "notset": 0,
    }  # fmt: skip
    assert symbols.items() <= Configuration.default_symbols.items()
    assert Configuration.filename_ext == ".conf"
    assert Configuration.logging_key == "logging"
    assert Configuration.input_encoding == "utf-8"
    assert Configuration.max_include_depth == 7


def test_update_merges_mappings_and_replaces_lists() -> None:
    conf = Configuration({"l": [1], "d": {"a": 1, "l": [1]}})
    conf.update({"l": [2], "d": {"b": 2, "l": [3]}})
    assert conf == {"l": [2], "d": {"a": 1, "b": 2, "l": [3]}}


def test_change_of_the_content_changes_no_source_and_no_default() -> None:
    conf = Configuration(tags=["a"])
    conf.loads("l: [1, [2]], d: {l: [3]}")
    conf["l"].append(0)
    conf["l"][1].append(0)
    conf["d"]["l"].append(0)
    conf["tags"].append("b")
    conf.reload()
    assert conf == {"tags": ["a"], "l": [1, [2]], "d": {"l": [3]}}


@pytest.mark.parametrize("text", ["", " \n", "/* only */ # comments\n// are here", "{}"])
def test_empty_source_is_skipped(folder: Path, text: str) -> None:
    (folder / "empty.conf").write_text(text)
    conf = Configuration()
    assert conf.load("empty.conf") == conf.loads(text) == {}
    assert (conf, conf.sources, conf.files) == ({}, [], ["empty.conf"])


def test_empty_file_that_gets_content_is_read_by_reload(folder: Path) -> None:
    (folder / "empty.conf").write_text("")
    conf = Configuration()
    conf.load("empty.conf")
    (folder / "empty.conf").write_text("x: 1")
    conf.reload()
    assert conf == {"x": 1}


def test_path_may_be_a_path_object(folder: Path) -> None:
    conf = Configuration()
    assert conf.load(folder / "a.conf") == {"x": 1, "l": [1], "d": {"a": 1}}  # type: ignore[arg-type]
    assert conf.files == [str(folder / "a.conf")]


def test_reload_follows_directives_again(folder: Path) -> None:
    conf = Configuration()
    conf.load("b.conf")
    (folder / "new.conf").write_text("n: 1")
    (folder / "b.conf").write_text("x: 2, '@include': 'n*.conf'")
    conf.reload()
    assert conf == {"x": 2, "n": 1}
    assert conf.files == ["b.conf", "new.conf"]


def test_reload_never_takes_a_key_away_that_stays(folder: Path) -> None:
    missing: list[object] = []

    class Watched(Configuration):
        def clear(self) -> None:
            missing.append("cleared")

        def pop(self, key: str, *default: object) -> object:  # type: ignore[override]
            missing.append(key)
            return super().pop(key, *default)

    conf = Watched()
    conf.load("a.conf")
    conf["gone"] = 1
    conf.reload()
    assert (missing, conf["x"]) == (["gone"], 1)


def test_reload_keeps_the_order_of_sources() -> None:
    conf = Configuration()
    conf.loads("x: 1")
    conf.loads("x: 2, y: 2")
    conf.loads("x: 1")
    conf.reload()
    assert conf == {"x": 2, "y": 2}


def test_filter_may_change_the_content_and_runs_after_the_rest() -> None:
    conf = Configuration()
    conf.add_filter(lambda c: c.update({"x": c["x"] + 1}))
    conf.loads("x: 1")
    assert conf["x"] == 2
    conf.reload()
    assert conf["x"] == 2


def test_without_post_processing_filters_do_not_run() -> None:
    conf = Configuration()
    conf.add_filter(lambda c: c.update({"filtered": True}))
    conf.loads("x: 1", post_process=False)
    assert conf == {"x": 1}
    conf.apply_filters()
    assert conf == {"x": 1, "filtered": True}


@pytest.mark.usefixtures("folder")
def test_depth_zero_ignores_directives_and_keeps_own_values() -> None:
    conf = Configuration()
    conf.max_include_depth = 0
    conf.loads("y: 1")
    assert conf.load("b.conf") == {"x": 2, "l": [2], "d": {"b": 2}}
    conf.reload()
    assert conf == {"y": 1, "x": 2, "l": [2], "d": {"b": 2}}


def test_depth_counts_files_that_include_each_other(folder: Path) -> None:
    (folder / "c.conf").write_text("'@include': 'a.conf', x: 3")
    conf = Configuration()
    conf.max_include_depth = 1
    with pytest.raises(RuntimeError, match="maximum include depth exceeded"):
        conf.load("b.conf")
    conf.max_include_depth = 2
    conf.load("b.conf")
    assert conf["x"] == 1


def test_encoding_can_be_another_one(folder: Path) -> None:
    (folder / "a.conf").write_bytes("x: 'rå'".encode("latin-1"))
    conf = Configuration()
    with pytest.raises(ConfigurationError, match=r"a\.conf:1: not valid UTF-8"):
        conf.load("a.conf")
    conf.input_encoding = "latin-1"
    conf.load("a.conf")
    assert conf["x"] == "rå"


def test_toml_is_loaded_and_reloaded_by_its_name(folder: Path) -> None:
    pytest.importorskip("tomllib")
    (folder / "a.toml").write_text('"smisk.autoreload" = true\n[d]\nx = 1')
    conf = Configuration()
    assert conf.load("a.toml") == {"smisk.autoreload": True, "d": {"x": 1}}
    (folder / "a.toml").write_text("x = 2")
    conf.reload()
    assert conf == {"x": 2}


def test_position_is_that_of_the_source_that_holds(folder: Path) -> None:
    conf = Configuration()
    conf.load("b.conf")
    (folder / "d.conf").write_text("\nd: {\n  e: [1,\n 2]}")
    conf.load("d.conf")
    places = [conf.position(*keys) for keys in (("x",), ("d", "e", 1), ("d", "nothing"), ("nothing",))]
    assert [(place.origin, place.line) for place in places] == [("c.conf", 1), ("d.conf", 4), ("d.conf", 2), ("", 0)]


def test_slip_in_a_key_of_smisk_is_warned_about(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "a.conf").write_text("x: 1,\nsmisk.autorelod: true, smisk.autoreload: true, shop.autorelod: true")
    Configuration().load("a.conf")
    assert [record.getMessage() for record in caplog.records] == [
        'a.conf:2: unknown key "smisk.autorelod"; did you mean "smisk.autoreload"?'
    ]


# --- symbols ---


def test_symbols_stand_for_values_anywhere_but_in_keys() -> None:
    conf = Configuration()
    values = conf.loads("a: here, l: [here, {b: there}]", {"here": "/srv", "there": (1, 2)})
    assert values == {"a": "/srv", "l": ["/srv", {"b": (1, 2)}]}
    with pytest.raises(ConfigurationError, match='here stands for a value; as a key it is written "here"'):
        conf.loads("here: 1", {"here": 1})


def test_symbols_hold_in_included_files_and_after_reload(folder: Path) -> None:
    (folder / "c.conf").write_text("x: there")
    conf = Configuration()
    conf.load("b.conf", symbols={"there": 7})
    assert conf["x"] == 7
    conf.reload()
    assert conf["x"] == 7


def test_symbols_may_replace_the_usual_ones_and_are_forgotten_afterwards() -> None:
    conf = Configuration()
    assert conf.loads("x: info", {"info": "other"}) == {"x": "other"}
    assert conf.loads("x: info") == {"x": 20}


def test_default_symbols_of_a_subclass_hold_for_it_alone() -> None:
    class Own(Configuration):
        default_symbols = {**Configuration.default_symbols, "home": "/home"}  # noqa: RUF012

    assert Own().loads("x: home, y: true") == {"x": "/home", "y": True}
    with pytest.raises(ConfigurationError, match='unknown word "home"; text stands in quotes'):
        Configuration().loads("x: home")


@pytest.mark.parametrize(
    "text", ["x: call()", "x: call('a')", "x: [call()]", "x: value.real", "x: 1 + 1", "x: -value"]
)
def test_symbols_are_names_and_never_evaluated(text: str) -> None:
    called: list[object] = []
    with pytest.raises(ConfigurationError):
        Configuration().loads(text, {"call": called.append, "value": 1})
    assert called == []


@pytest.mark.parametrize("text", ["[1, 2]", "(1, 2)", "5", "'x'"])
def test_anything_but_a_mapping_is_refused(text: str) -> None:
    with pytest.raises(SyntaxError):
        Configuration().loads(text)


def test_syntax_error_keeps_file_and_line(folder: Path) -> None:
    (folder / "a.conf").write_text("x: 1,\ny 2")
    with pytest.raises(SyntaxError) as caught:
        Configuration().load("a.conf")
    assert (caught.value.filename, caught.value.lineno) == ("a.conf", 2)


# --- the table of 11.3 ---


@pytest.mark.parametrize(
    ("names", "values", "sources"),
    [
        (["b.conf"], {"x": 3, "c": True, "l": [2], "d": {"b": 2}}, ["b.conf", "c.conf"]),
        (["d.conf"], {"x": 4, "c": True}, ["c.conf", "d.conf"]),
        (["a.conf", "b.conf"], {"x": 3, "c": True, "l": [2], "d": {"a": 1, "b": 2}}, ["a.conf", "b.conf", "c.conf"]),
    ],
)
def test_files_of_the_reference_give_its_results(
    folder: Path, names: list[str], values: dict[str, object], sources: list[str]
) -> None:
    (folder / "c.conf").write_text("x: 3, c: true")
    (folder / "d.conf").write_text("x: 4, '@inherit': 'c.conf'")
    conf = Configuration()
    for name in names:
        conf.load(name)
    assert conf == values
    assert [path for path, _ in conf.sources] == sources
    conf.reload()
    assert conf == values
