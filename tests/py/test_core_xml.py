# SPDX-License-Identifier: MIT
"""smisk.core.xml: what the reference was seen to do, in every width of text and at every place in a block."""

import sys

import pytest
from smisk.core import xml

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
FILLERS = ["x", "é", "€", "😀"]  # the four ways in which CPython keeps text


def escaped(text):
    return "".join(ENTITIES.get(char, char) for char in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<a b="c">\'&', "&lt;a b=&quot;c&quot;&gt;'&amp;"),
        ("", ""),
        ("&", "&amp;"),
        ("&amp;", "&amp;amp;"),
        ("a < b", "a &lt; b"),
        ("räk & €", "räk &amp; €"),
        ("'", "'"),
        ("\0<\0", "\0&lt;\0"),
    ],
)
def test_xml_escape_turns_four_characters_into_entities(text, expected):
    assert xml.escape(text) == expected
    assert xml.escape(text.encode()) == expected.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&lt;a b=&quot;c&quot;&gt;'&amp;", '<a b="c">\'&'),
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("&apos;&#39;&#x27;&nbsp;", "&apos;&#39;&#x27;&nbsp;"),
        ("&lt", "&lt"),
        ("&", "&"),
        ("&&&", "&&&"),
        ("&&lt;", "&<"),
        ("&LT;", "&LT;"),
        ("&quot", "&quot"),
        ("& lt;", "& lt;"),
        ("&lt;&", "<&"),
        ("", ""),
        ("no entity", "no entity"),
        ("€&gt;räk", "€>räk"),
    ],
)
def test_xml_unescape_turns_four_entities_back_in_one_pass(text, expected):
    assert xml.unescape(text) == expected
    assert xml.unescape(text.encode()) == expected.encode()


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("mark", ENTITIES)
def test_xml_escape_of_a_character_anywhere_is_right(filler, mark):
    for length in range(40):
        for at in range(length):
            text = filler * at + mark + filler * (length - at - 1)
            result = xml.escape(text)
            assert result == escaped(text)
            assert xml.unescape(result) == text


@pytest.mark.parametrize("filler", FILLERS)
def test_xml_escape_of_many_characters_is_undone(filler):
    for length in range(1, 70):
        text = (f'&<{filler}>"' * length)[:length]
        assert xml.escape(text) == escaped(text)
        assert xml.unescape(xml.escape(text)) == text
        data = text.encode()
        assert xml.unescape(xml.escape(data)) == data


@pytest.mark.parametrize("base", [0x0000, 0x2600, 0x3C00, 0x2200, 0x10000, 0x12600])
def test_xml_escape_looks_at_whole_characters(base):
    """Characters whose low or high byte is that of a marked one."""
    text = "".join(chr(base + low) for low in range(256) if base + low not in map(ord, ENTITIES))
    assert xml.escape(text) is text
    text = "".join(chr(low * 256 + 0x3C) for low in range(1, 0xD8))
    assert xml.escape(text) is text


@pytest.mark.parametrize("function", [xml.escape, xml.unescape])
@pytest.mark.parametrize("text", ["", "plain text 'quoted'", "räk", "€", "😀" * 9, b"", b"plain\xff"])
def test_xml_function_returns_the_same_object_when_nothing_changes(function, text):
    assert function(text) is text


@pytest.mark.parametrize("function", [xml.escape, xml.unescape])
@pytest.mark.parametrize("wrong", [None, 1, ["a"], bytearray(b"a")])
def test_xml_function_of_no_text_is_a_type_error(function, wrong):
    with pytest.raises(TypeError, match="must be a string"):
        function(wrong)


def test_xml_result_is_as_compact_as_its_text():
    assert sys.getsizeof(xml.escape("a<b")) == sys.getsizeof("a&lt;b")
    assert sys.getsizeof(xml.escape("é<é")) == sys.getsizeof("é&lt;é")
    assert hash(xml.escape("€<")) == hash("€&lt;")


def test_xml_functions_take_large_text():
    text = "x" * 1_000_003 + "<" + "y" * 1_000_003
    assert xml.escape(text) == text.replace("<", "&lt;")
    assert xml.unescape(xml.escape(text)) == text
    assert xml.escape("&" * 1_000_000) == "&amp;" * 1_000_000
