# SPDX-License-Identifier: MIT
"""Identifiers that nobody can guess, bytes packed into letters, and a number for any value."""

from __future__ import annotations

import marshal
import os

from _smisk import pack

__all__ = ["object_hash", "pack", "uid"]

_SIZE = 20  # bytes: 160 bits, as many as a digest of SHA-1 has


def uid(nbits: int | None = 5, node: bytes | str | None = None) -> str | bytes:
    """Makes an identifier of 160 bits from the system's source of secrets.

    `nbits`: 4, 5 or 6 bits in each letter give 40, 32 or 27 letters (see `pack`), 0 or -1 the 20 bytes themselves,
    None is 5. `node` is hashed in, so that machines whose source of secrets failed alike still differ. ValueError for
    any other number of bits.
    """
    data = os.urandom(_SIZE)
    if node is not None:
        if not isinstance(node, (bytes, str)):
            raise TypeError(f"node must be bytes, str or None, not {type(node).__name__}")
        import hashlib

        data = hashlib.blake2b(_bytes(node), key=data, digest_size=_SIZE).digest()
    return data if isinstance(nbits, int) and nbits in (0, -1) else pack(data, nbits)


def object_hash(obj: object) -> int:
    """Returns `hash(obj)`; of what has none the hash of its marshal dump, and if that fails too the hash of None.

    Like every hash of text it says nothing outside this process.
    """
    try:
        return hash(obj)
    except TypeError:
        pass
    try:
        # Later versions mark what is referenced more than once, which depends on more than the value.
        return hash(marshal.dumps(obj, 2))  # type: ignore[arg-type]
    except ValueError:
        return hash(None)


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
