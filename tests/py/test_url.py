# SPDX-License-Identifier: MIT
"""URLs: the tables of Smisk 1.1, and what is different now."""

import pytest
from smisk.core.url import URL

PARTS = ("scheme", "user", "password", "host", "port", "path", "query", "fragment")
FULL = "http://john:secret@fisk.tld:1983/some/path?q=1#f"


def parts(url):
    return {name: getattr(url, name) for name in PARTS if getattr(url, name) not in (None, 0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "http://john:secret@www.mos.tld:8080/a/b.ext?x=1#frag",
            {
                "scheme": "http",
                "user": "john",
                "password": "secret",
                "host": "www.mos.tld",
                "port": 8080,
                "path": "/a/b.ext",
                "query": "x=1",
                "fragment": "frag",
            },
        ),
        ("HTTP://Host.TLD", {"scheme": "http", "host": "Host.TLD"}),
        ("/a/b?c=d", {"path": "/a/b", "query": "c=d"}),
        ("/p?", {"path": "/p", "query": ""}),
        ("/p#", {"path": "/p", "fragment": ""}),
        (
            "http://host/p?a?b#c#d",
            {"scheme": "http", "host": "host", "path": "/p", "query": "a?b", "fragment": "c#d"},
        ),
        ("http://host/p#c?d", {"scheme": "http", "host": "host", "path": "/p", "fragment": "c?d"}),
        ("http://host/a:b@c/d?x:y@z", {"scheme": "http", "host": "host", "path": "/a:b@c/d", "query": "x:y@z"}),
        ("host", {"host": "host"}),
        ("host:80", {"host": "host", "port": 80}),
        ("host:80/p", {"host": "host", "port": 80, "path": "/p"}),
        ("john@host/p", {"user": "john", "host": "host", "path": "/p"}),
        ("john:pw@host:81/p", {"user": "john", "password": "pw", "host": "host", "port": 81, "path": "/p"}),
        ("//host/path", {"path": "//host/path"}),
        ("http:///path", {"scheme": "http", "path": "/path"}),
        ("http://host:80abc/", {"scheme": "http", "host": "host", "port": 80, "path": "/"}),
        ("http://host:abc/", {"scheme": "http", "host": "host", "path": "/"}),
        ("http://host:/", {"scheme": "http", "host": "host", "path": "/"}),
        ("", {}),
        # different from Smisk 1.1, which lost or misread these
        ("http://host?x=1", {"scheme": "http", "host": "host", "query": "x=1"}),
        ("http://host#f", {"scheme": "http", "host": "host", "fragment": "f"}),
        (
            "http://u:p@h:1?q",
            {"scheme": "http", "user": "u", "password": "p", "host": "h", "port": 1, "query": "q"},
        ),
        ("http://[::1]/", {"scheme": "http", "host": "::1", "path": "/"}),
        ("http://[::1]:81", {"scheme": "http", "host": "::1", "port": 81}),
        ("mailto:foo@bar.com", {"scheme": "mailto", "path": "foo@bar.com"}),
        ("/login?next=http://other/", {"path": "/login", "query": "next=http://other/"}),
        ("/a://b", {"path": "/a://b"}),
        ("http://h:0065535/", {"scheme": "http", "host": "h", "port": 65535, "path": "/"}),
        ("http://räksmörgås.se/", {"scheme": "http", "host": "räksmörgås.se", "path": "/"}),
    ],
)
def test_url_is_parsed(text, expected):
    assert parts(URL(text)) == expected
    assert parts(URL(text.encode())) == expected


@pytest.mark.parametrize(
    "text",
    [
        "host/path",
        "a/b",
        "http://a@b@c/",
        "http://::1/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[1]/",
        "http://a]/",
        "http://a b/",
        "http://a\nb/",
        "no url",
        "://host",
        "1http://host",
        "ht tp://host",
        "http://host:65536/",
        "http://host:99999999999999999999/",
    ],
)
def test_url_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no URL"):
        URL(text)


