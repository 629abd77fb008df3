# SPDX-License-Identifier: MIT
"""What tests of sessions share: requests with cookies, lives of sessions, a store that writes down what is done to it.

Run as a program, it is one request in a process of its own: `sessions.py STORE WHERE ID KEY`, see `main`.
"""

import sys
from typing import Any

from smisk.core.sessions import InvalidSessionError, SessionStore
from smisk.session.life import Life, begin

__all__ = ["MemoryStore", "close_store", "make_store", "request_with", "sent_cookie"]


class MemoryStore(SessionStore):
    """Sessions in a dict. `calls`: what was asked of it, without the data."""

    def __init__(self) -> None:
        self.kept_data: dict[str, Any] = {}
        self.calls: list[tuple[str, ...]] = []

    def read(self, sid: str) -> Any:
        self.calls.append(("read", sid))
        if sid not in self.kept_data:
            raise InvalidSessionError("no data")
        return self.kept_data[sid]

    def write(self, sid: str, data: Any) -> None:
        self.calls.append(("write", sid))
        self.kept_data[sid] = data

    def refresh(self, sid: str) -> None:
        self.calls.append(("refresh", sid))

    def destroy(self, sid: str) -> None:
        self.calls.append(("destroy", sid))
        self.kept_data.pop(sid, None)


def make_store(kind: str, where: str) -> SessionStore:
    """A store by name: `files`, `sql`, `redis`, `valkey`, `cluster`."""
    if kind == "files":
        from smisk.session.files import FileSessionStore

        return FileSessionStore(where)
    if kind == "sql":
        from smisk.session.sql import SQLSessionStore

        return SQLSessionStore(where, timeout=60, busy_timeout=60)
    from smisk.session.redis import RedisSessionStore

    if kind == "valkey":
        import valkey

        return RedisSessionStore(client=valkey.Valkey.from_url(where), busy_timeout=60)
    return RedisSessionStore(where, cluster=kind == "cluster", busy_timeout=60)


def close_store(store: SessionStore) -> None:
    """Closes a store, and the client that it was made with."""
    client = getattr(store, "_client", None)
    store.close()
    if client is not None:
        client.close()


def request_with(*cookies: str, https: bool = False) -> Any:
    """A real request that brings these cookies, each `name=value`."""
    import _smisk

    if https:
        fields = [(b"SERVER_NAME", b"example.org"), (b"SERVER_PORT", b"443"), (b"HTTPS", b"on")]
        fields += [(b"REQUEST_METHOD", b"GET"), (b"SCRIPT_NAME", b"/"), (b"SERVER_PROTOCOL", b"HTTP/1.1")]
        return _smisk._make_request("cgi", [*fields, (b"HTTP_COOKIE", "; ".join(cookies).encode())])
    head = [(b"Host", b"example.org"), (b"Cookie", "; ".join(cookies).encode())]
    return _smisk._make_request("http", head if cookies else head[:1])


def sent_cookie(life: Life) -> str:
    """`name=value` of the cookie that the life has sent."""
    field = life.cookie()
    assert field is not None
    return field.partition(";")[0]


def main(kind: str, where: str, sid: str, key: str) -> None:
    """Reads the session, says so, waits for a line, and saves it with a key of its own and one less that all delete."""
    store = make_store(kind, where)
    life = begin(request_with(f"SID={sid}"), store)
    life.data[key] = len(life.data)
    life.data.pop("everybody's", None)
    print("read", flush=True)
    sys.stdin.readline()
    life.cookie()
    life.finish()
    close_store(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
