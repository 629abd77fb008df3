# SPDX-License-Identifier: MIT
"""Queries and urlencoded bodies; most cases are what Smisk 1.1 was seen to do."""

import io
import subprocess
import sys

import pytest
from smisk.core.forms import FormError, parse_form, parse_query
from smisk.core.url import URL

URLENCODED = b"application/x-www-form-urlencoded"


def parse(body, content_type=URLENCODED, length=None, memory=1000, max_fields=10):
    length = len(body) if length is None else length
    return parse_form(content_type, io.BytesIO(body), length, memory=memory, max_fields=max_fields, max_parts=10)


@pytest.mark.parametrize(
    ("query", "expected"),
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
        (b"n=\xe5", {"n": "å"}),
        (b"n=\xc3\xa5", {"n": "å"}),
        (b"%E5=1", {"å": "1"}),
        (b"%C3%A5=1", {"å": "1"}),
        (b"x=%00y", {"x": "\0y"}),
        (b"%00x=y", {"\0x": "y"}),
        (b"a=%2B%26%3D", {"a": "+&="}),
        (b"b=2&a=1&b=3&c=4&a=5", {"b": ["2", "3"], "a": ["1", "5"], "c": "4"}),
    ],
)
def test_query_gives_fields(query, expected):
    assert parse_query(query, 10) == expected
    assert parse(query) == (expected, {})


def test_query_keeps_the_order_of_first_appearance():
    assert list(parse_query(b"c=1&a=2&b=3&a=4", 10)) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("query", "charset", "expected"),
    [
        (b"n=%C3%A5", "latin_1", {"n": "Ã¥"}),
        (b"n=%E5", "latin_1", {"n": "å"}),
        (b"%E5=1", "latin_1", {"å": "1"}),
        (b"n=%C3%A5", "UTF-8", {"n": "å"}),
        (b"n=%E5", "utf8", {"n": "å"}),
        (b"n=%82%A0", "shift_jis", {"n": "あ"}),
        (b"%82%A0=1", "shift_jis", {"あ": "1"}),
        (b"n=%FF", "shift_jis", {"n": "ÿ"}),
    ],
)
def test_query_in_another_charset_is_decoded(query, charset, expected):
    assert parse_query(query, 10, charset) == expected
    assert parse_form(
        URLENCODED, io.BytesIO(query), len(query), memory=99, max_fields=9, max_parts=9, charset=charset
    )[0] == (expected)


def test_query_that_does_not_fit_and_is_not_tolerated_raises():
    with pytest.raises(UnicodeDecodeError):
        parse_query(b"n=%E5", 10, "utf-8", False)
    with pytest.raises(UnicodeDecodeError):
        parse_form(URLENCODED, io.BytesIO(b"n=%E5"), 5, memory=99, max_fields=9, max_parts=9, tolerant=False)
    assert parse_query(b"%E5=1", 10, "utf-8", False) == {"\ufffd": "1"}


@pytest.mark.parametrize("charset", ["no-such-charset", "hex", "rot13"])
def test_query_in_what_is_no_charset_is_a_lookup_error(charset):
    with pytest.raises(LookupError):
        parse_query(b"n=1", 10, charset)


def test_query_with_too_many_fields_is_refused():
    assert len(parse_query(b"&".join(b"k%d" % n for n in range(10)), 10)) == 10
    with pytest.raises(FormError, match="more than 10 fields") as caught:
        parse_query(b"a&" * 11, 10)
    assert caught.value.status == 400


