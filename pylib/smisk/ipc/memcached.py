# SPDX-License-Identifier: MIT
"""The shared dict in memcached: what it holds may be gone at any time, and cannot be listed.

A key is `<name>:<key>`, percent-encoded; what is longer than memcached allows goes by its digest. A value has its
deadline in front, in milliseconds, because memcached counts in seconds and does not tell how many are left. Changes
that depend on what is there are made by memcached's compare-and-swap.
"""

from __future__ import annotations

import hashlib
import math
import os
import select
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from .base import MISSING, SharedDict, check_ttl, encode_key, first_sum, sum_of
from .codec import find_codec
from .errors import CodecError, SharedDictError, SharedDictFullError, SharedDictUnavailableError
from .handles import forget, one_handle
from .names import app_shared_key, file_name

try:
    from pymemcache.client.base import Client
    from pymemcache.exceptions import MemcacheError, MemcacheServerError, MemcacheUnexpectedCloseError
except ImportError as missing:
    raise ImportError(f"this shared dict needs pymemcache (pip install 'smisk[memcached]'): {missing}") from missing

__all__ = ["MCDict", "MemcachedDict", "shared_dict"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .codec import Codec

DEFAULT_NODE = "127.0.0.1:11211"
TIMEOUT = 5.0
MAX_PLACE = 250
# All printable ASCII but `%`, `#` (which begins a digest) and what `quote` never encodes.
SAFE = "!\"$&'()*+,/:;<=>?@[\\]^`{|}"
# Longer times to live are taken for points in time, which have 31 bits; what is beyond is left to our own deadline.
LONGEST_RELATIVE = 30 * 86400
LAST_MOMENT = (1 << 31) - 1
EXPIRED = -1


class Nodes:
    """The servers, and connections to them, each lent to one thread at a time. A key always belongs to the same server."""

    def __init__(self, addresses: Sequence[str], timeout: float) -> None:
        if not addresses:
            raise ValueError("memcached needs at least one node")
        self._addresses = tuple(addresses)
        self._timeout = timeout
        self._process = os.getpid()
        self._idle: dict[str, list[Client]] = {address: [] for address in addresses}

    @contextmanager
    def client(self, place: bytes) -> Iterator[Client]:
        """A client for the server of a key. A connection that has ended, or failed, is not used again."""
        if self._process != os.getpid():
            # The connections of the parent: they stay open there.
            self._process = os.getpid()
            self.close()
        address = self._addresses[zlib.crc32(place) % len(self._addresses)]
        client = self._take(address)
        try:
            yield client
        except BaseException:
            client.close()
            raise
        self._idle[address].append(client)

    def _take(self, address: str) -> Client:
        idle = self._idle[address]
        while True:
            try:
                client = idle.pop()
            except IndexError:
                return Client(
                    address,
                    connect_timeout=self._timeout,
                    timeout=self._timeout,
                    no_delay=True,
                    default_noreply=False,
                )
            if client.sock is not None and not _is_readable(client.sock.fileno()):
                return client
            client.close()

    def close(self) -> None:
        """Closes all connections that nobody has on loan."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


def _is_readable(descriptor: int) -> bool:
    """Between two commands there is nothing to read, except the end."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


class MemcachedDict(SharedDict):
    """A shared dict on one or several servers. `keys items values len iter clear popitem` raise NotImplementedError."""

    def __init__(
        self, name: str, codec: Codec, nodes: Nodes, timeout: float = TIMEOUT, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, codec)
        self._prefix = file_name(name)
        self._nodes = nodes
        self._timeout = timeout
        self._clock = clock
        self._is_closed = False

    def _place(self, key: object) -> bytes:
        whole = f"{self._prefix}:{quote(encode_key(key), safe=SAFE)}".encode()
        return whole if len(whole) <= MAX_PLACE else b"#" + hashlib.sha256(whole).hexdigest().encode()

    @contextmanager
    def _asking(self, place: bytes) -> Iterator[Client]:
        """The client for a key; its errors become those of a shared dict."""
        if self._is_closed:
            raise SharedDictError(f"{self!r} is closed")
        try:
            with self._nodes.client(place) as client:
                yield client
        except (OSError, MemcacheUnexpectedCloseError) as error:
            raise SharedDictUnavailableError(f"{self!r}: {error or type(error).__name__}") from error
        except MemcacheServerError as error:
            kind = (
                SharedDictFullError if b"too large" in _text(error) or b"memory" in _text(error) else SharedDictError
            )
            raise kind(f"{self!r}: {_text(error).decode(errors='replace')}") from error
        except MemcacheError as error:
            raise SharedDictError(f"{self!r}: {error}") from error

    def get(self, key: str, default: Any = None) -> Any:
        place = self._place(key)
        with self._asking(place) as client:
            record = client.get(place)
        value = self._unpack(record)[0]
        return default if value is None else self.codec.decode(value)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        check_ttl(ttl)
        place = self._place(key)
        record, expiry = self._pack(self.codec.encode(value), self._deadline(ttl))
        with self._asking(place) as client:
            client.set(place, record, expire=expiry)

    def discard(self, key: str) -> bool:
        return self._change(key, lambda value: (None, None if value is None else b"", True))[1]

    def pop(self, key: str, default: Any = MISSING) -> Any:
        value, _ = self._change(key, lambda value: (value, None if value is None else b"", True))
        if value is not None:
            return self.codec.decode(value)
        if default is MISSING:
            raise KeyError(key)
        return default

    def setdefault(self, key: str, default: Any = None, ttl: float | None = None) -> Any:
        check_ttl(ttl)
        data = self.codec.encode(default)
        value, is_new = self._change(key, lambda value: (value, data if value is None else None, False), ttl)
        return self.codec.decode(data if is_new else value)

    def incr(self, key: str, by: int = 1, initial: int = 0, ttl: float | None = None) -> int:
        check_ttl(ttl)
        first = first_sum(by, initial)

        def add(value: bytes | None) -> tuple[int, bytes | None, bool]:
            total = first if value is None else sum_of(self.codec.decode(value), by)
            return total, self.codec.encode(total), False

        total: int = self._change(key, add, ttl)[0]
        return total

    def compare_and_set(self, key: str, old: Any, new: Any) -> bool:
        data = self.codec.encode(new)

        def replace(value: bytes | None) -> tuple[None, bytes | None, bool]:
            is_equal = value is not None and self.codec.decode(value) == old
            return None, data if is_equal else None, False

        return self._change(key, replace)[1]

    def _change(
        self, key: str, change: Callable[[bytes | None], tuple[Any, bytes | None, bool]], ttl: float | None = None
    ) -> tuple[Any, bool]:
        """What `change` makes of the value of a key, stored if nobody else changed it meanwhile; tries until then.

        `change` returns a result, what to store (None: nothing), and whether to remove instead. Gives the result, and
        whether anything was stored. A value that is there keeps its deadline, a new one gets `ttl`.
        """
        place = self._place(key)
        until = time.monotonic() + self._timeout
        with self._asking(place) as client:
            while True:
                record, token = client.gets(place)
                value, deadline = self._unpack(record)
                result, data, is_removal = change(value)
                if data is None:
                    return result, False
                fresh, expiry = self._pack(data, self._deadline(ttl) if value is None else deadline)
                expiry = EXPIRED if is_removal else expiry
                if record is None:
                    is_done = client.add(place, fresh, expire=expiry)
                else:
                    is_done = client.cas(place, fresh, token, expire=expiry)
                if is_done:
                    return result, True
                if time.monotonic() >= until:
                    raise SharedDictError(f"{self!r}: others change {key!r} all the time")

    def _deadline(self, ttl: float | None) -> int:
        return 0 if ttl is None else max(1, round((self._clock() + ttl) * 1000))

    def _pack(self, data: bytes, deadline: int) -> tuple[bytes, int]:
        """The stored bytes, and what to tell memcached, which counts full seconds and may end one early."""
        record = b"%d:" % deadline + data
        if not deadline:
            return record, 0
        seconds = max(1, math.ceil(deadline / 1000 - self._clock()) + 1)
        if seconds <= LONGEST_RELATIVE:
            return record, seconds
        moment = int(time.time()) + seconds
        return record, moment if moment <= LAST_MOMENT else 0

    def _unpack(self, record: bytes | None) -> tuple[bytes | None, int]:
        """The value that was stored, None when its time is over, and its deadline."""
        if record is None:
            return None, 0
        deadline, colon, data = record.partition(b":")
        if not colon or not deadline.isdigit():
            raise CodecError(f"{self!r}: not stored by a shared dict")
        milliseconds = int(deadline)
        is_over = milliseconds and milliseconds <= self._clock() * 1000
        return (None if is_over else data), milliseconds

    def _refuse(self) -> NoReturn:
        raise NotImplementedError("memcached cannot list its keys")

    def __len__(self) -> int:
        self._refuse()

    def __iter__(self) -> Iterator[str]:
        self._refuse()

    def _pairs(self) -> Iterator[tuple[str, Any]]:
        self._refuse()

    def keys(self) -> NoReturn:
        """NotImplementedError, as everything that has to know all keys."""
        self._refuse()

    def items(self) -> NoReturn:
        """NotImplementedError."""
        self._refuse()

    def values(self) -> NoReturn:
        """NotImplementedError."""
        self._refuse()

    def clear(self) -> NoReturn:
        """NotImplementedError: memcached could only forget everything, other people's keys too."""
        self._refuse()

    def sync(self) -> None:
        """Does nothing: memcached has no disk."""

    def close(self) -> None:
        forget(self)
        self._is_closed = True
        self._nodes.close()


MCDict = MemcachedDict


def _text(error: MemcacheServerError) -> bytes:
    """What the server said: the exception holds it as bytes."""
    said = error.args[0] if error.args else b""
    return said if isinstance(said, bytes) else str(said).encode()


def shared_dict(
    name: str | None = None,
    nodes: Sequence[str] = (DEFAULT_NODE,),
    memcached_debug: int = 0,
    *,
    codec: str = "json",
    timeout: float = TIMEOUT,
    clock: Callable[[], float] = time.time,
) -> MemcachedDict:
    """The dict called `name` (by default `app_shared_key()`) on these servers.

    A node is `host:port` or `unix:/path`; several share the keys among them. `timeout` in seconds bounds connecting,
    each answer, and how long a change is tried. `memcached_debug` has no meaning any more. Raises ValueError when the
    dict is in use with other options, ImportError without the package pymemcache.
    """
    name = app_shared_key() if name is None else name
    options = {"codec": codec, "timeout": timeout, "clock": clock}

    def make() -> MemcachedDict:
        return MemcachedDict(name, find_codec(codec), Nodes(nodes, timeout), timeout, clock)

    return one_handle(("memcached", tuple(nodes), name), options, make)
