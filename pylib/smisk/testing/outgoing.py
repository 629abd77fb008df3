# SPDX-License-Identifier: MIT
"""A request before it is sent: what a test says, as the bytes that a client or a front server would send.

`request()` has the server's own parsers make a Request of it, so a head that the server would refuse is a ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from .form import Fields, encode_pairs
from .parts import FORBIDDEN, TOKEN, as_bytes, pairs_of

if TYPE_CHECKING:
    from _smisk import Request

__all__ = ["Origin", "Outgoing"]

PATH_SAFE = "/%:@!$&'()*+,;=~-._[]"
QUERY_SAFE = PATH_SAFE + "?"
HAVE_BODIES = ("POST", "PUT", "PATCH")
PORTS = {"http": 80, "https": 443}


class Origin:
    """Scheme, host and port of a base URL. ValueError for anything else in it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError(f"base_url is http://HOST or https://HOST, perhaps with :PORT, not {url!r}")
        self.is_https = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or PORTS[parts.scheme]
        self.authority = parts.netloc.rpartition("@")[2]


class Outgoing:
    """One request. `fields`: header fields in bytes, names as given; `kind`: "http", or "cgi" behind a front server."""

    def __init__(self, origin: Origin, kind: str, peer: str, method: str, path: str, params: Fields | None) -> None:
        if not path.startswith("/") and path != "*":
            raise ValueError(f"a path begins with /, not {path!r}")
        path, mark, query = path.partition("#")[0].partition("?")
        if params is not None:
            query = "&".join(filter(None, (query, encode_pairs(params))))
        self.origin = origin
        self.kind = kind
        self.peer = peer
        self.method = method
        self.path = quote(path, safe=PATH_SAFE)
        self.query = quote(query, safe=QUERY_SAFE)
        self.target = self.path + ("?" if mark or self.query else "") + self.query
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""

    @property
    def path_bytes(self) -> bytes:
        """The path, percent-decoded."""
        return unquote_to_bytes(self.path)

    def has(self, name: bytes) -> bool:
        """Whether there is a field of that name, in lower case."""
        return any(each.lower() == name for each, _ in self.fields)

    def add(self, headers: object) -> None:
        """Adds header fields: a mapping or pairs. ValueError for what is none."""
        self.fields += _checked(headers)

    def add_missing(self, headers: object, first: bool = False) -> None:
        """Adds those header fields that are not there yet, behind the others or before them."""
        there = {name.lower() for name, _ in self.fields}
        missing = [(name, value) for name, value in _checked(headers) if name.lower() not in there]
        self.fields = [*missing, *self.fields] if first else [*self.fields, *missing]

    def set_body(self, body: bytes, content_type: str) -> None:
        """Takes the body, and adds its type and length where the test has not said them."""
        self.body = body
        if content_type:
            self.add_missing({"Content-Type": content_type})
        if body or self.method in HAVE_BODIES:
            self.add_missing({"Content-Length": str(len(body))})

    # --- as CGI/1.1 ---

    def variables(self) -> list[tuple[bytes, bytes]]:
        """The request as a front server sends it over FastCGI (RFC 3875 4.1), the application at the root."""
        origin = self.origin
        plain = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": origin.host,
            "SERVER_PORT": str(origin.port),
            "REMOTE_ADDR": self.peer,
            "REQUEST_METHOD": self.method,
            "REQUEST_SCHEME": "https" if origin.is_https else "http",
            "REQUEST_URI": self.target,
            "QUERY_STRING": self.query,
            "SCRIPT_NAME": "",
        }
        if origin.is_https:
            plain["HTTPS"] = "on"
        pairs = [(name.encode(), value.encode()) for name, value in plain.items()]
        return [*pairs, (b"PATH_INFO", self.path_bytes), *self.header_variables().items()]

    def header_variables(self) -> dict[bytes, bytes]:
        """The header fields as CGI variables: repeats joined, and without those that no server passes on."""
        found: dict[bytes, bytes] = {}
        for name, value in self.fields:
            upper = name.upper().replace(b"-", b"_")
            if b"_" in name or upper == b"PROXY":
                continue
            variable = upper if upper in (b"CONTENT_TYPE", b"CONTENT_LENGTH") else b"HTTP_" + upper
            joint = b"; " if upper == b"COOKIE" else b", "
            found[variable] = found[variable] + joint + value if variable in found else value
        return found

    # --- as a Request ---

    def request(self) -> Request:
        """The Request that the server would make of it. ValueError where it would refuse the head."""
        from _smisk import _make_request

        if self.kind == "cgi":
            return _make_request("cgi", self.variables(), self.body, peer=self.peer)
        return _make_request("http", self.fields, self.body, method=self.method, target=self.target, peer=self.peer)


def _checked(headers: object) -> list[tuple[bytes, bytes]]:
    pairs = [(as_bytes(name, "a header"), as_bytes(value, "a header")) for name, value in pairs_of(headers, "with")]
    for name, value in pairs:
        if not TOKEN.fullmatch(name) or FORBIDDEN.search(value):
            raise ValueError(f"no header field: {name!r}: {value!r}")
    return pairs
