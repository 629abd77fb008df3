# SPDX-License-Identifier: MIT
"""Sessions as files: one each, in private folders, changed as a whole and under a lock.

A session's file lies in one of 1,024 folders, named after the first two characters of its id; a folder is also the
lock of what is in it. Readers need none: what they find is whole (`slots`), or they look again under the lock.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import stat
import sys
import time

from smisk.core.sessions import InvalidSessionError, SessionStore, SessionStoreError, check_positive

from .codec import seal, unseal, unseal_both, wrap
from .folder import Lock, open_folder, private_folder, replace_file, try_lock, unlink, unlock
from .ids import ID_LENGTH, check_id
from .slots import OVERHEAD, lay_out, newest, next_slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .codec import Codec
    from .slots import Slot

__all__ = ["FileSessionStore"]

_SHARD = 2  # characters of the id
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_SHARDS = len(_ALPHABET) ** _SHARD
_is_ours = re.compile(rf"[0-9a-v]{{{ID_LENGTH - _SHARD}}}(\.new)?").fullmatch
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ENVELOPE = 64  # bytes at most
_BLOCK = 4096
_NO_DATA = "no data"
_INVALID = "invalid session data"


class FileSessionStore(SessionStore):
    """Keeps each session in a file of its own, for the processes of one machine.

    `file_prefix`: what the path of each file begins with; a folder with a slash at its end, or a folder and the
    beginning of a name. `gc_probability`: of a read also sweeping, that is looking for expired sessions in
    `sweep_folders` of the 1,024 folders, at `sweep_files` files at most. `lock_timeout`: seconds to wait for other
    processes before SessionStoreError.
    """

    gc_probability: float = 0.1
    lock_timeout: float = 5.0
    sweep_folders: int = 4
    sweep_files: int = 64

    def __init__(
        self,
        file_prefix: str | os.PathLike[str] | None = None,
        *,
        ttl: float | None = None,
        name: str | None = None,
        codec: str | Codec | None = None,
        max_size: int | None = None,
        gc_probability: float | None = None,
        lock_timeout: float | None = None,
    ) -> None:
        """Touches no file. `file_prefix` is a folder of this user's own in the system's temporary one by default."""
        super().__init__(ttl=ttl, name=name, codec=codec, max_size=max_size)
        self.file_prefix: str = f"{private_folder()}/" if file_prefix is None else os.fspath(file_prefix)
        if gc_probability is not None:
            self.gc_probability = gc_probability
        if lock_timeout is not None:
            check_positive("lock_timeout", lock_timeout)
            self.lock_timeout = lock_timeout
        self._cursor = random.randrange(_SHARDS)

    def path(self, sid: str) -> str:
        """Where the data of a session are. InvalidSessionError if that is no id, TypeError if it is no text."""
        return "/".join(self._place(sid))

    def read(self, sid: str) -> Any:
        """The data. InvalidSessionError: `no data`, `data too old`, `invalid session data`; the file is then removed."""
        return self._read(sid)[0]

    def fetch(self, text: str) -> tuple[str, Any, bytes | None]:
        """Id, data and encoded data of the session that a cookie names. InvalidSessionError as `read`."""
        return (text, *self._read(text))

    def _read(self, sid: str) -> tuple[Any, bytes | None]:
        folder, name = self._place(sid)
        if random.random() < self.gc_probability:
            self.sweep()
        try:
            fd = open_folder(folder)
        except FileNotFoundError:
            raise InvalidSessionError(_NO_DATA) from None
        try:
            return self._load(fd, name)
        except InvalidSessionError as error:
            if str(error) == _NO_DATA:
                raise
        finally:
            os.close(fd)
        return self._look_again(folder, name)

    def write(self, sid: str, data: Any) -> None:
        """Stores the data. SessionDataError, SessionStoreError leave what was there."""
        self.update(sid, lambda _: data)

    def refresh(self, sid: str) -> None:
        """Makes the file younger."""
        folder, name = self._place(sid)
        try:
            fd = open_folder(folder)
        except FileNotFoundError:
            return
        try:
            os.utime(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        finally:
            os.close(fd)

    def destroy(self, sid: str) -> None:
        """Removes the file, if there is one."""
        folder, name = self._place(sid)
        with contextlib.suppress(FileNotFoundError), Lock(folder, self.lock_timeout, make=False) as fd:
            unlink(fd, name)

    def update(self, sid: str, merge: Callable[[Any], Any]) -> Any:
        """Replaces the data by `merge(data)` under the lock, and returns them; None is no session, before and after."""
        data = None

        def change(content: bytes | None) -> bytes | None:
            nonlocal data
            held = None
            if content is not None:
                with contextlib.suppress(InvalidSessionError):
                    held = unseal(content, self.codec)
            data = merge(held)
            return None if data is None else seal(data, self.codec, self.max_size)

        self._change(sid, change)
        return data

    def replace(self, sid: str, before: bytes, after: bytes) -> bool:
        """Stores `after` if the session is still `before`."""
        old = wrap(before, self.codec, len(before))
        new = wrap(after, self.codec, self.max_size)
        folder, name = self._place(sid)
        with Lock(folder, self.lock_timeout) as fd:
            file = _open(fd, name, os.O_RDWR)
            try:
                slot = self._slot(file)
                if slot is None or slot.content != old:
                    return False
                _put(fd, name, file, slot, new)
            except InvalidSessionError:
                return False
            finally:
                _close(file)
        return True

    def sweep(self, *, everything: bool = False) -> int:
        """Removes expired sessions and returns how many; `everything`: looks through all folders, to their ends.

        Otherwise through the next `sweep_folders`, or fewer as soon as it has looked at `sweep_files`. Nothing is removed
        but files named as this store names them; a folder that is in use is left for another time.
        """
        left = sys.maxsize if everything else self.sweep_files
        removed = 0
        for _ in range(_SHARDS if everything else min(self.sweep_folders, _SHARDS)):
            self._cursor = (self._cursor + 1) % _SHARDS
            shard = _ALPHABET[self._cursor // len(_ALPHABET)] + _ALPHABET[self._cursor % len(_ALPHABET)]
            looked_at, gone = self._sweep_folder(self.file_prefix + shard, left)
            left -= looked_at
            removed += gone
            if left <= 0:
                break
        return removed

    def _place(self, sid: str) -> tuple[str, str]:
        """Folder and name of a session's file."""
        check_id(sid)
        return self.file_prefix + sid[:_SHARD], sid[_SHARD:]

    def _load(self, fd: int, name: str) -> tuple[Any, bytes | None]:
        """The data of a file of the folder `fd`, and encoded. InvalidSessionError, SessionStoreError."""
        file = _open(fd, name, os.O_RDONLY)
        try:
            slot = self._slot(file)
        finally:
            _close(file)
        if slot is None:
            raise InvalidSessionError(_NO_DATA)
        return unseal_both(slot.content, self.codec)

    def _change(self, sid: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replaces a file's content by `change(content)` under the lock. None is no file, nor what can be read."""
        folder, name = self._place(sid)
        with Lock(folder, self.lock_timeout) as fd:
            file = _open(fd, name, os.O_RDWR)
            try:
                try:
                    slot = self._slot(file)
                except InvalidSessionError:
                    slot = None
                before = None if slot is None else slot.content
                after = change(before)
                if after is None:
                    _remove(fd, name)
                elif after is not before:
                    _put(fd, name, file, slot, after)
            finally:
                _close(file)

    def _slot(self, file: int | None) -> Slot | None:
        """What counts in an open file; None if there is no file. InvalidSessionError, SessionStoreError."""
        if file is None:
            return None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_size > self._largest():
                raise InvalidSessionError(_INVALID)
            if self._is_old(found):
                raise InvalidSessionError("data too old")
            slot = newest(os.read(file, found.st_size))
        except OSError as error:
            raise _failure(error) from None
        if slot is None:
            raise InvalidSessionError(_INVALID)
        return slot

    def _largest(self) -> int:
        """Bytes of a file that this store could have made, or more."""
        return 4 * (self.max_size + _ENVELOPE + OVERHEAD) + _BLOCK

    def _is_old(self, found: os.stat_result) -> bool:
        return found.st_mtime < time.time() - self.ttl

    def _look_again(self, folder: str, name: str) -> tuple[Any, bytes | None]:
        """What could not be read without the lock: read with it, or removed. InvalidSessionError, SessionStoreError."""
        with Lock(folder, self.lock_timeout) as fd:
            try:
                return self._load(fd, name)
            except InvalidSessionError:
                _remove(fd, name)
                raise

    def _sweep_folder(self, path: str, files: int) -> tuple[int, int]:
        """How many files of a folder were looked at, `files` at most, and how many were removed."""
        try:
            fd = open_folder(path)
        except OSError:  # none, or not ours: whoever needs that folder is told
            return 0, 0
        try:
            if not try_lock(fd):
                return 0, 0
            try:
                names = _some(os.listdir(fd), files)
                return len(names), sum(self._sweep_file(fd, name) for name in names)
            finally:
                unlock(fd)
        finally:
            os.close(fd)

    def _sweep_file(self, fd: int, name: str) -> bool:
        if _is_ours(name) is None:
            return False
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode) and self._is_old(found) and unlink(fd, name)


