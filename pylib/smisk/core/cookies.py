# SPDX-License-Identifier: MIT
"""Cookies (RFC 6265): a tolerant reader of the Cookie field, a strict writer of Set-Cookie values.

Values are percent-decoded when read and percent-encoded when written. Names are taken as they are: decoding them
would let `__%48ost-id` pass for `__Host-id`, which browsers protect.
"""

from __future__ import annotations

import time

from .pairs import collect, decode_text, percent_decode
from .url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal

    SameSite = Literal["strict", "lax", "none", "Strict", "Lax", "None"]

__all__ = ["format_cookie", "format_date", "parse_cookies"]

Value = str | bytes | None  # bytes where there is no charset

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LAST_SECOND = 253402300799  # 9999-12-31 23:59:59: the format has four digits for the year


def parse_cookies(
    header: bytes, charset: str | None = "utf-8", tolerant: bool = True
) -> dict[str, Value | list[Value]]:
    """Parses the value of a Cookie field; never raises where the charset is known and `tolerant` is true.

    Quotes are kept, `a` without `=` is None, a repeated name gives a list in order, an empty name is dropped. Without
    a charset, values stay bytes. UnicodeDecodeError for what does not fit and is not tolerated.
    """
    pairs: list[tuple[str, Value]] = []
    for piece in header.split(b";"):
        name, equals, value = piece.lstrip(b" \t\r\n\v\f").partition(b"=")
        if name:
            text = _decode_value(value, charset, tolerant) if equals else None
            pairs.append((decode_text(name, charset or "utf-8"), text))
    return collect(pairs)


def format_cookie(
    name: str,
    value: str,
    *,
    comment: str | None = None,
    domain: str | None = None,
    path: str | None = None,
    secure: bool = False,
    max_age: int | None = None,
    expires: float | datetime | None = None,
    http_only: bool = False,
    same_site: SameSite | None = None,
) -> str:
    """Makes the value of a Set-Cookie field (RFC 6265, section 4.1).

    `max_age` is in seconds, 0 deletes the cookie, None makes it a session cookie; Expires is derived from it for old
    clients unless `expires` (seconds since 1970, or a datetime) is given. ValueError for a name that is no token,
    CR, LF or NUL in the value, text that could end an attribute, a negative age, and SameSite=None without Secure.
    """
    if not name or not _TOKEN.issuperset(name):
        raise ValueError(f"cookie name {name!r} is not a token (RFC 6265 4.1.1)")
    if not isinstance(value, str):
        raise TypeError(f"cookie {name!r}: the value must be str, not {type(value).__name__}")
    if any(char in value for char in "\r\n\0"):
        raise ValueError(f"cookie {name!r}: CR, LF or NUL in the value")
    parts = [f"{name}={URL.encode(value)}"]
    for key, text in (("Comment", comment), ("Domain", domain), ("Path", path)):
        if text is not None:
            parts.append(f"{key}={_checked(name, key, text)}")
    parts += _lifetime(name, max_age, expires)
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    if same_site is not None:
        parts.append(f"SameSite={_same_site(name, same_site, secure)}")
    return "; ".join(parts)


def format_date(seconds: float) -> str:
    """Formats seconds since 1970 as an HTTP date, `Sun, 22 Nov 2026 13:20:04 GMT` (RFC 9110, section 5.6.7)."""
    date = time.gmtime(max(0, min(seconds, _LAST_SECOND)))
    day, month = _DAYS[date.tm_wday], _MONTHS[date.tm_mon - 1]
    clock = f"{date.tm_hour:02}:{date.tm_min:02}:{date.tm_sec:02}"
    return f"{day}, {date.tm_mday:02} {month} {date.tm_year:04} {clock} GMT"


def _decode_value(value: bytes, charset: str | None, tolerant: bool) -> str | bytes:
    decoded = percent_decode(value.replace(b"+", b" "))
    return decoded if charset is None else decode_text(decoded, charset, tolerant)


def _checked(name: str, key: str, text: str) -> str:
    if ";" in text or not text.isascii() or not text.isprintable():
        raise ValueError(f"cookie {name!r}: {key} {text!r} has a character that is not allowed there")
    return text


def _lifetime(name: str, max_age: int | None, expires: float | datetime | None) -> list[str]:
    parts = []
    if max_age is not None:
        if max_age < 0:
            raise ValueError(f"cookie {name!r}: max_age is negative; 0 deletes, None lasts for the session")
        parts.append(f"Max-Age={int(max_age)}")
        if expires is None:
            expires = time.time() + max_age if max_age else 0
    if expires is not None:
        seconds = expires if isinstance(expires, (int, float)) else expires.timestamp()
        parts.append(f"Expires={format_date(seconds)}")
    return parts


def _same_site(name: str, same_site: str, secure: bool) -> str:
    try:
        text = _SAME_SITE[same_site.lower()]
    except KeyError:
        raise ValueError(f"cookie {name!r}: same_site is Strict, Lax or None, not {same_site!r}") from None
    if text == "None" and not secure:
        raise ValueError(f"cookie {name!r}: SameSite=None needs secure=True, or browsers drop the cookie")
    return text
