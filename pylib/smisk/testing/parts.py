# SPDX-License-Identifier: MIT
"""An answer in its parts, held to what the server would let pass (host/engine/reply.c).

What the server refuses, and answers 500, is an exception here: the test shall see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["Parts", "as_bytes", "has_no_body", "pairs_of"]

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FORBIDDEN = re.compile(rb"[\r\n\0]")
SERVERS_OWN = (b"te", b"status", b"upgrade", b"keep-alive", b"proxy-connection", b"transfer-encoding")

Text = str | bytes


class Parts:
    """Status, header fields and body. ValueError where the server would refuse the head.

    `fields` names and values are str (sent as UTF-8) or bytes. The length of `body` is added as Content-Length where
    the server would, which is when it is `whole`; a Content-Length of the application's own has to be right.
    """

    def __init__(self, status: int, fields: Iterable[tuple[Text, Text]], body: bytes, whole: bool = True) -> None:
        self.status = status
        self.fields = [(_name(name), _value(name, value)) for name, value in fields]
        self.body = body
        self.whole = whole

    def has(self, name: bytes) -> bool:
        """Whether there is a field of that name, in lower case."""
        return any(each.lower() == name for each, _ in self.fields)

    def settle(self, method: str) -> None:
        """Makes of it what goes over the wire: the body taken away where there is none, its length checked and said."""
        no_body = has_no_body(method, self.status)
        lengths = {value for name, value in self.fields if name.lower() == b"content-length"}
        if len(lengths) > 1 or any(not said.isdigit() for said in lengths):
            raise ValueError(f"a Content-Length that is no number, or several that differ: {sorted(lengths)}")
        for said in lengths:
            if not no_body and int(said) != len(self.body):
                raise ValueError(f"a Content-Length of {int(said)} with a body of {len(self.body)} bytes")
        if not lengths and self.whole and self.status not in (204, 304):
            length = 0 if self.status == 205 else len(self.body)
            self.fields.append((b"Content-Length", b"%d" % length))
        if no_body:
            self.body = b""


def has_no_body(method: str, status: int) -> bool:
    """Whether an answer to that method, with that status, has no body (RFC 9110 6.4.1)."""
    return method == "HEAD" or status in (204, 205, 304)


def as_bytes(text: object, who: str) -> bytes:
    """Text as UTF-8, bytes as they are. TypeError for anything else, UnicodeEncodeError for lone surrogates."""
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode()
    raise TypeError(f"{who} with {type(text).__name__} in it; names and values are str or bytes")


def pairs_of(headers: object, who: str) -> list[tuple[Text, Text]]:
    """Header fields given as None, a mapping, or a list or tuple of pairs. TypeError for anything else."""
    if headers is None:
        return []
    if isinstance(headers, Mapping):
        return list(headers.items())
    if not isinstance(headers, (list, tuple)):
        raise TypeError(
            f"{who} headers that are no list of (name, value) and no mapping but {type(headers).__name__}"
        )
    for pair in headers:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise TypeError(f"{who} headers with {pair!r} among them; each is a pair (name, value)")
    return [(pair[0], pair[1]) for pair in headers]


def _name(name: Text) -> bytes:
    data = as_bytes(name, "a header")
    if not TOKEN.fullmatch(data):
        raise ValueError(f"a header name that is no token (RFC 9110 5.1): {name!r}")
    if data.lower() in SERVERS_OWN:
        raise ValueError(f"a header that only the server may send: {name!r}")
    return data


def _value(name: Text, value: Text) -> bytes:
    data = as_bytes(value, "a header")
    if FORBIDDEN.search(data):
        raise ValueError(f"a header value with CR, LF or NUL in it: {name!r}: {value!r}")
    if as_bytes(name, "a header").lower() == b"connection" and data.lower() not in (b"close", b"keep-alive"):
        raise ValueError(f"a header that only the server may send: {name!r}: {value!r}")
    return data
