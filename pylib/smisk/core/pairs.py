# SPDX-License-Identifier: MIT
"""Key-value text as browsers send it: queries, urlencoded forms and cookies (URL Standard, section 5.1).

Splitting and decoding is written in C: `parse_pairs`. What parts of a multipart body need besides is here. Keys are
always str, so hostile keys cannot flood a dict: str hashes are keyed with a secret (SipHash, PEP 456).
"""

from __future__ import annotations

from _smisk import parse_pairs

TYPE_CHECKING = False  # importing typing costs every worker more than this module
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    V = TypeVar("V")

__all__ = ["collect", "decode_text", "parse_pairs"]


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
