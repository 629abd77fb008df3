# SPDX-License-Identifier: MIT
"""The opening handshake (RFC 6455 4.2): what a client asks for, and the answer once the application has accepted.

The host makes a `Handshake` of each request that wants to become a WebSocket, before the application is called; what
the application then sends with websocket.accept is checked here too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from wsproto.utilities import generate_accept_token

from .deflate import Deflate, agree

__all__ = ["Handshake", "HandshakeError"]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\r\n\0]*")
_VERSION = b"13"
# Fields that belong to the connection or to the handshake itself.
_OURS = frozenset(
    (
        b"connection",
        b"upgrade",
        b"keep-alive",
        b"transfer-encoding",
        b"content-length",
        b"te",
        b"trailer",
        b"proxy-connection",
    )
)

Headers = list[tuple[bytes, bytes]]


class HandshakeError(Exception):
    """A handshake that cannot be answered with 101. `status`; `reason`, a sentence; `headers` of the answer."""

    def __init__(self, status: int, reason: str, headers: Headers | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers or []


class Handshake:
    """One handshake. `subprotocols`: what the client offers, its favourite first."""

    __slots__ = ("_compression", "_extensions", "_key", "_max_size", "subprotocols")

    def __init__(self, method: str, headers: Headers, max_size: int, compression: bool) -> None:
        """`headers`: those of the request, names in lower case. `max_size`: bytes of a message. HandshakeError."""
        if method != "GET":
            raise HandshakeError(400, "a WebSocket handshake must be a GET request")
        _check_version(_values(headers, b"sec-websocket-version"))
        self._key = _check_key(_values(headers, b"sec-websocket-key"))
        self.subprotocols = _subprotocols(_values(headers, b"sec-websocket-protocol"))
        self._extensions = b",".join(_values(headers, b"sec-websocket-extensions")).decode("latin-1")
        self._max_size = max_size
        self._compression = compression

    def accept(self, subprotocol: object, headers: object) -> tuple[Headers, Deflate | None]:
        """The fields of the 101 beside Upgrade and Connection, and the compression agreed on.

        `subprotocol`, `headers`: as in the application's message; None: nothing said. TypeError, ValueError name the
        mistake.
        """
        fields = [(b"sec-websocket-accept", generate_accept_token(self._key))]
        if subprotocol is not None:
            fields.append((b"sec-websocket-protocol", self._chosen(subprotocol)))
        deflate = None
        agreed = agree(self._extensions) if self._compression else None
        if agreed is not None:
            fields.append((b"sec-websocket-extensions", agreed[0].encode("ascii")))
            deflate = Deflate(agreed[1], self._max_size)
        return fields + _checked(headers), deflate

    def _chosen(self, subprotocol: object) -> bytes:
        if not isinstance(subprotocol, str):
            raise TypeError(f"websocket.accept: subprotocol must be str or None, not {type(subprotocol).__name__}")
        if subprotocol not in self.subprotocols:
            offered = ", ".join(self.subprotocols) or "none"
            raise ValueError(
                f"websocket.accept: subprotocol {subprotocol!r} was not offered by the client (offered: {offered})"
            )
        return subprotocol.encode("ascii")


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def _check_version(values: list[bytes]) -> None:
    if not values:
        raise HandshakeError(400, "Sec-WebSocket-Version is missing")
    if values != [_VERSION]:
        raise HandshakeError(
            426, "only version 13 of the WebSocket protocol is spoken here", [(b"sec-websocket-version", _VERSION)]
        )


def _check_key(values: list[bytes]) -> bytes:
    """RFC 6455 4.1: 16 bytes in base64, once."""
    if len(values) != 1:
        raise HandshakeError(400, f"Sec-WebSocket-Key {'is missing' if not values else 'comes more than once'}")
    try:
        size = len(base64.b64decode(values[0], validate=True))
    except (binascii.Error, ValueError):
        size = -1
    if size != 16 or len(values[0]) != 24:
        raise HandshakeError(400, "Sec-WebSocket-Key is not 16 bytes in base64")
    return values[0]


def _subprotocols(values: list[bytes]) -> list[str]:
    names = [name.strip(b" \t") for name in b",".join(values).split(b",")]
    names = [name for name in names if name]
    if not all(map(_TOKEN.fullmatch, names)):
        raise HandshakeError(400, "Sec-WebSocket-Protocol is not a list of names")
    return [name.decode("ascii") for name in names]


def _checked(headers: object) -> Headers:
    if headers is None:
        return []
    if not isinstance(headers, Iterable):
        raise TypeError(f"websocket.accept: headers must be an iterable of pairs, not {type(headers).__name__}")
    return [_checked_field(field) for field in headers]


def _checked_field(field: object) -> tuple[bytes, bytes]:
    pair = tuple(field) if isinstance(field, Iterable) else ()
    if len(pair) != 2:
        raise TypeError(f"websocket.accept: a header must be a pair of name and value, not {field!r}")
    name, value = pair
    if not isinstance(name, bytes) or not isinstance(value, bytes):
        raise TypeError(f"websocket.accept: header names and values must be bytes, not {field!r}")
    lower = name.lower()
    if lower == b"sec-websocket-protocol":
        raise ValueError("websocket.accept: the subprotocol belongs into 'subprotocol', not into the headers")
    if lower in _OURS or lower.startswith(b"sec-websocket-"):
        raise ValueError(f"websocket.accept: the header {name!r} belongs to the server")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"websocket.accept: {name!r} is no name of a header")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"websocket.accept: CR, LF or NUL in the value of {name!r}")
    return name, value
