# SPDX-License-Identifier: MIT
"""The same keys in TOML: values, and the lines that messages name."""

import sys

import pytest
from smisk.config import ConfigurationError, ConfigurationSyntaxError
from smisk.config.position import find
from smisk.config.toml import parse_toml

pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")

TEXT = '''# first
app = "hello"
listen = [
    "http://127.0.0.1:8080",
]
note = """
workers = 9
"""

workers = 2
"smisk.mvc.etag" = "sha1"
logging.format = "x"

[application]
  mail . from = "a@example.org"

[[places]]
name = "a"
[[places]]
name = "b"
[places.more]
deep = 1
'''


def test_values_are_those_of_toml() -> None:
    values, _ = parse_toml(TEXT)
    assert values["workers"] == 2
    assert values["places"] == [{"name": "a"}, {"name": "b", "more": {"deep": 1}}]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("app",), 2),
        (("listen",), 3),
        (("listen", 0), 3),
        (("workers",), 10),
        (("smisk.mvc.etag",), 11),
        (("logging",), 12),
        (("logging", "format"), 12),
        (("application",), 14),
        (("application", "mail", "from"), 15),
        (("places", 0, "name"), 18),
        (("places", 1), 19),
        (("places", 1, "name"), 20),
        (("places", 1, "more", "deep"), 22),
        (("unknown",), 0),
    ],
)
def test_key_is_found_on_its_line(path: tuple[object, ...], line: int) -> None:
    position = find(parse_toml(TEXT, "a.toml")[1], path)
    assert position.line == line


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a = 1\nb = \n", "a.toml:2: invalid value"),
        ("a = 1\na = 2\n", "a.toml:2: cannot overwrite a value"),
        ("a = 1\nb = [1,\n", "a.toml:"),
        (".".join(["a"] * 70) + " = 1", "a.toml: more than 64 levels of nesting"),
        ("a = " + "[" * 5000, "a.toml: too many levels of nesting"),
    ],
)
def test_mistake_is_told_with_its_line(text: str, start: str) -> None:
    with pytest.raises(ConfigurationSyntaxError) as caught:
        parse_toml(text, "a.toml")
    assert str(caught.value).startswith(start)


def test_python_without_a_reader_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ConfigurationError) as caught:
        parse_toml("a = 1", "a.toml")
    assert str(caught.value) == "a.toml: TOML needs Python 3.11, or the package tomli"
