# SPDX-License-Identifier: MIT
"""@include and @inherit: what overrides what, patterns, limits."""

import os
from pathlib import Path

import pytest
from smisk.config import ConfigurationError, ConfigurationFileError, ConfigurationSyntaxError, IncludeDepthError
from smisk.config.source import merged, read_sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.conf").write_text(text, encoding="utf-8")


def values(path: str = "a.conf") -> dict[str, object]:
    return merged(read_sources(path))[0]


def order(path: str = "a.conf") -> list[str]:
    return [source.path for source in read_sources(path)]


def failure(path: str = "a.conf") -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_sources(path)
    return str(caught.value)


@pytest.mark.usefixtures("folder")
class TestOrder:
    def test_include_overrides_own_values(self) -> None:
        write(b="x: 2, l: [2], d: {b: 2}, '@include': 'c.conf'", c="x: 3, c: true")
        assert values("b.conf") == {"x": 3, "c": True, "l": [2], "d": {"b": 2}}
        assert order("b.conf") == ["b.conf", "c.conf"]

    def test_own_values_override_what_is_inherited(self) -> None:
        write(d="x: 4, '@inherit': 'c.conf'", c="x: 3, c: true")
        assert values("d.conf") == {"x": 4, "c": True}
        assert order("d.conf") == ["c.conf", "d.conf"]

    def test_both_are_followed(self) -> None:
        write(a="@include 'c.conf', @inherit 'b.conf', x: 1, y: 1", b="x: 2, y: 2, z: 2", c="x: 3")
        assert values() == {"x": 3, "y": 1, "z": 2}
        assert order() == ["b.conf", "a.conf", "c.conf"]

    def test_mappings_merge_and_everything_else_is_replaced(self) -> None:
        write(
            a="d: {a: 1, e: {x: 1}}, l: [1], s: {p: 1}, @include 'b.conf'", b="d: {b: 2, e: {y: 2}}, l: [2, 3], s: 5"
        )
        assert values() == {"d": {"a": 1, "b": 2, "e": {"x": 1, "y": 2}}, "l": [2, 3], "s": 5}

    def test_list_is_followed_in_order_and_false_items_are_skipped(self) -> None:
        write(a="@include: [false, 'b.conf', null, '', ('c.conf',)]", b="x: 1, y: 1", c="x: 2")
        assert values() == {"x": 2, "y": 1}

    def test_same_file_twice_is_no_circle(self) -> None:
        write(a="@include: ['b.conf', 'c.conf']", b="@inherit 'd.conf'", c="@inherit 'd.conf'", d="x: 1")
        assert order() == ["a.conf", "d.conf", "b.conf", "d.conf", "c.conf"]

    def test_depth_zero_ignores_directives_but_keeps_own_values(self) -> None:
        write(a="@inherit 'missing.conf', x: 1")
        assert merged(read_sources("a.conf", 0))[0] == {"x": 1}

    def test_position_is_that_of_the_value_that_holds(self) -> None:
        write(a="x: 1,\ny: 1,\n@include 'b.conf'", b="\n\n\ny: 2")
        positions = merged(read_sources("a.conf"))[1]
        assert [(positions[(k,)].origin, positions[(k,)].line) for k in "xy"] == [("a.conf", 1), ("b.conf", 4)]


class TestPaths:
    def test_relative_path_starts_at_the_file_that_names_it(self, folder: Path) -> None:
        (folder / "sub").mkdir()
        write(a="@include 'sub/b.conf'")
        (folder / "sub" / "b.conf").write_text("@include 'c.conf'")
        (folder / "sub" / "c.conf").write_text("x: 1")
        assert values() == {"x": 1}
        os.chdir("/")
        assert values(str(folder / "a.conf")) == {"x": 1}

    @pytest.mark.parametrize("pattern", ["*.d", "?.d", "[xy].d", "[!z].d"])
    def test_pattern_is_expanded_sorted(self, folder: Path, pattern: str) -> None:
        write(a=f"@include '{pattern}'")
        (folder / "y.d").write_text("v: 'y'")
        (folder / "x.d").write_text("v: 'x'")
        (folder / "f.d").mkdir()
        assert order() == ["a.conf", "x.d", "y.d"]

    def test_pattern_without_match_is_fine(self, folder: Path) -> None:
        write(a="@include 'conf.d/*.conf', x: 1")
        assert values() == {"x": 1}

    @pytest.mark.parametrize("name", ["a[b.d", "a]b.d", "a[].d"])
    def test_bracket_that_encloses_nothing_is_part_of_a_name(self, folder: Path, name: str) -> None:
        write(a=f"@include '{name}'")
        assert failure() == f'a.conf:1: cannot read "{name}": No such file or directory'
        (folder / name).write_text("x: 1")
        assert values() == {"x": 1}

    def test_pattern_signs_in_the_folders_name_are_no_pattern(self, folder: Path) -> None:
        odd = folder / "[odd]*"
        odd.mkdir()
        (odd / "a.conf").write_text("@include '*.d'")
        (odd / "b.d").write_text("x: 1")
        assert values(str(odd / "a.conf")) == {"x": 1}

    def test_toml_file_can_be_included(self, folder: Path) -> None:
        pytest.importorskip("tomllib")
        write(a="@include 'b.toml', x: 1")
        (folder / "b.toml").write_text("x = 2")
        assert values() == {"x": 2}


