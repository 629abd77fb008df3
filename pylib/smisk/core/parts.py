# SPDX-License-Identifier: MIT
"""A multipart body taken apart: heads of parts and their data, as they come (RFC 2046, section 5.1).

`smisk.core.formdata` pulls the events out. At most one chunk and one header are held; where data lies in the body is
told with it, so that a body which is a file need not be copied. Text before the first boundary is refused, since no
client of a form sends any; what follows the last one is ignored.
"""

from __future__ import annotations

import re

from .forms import FormError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Head = list[tuple[str, str]]
    Data = tuple[int, bytes]

__all__ = ["split_parts"]

_MAX_HEADER = 4096  # bytes of one header of a part
_MAX_HEADERS = 16  # headers of a part; browsers send two
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD = "malformed multipart body: "


def split_parts(chunks: Iterator[bytes], boundary: bytes, max_parts: int) -> Iterator[Head | Data | None]:
    """Yields for each part its head, then its data in pieces, then None.

    A head is a list of (name, value), names in title case, each character one byte; data is (where it begins in the
    body, bytes). FormError: 400 for anything malformed or cut short, 413 past a limit.
    """
    source = _Source(chunks)
    delimiter = b"\r\n--" + boundary
    _skip_opening(source, delimiter)
    count = 0
    while _goes_on(source):
        count += 1
        if count > max_parts:
            raise FormError(f"more than {max_parts} parts", 413)
        head = _read_head(source)
        yield head
        size = 0
        for piece in _read_data(source, delimiter):
            size += len(piece[1])
            yield piece
        _check_size(head, size)
        yield None
    for _ in chunks:
        pass


class _Source:
    """The bytes at hand: `data`, which begins at `start` in the body, and what of it is still to be read, from `at`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.data = b""
        self.start = 0
        self.at = 0

    def more(self) -> None:
        """Gets another chunk. FormError where there is none, for the body has not ended."""
        chunk = next(self._chunks, b"")
        if not chunk:
            raise FormError(f"{_BAD}it ends before its last boundary")
        self.start += self.at
        self.data = self.data[self.at :] + chunk
        self.at = 0

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes."""
        while len(self.data) - self.at < size:
            self.more()
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def line(self) -> bytes:
        """Returns what stands before the next line break, which is CRLF."""
        while (end := self.data.find(b"\r\n", self.at)) < 0:
            if len(self.data) - self.at > _MAX_HEADER + 1:  # one more may be half of a line break
                raise _too_long()
            self.more()
        if end - self.at > _MAX_HEADER:
            raise _too_long()
        line = self.data[self.at : end]
        self.at = end + 2
        return line


def _too_long() -> FormError:
    return FormError(f"a header of a part is longer than {_MAX_HEADER} bytes", 413)


def _skip_opening(source: _Source, delimiter: bytes) -> None:
    opening = delimiter[2:]
    found = source.take(2)
    if found == delimiter[:2]:
        found = b""
    if found + source.take(len(opening) - len(found)) != opening:
        raise FormError(f"{_BAD}it does not begin with its boundary")


def _goes_on(source: _Source) -> bool:
    """Whether a boundary is followed by another part; two hyphens mark the last one."""
    tail = source.take(2)
    if tail not in (b"\r\n", b"--"):
        raise FormError(f"{_BAD}unexpected bytes behind a boundary")
    return tail == b"\r\n"


def _read_head(source: _Source) -> Head:
    head: Head = []
    while line := source.line():
        text = line.decode("iso-8859-1")
        if text[0] in " \t":
            if not head or text.isspace():
                raise FormError(f"{_BAD}a header continues that does not begin")
            name, value = head.pop()
            text = f"{name}: {value} {text[1:]}"
            if len(text) > _MAX_HEADER:
                raise _too_long()
        if len(head) == _MAX_HEADERS:
            raise FormError(f"a part has more than {_MAX_HEADERS} headers", 413)
        name, colon, value = text.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise FormError(f"{_BAD}a line of a part's head is no header")
        head.append((name.title(), value.strip(" \t")))
    return head


def _read_data(source: _Source, delimiter: bytes) -> Iterator[Data]:
    """Yields the data before the next delimiter, and takes the delimiter too."""
    while (end := source.data.find(delimiter, source.at)) < 0:
        # A delimiter has one CR, its first byte: only from the last CR on can one begin that is cut off here.
        end = source.data.rfind(b"\r", max(source.at, len(source.data) - len(delimiter) + 1))
        if end < 0 or not delimiter.startswith(source.data[end:]):
            end = len(source.data)
        if end > source.at:
            yield source.start + source.at, source.data[source.at : end]
        source.at = end
        source.more()
    if end > source.at:
        yield source.start + source.at, source.data[source.at : end]
    source.at = end + len(delimiter)


def _check_size(head: Head, size: int) -> None:
    """Some clients send the size of a part; then it is that."""
    if any(name == "Content-Length" and value != str(size) for name, value in head):
        raise FormError(f"{_BAD}a part has not the size that its head says")
