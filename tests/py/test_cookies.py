# SPDX-License-Identifier: MIT
"""Cookies: reading whatever comes, writing only what is safe."""

import datetime
import random

import pytest
from smisk.core import cookies
from smisk.core.cookies import format_cookie, format_date, parse_cookies


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            b'a=1; b=2;c=%C3%A5; d; =x; e="q z"; $Version=1; a=9; f=a+b',
            {"a": ["1", "9"], "b": "2", "c": "å", "d": None, "e": '"q z"', "$Version": "1", "f": "a b"},
        ),
        (b"", {}),
        (b";;; ;", {}),
        (b"=", {}),
        (b"a", {"a": None}),
        (b"a=", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=%E5", {"a": "å"}),
        (b"a=\xe5", {"a": "å"}),
        (b"\xe5=1", {"å": "1"}),
        (b"a=%", {"a": "%"}),
        (b"a=1,b=2", {"a": "1,b=2"}),
        (b"a=1&b=2", {"a": "1&b=2"}),
        (b"\t a=1;\t b=2", {"a": "1", "b": "2"}),
        (b"a=1;;b=2;", {"a": "1", "b": "2"}),
        (b"a=1; =x; a", {"a": ["1", None]}),
        (b"a=%3B%25", {"a": ";%"}),
        (b"a=x\0y", {"a": "x\0y"}),
        (b"a==", {"a": "="}),
        (b" ", {}),
    ],
)
def test_cookies_are_read_as_smisk_1_read_them(header, expected):
    assert parse_cookies(header) == expected


def test_cookies_in_another_charset_are_decoded():
    assert parse_cookies(b"a=%C3%A5", "latin_1") == {"a": "Ã¥"}
    assert parse_cookies(b"a=%E5", None) == {"a": b"\xe5"}
    with pytest.raises(UnicodeDecodeError):
        parse_cookies(b"a=%E5", "utf-8", False)
    with pytest.raises(LookupError):
        parse_cookies(b"a=1", "no-such-charset")


def test_cookies_of_what_is_no_bytes_are_a_type_error():
    with pytest.raises(TypeError, match="bytes"):
        parse_cookies("a=1")
    with pytest.raises(TypeError, match="arguments"):
        parse_cookies()


def test_cookies_in_thousands_are_read():
    header = b"; ".join(b"n%d=%d" % (n, n) for n in range(20_000))
    assert len(parse_cookies(header)) == 20_000


def test_cookie_names_are_not_percent_decoded():
    assert parse_cookies(b"__%48ost-id=evil; __Host-id=good") == {"__%48ost-id": "evil", "__Host-id": "good"}


def test_cookies_of_any_bytes_never_raise():
    random.seed(7)
    for _ in range(2000):
        header = bytes(random.choices(b'a=; %"+\x00\xe5\xc3$,2', k=random.randrange(30)))
        assert isinstance(parse_cookies(header), dict)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "n=v"),
        ({"value": ""}, "n="),
        ({"value": "v;=&/"}, "n=v%3B%3D%26%2F"),
        ({"value": "ö +%"}, "n=%C3%B6%20%2B%25"),
        ({"path": "/"}, "n=v; Path=/"),
        ({"path": "/a b/"}, "n=v; Path=/a b/"),
        ({"domain": ".ex.com"}, "n=v; Domain=.ex.com"),
        ({"comment": "c c"}, "n=v; Comment=c c"),
        ({"secure": True, "http_only": True}, "n=v; Secure; HttpOnly"),
        ({"same_site": "lax"}, "n=v; SameSite=Lax"),
        ({"same_site": "Strict"}, "n=v; SameSite=Strict"),
        ({"same_site": "none", "secure": True}, "n=v; Secure; SameSite=None"),
        ({"max_age": 0}, "n=v; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        ({"max_age": 3600}, "n=v; Max-Age=3600; Expires=Sun, 22 Nov 2026 13:20:04 GMT"),
        ({"max_age": 5, "expires": 0}, "n=v; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        ({"max_age": 10**15}, f"n=v; Max-Age={10**15}; Expires=Fri, 31 Dec 9999 23:59:59 GMT"),
        ({"expires": 1795353604.9}, "n=v; Expires=Sun, 22 Nov 2026 13:20:04 GMT"),
        (
            {"expires": datetime.datetime(2026, 11, 22, 13, 20, 4, tzinfo=datetime.timezone.utc)},
            "n=v; Expires=Sun, 22 Nov 2026 13:20:04 GMT",
        ),
    ],
)
def test_cookie_is_formatted(arguments, expected, monkeypatch):
    monkeypatch.setattr(cookies.time, "time", lambda: 1795350004.0)
    assert format_cookie("n", **{"value": "v", **arguments}) == expected


@pytest.mark.parametrize(
    "name", ["", "n a", "n;", "n=", "n,", 'n"', "n\r", "n\n", "n\0", "nå", "n\t", "(n)", "n\x7f"]
)
def test_cookie_name_that_is_no_token_is_refused(name):
    with pytest.raises(ValueError, match="not a token"):
        format_cookie(name, "v")


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "x\r\nSet-Cookie: y=z"])
def test_cookie_value_with_line_break_or_nul_is_refused(value):
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        format_cookie("n", value)


@pytest.mark.parametrize("key", ["path", "domain", "comment"])
@pytest.mark.parametrize("text", ["a;b", "a\rb", "a\nb", "a\0b", "a\x7fb", "å"])
def test_cookie_attribute_that_could_end_early_is_refused(key, text):
    with pytest.raises(ValueError, match="not allowed"):
        format_cookie("n", "v", **{key: text})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_age": -1}, "negative"),
        ({"same_site": "sometimes"}, "Strict, Lax or None"),
        ({"same_site": "None"}, "secure=True"),
    ],
)
def test_cookie_with_impossible_attribute_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        format_cookie("n", "v", **arguments)


def test_cookie_value_comes_back_as_it_was():
    every = "".join(map(chr, range(1, 0x180))).replace("\r", "").replace("\n", "") + "€😀"
    line = format_cookie("n", every)
    assert line.isascii()
    assert not set(line) & set(' ";,\\')
    assert parse_cookies(line.encode()) == {"n": every}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1e30, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_date_is_formatted_without_the_locale(seconds, expected):
    assert format_date(seconds) == expected
