# SPDX-License-Identifier: MIT
"""How a session lies in its file: in one of two slots, the other has what was there before.

A change is written into the slot that does not count, and counts when it is whole: so it happens or does not, whoever
reads or dies at the time. A file that takes another one's place would do the same, but file systems flush it to disk
then, which nobody needs for a session. Pure functions over bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

__all__ = ["OVERHEAD", "Slot", "lay_out", "newest", "next_slot"]

_HEAD = struct.Struct("<4sIQI")  # magic, size of the slot, number of the change, length of the content
_SUM = struct.Struct("<I")  # of all that and the content
_MAGIC = b"SMS1"
_SMALLEST = 2048  # so that both slots fill one block of most file systems

OVERHEAD = _HEAD.size + _SUM.size


class Slot(NamedTuple):
    """A slot as found: its size, the number of the change that wrote it, whether it is the second, its content."""

    size: int
    number: int
    which: int
    content: bytes


def lay_out(content: bytes) -> bytes:
    """A whole new file, with some room for the content to grow."""
    size = _SMALLEST
    while size < len(content) + OVERHEAD:
        size *= 2
    return _pack(size, 1, content).ljust(2 * size, b"\0")


def newest(file: bytes) -> Slot | None:
    """The slot that counts; None if the file was cut off, or neither slot is whole."""
    size, odd = divmod(len(file), 2)
    if odd or size < OVERHEAD:
        return None
    first, second = _HEAD.unpack_from(file, 0), _HEAD.unpack_from(file, size)
    if second[2] > first[2]:
        return _slot(file, size, 1, second) or _slot(file, size, 0, first)
    return _slot(file, size, 0, first) or _slot(file, size, 1, second)


def next_slot(slot: Slot, content: bytes) -> tuple[int, bytes] | None:
    """Where to write what, for `content` to take the place of `slot`; None if it does not fit."""
    if len(content) + OVERHEAD > slot.size:
        return None
    return (1 - slot.which) * slot.size, _pack(slot.size, slot.number + 1, content)


def _pack(size: int, number: int, content: bytes) -> bytes:
    head = _HEAD.pack(_MAGIC, size, number, len(content))
    return head + _SUM.pack(crc32(content, crc32(head))) + content


def _slot(file: bytes, size: int, which: int, head: tuple[bytes, int, int, int]) -> Slot | None:
    """The slot that begins with `head`; None if it is not whole."""
    magic, own_size, number, length = head
    if magic != _MAGIC or own_size != size or length > size - OVERHEAD:
        return None
    start = which * size
    body = start + OVERHEAD
    summed = body - _SUM.size
    content = file[body : body + length]
    if _SUM.unpack_from(file, summed)[0] != crc32(content, crc32(file[start:summed])):
        return None
    return Slot(size, number, which, content)
