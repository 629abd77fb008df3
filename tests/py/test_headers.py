# SPDX-License-Identifier: MIT
"""Header fields: a mapping that knows no case."""

import collections.abc

import pytest
from smisk.core.headers import Headers

PAIRS = [
    ("Host", "example.org"),
    ("Accept", "text/html"),
    ("X-Empty", ""),
    ("accept", "*/*;q=0.1"),
    ("Cookie", "a=1"),
    ("Cookie", "b=2"),
]


@pytest.fixture
def headers():
    return Headers(list(PAIRS))


@pytest.mark.parametrize("name", ["host", "Host", "HOST", "hOsT"])
def test_headers_are_found_in_any_case(headers, name):
    assert headers[name] == "example.org"
    assert headers.get(name) == "example.org"
    assert name in headers


def test_headers_repeated_are_joined(headers):
    assert headers["Accept"] == "text/html, */*;q=0.1"
    assert headers["cookie"] == "a=1; b=2"


def test_headers_getlist_gives_each_value(headers):
    assert headers.getlist("ACCEPT") == ["text/html", "*/*;q=0.1"]
    assert headers.getlist("Host") == ["example.org"]
    assert headers.getlist("nothing") == []


def test_headers_getlist_is_a_copy(headers):
    headers.getlist("Host").append("other")
    assert headers["host"] == "example.org"


def test_headers_that_are_absent_behave_as_in_a_dict(headers):
    with pytest.raises(KeyError, match="Nothing"):
        headers["Nothing"]
    assert headers.get("Nothing") is None
    assert headers.get("Nothing", "x") == "x"
    assert headers["x-empty"] == ""


@pytest.mark.parametrize("name", [None, 1, b"Host", "", ()])
def test_headers_name_that_is_no_text_is_absent(headers, name):
    assert name not in headers
    assert headers.get(name) is None


def test_headers_keep_order_and_spelling(headers):
    assert list(headers) == ["Host", "Accept", "X-Empty", "Cookie"]
    assert len(headers) == 4
    assert list(headers.items())[1] == ("Accept", "text/html, */*;q=0.1")
    assert next(iter(headers.values())) == "example.org"
    assert dict(headers)["Cookie"] == "a=1; b=2"
    assert headers.pairs == PAIRS


def test_headers_are_a_read_only_mapping(headers):
    assert isinstance(headers, collections.abc.Mapping)
    with pytest.raises(TypeError):
        headers["Host"] = "x"
    with pytest.raises(AttributeError):
        headers.other = 1


def test_headers_compare_without_case(headers):
    assert headers == Headers([(name.upper(), value) for name, value in PAIRS])
    assert headers != Headers(PAIRS[:-1])
    assert Headers([("A", "1")]) == {"a": "1"}
    assert Headers([("A", "1")]) != {"a": "2"}
    assert Headers([]) == {}
    assert headers != "text"


def test_headers_repr_shows_the_pairs():
    assert repr(Headers([("A", "1")])) == "Headers([('A', '1')])"


def test_headers_empty_are_false():
    assert not Headers([])
    assert list(Headers([])) == []
