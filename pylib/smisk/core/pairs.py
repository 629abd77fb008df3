# SPDX-License-Identifier: MIT
"""Key-value text as browsers send it: queries, urlencoded forms and cookies (URL Standard, section 5.1).

Everything is bytes until the last step. Keys are always str, so hostile keys cannot flood a dict: str hashes are
keyed with a secret (SipHash, PEP 456).
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs every worker more than this module
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    V = TypeVar("V")

__all__ = ["Pair", "collect", "decode_text", "percent_decode", "split_pairs"]

Pair = tuple[bytes, bytes | None]

_DIGITS = "0123456789abcdefABCDEF"
_BYTES = {(high + low).encode(): bytes.fromhex(high + low) for high in _DIGITS for low in _DIGITS}


def percent_decode(data: bytes) -> bytes:
    """Turns each %HH into its byte (RFC 3986, section 2.1); a percent sign without two hex digits stays."""
    head, *rest = data.split(b"%")
    if not rest:
        return data
    out = [head]
    for piece in rest:
        byte = _BYTES.get(piece[:2])
        if byte is None:
            out += (b"%", piece)
        else:
            out += (byte, piece[2:])
    return b"".join(out)


def decode_text(data: bytes, charset: str = "utf-8", tolerant: bool = True) -> str:
    """Decodes with `charset`; what does not fit is ISO-8859-1 if `tolerant`.

    Raises UnicodeDecodeError for what does not fit otherwise, LookupError for an unknown charset.
    """
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        if not tolerant:
            raise
        return data.decode("iso-8859-1")


def split_pairs(data: bytes) -> list[Pair]:
    """Splits `a=1&b` into pairs, decoded but still bytes; empty pieces are skipped, no `=` gives the value None."""
    out: list[Pair] = []
    for piece in data.replace(b"+", b" ").split(b"&"):
        if piece:
            key, equals, value = piece.partition(b"=")
            out.append((percent_decode(key), percent_decode(value) if equals else None))
    return out


def collect(pairs: Iterable[tuple[str, V]]) -> dict[str, V | list[V]]:
    """Makes a dict of pairs; the values of a repeated key become a list, in order."""
    once: dict[str, V | list[V]] = {}
    many: dict[str, list[V]] = {}
    for key, value in pairs:
        if key in many:
            many[key].append(value)
        elif key in once:
            once[key] = many[key] = [once[key], value]  # type: ignore[list-item]
        else:
            once[key] = value
    return once
