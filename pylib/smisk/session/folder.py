# SPDX-License-Identifier: MIT
"""Folders that belong to this user alone, whatever stands around them: opened, checked, locked, written into.

Everything is done relative to the descriptor of a folder that was looked at after it was opened, so it makes no
difference who may rename what in the folders above, `/tmp` for one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from smisk.core.sessions import SessionStoreError

__all__ = ["Lock", "make_folder", "open_folder", "private_folder", "replace_file", "try_lock", "unlink", "unlock"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_FIRST_PAUSE = 0.0002  # seconds; a lock is held for less than that
_LAST_PAUSE = 0.01


def private_folder() -> str:
    """The path of this user's own folder for sessions, below the system's folder for temporary files."""
    import tempfile

    return os.path.join(tempfile.gettempdir(), f"smisk-sess.{os.geteuid()}")


def open_folder(path: str) -> int:
    """The descriptor of a private folder. FileNotFoundError; SessionStoreError: it is not ours, or others may enter."""
    try:
        fd = os.open(path, _FOLDER)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SessionStoreError(error.errno, f"session folder: {error.strerror}", path) from error
    found = os.fstat(fd)
    if found.st_uid == os.geteuid() and not found.st_mode & 0o077:
        return fd
    os.close(fd)
    raise SessionStoreError(
        errno.EPERM,
        f"session folder: must belong to user {os.geteuid()} with mode 0700, not to {found.st_uid} "
        f"with mode {stat.S_IMODE(found.st_mode):04o}",
        path,
    )


def make_folder(path: str) -> int:
    """As `open_folder`, but makes the folder, and the one that it lies in, if it is not there."""
    try:
        return open_folder(path)
    except FileNotFoundError:
        pass
    try:
        _make(os.path.dirname(path) or ".")
        _make(path)
    except OSError as error:
        raise SessionStoreError(error.errno, f"session folder: {error.strerror}", path) from error
    return open_folder(path)


class Lock:
    """A folder, opened and ours alone within `with`, which gives its descriptor; made if need be.

    SessionStoreError if others have it for `timeout` seconds. FileNotFoundError if it is not there and not to be made.
    """

    __slots__ = ("_fd", "_make", "_path", "_timeout")

    def __init__(self, path: str, timeout: float, *, make: bool = True) -> None:
        self._path, self._timeout, self._make = path, timeout, make
        self._fd = -1

    def __enter__(self) -> int:
        self._fd = make_folder(self._path) if self._make else open_folder(self._path)
        try:
            _wait_for_lock(self._fd, self._path, self._timeout)
        except BaseException:
            os.close(self._fd)
            raise
        return self._fd

    def __exit__(self, *_: object) -> None:
        # Not left to close(): a process forked by another thread would keep the lock with its copy of the descriptor.
        unlock(self._fd)
        os.close(self._fd)


def try_lock(fd: int) -> bool:
    """Whether the folder is ours alone now, until `fd` is closed or unlocked."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(fd: int) -> None:
    """Ends the lock that was taken with this descriptor."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def replace_file(fd: int, name: str, data: bytes) -> None:
    """Writes a file, mode 0600, that appears whole or not at all. Needs the lock; OSError leaves the old file."""
    draft = f"{name}.new"
    try:
        out = os.open(draft, _DRAFT, 0o600, dir_fd=fd)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(out, view) :]
        finally:
            os.close(out)
        os.rename(draft, name, src_dir_fd=fd, dst_dir_fd=fd)
    except BaseException:
        unlink(fd, draft)
        raise


def unlink(fd: int, name: str) -> bool:
    """Removes a file of the folder; whether there was one to remove."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return False
    return True


def _make(path: str) -> None:
    """Makes a folder of ours; one that is there must be ours or root's, or its owner could replace what we put there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        owner = os.stat(path).st_uid
        if owner not in (0, os.geteuid()):
            raise SessionStoreError(errno.EPERM, f"session folder: belongs to user {owner}", path) from None


def _wait_for_lock(fd: int, path: str, timeout: float) -> None:
    if try_lock(fd):
        return
    pause, deadline = _FIRST_PAUSE, time.monotonic() + timeout
    while not try_lock(fd):
        if time.monotonic() >= deadline:
            raise SessionStoreError(errno.ETIMEDOUT, f"session folder: locked by others for {timeout:g} s", path)
        time.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE)