@pytest.mark.parametrize(
    "text", [FULL, "http://[::1]:81/p?q#f", "/p?q", "/p#", "mailto:foo@bar.com", "http:///p", "host:81/p", ""]
)
def test_url_parses_what_it_prints(text):
    assert str(URL(text)) == text
    assert URL(str(URL(text))) == URL(text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, FULL),
        ({"scheme": 0}, "john:secret@fisk.tld:1983/some/path?q=1#f"),
        ({"user": 0}, "http://fisk.tld:1983/some/path?q=1#f"),
        ({"password": 0}, "http://john@fisk.tld:1983/some/path?q=1#f"),
        ({"user": "bob", "password": 0}, "http://bob@fisk.tld:1983/some/path?q=1#f"),
        ({"host": 0}, "http://john:secret@:1983/some/path?q=1#f"),
        ({"host": None}, "http://john:secret@:1983/some/path?q=1#f"),
        ({"port": 0}, "http://john:secret@fisk.tld/some/path?q=1#f"),
        ({"port": None}, "http://john:secret@fisk.tld/some/path?q=1#f"),
        ({"port": False}, "http://john:secret@fisk.tld/some/path?q=1#f"),
        ({"port": "81"}, "http://john:secret@fisk.tld/some/path?q=1#f"),
        ({"port": 1}, FULL),
        ({"port": True}, FULL),
        ({"port": 81}, "http://john:secret@fisk.tld:81/some/path?q=1#f"),
        ({"port": 80}, "http://john:secret@fisk.tld/some/path?q=1#f"),
        ({"port": 80, "port80": 1}, "http://john:secret@fisk.tld:80/some/path?q=1#f"),
        ({"host": "h", "path": "p"}, "http://john:secret@h:1983p?q=1#f"),
        ({"query": "?x"}, "http://john:secret@fisk.tld:1983/some/path??x#f"),
        ({"query": ""}, "http://john:secret@fisk.tld:1983/some/path#f"),
        ({"query": 0}, "http://john:secret@fisk.tld:1983/some/path#f"),
        ({"fragment": "m0"}, "http://john:secret@fisk.tld:1983/some/path?q=1#m0"),
        ({"fragment": ""}, "http://john:secret@fisk.tld:1983/some/path?q=1"),
        ({"scheme": "ftp"}, "ftp://john:secret@fisk.tld:1983/some/path?q=1#f"),
    ],
)
def test_url_is_put_together_as_asked(arguments, expected):
    url = URL(FULL)
    assert url.to_s(**arguments) == expected
    assert url.to_str("positional", 1, **arguments) == expected


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("http://h:80/p", {}, "http://h/p"),
        ("http://h:80/p", {"port80": 1}, "http://h:80/p"),
        ("https://h:443/p", {}, "https://h:443/p"),
        ("https://h:443/p", {"port": False}, "https://h/p"),
        ("/p?", {}, "/p"),
        ("/p#", {}, "/p#"),
    ],
)
def test_url_shows_ports_and_empty_parts_as_before(text, arguments, expected):
    assert URL(text).to_s(**arguments) == expected


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (FULL, "/some/path?q=1#f"),
        ("http://h", None),
        ("http://h?q", "?q"),
        ("http://h#f", "#f"),
        ("/p?", "/p"),
        ("/p#", "/p#"),
        ("", None),
    ],
)
def test_url_uri_is_what_follows_the_authority(text, uri):
    assert URL(text).uri == uri


def test_url_parts_can_be_set():
    url = URL()
    assert str(url) == ""
    url.scheme, url.host, url.port, url.path, url.query = "https", "::1", 8443, "/p", "a=1"
    assert str(url) == "https://[::1]:8443/p?a=1"
    url.host = "[::2]"
    assert str(url) == "https://[::2]:8443/p?a=1"


def test_url_of_a_url_is_a_copy():
    first = URL(FULL)
    second = URL(first)
    assert first == second
    second.path = "/other"
    assert first.path == "/some/path"
    assert first != second


