# SPDX-License-Identifier: MIT
"""Session data as bytes: JSON unless something else is asked for by name, and an envelope for what is stored.

The envelope names the codec and has a checksum: what was cut off, damaged, or written by another codec is never
decoded. So nobody who can only write into a store brings a pickle to a program that did not ask for pickles.
"""

from __future__ import annotations

import json
from zlib import crc32

from smisk.core.sessions import InvalidSessionError, SessionDataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    class Codec(Protocol):
        """`name`: letters and digits. `encode` raises SessionDataError, `decode` anything, for what it does not know.

        `check` raises SessionDataError for what `encode` takes but `decode` would give back as something else. `same`:
        whether both would be kept alike. One with a true `is_stable` encodes what it has decoded as the same bytes.
        """

        name: str

        def check(self, data: Any) -> None: ...

        def encode(self, data: Any) -> bytes: ...

        def decode(self, data: bytes) -> Any: ...

        def same(self, one: Any, other: Any) -> bool: ...


__all__ = ["Codec", "JSONCodec", "MsgpackCodec", "PickleCodec", "get_codec", "seal", "unseal", "unseal_both", "wrap"]

_MAX_DEPTH = 200  # far below what the decoders can take, however deep the stack is that they start from
_CONTAINERS = (dict, list, tuple)


class JSONCodec:
    """What JSON knows: text, numbers, True, False, None, lists, dicts with keys of text. A tuple comes back as a list."""

    name = "json"
    is_stable = True

    _encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
    _decoder = json.JSONDecoder()

    def __init__(self) -> None:
        self._pieces = _ready_encoder(self._encoder)

    def check(self, data: Any) -> None:
        """SessionDataError for keys that are no text, and for what is nested too deep."""
        _check(data, str, self.name, _MAX_DEPTH)

    def encode(self, data: Any) -> bytes:
        """SessionDataError names what is in the way: a type, a circle, a number without a value."""
        if self._pieces is not None:
            try:
                return "".join(self._pieces(data, 0)).encode("ascii")
            except (TypeError, ValueError, RecursionError):
                pass  # the encoder below says it better
        try:
            return self._encoder.encode(data).encode("ascii")
        except (TypeError, ValueError, RecursionError) as error:
            raise _refusal(self.name, error) from error

    def decode(self, data: bytes) -> Any:
        return self._decoder.decode(data.decode("ascii"))

    def same(self, one: Any, other: Any) -> bool:
        """Whether both are kept alike; 1, 1.0 and True are not."""
        return self._encoder.encode(one) == self._encoder.encode(other)


class MsgpackCodec:
    """As JSON, and bytes, dates with a time zone, and keys that are numbers or bytes. Needs `smisk[msgpack]`."""

    name = "msgpack"
    is_stable = True

    def __init__(self) -> None:
        try:
            import msgpack
        except ImportError as error:
            raise ImportError("the session codec 'msgpack' needs msgpack: pip install 'smisk[msgpack]'") from error
        self._msgpack = msgpack

    def check(self, data: Any) -> None:
        """SessionDataError for keys that would not come back, and for what is nested too deep."""
        _check(data, (str, int, float, bytes), self.name, _MAX_DEPTH)

    def encode(self, data: Any) -> bytes:
        """SessionDataError names what is in the way."""
        try:
            packed: bytes = self._msgpack.packb(data, datetime=True, unicode_errors="surrogatepass")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise _refusal(self.name, error) from error
        return packed

    def decode(self, data: bytes) -> Any:
        return self._msgpack.unpackb(data, strict_map_key=False, timestamp=3, unicode_errors="surrogatepass")

    def same(self, one: Any, other: Any) -> bool:
        """Whether both are kept alike; 1, 1.0 and True are not."""
        return self.encode(one) == self.encode(other)


