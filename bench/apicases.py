# SPDX-License-Identifier: MIT
"""What `api.py` compares: a table to add to. Both sides do the same work, on text as requests and pages have it."""

from __future__ import annotations

import html
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from xml.sax import saxutils

from smisk.core import xml
from smisk.core.cookies import parse_cookies
from smisk.core.forms import parse_query
from smisk.core.url import URL

__all__ = ["CASES", "Case"]

QUOTES = {'"': "&quot;"}
UNQUOTES = {"&quot;": '"'}
# urlsplit remembers what it parsed; requests seldom repeat a URL.
URLSPLIT = getattr(urllib.parse.urlsplit, "__wrapped__", urllib.parse.urlsplit)

TITLE = 'Fish & Chips <b>"best"</b>'
PARAGRAPH = ("The quick brown fox jumps over the lazy dog, and nobody minds. " * 17)[:1024]
PAGE = ('<p class="x">Smith & Sons sold it for less than they said; nobody was much surprised.</p>\n' * 120)[:10240]
FULL_URL = "http://john:secret@www.mos.tld:8080/a/b.ext?x=1#frag"
QUERY = "name=Jack%20%C3%B6l&age=53&a=1&a=2&text=Hello+world%21"
FORM = "&".join(f"field{n}={'some+value+with%20things%2C+' * 3}" for n in range(50))
COOKIES = "session=0123456789abcdef0123456789abcdef; theme=dark; lang=sv; name=J%C3%B6rg"


@dataclass(frozen=True)
class Case:
    """Two statements over the same text `s`; `s` of theirs is another one where the types differ (`other`)."""

    title: str
    beside: str
    ours: str
    theirs: str
    function: Callable[..., Any]
    rival: Callable[..., Any]
    s: object
    other: object = None

    def names(self) -> dict[str, Any]:
        """What the statements refer to."""
        other = self.s if self.other is None else self.other
        return {"f": self.function, "g": self.rival, "s": self.s, "t": other, "q": QUOTES, "u": UNQUOTES}


def on_markup(name: str, text: str) -> list[Case]:
    """Escaping and back, beside both modules that do it."""
    escaped = html.escape(text)
    return [
        Case(f"xml.escape, {name}", "html.escape", "f(s)", "g(t)", xml.escape, html.escape, text),
        Case(f"xml.escape, {name}", "saxutils.escape", "f(s)", "g(t, q)", xml.escape, saxutils.escape, text),
        Case(
            f"xml.unescape, {name}", "saxutils.unescape", "f(s)", "g(t, u)", xml.unescape, saxutils.unescape, escaped
        ),
    ]


def on_component(name: str, text: str) -> list[Case]:
    """Percent-encoding and back."""
    quoted = urllib.parse.quote(text, safe="")
    quote, unquote = urllib.parse.quote, urllib.parse.unquote
    return [
        Case(f"URL.encode, {name}", "quote", "f(s)", 'g(t, "")', URL.encode, quote, text),
        Case(f"URL.decode, {name}", "unquote", "f(s)", "g(t)", URL.decode, unquote, quoted),
    ]


def split_whole(text: str) -> tuple[object, ...]:
    """What URL(text) does: every part, decoded no further."""
    parts = URLSPLIT(text)
    return parts.scheme, parts.username, parts.password, parts.hostname, parts.port, parts.path, parts.query


def on_fields(name: str, text: str) -> Case:
    """A query or an urlencoded form."""
    title, rival = f"parse_query, {name}", urllib.parse.parse_qs
    return Case(title, "parse_qs", "f(s, 1000)", "g(t, True)", parse_query, rival, text.encode(), text)


PRINTED = URLSPLIT(FULL_URL)
CASES = [
    Case("URL(), complete", "urlsplit", "f(s)", "g(t)", URL, URLSPLIT, FULL_URL),
    Case("URL(), complete", "urlsplit, all parts", "f(s)", "g(t)", URL, split_whole, FULL_URL),
    Case("URL(), path and query", "urlsplit", "f(s)", "g(t)", URL, URLSPLIT, "/a/b?c=d"),
    Case("URL.to_s()", "SplitResult.geturl", "f()", "g()", URL(FULL_URL).to_s, PRINTED.geturl, ""),
    *on_component("a name", "räksmörgås & co"),
    *on_component("1 KiB", PAGE[:1024]),
    *on_markup("a title", TITLE),
    *on_markup("1 KiB of plain text", PARAGRAPH),
    *on_markup("10 KiB of a page", PAGE),
    *on_markup("1 KiB of Cyrillic", ("Съешь <ещё> этих мягких французских булок, да выпей же чаю. " * 18)[:1024]),
    on_fields("5 fields", QUERY),
    on_fields("50 fields", FORM),
    on_fields("one of 100 KiB", "text=" + "x" * 102400),
    Case("parse_cookies, 4", "SimpleCookie", "f(s)", "g(t)", parse_cookies, SimpleCookie, COOKIES.encode(), COOKIES),
]
