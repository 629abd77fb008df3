# SPDX-License-Identifier: MIT
"""What the dialect means, value by value. Expected values are written by hand."""

import pytest
from smisk.config.parser import parse


def read(text: str) -> dict[str, object]:
    return parse(text)[0]


VALUES = [
    # names
    ("true", True),
    ("True", True),
    ("false", False),
    ("False", False),
    ("null", None),
    ("None", None),
    ("NOTSET", 0),
    ("debug", 10),
    ("DEBUG", 10),
    ("info", 20),
    ("WARN", 30),
    ("warning", 30),
    ("ERROR", 40),
    ("FATAL", 50),
    ("critical", 50),
    # numbers
    ("0", 0),
    ("00", 0),
    ("42", 42),
    ("+42", 42),
    ("-7", -7),
    ("1_000_000", 1000000),
    ("0660", 432),
    ("0o660", 432),
    ("0x1F", 31),
    ("-0x10", -16),
    ("0b101", 5),
    ("1.5", 1.5),
    (".5", 0.5),
    ("-.5", -0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),
    ("1.5e-3", 0.0015),
    ("2E+2", 200.0),
    # quantities stay text
    ("250ms", "250ms"),
    ("10s", "10s"),
    ("1.5h", "1.5h"),
    ("64k", "64k"),
    ("1G", "1G"),
    ("-5s", "-5s"),
    # strings
    ('"a"', "a"),
    ("'a'", "a"),
    ('""', ""),
    ("''", ""),
    ('"""a"""', "a"),
    ('"""a\nb"c"""', 'a\nb"c'),
    ("'''a''b'''", "a''b"),
    ('"it\'s"', "it's"),
    ('"a" "b"', "ab"),
    ('"a"\n   \'b\'  /* c */ "d"', "abd"),
    ('r"\\d+\\n"', "\\d+\\n"),
    ("R'\\''", "\\'"),
    ('u"é"', "é"),
    ("ur'\\d'", "\\d"),
    ('r"""a\\\nb"""', "a\\\nb"),
    ('"å → 🐍"', "å → 🐍"),
    (r'"\\ \' \" \a\b\f\n\r\t\v"', "\\ ' \" \a\b\f\n\r\t\v"),
    (r'"\x41\u00e5\U0001F40D"', "Aå🐍"),
    (r'"\101\0\7x"', "A\0\ax"),
    (r'"\N{SNOWMAN}"', "☃"),
    ('"a\\\nb"', "ab"),
    (r'"\d \q"', r"\d \q"),
    # comments are text inside strings
    ('"http://x/ # /* y */"', "http://x/ # /* y */"),
    # containers
    ("[]", []),
    ("[1, 2,]", [1, 2]),
    ("[[1], []]", [[1], []]),
    ("()", ()),
    ("(1,)", (1,)),
    ("(1, 2)", (1, 2)),
    ("(1)", 1),
    ('("a"\n"b")', "ab"),
    ("{}", {}),
    ("{a: 1, 'b': {2: [3]}}", {"a": 1, "b": {2: [3]}}),
    ("{404: 'x', -1: 'y'}", {404: "x", -1: "y"}),
]


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_value_of_the_dialect_means_what_it_says(written: str, value: object) -> None:
    result = read(f"k: {written}")["k"]
    assert result == value
    assert type(result) is type(value)


DOCUMENTS = [
    ("", {}),
    (" \n\t ", {}),
    ("# only a comment", {}),
    ("// only a comment", {}),
    ("/* only\n a comment */", {}),
    ("{}", {}),
    ('"a": 1', {"a": 1}),
    ("a: 1,", {"a": 1}),
    ("{a: 1, b: 2}", {"a": 1, "b": 2}),
    ("a: 1, # x\nb: 2, // y\n/* z */ c: /* w */ 3", {"a": 1, "b": 2, "c": 3}),
    ("a: 1,\r\nb: 2,\r\n", {"a": 1, "b": 2}),
    ("a: 1,\rb: 2", {"a": 1, "b": 2}),
    ("smisk.mvc.etag: 'sha1', x-y: 1, _z9: 2", {"smisk.mvc.etag": "sha1", "x-y": 1, "_z9": 2}),
    ("a /* : 2 */ : 1", {"a": 1}),
    ("a: 1 /**/", {"a": 1}),
    ("'true': 1", {"true": 1}),
    ('"two words": 1', {"two words": 1}),
]


@pytest.mark.parametrize(("text", "values"), DOCUMENTS)
def test_document_in_any_layout_gives_its_mapping(text: str, values: dict[str, object]) -> None:
    assert read(text) == values


def test_directive_in_every_spelling_is_collected_in_order() -> None:
    text = '"@include": "a",\n@include: ["b", "c"],\n@include "d"\nx: 1,\n@inherit "e"\n"y": 2'
    assert read(text) == {"@include": ["a", ["b", "c"], "d"], "x": 1, "@inherit": ["e"], "y": 2}


def test_positions_name_the_line_of_each_key_and_item() -> None:
    positions = parse('a: 1,\nb: [\n  2,\n  {c:\n 3}],\n"d":\n "e"', "f.conf", "/folder")[1]
    lines = {path: position.line for path, position in positions.items()}
    assert lines == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("d",): 6}
    assert positions[("b", 0)].origin == "f.conf"
    assert positions[("b", 0)].folder == "/folder"


def test_positions_keep_how_a_number_was_written() -> None:
    positions = parse("a: 0660, b: 432, c: '432', d: 10s")[1]
    assert [positions[(key,)].text for key in "abcd"] == ["0660", "432", "", "10s"]


def test_lines_after_strings_of_several_lines_still_count() -> None:
    positions = parse('a: """x\ny""",\nb: "p\\\nq",\nc: r"p\\\nq",\nd: 1')[1]
    assert positions[("d",)].line == 7


def test_nesting_of_64_levels_is_read() -> None:
    assert read("k: " + "[" * 64 + "]" * 64)
