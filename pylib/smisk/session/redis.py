# SPDX-License-Identifier: MIT
"""Sessions in Redis or Valkey, one server or a cluster; the server lets them expire.

A key for each session. What depends on the data being what they were is one script on the server, which also a
cluster can run, for it touches one key. Every wait has a limit; a connection that the server has dropped is made anew.
"""

from __future__ import annotations

import sys
from importlib import import_module

from smisk.core.sessions import InvalidSessionError, SessionStoreError, check_positive

from .codec import seal, unseal, wrap
from .ids import check_id
from .swap import SwapStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .codec import Codec

__all__ = ["RedisSessionStore"]

# KEYS: the session. ARGV: whether there was one, what it was, whether there is to be one, what, for how many ms.
_SWAP = """
local held = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if held ~= ARGV[2] then return 0 end
elseif held then
  return 0
end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
return 1
"""
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


class RedisSessionStore(SwapStore):
    """Keeps sessions on a Redis or Valkey server. Needs `smisk[redis]`, or the package valkey.

    `prefix`: what keys begin with. `timeout`: seconds to wait for a connection, and for an answer; each is tried
    twice, since a connection from before a restart of the server fails once. `busy_timeout`: see `SwapStore`.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        client: Any = None,
        cluster: bool = False,
        prefix: str = "smisk:session:",
        timeout: float = 2.0,
        busy_timeout: float | None = None,
        ttl: float | None = None,
        name: str | None = None,
        codec: str | Codec | None = None,
        max_size: int | None = None,
    ) -> None:
        """Does not connect yet. `url`: `redis://host:port/db`, `rediss://` (TLS), `unix:///path`; `valkey://` too.

        `cluster`: the URL is that of any node of a cluster. `client`: a client of redis-py or valkey-py, with limits
        of its own and without `decode_responses`, in place of all this. ImportError names what to install.
        """
        super().__init__(ttl=ttl, name=name, codec=codec, max_size=max_size)
        for key, value in (("timeout", timeout), ("busy_timeout", busy_timeout)):
            if value is not None:
                check_positive(key, value)
        if busy_timeout is not None:
            self.busy_timeout = busy_timeout
        self.prefix = prefix
        self._url, self._cluster, self._timeout = url, cluster, timeout
        self._module = _library() if client is None else _library_of(client)
        self._given = client is not None
        self._client = client
        self._errors = _exceptions(self._module)

    def read(self, sid: str) -> Any:
        """The data. InvalidSessionError: none, or unreadable. SessionStoreError: the server does not answer."""
        sealed = self._get(sid)
        if sealed is None:
            raise InvalidSessionError("no data")
        return unseal(sealed, self.codec)

    def write(self, sid: str, data: Any) -> None:
        """Stores the data. SessionDataError, SessionStoreError."""
        self._ask("set", self._key(sid), seal(data, self.codec, self.max_size), px=self._milliseconds())

    def refresh(self, sid: str) -> None:
        """Starts the session's time anew."""
        self._ask("pexpire", self._key(sid), self._milliseconds())

    def destroy(self, sid: str) -> None:
        """Removes the key."""
        self._ask("delete", self._key(sid))

    def close(self) -> None:
        """Closes the connections of the store's own client."""
        if self._client is not None and not self._given:
            if self._cluster:
                self._client.disconnect_connection_pools()  # which its own close() leaves to the garbage collector
            self._client.close()
            self._client = None

    def _load(self, sid: str) -> tuple[Any, bytes | None]:
        sealed = self._get(sid)
        if sealed is None:
            return None, None
        try:
            return unseal(sealed, self.codec), sealed
        except InvalidSessionError:
            return None, sealed

    def replace(self, sid: str, before: bytes, after: bytes) -> bool:
        """Stores `after` if the session is still `before`, in one round trip."""
        content = wrap(after, self.codec, self.max_size)
        return self._exchange(sid, wrap(before, self.codec, len(before)), content)

    def _swap(self, sid: str, token: bytes | None, data: Any) -> bool:
        return self._exchange(sid, token, None if data is None else seal(data, self.codec, self.max_size))

    def _exchange(self, sid: str, before: bytes | None, after: bytes | None) -> bool:
        arguments = (*_optional(before), *_optional(after), self._milliseconds())
        return bool(self._ask("eval", _SWAP, 1, self._key(sid), *arguments))

    def _get(self, sid: str) -> bytes | None:
        sealed = self._ask("get", self._key(sid))
        if isinstance(sealed, str):
            raise TypeError("RedisSessionStore: the client must be made without decode_responses")
        return sealed  # type: ignore[no-any-return]

    def _key(self, sid: str) -> str:
        check_id(sid)
        return self.prefix + sid

    def _milliseconds(self) -> int:
        return max(1, int(self.ttl * 1000))

    def _ask(self, command: str, *arguments: Any, **named: Any) -> Any:
        try:
            return getattr(self._connected(), command)(*arguments, **named)
        except self._errors as error:
            raise SessionStoreError(f"the session store at {self._where()} failed: {error}") from error

    def _connected(self) -> Any:
        """The client, which connects by itself. A cluster's asks for its nodes at once, so it is made when needed."""
        if self._client is None:
            scheme, mark, rest = self._url.partition("://")
            url = _SCHEMES.get(scheme, scheme) + mark + rest
            kind = _client_class(self._module, self._cluster)
            waits = {"socket_timeout": self._timeout, "socket_connect_timeout": self._timeout}
            self._client = kind.from_url(url, **_second_try(self._module), **waits)
        return self._client

    def _where(self) -> str:
        """The server's address, without a password."""
        if self._given:
            return type(self._client).__name__
        scheme, mark, rest = self._url.partition("://")
        return scheme + mark + rest.rpartition("@")[2].partition("?")[0]


def _optional(content: bytes | None) -> tuple[str, bytes]:
    return ("0", b"") if content is None else ("1", content)


def _library() -> ModuleType:
    """redis-py, or valkey-py where only that is installed."""
    for name in ("redis", "valkey"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("RedisSessionStore needs redis: pip install 'smisk[redis]'")


def _library_of(client: Any) -> ModuleType:
    """The library that a client comes from, or that its class derives from."""
    for kind in type(client).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in ("redis", "valkey"):
            return sys.modules[name]
    raise TypeError(f"client must be one of redis-py or valkey-py, not {type(client).__name__}")


def _exceptions(module: ModuleType) -> tuple[type[Exception], ...]:
    """What all exceptions of the library derive from; those of a cluster are a family of their own."""
    name = _name(module)
    found = import_module(f"{module.__name__}.exceptions")
    return (getattr(found, f"{name}Error"), getattr(found, f"{name}ClusterException"), OSError)


def _second_try(module: ModuleType) -> dict[str, Any]:
    """Options of a client that tries once more, at once, when a connection fails."""
    retry = import_module(f"{module.__name__}.retry").Retry
    backoff = import_module(f"{module.__name__}.backoff").NoBackoff
    errors = import_module(f"{module.__name__}.exceptions")
    return {"retry": retry(backoff(), 1), "retry_on_error": [errors.ConnectionError, errors.TimeoutError]}


def _client_class(module: ModuleType, cluster: bool) -> Any:
    if cluster:
        return getattr(import_module(f"{module.__name__}.cluster"), f"{_name(module)}Cluster")
    return getattr(module, _name(module))


def _name(module: ModuleType) -> str:
    """`Redis` or `Valkey`, which the names of the library begin with."""
    return module.__name__.capitalize()