class PickleCodec:
    """Any object that can be pickled. Whoever can write into the store can then run code in the application."""

    name = "pickle"

    def check(self, data: Any) -> None:
        """Whatever can be pickled comes back."""

    def encode(self, data: Any) -> bytes:
        """SessionDataError names what is in the way."""
        import pickle

        try:
            return pickle.dumps(data, 4)
        except Exception as error:  # __reduce__ and __getstate__ are the application's
            raise _refusal(self.name, error) from error

    def decode(self, data: bytes) -> Any:
        import pickle

        return pickle.loads(data)

    def same(self, one: Any, other: Any) -> bool:
        """Whether both are equal. Equal objects may pickle differently, and objects without equality alike."""
        return (type(one) is type(other) and bool(one == other)) or self.encode(one) == self.encode(other)


_makers: dict[str, type[JSONCodec | MsgpackCodec | PickleCodec]] = {
    "json": JSONCodec,
    "msgpack": MsgpackCodec,
    "pickle": PickleCodec,
}
_made: dict[str, Codec] = {}


def get_codec(codec: str | Codec) -> Codec:
    """The codec of that name; an object is returned as it is. ValueError for an unknown name, ImportError."""
    if not isinstance(codec, str):
        return codec
    found = _made.get(codec)
    if found is None:
        if codec not in _makers:
            raise ValueError(f"unknown session codec {codec!r}: {', '.join(_makers)}")
        found = _made[codec] = _makers[codec]()
    return found


def seal(data: Any, codec: str | Codec, max_size: int) -> bytes:
    """The data in an envelope. SessionDataError if they cannot be encoded, or into `max_size` bytes."""
    codec = get_codec(codec)
    body = codec.encode(data)
    codec.check(data)
    return wrap(body, codec, max_size)


def wrap(body: bytes, codec: str | Codec, max_size: int) -> bytes:
    """Encoded data in an envelope. SessionDataError over `max_size` bytes."""
    if len(body) > max_size:
        raise SessionDataError(f"session data are {len(body)} bytes, max_size is {max_size}")
    return b"smisk1 %b %08x\n%b" % (get_codec(codec).name.encode("ascii"), crc32(body), body)


def unseal(sealed: bytes, codec: str | Codec) -> Any:
    """The data out of their envelope. InvalidSessionError: damaged, or not of this codec."""
    return unseal_both(sealed, codec)[0]


def unseal_both(sealed: bytes, codec: str | Codec) -> tuple[Any, bytes | None]:
    """As `unseal`; with what the codec would encode the data as, where that is certain."""
    codec = get_codec(codec)
    head, _, body = sealed.partition(b"\n")
    if head != b"smisk1 %b %08x" % (codec.name.encode("ascii"), crc32(body)):
        raise InvalidSessionError("invalid session data")
    try:
        return codec.decode(body), body if getattr(codec, "is_stable", False) else None
    except Exception as error:  # a pickle may name classes that are gone, and raise what they raise
        raise InvalidSessionError(f"invalid session data: {error}") from error


def _ready_encoder(encoder: json.JSONEncoder) -> Callable[[Any, int], Iterable[str]] | None:
    """The C part of an encoder, which it would make anew for each call; None where Python has none.

    It is told of no markers: a circle then ends as a RecursionError.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return None
    quote = json.encoder.encode_basestring_ascii
    ready: Callable[[Any, int], Iterable[str]] = make(
        None, encoder.default, quote, None, encoder.key_separator, encoder.item_separator, False, False, False
    )
    return ready


def _refusal(name: str, error: Exception) -> SessionDataError:
    advice = {"json": "; the codecs 'msgpack' and 'pickle' know more types", "msgpack": "; 'pickle' knows more types"}
    return SessionDataError(f"session data cannot be kept as {name}: {error}{advice.get(name, '')}")


def _check(data: Any, keys: type | tuple[type, ...], name: str, depth: int) -> None:
    """Refuses keys that would come back as others, or not at all, and depths that would not come back."""
    if not isinstance(data, _CONTAINERS):
        return
    if not depth:
        raise _refusal(name, ValueError(f"nested deeper than {_MAX_DEPTH}"))
    if isinstance(data, dict):
        for key in data:
            if not isinstance(key, keys):
                raise _refusal(name, TypeError(f"the key {key!r} of a dict is {type(key).__name__}"))
        data = data.values()
    for item in data:
        if isinstance(item, _CONTAINERS):
            _check(item, keys, name, depth - 1)
