# SPDX-License-Identifier: MIT
"""The shared dict that needs no server: a file that all processes of this machine map into their memory (LMDB).

Reads wait for nobody; writers take turns, and one that dies in the middle leaves things as they were before.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Any

from .base import MISSING, SharedDict, check_ttl, encode_key, first_sum, sum_of
from .codec import find_codec
from .errors import SharedDictError, SharedDictFullError
from .handles import forget, one_handle
from .names import app_shared_key, default_folder, file_name
from .records import Table, pack_key, unpack
from .store import Limits, Store

__all__ = ["LMDBDict", "shared_dict"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from .codec import Codec

    Result = TypeVar("Result")

DEFAULT_FILE = "dict.mdb"
# Bounded, because every swept key may take new pages before it frees old ones.
SWEPT_BY_WRITE = 16
SWEPT_WHEN_FULL = 4096
PAGE = 256


class LMDBDict(SharedDict):
    """A shared dict in one file. Made by `shared_dict()`: a file must not be opened twice in a process."""

    def __init__(self, name: str, codec: Codec, store: Store, clock: Callable[[], float] = time.time) -> None:
        super().__init__(name, codec)
        self._store = store
        self._clock = clock

    @property
    def path(self) -> str:
        """Where it is stored."""
        return self._store.path

    def get(self, key: str, default: Any = None) -> Any:
        packed = pack_key(encode_key(key))
        record = self._store.get(packed)
        value = None if record is None else unpack(packed, record, self._clock())
        return default if value is None else self.codec.decode(value)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        check_ttl(ttl)
        encoded = encode_key(key)
        data = self.codec.encode(value)
        self._write(lambda table: table.put(encoded, pack_key(encoded), data, ttl))

    def discard(self, key: str) -> bool:
        packed = pack_key(encode_key(key))
        return self._write(lambda table: table.remove(packed), is_freeing=True) is not None

    def pop(self, key: str, default: Any = MISSING) -> Any:
        packed = pack_key(encode_key(key))
        data = self._write(lambda table: table.remove(packed), is_freeing=True)
        if data is not None:
            return self.codec.decode(data)
        if default is MISSING:
            raise KeyError(key)
        return default

    def setdefault(self, key: str, default: Any = None, ttl: float | None = None) -> Any:
        check_ttl(ttl)
        value = self.get(key, MISSING)
        if value is not MISSING:
            return value
        encoded = encode_key(key)
        packed = pack_key(encoded)
        data = self.codec.encode(default)

        def put_unless_there(table: Table) -> bytes:
            there = table.value(packed)
            if there is None:
                table.put(encoded, packed, data, ttl)
            return data if there is None else there

        return self.codec.decode(self._write(put_unless_there))

    def incr(self, key: str, by: int = 1, initial: int = 0, ttl: float | None = None) -> int:
        check_ttl(ttl)
        first = first_sum(by, initial)
        encoded = encode_key(key)
        packed = pack_key(encoded)

        def add(table: Table) -> int:
            there = table.value(packed)
            if there is None:
                table.put(encoded, packed, self.codec.encode(first), ttl)
                return first
            total = sum_of(self.codec.decode(there), by)
            table.replace(encoded, packed, self.codec.encode(total))
            return total

        return self._write(add)

    def compare_and_set(self, key: str, old: Any, new: Any) -> bool:
        encoded = encode_key(key)
        packed = pack_key(encoded)
        data = self.codec.encode(new)

        def replace_if_equal(table: Table) -> bool:
            there = table.value(packed)
            if there is None or self.codec.decode(there) != old:
                return False
            table.replace(encoded, packed, data)
            return True

        return self._write(replace_if_equal)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        packed = pack_key(encode_key(key))
        record = self._store.get(packed)
        return record is not None and unpack(packed, record, self._clock()) is not None

    def __len__(self) -> int:
        return self._read(Table.count)

    def __iter__(self) -> Iterator[str]:
        return (key.decode("utf-8", "surrogatepass") for key, _ in self._records())

    def _pairs(self) -> Iterator[tuple[str, Any]]:
        return ((key.decode("utf-8", "surrogatepass"), self.codec.decode(value)) for key, value in self._records())

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, a page in each transaction: one that stays open would keep old pages from being used."""
        records, after = self._page(b"\0")
        yield from records
        while after:
            records, after = self._page(after)
            yield from records

    def _page(self, after: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return self._read(lambda table: table.page(after, PAGE))

    def clear(self) -> None:
        """Removes all keys."""
        self._write(Table.clear, is_freeing=True)

    def sweep(self, limit: int = SWEPT_WHEN_FULL) -> int:
        """Removes keys whose time is over, `limit` at most; how many. Every write does this for a few by itself."""
        swept = 0
        while swept < limit:
            last = self._sweep_once(min(SWEPT_BY_WRITE, limit - swept))
            swept += last
            if last < SWEPT_BY_WRITE:
                break
        return swept

    def _sweep_once(self, limit: int) -> int:
        return self._run(True, lambda table: table.sweep(limit), is_freeing=True)

    def sync(self) -> None:
        self._store.sync()

    def close(self) -> None:
        forget(self)
        self._store.close()

    def _read(self, action: Callable[[Table], Result]) -> Result:
        return self._run(False, action)

    def _write(self, action: Callable[[Table], Result], is_freeing: bool = False) -> Result:
        def sweep_and_act(table: Table) -> Result:
            table.sweep(SWEPT_BY_WRITE)
            return action(table)

        try:
            return self._run(True, sweep_and_act, is_freeing)
        except SharedDictFullError:
            self.sweep()
            self._store.turn()
            return self._run(True, sweep_and_act, is_freeing)

    def _run(self, is_write: bool, action: Callable[[Table], Result], is_freeing: bool = False) -> Result:
        now = self._clock()
        return self._store.run(
            is_write, lambda transaction, items, expiry: action(Table(transaction, items, expiry, now)), is_freeing
        )


def shared_dict(
    name: str | None = None,
    *,
    codec: str = "json",
    persistent: bool = False,
    folder: str | None = None,
    file: str = DEFAULT_FILE,
    mode: int = 0o600,
    map_size: int = Limits.map_size,
    max_size: int = Limits.max_size,
    max_readers: int = Limits.max_readers,
    timeout: float = Limits.timeout,
    clock: Callable[[], float] = time.time,
) -> LMDBDict:
    """The dict called `name` (by default `app_shared_key()`), the same object each time in this process.

    `folder` defaults to `<runtime or temporary folder>/<name>.ipc`. Unless `persistent`, the dict is empty when a server
    uses it first. `max_size` is in bytes; `timeout` in seconds bounds the wait for opening and for other threads.
    Raises ValueError when the dict is in use with other options, ImportError without the package lmdb.
    """
    name = app_shared_key() if name is None else name
    limits = Limits(map_size, max_size, max_readers, timeout)
    options = {"codec": codec, "persistent": persistent, "mode": mode, "limits": limits, "clock": clock}
    is_default = folder is None
    # A link in place of the default folder itself would be somebody else's doing: it is not followed.
    parent, leaf = os.path.split(os.path.abspath(default_folder(name) if folder is None else folder))
    where = os.path.join(os.path.realpath(parent), leaf)
    where = where if is_default else os.path.realpath(where)
    path = os.path.join(where, file_name(file))

    def make() -> LMDBDict:
        found = find_codec(codec)
        _make_folder(where, is_default)
        return LMDBDict(name, found, Store(path, mode, persistent, limits), clock)

    return one_handle(("lmdb", path), options, make)


def _make_folder(folder: str, is_default: bool) -> None:
    """Makes the folder, 0700. The default one lies where others may write: it must be our own, and closed to them."""
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
    except OSError as error:
        raise SharedDictError(f"{folder} cannot be made: {error}") from error
    if not is_default:
        return
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise SharedDictError(f"{folder} belongs to user {status.st_uid}; remove it, or name another with folder=")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(folder, 0o700)
