# SPDX-License-Identifier: MIT
"""Weights in header fields, parts of paths, completed URLs: the tables of the reference (section 26)."""

import pytest
from smisk.core.url import URL
from smisk.util.string import normalize_url, parse_qvalue_header, strip_filename_extension, tokenize_path


@pytest.mark.parametrize(
    ("header", "entries", "full", "majors", "accepts_any"),
    [
        (
            "text/html,application/xml;q=0.9,*/*;q=0.8",
            [["text/html", 100], ["application/xml", 90], ["*/*", 80]],
            ["text/html"],
            [],
            True,
        ),
        ("*/*", [["*/*", 0]], [], [], True),
        ("text/*", [["text/*", 50]], [], ["text"], False),
        ("text/*;q=0.3", [["text/*", 30]], [], ["text"], False),
        ("*", [["*", 100]], ["*"], [], False),
        ("a;level=1", [["a;level=1", 100]], ["a;level=1"], [], False),
        ("a;q=0.999", [["a", 99]], [], [], False),
        ("a;q=0.5;level=2", [["a", 50]], [], [], False),
        ("a ; Q = 0.29 , b;q=1.000", [["b", 100], ["a", 29]], ["b"], [], False),
        ("a;q=.5,b;q=0", [["a", 50], ["b", 0]], [], [], False),
        ("a;seq=1", [["a;seq=1", 100]], ["a;seq=1"], [], False),
        ("b;q=0.5,a;q=0.5", [["b", 50], ["a", 50]], [], [], False),
        ("*/*;q=0", [["*/*", 0]], [], [], False),
        ("text/*;q=0", [["text/*", 0]], [], [], False),
        ("", [], [], [], False),
        (", ,a,", [["a", 100]], ["a"], [], False),
    ],
)
def test_weighted_header_is_parsed(header, entries, full, majors, accepts_any):
    assert parse_qvalue_header(header) == (entries, full, majors, accepts_any)


@pytest.mark.parametrize(
    "header", ["a;q=x", "a;q=", "a;q=1.1", "a;q=2", "a;q=nan", "a;q=-1", "a;q=1e3", "a;q=٠", "a;q=."]
)
def test_weight_that_is_none_is_an_error(header):
    with pytest.raises(ValueError, match="weight"):
        parse_qvalue_header(header)


def test_weighted_header_of_charsets_has_its_own_wildcard():
    assert parse_qvalue_header("iso-8859-1, *;q=0.5", "*", None) == (
        [["iso-8859-1", 100], ["*", 50]],
        ["iso-8859-1"],
        [],
        True,
    )


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("latin-1, UTF-8;q=0.5", True), ("utf-8", True), ("utf-8;q=0", False), ("latin-1", False), ("utf-80", False)],
)
def test_named_charset_is_accepted_at_once(header, accepted):
    found = parse_qvalue_header(header, "*", None, return_true_if_accepts_charset="utf-8")
    assert (found == (True, True, True, True)) == accepted


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ("/a/b.json", ["a", "b"]),
        ("/a%20b/c", ["a b", "c"]),
        ("/%2F/x", ["/", "x"]),
        ("/a.b/c", ["a.b", "c"]),
        ("/x.y.z", ["x.y"]),
        ("/.json", []),
        ("//a//", ["a"]),
        ("/a+b", ["a+b"]),
    ],
)
def test_path_is_split_into_decoded_tokens(path, tokens):
    assert tokenize_path(path) == tokens


def test_path_that_is_no_utf8_is_an_error():
    with pytest.raises(UnicodeDecodeError):
        tokenize_path("/%E5")


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b", "a"), ("a.b.c", "a.b"), ("a", "a"), ("/a.b/c", "/a.b/c"), ("/.x", "/"), ("a.", "a"), ("", "")],
)
def test_extension_of_the_last_part_is_stripped(name, stem):
    assert strip_filename_extension(name) == stem


BASE = "http://u:p@www.foo.tld:81/bar/?arg=12"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/mos", "http://u:p@www.foo.tld:81/mos"),
        ("mos.html?x=1", "http://u:p@www.foo.tld:81/bar/mos.html?x=1"),
        ("", "http://u:p@www.foo.tld:81/bar/"),
        ("http://other/a", "http://other/a"),
        ("//other/a", "http://other/a"),
        ("a/b", "http://u:p@www.foo.tld:81/bar/a/b"),
        ("../a#b", "http://u:p@www.foo.tld:81/a#b"),
        ("/a#b", "http://u:p@www.foo.tld:81/a#b"),
        ("?x=1", "http://u:p@www.foo.tld:81/bar/?x=1"),
        ("other:82/a", "http://other:82/a"),
        (URL("/mos"), "http://u:p@www.foo.tld:81/mos"),
    ],
)
def test_url_is_completed_from_its_base(url, expected):
    assert str(normalize_url(url, URL(BASE))) == expected
    assert type(normalize_url(url, BASE)) is URL


def test_plain_name_replaces_the_last_part_of_the_base():
    assert normalize_url("b", "http://h/x/a").path == "/x/b"


@pytest.mark.parametrize(
    ("url", "expected"), [("mos.html", "/mos.html"), ("/a", "/a"), ("", "/"), ("http://h/a", "http://h/a")]
)
def test_url_without_any_base_begins_at_the_root(url, expected):
    assert str(normalize_url(url)) == expected


def test_base_without_a_host_still_gives_its_scheme():
    base = URL("/bar/")
    base.scheme = "https"
    found = normalize_url("x", base)
    assert (found.scheme, found.host, found.path) == ("https", None, "/bar/x")


@pytest.mark.parametrize("url", ["/a\r\nX: y", "\x00", "http://a@b@c/"])
def test_url_that_cannot_stand_in_a_header_is_an_error(url):
    with pytest.raises(ValueError, match=r"\S"):
        normalize_url(url, BASE)


def test_given_url_is_left_alone():
    url, base = URL("/a"), URL(BASE)
    normalize_url(url, base)
    assert (str(url), str(base)) == ("/a", BASE)