@pytest.mark.usefixtures("folder")
class TestErrors:
    def test_missing_file_is_told_where_it_is_named(self) -> None:
        write(a="x: 1,\n@include 'b.conf'")
        assert failure() == 'a.conf:2: cannot read "b.conf": No such file or directory'
        with pytest.raises(OSError, match="cannot read"):
            read_sources("a.conf")

    def test_missing_first_file_is_told_by_name(self) -> None:
        assert failure("no.conf") == 'cannot read "no.conf": No such file or directory'

    def test_folder_cannot_be_read(self) -> None:
        assert failure("/") == 'cannot read "/": Is a directory'

    def test_file_that_includes_itself_is_a_circle(self) -> None:
        write(a="x: 1,\n\n@include '*.conf'")
        assert failure() == "a.conf:3: files include each other in a circle: a.conf → a.conf"

    def test_circle_names_its_files(self) -> None:
        write(a="@include 'b.conf'", b="@inherit './c.conf'", c=f"\n@include '../{Path.cwd().name}/b.conf'")
        assert failure() == "c.conf:2: files include each other in a circle: b.conf → c.conf → b.conf"

    def test_circle_through_a_link_is_found(self) -> None:
        write(a="@include 'b.conf'")
        Path("b.conf").symlink_to("a.conf")
        assert "in a circle" in failure()

    def test_seven_files_deep_is_read_and_eight_are_not(self) -> None:
        write(**{f"f{i}": f"x: {i}, @include 'f{i + 1}.conf'" for i in range(8)}, f8="x: 8")
        assert values("f1.conf") == {"x": 8}
        with pytest.raises(IncludeDepthError) as caught:
            read_sources("f0.conf")
        assert str(caught.value) == "f7.conf:1: maximum include depth exceeded; at most 7 files deep"
        assert isinstance(caught.value, RuntimeError)

    def test_more_than_a_thousand_files_are_refused(self) -> None:
        write(a="@include: [" + "'b.conf'," * 1000 + "]", b="")
        assert failure() == "a.conf:1: more than 1000 files included"

    @pytest.mark.parametrize(
        ("directive", "message"),
        [
            ("@include 5", "@include takes a file name or a list of them, not 5"),
            ("@include: [{a: 1}]", "@include takes a file name or a list of them, not a mapping"),
            ("@inherit: true", "@inherit takes a file name or a list of them, not true"),
            (r"@include: 'a\0b'", "a file name cannot contain a NUL"),
        ],
    )
    def test_directive_with_an_odd_value_is_refused(self, directive: str, message: str) -> None:
        write(a="\n" + directive)
        assert failure() == "a.conf:2: " + message

    def test_mistake_in_an_included_file_names_that_file(self) -> None:
        write(a="@include 'b.conf'", b="\nx 1")
        assert failure() == 'b.conf:2: expected ":" after "x", not "1"'

    def test_text_that_is_not_utf8_names_the_line(self) -> None:
        Path("a.conf").write_bytes(b"x: 1,\ny: '\xe9'")
        assert failure() == "a.conf:2: not valid UTF-8: byte 0xe9"
        with pytest.raises(ConfigurationSyntaxError):
            read_sources("a.conf")

    def test_byte_order_mark_is_skipped(self) -> None:
        Path("a.conf").write_bytes(b"\xef\xbb\xbfx: 1")
        assert values() == {"x": 1}

    def test_endless_file_is_refused(self) -> None:
        with pytest.raises(ConfigurationFileError, match="larger than 16 MiB"):
            read_sources("/dev/zero")
