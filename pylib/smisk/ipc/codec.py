# SPDX-License-Identifier: MIT
"""Values as bytes: JSON unless another codec is named.

Every store holds the same bytes. Integers are decimal digits in all codecs, so that a server can count by itself.
MessagePack and pickle mark theirs, `m:` and `p:`, which no JSON text begins with: what one codec wrote, another
refuses. So nothing is ever unpickled unless `codec="pickle"` was asked for.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from .errors import CodecError

__all__ = ["CODECS", "Codec", "find_codec"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MARKS = {b"m:": "msgpack", b"p:": "pickle"}
INTEGER_STARTS = frozenset(b"-0123456789")


class Codec:
    """A name, and `encode(value) -> bytes`, `decode(data) -> value`.

    `encode` raises TypeError or ValueError for values that the codec cannot hold, `decode` CodecError.
    """

    def __init__(self, name: str, mark: bytes, dump: Callable[[Any], bytes], load: Callable[[bytes], Any]) -> None:
        self.name = name
        self._mark = mark
        self._dump = dump
        self._load = load

    def encode(self, value: Any) -> bytes:
        """The bytes of a value."""
        if type(value) is int:
            return b"%d" % value
        try:
            return self._mark + self._dump(value)
        except TypeError as error:
            raise TypeError(f"{error} (codec {self.name!r})") from None

    def decode(self, data: bytes) -> Any:
        """The value of what `encode` returned."""
        mark = data[:2]
        if mark != self._mark and mark in MARKS:
            raise CodecError(f"stored with codec {MARKS[mark]!r}, read with {self.name!r}")
        try:
            if not self._mark:
                return self._load(data)
            if data[:1] and data[0] in INTEGER_STARTS:
                return int(data)
            if mark != self._mark:
                raise CodecError(f"stored with codec 'json', read with {self.name!r}")
            return self._load(data[2:])
        except CodecError:
            raise
        except Exception as error:
            raise CodecError(f"not readable by codec {self.name!r}: {error}") from error


def _json() -> Codec:
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    read = json.JSONDecoder().raw_decode

    def load(data: bytes) -> Any:
        text = data.decode("utf-8", "surrogatepass")
        # What is stored has no white space around it, so there is none to be looked for.
        value, end = read(text)
        if end != len(text):
            raise ValueError("more than one value")
        return value

    return Codec("json", b"", lambda value: dump(value).encode("utf-8", "surrogatepass"), load)


def _msgpack() -> Codec:
    try:
        import msgpack
    except ImportError as error:
        raise ImportError(f"codec 'msgpack' needs msgpack (pip install 'smisk[msgpack]'): {error}") from error
    return Codec("msgpack", b"m:", msgpack.packb, lambda data: msgpack.unpackb(data, strict_map_key=False))


def _pickle() -> Codec:
    import pickle

    return Codec("pickle", b"p:", lambda value: pickle.dumps(value, pickle.HIGHEST_PROTOCOL), pickle.loads)


CODECS: dict[str, Callable[[], Codec]] = {"json": _json, "msgpack": _msgpack, "pickle": _pickle}


@cache
def find_codec(name: str) -> Codec:
    """The codec of that name. Raises ValueError for an unknown one, ImportError when its package is missing."""
    if name not in CODECS:
        raise ValueError(f"no codec {name!r}; there are {', '.join(CODECS)}")
    return CODECS[name]()
