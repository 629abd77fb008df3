# SPDX-License-Identifier: MIT
"""What a shared dict looks like in LMDB: two tables, and what one transaction does with them.

`items` has a record for each key: its deadline (8 bytes, microseconds since 1970, all zero for never) and the value.
`expiry` has an empty record for each deadline, deadline first, so that the earliest is found first. LMDB takes keys of
511 bytes: longer ones are stored by their digest, and stand in front of the value. No Python code of the application
runs here, except what the pickle codec calls.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

__all__ = ["NEVER", "Table", "deadline_of", "pack_key", "unpack"]

if TYPE_CHECKING:
    from typing import Any

NEVER = bytes(8)
DEADLINE = struct.Struct(">Q")
LENGTH = struct.Struct(">I")
SHORT, LONG = b"k", b"h"
MAX_SHORT = 480
MICROSECONDS = 1_000_000


def pack_key(encoded: bytes) -> bytes:
    """The LMDB key for a key in UTF-8."""
    if len(encoded) <= MAX_SHORT:
        return SHORT + encoded
    return LONG + hashlib.sha256(encoded).digest()


def deadline_of(now: float, ttl: float | None) -> bytes:
    """When a value ends that is stored `now`."""
    return NEVER if ttl is None else DEADLINE.pack(max(1, round((now + ttl) * MICROSECONDS)))


def moment(now: float) -> bytes:
    """A time in the form of deadlines, which sort like it."""
    return DEADLINE.pack(max(0, int(now * MICROSECONDS)))


def unpack(packed: bytes, record: bytes, now: float) -> bytes | None:
    """The value in a record, None when its time is over."""
    deadline = record[:8]
    if deadline != NEVER and deadline <= moment(now):
        return None
    return record[8:] if packed[:1] == SHORT else record[_after_key(record) :]


def unpack_key(packed: bytes, record: bytes) -> bytes:
    """The key, in UTF-8, of a record."""
    return packed[1:] if packed[:1] == SHORT else record[12 : _after_key(record)]


def _after_key(record: bytes) -> int:
    size: int = LENGTH.unpack_from(record, 8)[0]
    return 12 + size


class Table:
    """The two tables inside one transaction, at one time."""

    def __init__(self, transaction: Any, items: Any, expiry: Any, now: float) -> None:
        self._transaction = transaction
        self._items = items
        self._expiry = expiry
        self._now = now

    def value(self, packed: bytes) -> bytes | None:
        """The value of a key."""
        record: bytes | None = self._transaction.get(packed, db=self._items)
        return None if record is None else unpack(packed, record, self._now)

    def put(self, encoded: bytes, packed: bytes, value: bytes, ttl: float | None) -> None:
        """Stores a value under a key that is given in both forms."""
        deadline = deadline_of(self._now, ttl)
        self._forget_deadline(packed)
        self._write(packed, deadline, encoded, value)
        if deadline != NEVER:
            self._transaction.put(deadline + packed, b"", db=self._expiry)

    def replace(self, encoded: bytes, packed: bytes, value: bytes) -> None:
        """Stores another value under a key that is there; its deadline stays."""
        record: bytes = self._transaction.get(packed, db=self._items)
        self._write(packed, record[:8], encoded, value)

    def _write(self, packed: bytes, deadline: bytes, encoded: bytes, value: bytes) -> None:
        head = deadline if packed[:1] == SHORT else deadline + LENGTH.pack(len(encoded)) + encoded
        self._transaction.put(packed, head + value, db=self._items)

    def _forget_deadline(self, packed: bytes) -> None:
        record: bytes | None = self._transaction.get(packed, db=self._items)
        if record is not None and record[:8] != NEVER:
            self._transaction.delete(record[:8] + packed, db=self._expiry)

    def remove(self, packed: bytes) -> bytes | None:
        """Removes a key; returns the value that it had."""
        value = self.value(packed)
        self._forget_deadline(packed)
        self._transaction.delete(packed, db=self._items)
        return value

    def sweep(self, limit: int) -> int:
        """Removes what is over, the oldest first, `limit` keys at most; how many."""
        swept = 0
        now = moment(self._now)
        with self._transaction.cursor(db=self._expiry) as cursor:
            while swept < limit and cursor.first() and (key := cursor.key())[:8] <= now:
                cursor.delete()
                self._transaction.delete(key[8:], db=self._items)
                swept += 1
        return swept

    def clear(self) -> None:
        """Removes everything."""
        self._transaction.drop(self._items, delete=False)
        self._transaction.drop(self._expiry, delete=False)

    def count(self) -> int:
        """The number of keys whose time is not over."""
        entries: int = self._transaction.stat(self._items)["entries"]
        now = moment(self._now)
        over = 0
        with self._transaction.cursor(db=self._expiry) as cursor:
            for key in cursor.iternext(keys=True, values=False):
                if key[:8] > now:
                    break
                over += 1
        return entries - over

    def page(self, after: bytes, limit: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Up to `limit` records behind the LMDB key `after`: pairs of key and value, and where to go on (empty: over)."""
        found: list[tuple[bytes, bytes]] = []
        seen = 0
        with self._transaction.cursor(db=self._items) as cursor:
            if not cursor.set_range(after):
                return found, b""
            for packed, record in cursor:
                if packed == after:
                    continue
                if seen == limit:
                    return found, after
                seen += 1
                after = packed
                value = unpack(packed, record, self._now)
                if value is not None:
                    found.append((unpack_key(packed, record), value))
        return found, b""
