# SPDX-License-Identifier: MIT
"""Pairs below queries, forms and cookies: the table of the reference, charsets, and input that is meant to hurt."""

import random

import pytest
from smisk.core.cookies import parse_cookies
from smisk.core.pairs import collect, decode_text, parse_pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"name=Jack%20%C3%B6l&age=53", {"name": "Jack öl", "age": "53"}),
        (b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (b"a", {"a": None}),
        (b"a=", {"a": ""}),
        (b"=x", {"": "x"}),
        (b"a&a=1&a", {"a": [None, "1", None]}),
        (b"", {}),
        (b"&&", {}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a+b=c+d", {"a b": "c d"}),
        (b"a;b=1;c=2", {"a;b": "1;c=2"}),
        (b"n=%E5", {"n": "å"}),
        (b"a&a", {"a": [None, None]}),
        (b"a=&a=", {"a": ["", ""]}),
        (b"%61=1&a=2&%6", {"a": ["1", "2"], "%6": None}),
    ],
)
def test_pairs_are_parsed_as_the_reference_says(text, expected):
    assert parse_pairs(text) == expected
    assert parse_pairs(text, None, "UTF-8", True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"n=%E5&m=a+b&o", {"n": b"\xe5", "m": b"a b", "o": None}),
        (b"a=1&a=2", {"a": [b"1", b"2"]}),
        (b"%E5=1", {"å": b"1"}),
    ],
)
def test_pairs_without_a_charset_have_values_of_bytes(text, expected):
    assert parse_pairs(text, None, None) == expected
    assert parse_pairs(text, None, None, False) == expected


def test_pairs_within_a_wide_charset_are_decoded():
    text = "&".join(f"k{n}={'räksmörgås€'}" for n in range(3)).encode("utf-16-le")
    assert parse_pairs(b"n=" + "€å".encode("cp1252"), None, "cp1252") == {"n": "€å"}
    assert parse_pairs(b"n=%D6%D0%CE%C4", None, "gb18030") == {"n": "中文"}
    assert set(map(type, parse_pairs(text, None, "utf-16-le"))) == {str}


def test_pairs_that_do_not_fit_the_charset_are_latin_1_or_refused():
    assert parse_pairs(b"n=%FF&%FF=1", None, "ascii", True) == {"n": "ÿ", "ÿ": "1"}
    with pytest.raises(UnicodeDecodeError):
        parse_pairs(b"n=%FF", None, "ascii", False)
    assert parse_pairs(b"%FF=1", None, "ascii", False) == {"\ufffd": "1"}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_pairs_past_their_limit_give_none(count):
    assert len(parse_pairs(b"&".join(b"k%d" % n for n in range(count)), count)) == count
    assert parse_pairs(b"a&" * (count + 1), count) is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), TypeError),
        (("a=1",), TypeError),
        ((bytearray(b"a"),), TypeError),
        ((b"a", "1"), TypeError),
        ((b"a", -1), OverflowError),
        ((b"a", 1, 5), TypeError),
        ((b"a", 1, "utf-8", True, None), TypeError),
        ((b"a", 1, "no-such-charset"), LookupError),
        ((b"a", 1, "utf-8\0"), ValueError),
        ((b"a", 1, "\ud800"), UnicodeEncodeError),
    ],
)
def test_pairs_with_wrong_arguments_are_an_error(arguments, error):
    with pytest.raises(error):
        parse_pairs(*arguments)


def test_pairs_of_any_bytes_are_pairs():
    source = random.Random(7)
    for _ in range(3000):
        text = bytes(source.choices(b"a=&;%+\x00\xe5\xc3\xa52", k=source.randrange(40)))
        for charset in ("utf-8", "latin-1", "utf-16", None):
            fields = parse_pairs(text, None, charset)
            kind = bytes if charset is None else str
            values = [one for value in fields.values() for one in (value if type(value) is list else [value])]
            assert set(map(type, fields)) <= {str}
            assert set(map(type, values)) <= {kind, type(None)}
            assert len(values) == len(list(filter(None, text.split(b"&"))))


def test_pairs_in_masses_stay_bounded():
    assert parse_pairs(b"&" * 5_000_000, 1) == {}
    assert parse_pairs(b"a=1&" * 2_000_000, 1000) is None
    assert parse_pairs(b"a=" + b"%41" * 1_000_000, 1) == {"a": "A" * 1_000_000}
    assert len(parse_pairs(b"a&" * 100_000)["a"]) == 100_000
    assert len(parse_pairs(b"&".join(b"k%d" % n for n in range(100_000)))) == 100_000


def test_pairs_of_cookies_end_at_semicolons_only():
    assert parse_pairs(b"a=1; b=2&c=3") == {"a": "1; b=2", "c": "3"}
    assert parse_cookies(b"a=1; b=2&c=3") == {"a": "1", "b": "2&c=3"}


def test_collect_keeps_the_order_of_what_comes_again():
    assert collect([("b", 1), ("a", 2), ("b", 3), ("b", 4)]) == {"b": [1, 3, 4], "a": 2}


def test_decode_text_falls_back_only_where_it_may():
    assert decode_text(b"\xc3\xa5") == decode_text(b"\xe5") == "å"
    with pytest.raises(UnicodeDecodeError):
        decode_text(b"\xe5", tolerant=False)
    with pytest.raises(LookupError):
        decode_text(b"a", "no-such-charset")