def test_url_compares_and_hashes_by_parts():
    assert len({URL("http://h:80/"), URL("HTTP://h:80/"), URL("http://h/")}) == 2
    assert URL("/p") != "/p"


def test_url_repr_shows_the_text():
    assert repr(URL("http://h:80/")) == "URL('http://h:80/')"


def test_url_can_be_subclassed():
    class Mine(URL):
        pass

    assert repr(Mine("/p")) == "Mine('/p')"
    assert Mine("/p") == URL("/p")


def test_url_takes_any_object_by_its_text():
    class Named:
        def __str__(self):
            return "/named"

    assert URL(Named()).path == "/named"


LEFT_BY_ENCODE = set("!'()*-._~")
LEFT_BY_ESCAPE = set("!$&'()*+,-./;=?_~")


@pytest.mark.parametrize(("function", "left"), [(URL.encode, LEFT_BY_ENCODE), (URL.escape, LEFT_BY_ESCAPE)])
def test_url_encoding_leaves_what_the_table_says(function, left):
    for code in range(128):
        char = chr(code)
        expected = char if char in left or (char.isalnum()) else f"%{code:02X}"
        assert function(char) == expected
        assert function(char.encode()) == expected.encode()
    assert function(b"\x80\xff") == b"%80%FF"
    assert function("å") == "%C3%A5"
    assert function("\udce5") == "%E5"


def test_url_encoding_again_encodes_again():
    assert URL.encode("%41") == "%2541"


def test_url_encoding_keeps_nul():
    assert URL.encode("a b\0c") == "a%20b%00c"


@pytest.mark.parametrize("function", [URL.encode, URL.escape, URL.decode, URL.unescape])
def test_url_coding_returns_the_same_object_when_nothing_changes(function):
    for text in ("abc" * 5, b"abc" * 5):
        assert function(text) is text


@pytest.mark.parametrize("function", [URL.encode, URL.escape, URL.decode, URL.unescape])
@pytest.mark.parametrize("wrong", [None, 1, ["a"]])
def test_url_coding_of_no_text_is_a_type_error(function, wrong):
    with pytest.raises(TypeError, match="first argument must be a string"):
        function(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a%20b", b"a b"),
        (b"a%2Bb", b"a+b"),
        (b"%2b", b"+"),
        (b"%C3%A5", b"\xc3\xa5"),
        (b"a+b", b"a+b"),
        (b"%41+", b"A+"),
        (b"%", b"%"),
        (b"%4", b"%4"),
        (b"%zz", b"%zz"),
        ("%C3%A5", "å"),
        ("å%20", "å "),
    ],
)
def test_url_decode_turns_escapes_back(text, expected):
    assert URL.decode(text) == expected


def test_url_decode_of_what_is_no_utf8_raises():
    with pytest.raises(UnicodeDecodeError):
        URL.decode("%E5")


def test_url_decode_undoes_encode_and_escape():
    every = "".join(map(chr, range(256)))
    assert URL.decode(URL.encode(every)) == every
    assert URL.decode(URL.escape(every)) == every


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((b"a=1&a=2",), {"a": ["1", "2"]}),
        (("a=1&b",), {"a": "1", "b": None}),
        (("å=ö",), {"å": "ö"}),
        ((None,), {"None": None}),
        ((b"n=%E5",), {"n": "å"}),
        ((b"n=%C3%A5", "latin_1"), {"n": "Ã¥"}),
        ((b"%E5=1", "latin_1"), {"å": "1"}),
        ((b"%E5=1", "utf-8", False), {"\ufffd": "1"}),
        ((b"n=%E5", None), {"n": b"\xe5"}),
        ((b"%E5&b=x", None), {"å": None, "b": b"x"}),
    ],
)
def test_url_decompose_query_gives_fields(arguments, expected):
    assert URL.decompose_query(*arguments) == expected


def test_url_decompose_query_strictly_raises():
    with pytest.raises(UnicodeDecodeError):
        URL.decompose_query(b"n=%E5", tolerant=False)
    with pytest.raises(LookupError):
        URL.decompose_query(b"n=1", "no-such-charset")
