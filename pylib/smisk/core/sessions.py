# SPDX-License-Identifier: MIT
"""What a session store is, and what can go wrong with one.

Stores of your own derive from `SessionStore`; those that come with Smisk live in `smisk.session`, which also has the
life of a session in a request. `FileSessionStore` is imported from there when it is first asked for.
"""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from smisk.session.codec import Codec
    from smisk.session.files import FileSessionStore

__all__ = [
    "FileSessionStore",
    "InvalidSessionError",
    "SessionDataError",
    "SessionStore",
    "SessionStoreError",
    "default_store",
]

_lock = RLock()
_default: SessionStore | None = None


class InvalidSessionError(ValueError):
    """There is no session of that id: none was ever, it is too old, it was forged, or it cannot be read any more."""


class SessionDataError(ValueError):
    """Data that the store cannot keep: a type that its codec does not know, or too many bytes."""


class SessionStoreError(OSError):
    """The store cannot do its work: a server that does not answer, a folder that belongs to somebody else."""


class SessionStore:
    """Keeps the data of sessions under their ids; the base of all stores.

    A store implements `read`, `write`, `refresh` and `destroy`. One that several processes share implements `update`
    too, since only the store can see to it that nobody comes between its reading and its writing.

    `ttl`: seconds that a session lives without being touched. `name`: of the cookie. `codec`: "json", "msgpack",
    "pickle", or an object like those of `smisk.session.codec`; tells what was changed, and turns data into bytes where
    a store keeps bytes. `max_size`: bytes of these. Data are never None, which stands for no session. `kept` is False
    where the cookie itself carries the data.
    """

    ttl: float = 900
    name: str = "SID"
    codec: str | Codec = "json"
    max_size: int = 1 << 20
    kept: bool = True

    def __init__(
        self,
        *,
        ttl: float | None = None,
        name: str | None = None,
        codec: str | Codec | None = None,
        max_size: int | None = None,
    ) -> None:
        """What is left out stays as the class has it. ValueError for a time or a size that is not above zero."""
        for key, value in (("ttl", ttl), ("name", name), ("codec", codec), ("max_size", max_size)):
            if value is None:
                continue
            if key in ("ttl", "max_size"):
                check_positive(key, value)
            setattr(self, key, value)

    def read(self, sid: str) -> Any:
        """The data of a session. InvalidSessionError: there are none."""
        raise NotImplementedError("read")

    def write(self, sid: str, data: Any) -> None:
        """Stores the data, whatever was there before, for `ttl` seconds. SessionDataError: they cannot be kept."""
        raise NotImplementedError("write")

    def refresh(self, sid: str) -> None:
        """Lets a session live for another `ttl` seconds. One that is gone stays gone."""
        raise NotImplementedError("refresh")

    def destroy(self, sid: str) -> None:
        """Forgets a session; it is no error if there is none."""
        raise NotImplementedError("destroy")

    def update(self, sid: str, merge: Callable[[Any], Any]) -> Any:
        """Replaces the data by `merge(data)` with nobody in between, and returns them.

        `merge` gets None where there is no session, and destroys it by returning None. It may be called several times,
        the last call counts; if it raises, nothing has happened. This one keeps only the threads of one process apart.
        """
        with _lock:
            try:
                held = self.read(sid)
            except InvalidSessionError:
                held = None
            data = merge(held)
            if data is not None:
                self.write(sid, data)
            elif held is not None:
                self.destroy(sid)
            return data

    def replace(self, sid: str, before: bytes, after: bytes) -> bool:
        """A quicker `update`: stores `after` if the session is still `before`, both encoded by `codec`.

        False, and nothing happened, if it is not, or if it cannot be told; as here. SessionDataError: too large.
        """
        return False

    def close(self) -> None:
        """Gives back connections, if the store has any; it makes new ones when it is used again."""

    def find(self, text: str) -> tuple[str, Any]:
        """Id and data of the session that a cookie's value names. InvalidSessionError: it names none."""
        from smisk.session.ids import check_id

        check_id(text)
        return text, self.read(text)

    def fetch(self, text: str) -> tuple[str, Any, bytes | None]:
        """As `find`; with the data as the codec encodes them where the store has them at hand, else None."""
        return (*self.find(text), None)


def check_positive(name: str, value: object) -> None:
    """TypeError, ValueError unless `value` is a number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not value > 0:
        raise ValueError(f"{name} must be above zero, not {value!r}")


def default_store() -> SessionStore:
    """The store of whoever has chosen none: one `FileSessionStore()` for the process, made at the first call."""
    global _default
    with _lock:
        if _default is None:
            from smisk.session.files import FileSessionStore

            _default = FileSessionStore()
        return _default


def __getattr__(name: str) -> object:
    """Imports `FileSessionStore` when it is first asked for."""
    if name != "FileSessionStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from smisk.session.files import FileSessionStore

    globals()[name] = FileSessionStore
    return FileSessionStore
