# SPDX-License-Identifier: MIT
"""One LMDB environment of this process: opened on first use, grown when it is full, closed while the process forks.

An environment must not be open twice in a process, and must not be used by a child. So there is one Store for a path;
before a fork it waits for the transactions of all threads and closes, and parent and child each open it anew when they
use it next. Environments are opened and closed under the lock of `life`, for LMDB makes and destroys its mutexes then.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import SharedDictError, SharedDictFullError
from .gate import Gate
from .life import Life

try:
    import lmdb
except ImportError as missing:
    raise ImportError(f"this shared dict needs lmdb (pip install 'smisk[ipc]'): {missing}") from missing

__all__ = ["Limits", "Store"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Result = TypeVar("Result")

PAGES = ("branch_pages", "leaf_pages", "overflow_pages")
AT_EXIT_TIMEOUT = 1.0


@dataclass(frozen=True)
class Limits:
    """Bytes of the map at first and at most, transactions that read at once in all processes, seconds of any wait."""

    map_size: int = 64 << 20
    max_size: int = 1 << 30
    max_readers: int = 1024
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.map_size <= self.max_size:
            raise ValueError("map_size must be more than 0 and at most max_size")
        if self.max_readers < 1 or self.timeout < 0:
            raise ValueError("max_readers must be at least 1, timeout at least 0")

    @property
    def max_map_size(self) -> int:
        """With room beyond `max_size` for the pages of running changes: deletions need some too, before they free any."""
        return self.max_size + max(1 << 20, self.max_size // 8)


class Store:
    """Transactions on the file `path`. Safe for threads."""

    def __init__(self, path: str, mode: int, is_persistent: bool, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self._mode = mode
        self._is_persistent = is_persistent
        self._life = Life(path, mode, limits.timeout)
        self._gate = Gate()
        self._opening = threading.Lock()
        self._environment: Any = None
        self._tables: tuple[Any, Any] = (None, None)
        self._size = 0
        self._refusal = ""
        self._is_shut_for_fork = False
        _stores.add(self)

    def get(self, packed: bytes) -> bytes | None:
        """The record under an LMDB key: what is called most, so it goes straight where nothing is in the way."""
        if self._gate.enter(self.limits.timeout):
            try:
                if self._environment is not None:
                    transaction = self._environment.begin(self._tables[0])
                    try:
                        found: bytes | None = transaction.get(packed)
                        return found
                    finally:
                        transaction.abort()
            except lmdb.Error:
                pass
            finally:
                self._gate.leave()
        record: bytes | None = self.run(False, lambda transaction, items, _: transaction.get(packed, db=items))
        return record

    def run(self, is_write: bool, action: Callable[[Any, Any, Any], Result], is_freeing: bool = False) -> Result:
        """`action(transaction, items, expiry)` in a transaction, once more each time the map had to be remade.

        Raises SharedDictFullError when it does not fit into `max_size`, SharedDictError for all else that is wrong.
        """
        while True:
            size = self._size
            try:
                return self._run_once(is_write, action, is_freeing)
            except lmdb.MapFullError:
                # Until the environment was opened, its size is not known.
                self._grow(size or self._size)
            except lmdb.MapResizedError:
                self._adopt_size()
            except lmdb.ReadersFullError as error:
                if not self._drop_stale_readers():
                    raise SharedDictError(
                        f"{self.path}: more than {self.limits.max_readers} reads at once"
                    ) from error
            except lmdb.Error as error:
                raise SharedDictError(f"{self.path}: {error}") from error

    def turn(self) -> None:
        """Commits twice. A page that one transaction frees is taken by the second one after it at the earliest."""
        for number in (b"1", b"2"):
            self.run(True, partial(_mark, number), is_freeing=True)

    def _run_once(self, is_write: bool, action: Callable[[Any, Any, Any], Result], is_freeing: bool) -> Result:
        if not self._gate.enter(self.limits.timeout):
            raise SharedDictError(f"{self.path} is busy for more than {self.limits.timeout} s")
        try:
            if self._environment is None:
                self._open_once()
            with self._environment.begin(write=is_write) as transaction:
                result = action(transaction, *self._tables)
                if is_write and not is_freeing:
                    self._check_room(transaction)
                return result
        finally:
            self._gate.leave()

    def _check_room(self, transaction: Any) -> None:
        """Raises SharedDictFullError, which undoes the transaction, when it makes the content larger than allowed."""
        if self._size < self.limits.max_size:
            return
        statuses = [transaction.stat(table) for table in self._tables]
        used = sum(status[pages] * status["psize"] for status in statuses for pages in PAGES)
        if used > self.limits.max_size:
            raise self._full()

    def _full(self) -> SharedDictFullError:
        return SharedDictFullError(f"{self.path} is full: max_size is {self.limits.max_size} bytes")

    # --- opening and closing ---

    def _open_once(self) -> None:
        with self._opening:
            if self._environment is None:
                if self._refusal:
                    raise SharedDictError(f"{self.path} {self._refusal}")
                self._open()

    def _open(self) -> None:
        try:
            with self._life.locked() as descriptor:
                self._life.join(descriptor, self._is_persistent)
                try:
                    environment = self._open_environment()
                    self._tables = (environment.open_db(b"items"), environment.open_db(b"expiry"))
                    environment.reader_check()
                    self._size = environment.info()["map_size"]
                    self._environment = environment
                except BaseException:
                    self._life.leave()
                    raise
        except OSError as error:
            raise SharedDictError(f"{self.path} cannot be opened: {error}") from error

    def _open_environment(self) -> Any:
        # Without `sync` a machine that stops may leave nonsense behind; what is not to be kept is not read then.
        return lmdb.open(
            self.path,
            subdir=False,
            map_size=self.limits.map_size,
            max_dbs=2,
            max_readers=self.limits.max_readers,
            max_spare_txns=0,
            mode=self._mode,
            sync=self._is_persistent,
            metasync=False,
        )

    def sync(self) -> None:
        """Has everything that is committed written to disk."""
        if not self._gate.enter(self.limits.timeout):
            raise SharedDictError(f"{self.path} is busy for more than {self.limits.timeout} s")
        try:
            if self._environment is None:
                self._open_once()
            self._environment.sync(True)
        except lmdb.Error as error:
            raise SharedDictError(f"{self.path}: {error}") from error
        finally:
            self._gate.leave()

    def close(self) -> None:
        """Ends the use of the store by this process, written to disk if it is to be kept."""
        with self._alone():
            self._refusal = "is closed"
            self._close_environment()
            self._life.leave()
        _stores.discard(self)

    def _close_environment(self) -> None:
        if self._environment is None:
            return
        with self._life.locked():
            environment, self._environment = self._environment, None
            if self._is_persistent:
                environment.sync(True)
            environment.close()

    # --- the map ---

    @contextmanager
    def _alone(self, timeout: float | None = None) -> Iterator[None]:
        """No transaction of this process is open meanwhile."""
        if not self._gate.shut(self.limits.timeout if timeout is None else timeout):
            raise SharedDictError(f"{self.path} is busy for more than {self.limits.timeout} s")
        try:
            yield
        finally:
            self._gate.reopen()

    def _grow(self, size: int) -> None:
        """Makes the map larger than `size`, unless that has happened, or dead readers kept pages from use."""
        with self._alone():
            if self._environment is None or self._size > size or self._environment.reader_check():
                return
            if size >= self.limits.max_map_size:
                raise self._full()
            self._resize(min(2 * size, self.limits.max_map_size))

    def _adopt_size(self) -> None:
        """Another process made the map larger."""
        with self._alone():
            if self._environment is not None:
                self._resize(0)

    def _resize(self, size: int) -> None:
        try:
            self._environment.set_mapsize(size)
        except lmdb.Error as error:
            raise SharedDictError(f"{self.path}: {error}") from error
        self._size = self._environment.info()["map_size"]

    def _drop_stale_readers(self) -> int:
        with self._alone():
            return self._environment.reader_check() if self._environment is not None else 0

    # --- forks and the end ---

    def before_fork(self) -> None:
        """Closes, and keeps the gate shut until after the fork. What cannot be closed in time is lost to the child."""
        self._is_shut_for_fork = self._gate.shut(self.limits.timeout)
        if self._is_shut_for_fork:
            # If not, the parent goes on with it, and `after_fork_in_child` sees that it is open.
            with suppress(SharedDictError, OSError, lmdb.Error):
                self._close_environment()

    def after_fork_in_parent(self) -> None:
        """Lets the threads go on."""
        if self._is_shut_for_fork:
            self._is_shut_for_fork = False
            self._gate.reopen()

    def after_fork_in_child(self) -> None:
        """Starts anew: other threads, and whatever they held, are not here."""
        self._gate = Gate()
        self._opening = threading.Lock()
        self._life.leave()
        if self._environment is not None:
            _lost.append(self._environment)
            self._environment = None
            self._refusal = "was in use while the process forked, and cannot be used in the child"

    def at_exit(self) -> None:
        """Closes, unless a thread that nobody waits for is in a transaction."""
        if self._gate.shut(AT_EXIT_TIMEOUT):
            with suppress(SharedDictError, OSError, lmdb.Error):
                self._close_environment()
            self._gate.reopen()


def _mark(number: bytes, transaction: Any, *_: Any) -> None:
    transaction.put(b"turn", number)


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
# Environments of a parent: closing them, which their end would do, would change what the parent uses.
_lost: list[Any] = []


def _for_each(method: Callable[[Store], None]) -> Callable[[], None]:
    def call() -> None:
        for store in list(_stores):
            method(store)

    return call


os.register_at_fork(
    before=_for_each(Store.before_fork),
    after_in_parent=_for_each(Store.after_fork_in_parent),
    after_in_child=_for_each(Store.after_fork_in_child),
)
atexit.register(_for_each(Store.at_exit))
