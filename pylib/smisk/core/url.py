# SPDX-License-Identifier: MIT
"""URLs: a parsed URL with settable parts, and the percent-encoding of text (RFC 3986).

`_smisk` makes one when a handler first reads `request.url`. Text is str throughout; percent-encoding is UTF-8.
"""

from __future__ import annotations

from .pairs import Pair, collect, decode_text, percent_decode, split_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Text = TypeVar("Text", str, bytes)
    Choice = str | int | bool | None

__all__ = ["URL"]

_ALNUM = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COMPONENT = frozenset((_ALNUM + "!'()*-._~").encode())
_WHOLE = frozenset((_ALNUM + "!$&'()*+,-./;=?_~").encode())
_SCHEME = frozenset(_ALNUM + "+-.")
# Schemes whose URL has no authority, so that "mailto:joe@host" is not a user, a password and a host.
_OPAQUE = frozenset(("about", "cid", "data", "javascript", "mailto", "news", "sms", "tel", "urn"))
_PARTS = ("scheme", "user", "password", "host", "port", "path", "query", "fragment")
_LAST_PORT = 65535
_NOT_IN_AUTHORITY = frozenset('"<>\\^`{|} \x7f' + "".join(map(chr, range(32))))


class URL:
    """A URL in parts; what is absent is None, and 0 for the port. Every part can be set.

    `URL(text)` parses text (or UTF-8 bytes) and raises ValueError for what is no URL; `URL(url)` copies;
    `URL()` is empty. The parts stay percent-encoded. The host of `http://[::1]/` is `::1`. Equal by parts; the hash
    follows the parts, so leave a URL alone while it is a key.
    """

    scheme: str | None = None
    user: str | None = None
    password: str | None = None
    host: str | None = None
    port: int = 0
    path: str | None = None
    query: str | None = None
    fragment: str | None = None

    def __init__(self, obj: object = None) -> None:
        if isinstance(obj, URL):
            for name in _PARTS:
                setattr(self, name, getattr(obj, name))
        elif isinstance(obj, bytes):
            self._parse(decode_text(obj))
        elif obj is not None:
            self._parse(str(obj))

    @property
    def uri(self) -> str | None:
        """Path, query and fragment as they appear in a URL; None if there is none of them."""
        if self.path is None and self.query is None and self.fragment is None:
            return None
        return (self.path or "") + self._tail(self.query, self.fragment)

    def to_s(
        self,
        *_: object,
        scheme: Choice = True,
        user: Choice = True,
        password: Choice = True,
        host: Choice = True,
        port: Choice = True,
        port80: Choice = False,
        path: Choice = True,
        query: Choice = True,
        fragment: Choice = True,
    ) -> str:
        """Puts the URL together. True or 1 takes the URL's own part, anything false leaves it out, text replaces it.

        `port` takes a number. Port 80 appears only with `port80`. Positional arguments are ignored, as ever.
        """
        own_scheme = _choose(scheme, self.scheme)
        own_host = _choose(host, self.host)
        userinfo = _userinfo(_choose(user, self.user), _choose(password, self.password))
        number = _choose_port(port, self.port)
        hostport = _bracketed(own_host or "") + (f":{number}" if number and (number != 80 or port80) else "")
        out = ""
        if own_scheme is not None:
            out = own_scheme + (":" if own_scheme in _OPAQUE and not hostport and not userinfo else "://")
        out += userinfo + hostport + (_choose(path, self.path) or "")
        return out + self._tail(_choose(query, self.query), _choose(fragment, self.fragment))

    to_str = to_s

    def __str__(self) -> str:
        return self.to_s()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_s(port80=True)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, URL):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    @staticmethod
    def encode(text: Text) -> Text:
        """Percent-encodes text for one component of a URL; str gives str (through UTF-8), bytes give bytes."""
        return _encode(text, _COMPONENT)

    @staticmethod
    def escape(text: Text) -> Text:
        """Percent-encodes text that has the delimiters of a path and query; they stay as they are."""
        return _encode(text, _WHOLE)

    @staticmethod
    def decode(text: Text) -> Text:
        """Undoes `encode` and `escape`: turns each %HH back. A plus sign stays; it is a space only in forms.

        UnicodeDecodeError if `text` is str and the bytes are not UTF-8.
        """
        if isinstance(text, str):
            if "%" not in text:
                return text
            return percent_decode(text.encode("utf-8", "surrogateescape")).decode()
        _check_text(text)
        return percent_decode(text)

    unescape = decode

    @staticmethod
    def decompose_query(
        string: object, charset: str | None = "utf-8", tolerant: bool = True
    ) -> dict[str, str | bytes | list[str | bytes | None] | None]:
        """Parses `a=1&b=2` into a dict, as `request.get` does but without a limit.

        Values are text in `charset` (what does not fit: ISO-8859-1 if `tolerant`, else UnicodeDecodeError), or bytes
        if it is None. LookupError for an unknown charset. Anything but bytes is taken as `str(string)`.
        """
        data = string if isinstance(string, bytes) else str(string).encode("utf-8", "surrogateescape")
        return collect(_decode_pair(pair, charset, tolerant) for pair in split_pairs(data))

    def _parts(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _PARTS)

    def _parse(self, text: str) -> None:
        rest, mark, fragment = text.partition("#")
        self.fragment = fragment if mark else None
        rest, mark, query = rest.partition("?")
        self.query = query if mark else None
        scheme, mark, hierarchy = rest.partition("://")
        if rest.startswith("/"):
            self.path = rest
        elif mark:
            self.scheme = _checked_scheme(scheme, text)
            self._parse_authority(hierarchy, text)
        elif rest.partition(":")[0].lower() in _OPAQUE and ":" in rest:
            scheme, _, self.path = rest.partition(":")
            self.scheme = scheme.lower()
        elif rest:
            self._parse_bare_authority(rest, text)

    def _parse_bare_authority(self, rest: str, text: str) -> None:
        """Parses `host`, `host:80/p`, `john@host/p`; a lone `host/p` cannot be told from a relative path."""
        authority, slash, _ = rest.partition("/")
        if slash and ":" not in authority and "@" not in authority:
            raise ValueError(f"no URL: {text!r} (a path begins with a slash)")
        self._parse_authority(rest, text)

    def _parse_authority(self, rest: str, text: str) -> None:
        """RFC 3986, section 3.2: [user[:password]@]host[:port], then the path."""
        authority, slash, path = rest.partition("/")
        self.path = slash + path if slash else None
        if not _NOT_IN_AUTHORITY.isdisjoint(authority):
            raise ValueError(f"no URL: {text!r} (a character that no host has)")
        userinfo, mark, hostport = authority.rpartition("@")
        if mark:
            if "@" in userinfo:
                raise ValueError(f"no URL: {text!r} (two @ before the host)")
            user, colon, password = userinfo.partition(":")
            self.user = user or None
            self.password = password if colon else None
        host, port = _split_port(hostport, text)
        self.host = host or None
        self.port = _leading_number(port, text)

    @staticmethod
    def _tail(query: str | None, fragment: str | None) -> str:
        return ("?" + query if query else "") + ("" if fragment is None else "#" + fragment)