def test_query_of_separators_does_not_count_as_fields():
    assert parse_query(b"&" * 1000 + b"a", 1) == {"a": None}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"abc", b"abc"),
        (b"%", b"%"),
        (b"%4", b"%4"),
        (b"%zz", b"%zz"),
        (b"%%41", b"%A"),
        (b"%2541", b"%41"),
        (b"%+1%-1% 1%1 %0x", b"%+1%-1% 1%1 %0x"),
        (b"%aB%Ab%AB%ab", b"\xab\xab\xab\xab"),
        (b"x%00%ffy", b"x\x00\xffy"),
    ],
)
def test_percent_decode_leaves_what_is_no_escape(data, expected):
    assert URL.decode(data) == expected
    assert parse_query(b"v=" + data, 1) == {"v": expected.replace(b"+", b" ").decode("latin-1")}


def test_percent_decode_knows_every_byte():
    every = bytes(range(256))
    encoded = "".join(f"%{byte:02x}" for byte in every).encode()
    assert URL.decode(encoded) == every
    assert parse_query(b"v=" + encoded, 1) == {"v": every.decode("latin-1")}


def test_form_of_another_type_leaves_the_body_unread():
    body = io.BytesIO(b"a=1")
    for content_type in (b"", b"application/json", b"multipart/mixed; boundary=x", b"text/x-www-form-urlencoded"):
        assert parse_form(content_type, body, 3, memory=9, max_fields=9, max_parts=9) == ({}, {})
    assert body.read() == b"a=1"


@pytest.mark.parametrize("suffix", [b"", b"; charset=UTF-8", b" ;charset=latin1", b";"])
def test_form_type_is_matched_without_parameters_and_case(suffix):
    assert parse(b"a=%C3%A5", b"Application/X-WWW-Form-Urlencoded" + suffix) == ({"a": "å"}, {})


def test_form_reads_no_more_than_its_length():
    body = io.BytesIO(b"abcdef=1&rest")
    assert parse_form(URLENCODED, body, 3, memory=9, max_fields=9, max_parts=9) == ({"abc": None}, {})
    assert body.read() == b"def=1&rest"


def test_form_of_unknown_length_is_read_to_its_end():
    assert parse(b"a=1&b=2", length=-1) == ({"a": "1", "b": "2"}, {})


def test_form_body_cut_short_is_malformed():
    with pytest.raises(FormError, match="ends after 3 of 10 bytes") as caught:
        parse(b"a=1", length=10)
    assert caught.value.status == 400


@pytest.mark.parametrize("length", [None, -1])
def test_form_larger_than_memory_is_too_large(length):
    assert parse(b"a=" + b"x" * 98, memory=100, length=length)[0] == {"a": "x" * 98}
    with pytest.raises(FormError) as caught:
        parse(b"a=" + b"x" * 99, memory=100, length=length)
    assert caught.value.status == 413


def test_form_larger_than_memory_is_refused_unread():
    body = io.BytesIO(b"x" * 101)
    with pytest.raises(FormError):
        parse_form(URLENCODED, body, 101, memory=100, max_fields=9, max_parts=9)
    assert body.tell() == 0


def test_form_with_too_many_fields_is_too_large():
    with pytest.raises(FormError) as caught:
        parse(b"a&" * 11)
    assert caught.value.status == 413


def test_form_body_that_trickles_is_read_whole():
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1))

    assert parse_form(URLENCODED, Trickle(b"a=1&b=2"), 7, memory=9, max_fields=9, max_parts=9)[0] == {
        "a": "1",
        "b": "2",
    }


def test_forms_import_brings_nothing_heavy():
    code = (
        "import sys; before = set(sys.modules); import smisk.core.forms, smisk.core.cookies, smisk.core.errorpage;"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('smisk')))"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['__future__', '_smisk']"


def test_form_limit_of_an_application_comes_first():
    def fields(size):
        limits = {"memory": 5, "max_fields": 9, "max_parts": 9}
        return parse_form(URLENCODED, io.BytesIO(b"a=12345"), 7, max_formdata_size=size, **limits)[0]

    assert fields(7) == fields(-1) == {"a": "12345"}
    assert fields(0) == {}
    for size in (6, None):
        with pytest.raises(FormError, match="larger than") as caught:
            fields(size)
        assert caught.value.status == 413
