# SPDX-License-Identifier: MIT
"""Streams of a request: `request.input` is read from, `response.out` and `request.errors` are written to.

`_smisk` makes them when they are asked for. They keep the contract of `io.BufferedIOBase`, and `write_byte` of Smisk 1.1
besides; a Stream owns nothing, and closing it only ends its use.
"""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from _typeshed import ReadableBuffer

__all__ = ["LogStream", "Stream"]


class Stream(io.BufferedIOBase):
    """Bytes that come from `source`, or go to `write`, whose pieces `flush` sends."""

    def __init__(
        self,
        source: BinaryIO | None = None,
        write: Callable[[bytes], object] | None = None,
        flush: Callable[[], object] | None = None,
    ) -> None:
        self._source = source
        self._write = write
        self._flush = flush
        self._closed = False

    # --- reading ---

    def readable(self) -> bool:
        return self._source is not None

    def seekable(self) -> bool:
        return self._source is not None

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads `size` bytes, fewer only at the end; all that is left if it is negative or None. b"" at the end."""
        return self._reader().read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """The same: the body is here already."""
        return self.read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Reads a line with its newline, `size` bytes of it at most. b"" at the end."""
        return self._reader().readline(-1 if size is None else size)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Reads lines until they have `hint` bytes together; all if it is not positive."""
        return self._reader().readlines(-1 if hint is None else hint)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._reader().seek(offset, whence)

    def tell(self) -> int:
        return self._reader().tell()

    def _reader(self) -> BinaryIO:
        self._must_be_open()
        if self._source is None:
            raise io.UnsupportedOperation("this stream is written to, not read")
        return self._source

    # --- writing ---

    def writable(self) -> bool:
        return self._write is not None

    def write(self, data: ReadableBuffer, count: int | None = None, /) -> int:
        """Writes bytes, only the first `count` of them if that is given. Returns how many. OSError if it fails."""
        if isinstance(data, str):
            raise TypeError("a stream takes bytes, not str")
        piece = bytes(data) if count is None else bytes(memoryview(data).cast("B")[:count])
        self._writer()(piece)
        return len(piece)

    def writelines(self, lines: Iterable[ReadableBuffer], /) -> None:
        """Writes each; what is neither bytes nor str as str() says it, text in UTF-8."""
        for line in lines:
            if isinstance(line, (bytes, bytearray, memoryview)):
                self.write(line)
            else:
                self.write(str(line).encode())

    def write_byte(self, byte: int, /) -> None:
        """Writes one byte, 0 to 255."""
        if not isinstance(byte, int):
            raise TypeError(f"write_byte() takes an int, not {type(byte).__name__}")
        self.write(bytes((byte,)))

    def flush(self) -> None:
        """Sends what was written, as far as the client takes it. Seldom needed: the end of the request does it."""
        self._must_be_open()
        if self._flush is not None:
            self._flush()

    def _writer(self) -> Callable[[bytes], object]:
        self._must_be_open()
        if self._write is None:
            raise io.UnsupportedOperation("this stream is read, not written to")
        return self._write

    # --- life ---

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Ends the use of this Stream. What was written to it goes out with the response."""
        self._closed = True

    def _must_be_open(self) -> None:
        if self._closed:
            raise ValueError("I/O operation on closed stream")


class LogStream(Stream):
    """A Stream whose writes are entries of the log; text is taken too. A newline alone is no entry."""

    def write(self, data: ReadableBuffer | str, count: int | None = None, /) -> int:
        """Writes an entry, only the first `count` bytes or characters of it if that is given. Returns how many."""
        piece = data if isinstance(data, (str, bytes)) else bytes(data)
        if count is not None:
            piece = piece[:count]
        text = piece if isinstance(piece, str) else piece.decode("utf-8", "backslashreplace")
        log = self._writer()
        if text.strip():
            log(text.rstrip("\n"))  # type: ignore[arg-type]  # log_error() takes str
        return len(piece)