def _choose(choice: Choice, own: str | None) -> str | None:
    if isinstance(choice, str):
        return choice or None
    return own if choice else None


def _choose_port(choice: Choice, own: int) -> int:
    if isinstance(choice, str) or not choice:
        return 0
    return own if choice == 1 else choice


def _userinfo(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    return (user if password is None else f"{user}:{password}") + "@"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _checked_scheme(scheme: str, text: str) -> str:
    if not scheme or not _SCHEME.issuperset(scheme) or not scheme[0].isalpha():
        raise ValueError(f"no URL: {text!r} (the scheme is malformed)")
    return scheme.lower()


def _split_port(hostport: str, text: str) -> tuple[str, str]:
    if hostport.startswith("["):
        host, bracket, rest = hostport[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f"no URL: {text!r} (the IPv6 address is malformed)")
        return host, rest[1:]
    host, _, port = hostport.partition(":")
    if ":" in port or "[" in host or "]" in host:
        raise ValueError(f"no URL: {text!r} (an IPv6 address stands in brackets)")
    return host, port


def _leading_number(port: str, text: str) -> int:
    """Takes the digits a port begins with, 0 if there are none: `80abc` was always read as 80."""
    digits = port[: len(port) - len(port.lstrip("0123456789"))].lstrip("0")
    if len(digits) > 5 or int(digits or 0) > _LAST_PORT:
        raise ValueError(f"no URL: {text!r} (the port is larger than {_LAST_PORT})")
    return int(digits or 0)


def _check_text(text: object) -> None:
    if not isinstance(text, (str, bytes)):
        raise TypeError("first argument must be a string")


def _encode(text: Text, safe: frozenset[int]) -> Text:
    _check_text(text)
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if safe.issuperset(data):
        return text
    out = "".join([chr(byte) if byte in safe else f"%{byte:02X}" for byte in data])
    return out if isinstance(text, str) else out.encode()


def _decode_pair(pair: Pair, charset: str | None, tolerant: bool) -> tuple[str, str | bytes | None]:
    key, value = pair
    try:
        name = decode_text(key, charset or "utf-8", tolerant or charset is None)
    except UnicodeDecodeError:
        name = key.decode(charset or "utf-8", "replace")
    if charset is None or value is None:
        return name, value
    return name, decode_text(value, charset, tolerant)
