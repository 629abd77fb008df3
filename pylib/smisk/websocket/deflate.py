# SPDX-License-Identifier: MIT
"""Compressed messages (permessage-deflate, RFC 7692): which offer is taken, and the work on payloads.

`wsproto` agrees on the parameters; zlib works within bounds here, so that a message that swells is stopped at the
size that it may have. One `Deflate` belongs to one connection and is used by one message after the other.
"""

from __future__ import annotations

import re
import zlib

from wsproto.extensions import PerMessageDeflate

__all__ = ["Deflate", "InflateError", "TooBigError", "agree"]

_TAIL = b"\x00\x00\xff\xff"  # what a sender leaves out at the end (7.2.1)
_STREAMS = 2  # deflate streams in one message: a final block, then at most another stream (7.2.3.4)
# The window and memory that the server spends on what it sends: 32 KiB a connection. A receiver with a larger
# window than the sender's loses nothing.
_WINDOW_BITS = 12
_MEMORY = 5

_PARAMETER = re.compile(r"\s*;\s*([a-z_]+)(?:\s*=\s*(\"?)(\d+)\2)?\s*", re.ASCII)
_BITS = frozenset(str(bits) for bits in range(8, 16))
# Whether a parameter of an offer has a value: always, never, or as the client likes (7.1).
_VALUES = {
    "server_no_context_takeover": (None,),
    "client_no_context_takeover": (None,),
    "server_max_window_bits": tuple(_BITS),
    "client_max_window_bits": (None, *_BITS),
}


class InflateError(Exception):
    """A message that is not what deflate writes."""


class TooBigError(Exception):
    """A message that is larger, once inflated, than it may be."""


class Deflate:
    """Both directions of one connection. `agreed`: the parameters; `max_size`: bytes of a message from the client."""

    __slots__ = ("_agreed", "_deflater", "_inflater", "_max_size")

    def __init__(self, agreed: PerMessageDeflate, max_size: int) -> None:
        self._agreed = agreed
        self._max_size = max_size
        self._inflater: zlib._Decompress | None = None
        self._deflater: zlib._Compress | None = None

    def inflate(self, payload: bytes) -> bytes:
        """The message behind a whole payload (7.2.2). InflateError, TooBigError; at most `max_size` + 1 bytes are made."""
        try:
            return self._inflate(payload + _TAIL)
        except zlib.error as error:
            raise InflateError(str(error)) from None

    def deflate(self, payload: bytes) -> bytes:
        """The payload that stands for a whole message (7.2.1)."""
        deflater = self._deflater
        if deflater is None:
            bits = min(self._agreed.server_max_window_bits, _WINDOW_BITS)
            deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -bits, _MEMORY)
        data = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
        self._deflater = None if self._agreed.server_no_context_takeover else deflater
        return data[: -len(_TAIL)]

    def _inflate(self, data: bytes) -> bytes:
        pieces = []
        room = self._max_size + 1
        inflater = self._inflater
        for _ in range(_STREAMS):
            if inflater is None:
                inflater = zlib.decompressobj(-self._agreed.client_max_window_bits)
            piece = inflater.decompress(data, room)
            pieces.append(piece)
            room -= len(piece)
            if room == 0:
                raise TooBigError
            if not inflater.eof:
                break
            data, inflater = inflater.unused_data, None
            if data == _TAIL:  # the final block was not followed by an empty one, which was to be left out
                break
        if data and data != _TAIL and inflater is None:
            raise InflateError("more than two deflate streams in one message")
        self._inflater = None if self._agreed.client_no_context_takeover else inflater
        return b"".join(pieces)


def agree(offers: str) -> tuple[str, PerMessageDeflate] | None:
    """The first offer in a Sec-WebSocket-Extensions value that can be taken: the answer to it, and what it says.

    Offers of other extensions, and those that break the rules of RFC 7692 7.1, are passed over (RFC 6455 9.1).
    """
    for offer in offers.split(","):
        clean = _clean(offer)
        if clean is None:
            continue
        extension = PerMessageDeflate()
        answer = extension.accept(clean)
        if isinstance(answer, str):
            return (f"{extension.name}; {answer}" if answer else extension.name), extension
    return None


def _clean(offer: str) -> str | None:
    """The offer in the simplest spelling of the same; None unless it is one of permessage-deflate by the rules."""
    name, semicolon, rest = offer.partition(";")
    if name.strip() != PerMessageDeflate.name:
        return None
    rest = semicolon + rest
    seen: dict[str, str | None] = {}
    while rest:
        found = _PARAMETER.match(rest)
        if not found or found[1] in seen or found[3] not in _VALUES.get(found[1], ()):
            return None
        seen[found[1]] = found[3]
        rest = rest[found.end() :]
    return "; ".join(
        [PerMessageDeflate.name, *(key if value is None else f"{key}={value}" for key, value in seen.items())]
    )
