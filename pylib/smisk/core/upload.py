# SPDX-License-Identifier: MIT
"""An uploaded file of a multipart form.

`smisk.core.formdata` makes uploads: small ones in memory, the others as windows into one unlinked temporary file a
form, so that a form with a thousand files holds one descriptor. Nothing has a name in the file system until
`save()` or `["path"]` asks for it. The upload owns its file and its named copy; closing or dropping it removes them.
"""

from __future__ import annotations

import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Held", "Spool", "Upload", "Window"]

_CHUNK = 256 * 1024  # bytes copied at once
_KEYS = ("filename", "content_type", "size", "path")


class Held:
    """A descriptor of a file, closed when the last window on it has gone."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        fd = getattr(self, "fd", -1)
        if fd >= 0:
            os.close(fd)


class Spool(Held):
    """An unlinked temporary file that grows at its end."""

    def __init__(self, folder: str | None) -> None:
        import tempfile

        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            super().__init__(os.dup(file.fileno()))
        self.size = 0

    def append(self, data: bytes) -> None:
        """Writes all of `data` at the end. OSError if the disk is full."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.fd, view, self.size)
            self.size += done
            view = view[done:]


class Window(io.RawIOBase):
    """A read-only, seekable view of `size` bytes of a file, with a position of its own."""

    def __init__(self, spool: Held, start: int, size: int) -> None:
        self._spool: Held | None = spool
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if self._spool is None:
            raise ValueError("I/O operation on closed file.")
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]  # type: ignore[arg-type]
        done = os.preadv(self._spool.fd, [view], self._start + self._at) if view else 0
        self._at += done
        return done

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}
        if self._spool is None or whence not in origins or origins[whence] + offset < 0:
            raise ValueError("seek on a closed file, before its start, or with an unknown whence")
        self._at = origins[whence] + offset
        return self._at

    def close(self) -> None:
        self._spool = None
        super().close()


class Upload:
    """An uploaded file.

    `filename`: as the browser sent it, with its path if it sent one; never use it as a path. `content_type`: as sent,
    "" if absent. `size`: bytes. `file`: a binary file, readable and seekable. The same by key: `upload["filename"]`,
    `["content_type"]`, `["size"]`, and `["path"]`, the name of a temporary file that lives as long as the upload.
    """

    def __init__(
        self, filename: str, content_type: str, file: BinaryIO, size: int, folder: str | None = None
    ) -> None:
        self.filename = filename
        self.content_type = content_type
        self.file = file
        self.size = size
        self._folder = folder
        self._path: str | None = None

    def read(self, size: int = -1) -> bytes:
        """Reads up to `size` bytes from the position of `file`; all the rest if it is negative."""
        return self.file.read(size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the upload to `path`, which appears complete or not at all; an existing file is replaced.

        Only `path` decides where: `filename` plays no part. Mode from the umask. OSError if it cannot be written.
        """
        target = os.fspath(path)
        draft = os.path.join(os.path.dirname(target), f".{os.urandom(12).hex()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(draft, flags, 0o666)
        try:
            with open(fd, "wb", buffering=0) as file:
                self._copy_to(file)
            os.replace(draft, target)
        except BaseException:
            _unlink(draft)
            raise

    def close(self) -> None:
        """Closes `file` and removes the temporary file of `["path"]` if it is still there."""
        self.file.close()
        self._remove_path()

    def keys(self) -> tuple[str, ...]:
        return _KEYS

    def get(self, key: str, default: object = None) -> object:
        return self[key] if key in _KEYS else default

    def __getitem__(self, key: str) -> str | int:
        if key == "path":
            return self._named()
        if key not in _KEYS:
            raise KeyError(key)
        value: str | int = getattr(self, key)
        return value

    def __contains__(self, key: object) -> bool:
        return key in _KEYS

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_path", None) is not None:
            self._remove_path()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.filename!r} {self.content_type} {self.size} bytes>"

    def _named(self) -> str:
        if self._path is None:
            import tempfile

            fd, path = tempfile.mkstemp(prefix="smisk-upload-", dir=self._folder)
            self._path = path
            with open(fd, "wb", buffering=0) as file:
                self._copy_to(file)
        return self._path

    def _copy_to(self, target: io.RawIOBase | io.FileIO) -> None:
        position = self.file.tell()
        self.file.seek(0)
        try:
            while chunk := self.file.read(_CHUNK):
                view = memoryview(chunk)
                while view:
                    view = view[target.write(view) :]
        finally:
            self.file.seek(position)

    def _remove_path(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            _unlink(path)  # it may have been moved away, which is how one keeps it


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
