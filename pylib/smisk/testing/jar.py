# SPDX-License-Identifier: MIT
"""The cookies that a client keeps between requests, as a browser does (RFC 6265, section 5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, MutableMapping
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from smisk.core.pairs import decode_text
from smisk.core.url import URL

__all__ = ["Cookie", "CookieJar", "decode_plain", "decode_quoted", "encode_plain", "encode_quoted", "read_set_cookie"]


class Cookie:
    """One cookie of a Set-Cookie field, its value as it was sent. `expires`: seconds since 1970, None: the session's."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value
        self.domain = ""
        self.path = ""
        self.expires: float | None = None
        self.secure = False


def read_set_cookie(line: str) -> Cookie | None:
    """Reads the value of a Set-Cookie field; None where it names no cookie (RFC 6265 5.2)."""
    first, *attributes = line.split(";")
    name, equals, value = first.partition("=")
    if not equals or not name.strip():
        return None
    cookie = Cookie(name.strip(), value.strip())
    max_age: float | None = None
    for attribute in attributes:
        key, _, text = (part.strip() for part in attribute.partition("="))
        match key.lower():
            case "domain":
                cookie.domain = text.lower().lstrip(".")
            case "path":
                cookie.path = text
            case "secure":
                cookie.secure = True
            case "expires":
                cookie.expires = _seconds(text, cookie.expires)
            case "max-age" if text.removeprefix("-").isdigit():
                max_age = float(text)
    if max_age is not None:
        cookie.expires = time.time() + max_age if max_age > 0 else 0.0
    return cookie


def _seconds(text: str, otherwise: float | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return otherwise


# --- values: percent-encoded for Smisk's own interfaces, as they are for the others ---


def encode_quoted(value: str) -> str:
    """As `Response.set_cookie()` writes a value."""
    return URL.encode(value)


def decode_quoted(value: str) -> str:
    """As `request.cookies` reads one."""
    return decode_text(unquote_to_bytes(value.replace("+", " ")))


def encode_plain(value: str) -> str:
    """A value for an application that has its own rules. ValueError for what no cookie can hold."""
    if any(char in value for char in ";\r\n\0"):
        raise ValueError(f"a cookie's value cannot hold {value!r}")
    return value


def decode_plain(value: str) -> str:
    """A value as it came, without the quotes around it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


class CookieJar(MutableMapping[str, str]):
    """Cookies by name. `client.cookies["a"] = "b"` sends it with every request from then on; `del` and `clear()` forget.

    Paths, lifetimes, `Secure` and `Domain` of cookies that applications set are respected.
    """

    def __init__(self, host: str, encode: Callable[[str], str], decode: Callable[[str], str]) -> None:
        self._host = host
        self._encode = encode
        self._decode = decode
        self._kept: dict[tuple[str, str], Cookie] = {}

    # --- as a mapping ---

    def __getitem__(self, name: str) -> str:
        for cookie in self._living():
            if cookie.name == name:
                return self._decode(cookie.value)
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        cookie = Cookie(name, self._encode(value))
        cookie.path = "/"
        self._kept[name, "/"] = cookie

    def __delitem__(self, name: str) -> None:
        keys = [key for key in self._kept if key[0] == name]
        if not keys:
            raise KeyError(name)
        for key in keys:
            del self._kept[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self._living()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"CookieJar({dict(self)!r})"

    # --- for the client ---

    def _living(self) -> list[Cookie]:
        now = time.time()
        self._kept = {key: each for key, each in self._kept.items() if each.expires is None or each.expires > now}
        return sorted(self._kept.values(), key=lambda cookie: -len(cookie.path))

    def take(self, line: str, path: str) -> None:
        """Keeps what a Set-Cookie field of an answer to a request of `path` says."""
        cookie = read_set_cookie(line)
        if cookie is None or (cookie.domain and not _is_within(self._host, cookie.domain)):
            return
        if not cookie.path.startswith("/"):
            cookie.path = path[: path.rfind("/")] or "/"
        self._kept.pop((cookie.name, cookie.path), None)
        if cookie.expires is None or cookie.expires > time.time():
            self._kept[cookie.name, cookie.path] = cookie

    def pairs(self, path: str, is_https: bool) -> list[tuple[str, str]]:
        """Names and values, as they are sent, for a request of `path`; longer paths come first (RFC 6265 5.4)."""
        return [
            (cookie.name, cookie.value)
            for cookie in self._living()
            if (is_https or not cookie.secure) and _is_below(path, cookie.path)
        ]


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