def _open(fd: int, name: str, mode: int) -> int | None:
    """A file of the folder `fd`, None if there is none. SessionStoreError."""
    try:
        return os.open(name, mode | _FILE, dir_fd=fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failure(error) from None


def _close(file: int | None) -> None:
    if file is not None:
        os.close(file)


def _put(fd: int, name: str, file: int | None, slot: Slot | None, content: bytes) -> None:
    """Into the file's other slot, or into a new file where there is none or it is too small. SessionStoreError."""
    change = None if slot is None else next_slot(slot, content)
    try:
        if file is None or change is None:
            replace_file(fd, name, lay_out(content))
        else:
            start, data = change
            while data:
                count = os.pwrite(file, data, start)
                start, data = start + count, data[count:]
    except OSError as error:
        raise _failure(error) from None


def _failure(error: OSError) -> SessionStoreError:
    """Without the file's name: most of it is a secret, and errors are logged."""
    return SessionStoreError(error.errno, f"session file: {error.strerror}")


def _remove(fd: int, name: str) -> None:
    try:
        unlink(fd, name)
    except OSError:  # a folder by that name: nothing that a session store has made
        return


def _some(names: list[str], count: int) -> list[str]:
    """`count` names at most, from a place that is another each time."""
    if len(names) <= count:
        return names
    start = random.randrange(len(names))
    return (names[start:] + names[:start])[:count]
