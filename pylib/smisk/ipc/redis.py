# SPDX-License-Identifier: MIT
"""The shared dict in Redis (6.2 or newer) or Valkey, for processes on several machines.

Each key is one of the server's, `<name>:<key>`, with the server's own expiry. Listing keys means that the server walks
through all of its keys. Nothing is sent twice: what may have arrived is for the caller to repeat, or not.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from .base import MISSING, SharedDict, check_ttl, encode_key, first_sum
from .codec import find_codec
from .errors import SharedDictError, SharedDictFullError, SharedDictUnavailableError
from .handles import forget, one_handle
from .names import app_shared_key, file_name

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as missing:
    raise ImportError(f"this shared dict needs redis (pip install 'smisk[redis]'): {missing}") from missing

__all__ = ["RedisDict", "shared_dict"]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .codec import Codec

DEFAULT_URL = "redis://127.0.0.1:6379/0"
TIMEOUT = 5.0
PAGE = 500
MAX_TRIES = 1000
REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""


class RedisDict(SharedDict):
    """A shared dict on a server. `client` is any client of redis-py that returns bytes; RedisCluster too."""

    def __init__(self, name: str, codec: Codec, client: Any) -> None:
        super().__init__(name, codec)
        self._client = client
        self._prefix = file_name(name).encode() + b":"
        self._is_closed = False

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The client; its errors become those of a shared dict."""
        if self._is_closed:
            raise SharedDictError(f"{self!r} is closed")
        try:
            yield self._client
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise SharedDictUnavailableError(f"{self!r}: {error}") from error
        except redis.RedisError as error:
            kind = SharedDictFullError if str(error).startswith(("OOM", "command not allowed")) else SharedDictError
            raise kind(f"{self!r}: {error}") from error

    def _key(self, key: object) -> bytes:
        return self._prefix + encode_key(key)

    def get(self, key: str, default: Any = None) -> Any:
        place = self._key(key)
        with self._asking() as client:
            data = client.get(place)
        return default if data is None else self.codec.decode(data)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        place, data, milliseconds = self._key(key), self.codec.encode(value), _milliseconds(ttl)
        with self._asking() as client:
            client.set(place, data, px=milliseconds)

    def discard(self, key: str) -> bool:
        place = self._key(key)
        with self._asking() as client:
            return bool(client.delete(place))

    def pop(self, key: str, default: Any = MISSING) -> Any:
        place = self._key(key)
        with self._asking() as client:
            data = client.getdel(place)
        if data is not None:
            return self.codec.decode(data)
        if default is MISSING:
            raise KeyError(key)
        return default

    def setdefault(self, key: str, default: Any = None, ttl: float | None = None) -> Any:
        place, data, milliseconds = self._key(key), self.codec.encode(default), _milliseconds(ttl)
        with self._asking() as client:
            for _ in range(MAX_TRIES):
                # Between the two, the key may end; then it is free again.
                there = client.get(place)
                if there is not None:
                    return self.codec.decode(there)
                if client.set(place, data, px=milliseconds, nx=True):
                    return self.codec.decode(data)
        raise SharedDictError(f"{self!r}: {key!r} came and went {MAX_TRIES} times")

    def incr(self, key: str, by: int = 1, initial: int = 0, ttl: float | None = None) -> int:
        first_sum(by, initial)
        place, milliseconds = self._key(key), _milliseconds(ttl)
        with self._asking() as client:
            pipeline = client.pipeline(transaction=True)
            pipeline.set(place, self.codec.encode(initial), px=milliseconds, nx=True)
            pipeline.incrby(place, by)
            try:
                total: int = pipeline.execute()[1]
            except redis.ResponseError as error:
                self._explain(key, error)
                raise
        return total

    def _explain(self, key: str, error: Exception) -> None:
        """Raises what a refused sum means: no number is there, or one too large."""
        if "overflow" in str(error):
            raise OverflowError("the sum does not fit into 64 bits") from None
        if "not an integer" in str(error):
            value = self.get(key)
            if type(value) is int:
                raise OverflowError("a counter does not fit into 64 bits") from None
            raise TypeError(f"a counter must be an int, not {type(value).__name__}") from None

    def compare_and_set(self, key: str, old: Any, new: Any) -> bool:
        place, data = self._key(key), self.codec.encode(new)
        with self._asking() as client:
            for _ in range(MAX_TRIES):
                there = client.get(place)
                if there is None or self.codec.decode(there) != old:
                    return False
                if client.eval(REPLACE, 1, place, there, data):
                    return True
        raise SharedDictError(f"{self!r}: {key!r} was changed {MAX_TRIES} times meanwhile")

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        place = self._key(key)
        with self._asking() as client:
            return bool(client.exists(place))

    def __len__(self) -> int:
        return sum(1 for _ in self._places())

    def __iter__(self) -> Iterator[str]:
        return (self._name_of(place) for place in self._places())

    def _name_of(self, place: bytes) -> str:
        return place[len(self._prefix) :].decode("utf-8", "surrogatepass")

    def _places(self) -> Iterator[bytes]:
        """The server's keys, each once: a walk may come by one twice."""
        seen: set[bytes] = set()
        pattern = re.sub(rb"([\\*?\[\]^])", rb"\\\1", self._prefix) + b"*"
        with self._asking() as client:
            for place in client.scan_iter(match=pattern, count=PAGE):
                if place not in seen:
                    seen.add(place)
                    yield place

    def _pairs(self) -> Iterator[tuple[str, Any]]:
        places = self._places()
        while page := list(islice(places, PAGE)):
            with self._asking() as client:
                pipeline = client.pipeline(transaction=False)
                for place in page:
                    pipeline.get(place)
                found = pipeline.execute()
            for place, data in zip(page, found, strict=True):
                if data is not None:
                    yield self._name_of(place), self.codec.decode(data)

    def clear(self) -> None:
        """Removes all keys, page by page."""
        places = self._places()
        while page := list(islice(places, PAGE)):
            with self._asking() as client:
                pipeline = client.pipeline(transaction=False)
                for place in page:
                    pipeline.unlink(place)
                pipeline.execute()

    def sync(self) -> None:
        """Does nothing: when it writes to disk is the server's own affair."""

    def close(self) -> None:
        forget(self)
        self._is_closed = True
        self._client.close()


def _milliseconds(ttl: float | None) -> int | None:
    check_ttl(ttl)
    return None if ttl is None else math.ceil(ttl * 1000)


def shared_dict(
    name: str | None = None, *, url: str = DEFAULT_URL, codec: str = "json", timeout: float = TIMEOUT
) -> RedisDict:
    """The dict called `name` (by default `app_shared_key()`) on the server at `url`.

    `url` is `redis://`, `rediss://` or `unix:///path?db=0`; `timeout` in seconds bounds connecting and each answer.
    Raises ValueError for a bad URL, or when the dict is in use with other options; ImportError without the package
    redis. The server is not asked before the dict is used.
    """
    name = app_shared_key() if name is None else name

    def make() -> RedisDict:
        client = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )
        return RedisDict(name, find_codec(codec), client)

    return one_handle(("redis", url, name), {"codec": codec, "timeout": timeout}, make)
