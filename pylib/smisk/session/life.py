# SPDX-License-Identifier: MIT
"""The life of a session in one request: found when first touched, saved with the head of the response and at the end.

The host makes a `Life` when a handler first touches the session, asks it for the Set-Cookie field when the head is made,
and ends it with the request. What was changed until then is saved before the head leaves: the client's next request,
which may come at once and to another process, finds it. What is changed later is saved by `finish`.
"""

from __future__ import annotations

import contextlib
import time

from smisk.core.cookies import format_cookie
from smisk.core.sessions import InvalidSessionError, SessionDataError, SessionStore

from .codec import get_codec
from .ids import check_id, make_id
from .merge import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from smisk.core.url import URL

    from .cookie import CookieSessionStore

    class RequestLike(Protocol):
        """What is used of a request."""

        @property
        def cookies(self) -> dict[str, str | list[str | None] | None]: ...

        @property
        def url(self) -> URL: ...


__all__ = ["CookieLife", "Life", "begin"]

_TOO_LATE_TO_SEND = "Output already started - too late to send session id with response"
_TOO_LATE_TO_SET = "Output already started - too late to set session id"
_TOO_LATE_FOR_DATA = "Output already started - too late to send session data with response"


def begin(request: RequestLike, store: Any, has_begun: Callable[[], bool] | None = None) -> Life:
    """The session of a request; asks neither yet.

    `store`: a `SessionStore`, or an object with its `ttl`, `name`, `read`, `write`, `refresh` and `destroy`.
    `has_begun`: whether the head of the response has been made; not needed if `cookie` is always asked for it.
    """
    known = store if isinstance(store, SessionStore) else _Adapted(store)
    return Life(request, known, has_begun) if known.kept else CookieLife(request, known, has_begun)


class Life:
    """One session in one request. `data` and `id` are what a handler touches, the rest is for the host.

    Errors of the store are SessionStoreError, or whatever the store raises; after one that came from saving, nothing
    more is saved or sent. EnvironmentError if a cookie would be needed when the head has been made.
    """

    def __init__(self, request: RequestLike, store: SessionStore, has_begun: Callable[[], bool] | None) -> None:
        self._request = request
        self._store = store
        self._has_begun = has_begun
        self._codec = get_codec(store.codec)
        self._touched = False
        self._asked = False  # for the cookie
        self._over = False
        self._data: Any = None
        self._id: str | None = None  # what it is to be
        self._stored: str | None = None  # under which id the store has it
        self._before: bytes | None = None  # what the store was last known to have; None also if it cannot be encoded
        self._came: str | None = None  # the id that the client has
        self._assigned = False
        self._saved = False
        self._expire = False

    @property
    def data(self) -> Any:
        """The data; None if there is no session. To be changed in place, or set; None destroys the session at once."""
        self._touch()
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._touch()
        if value is None:
            self._destroy()
            return
        if self._begun() and self._needs_cookie():
            raise OSError(self._too_late())
        self._data = value
        self._assigned = True

    @property
    def id(self) -> str:
        """The id. Where there is no session: the id that it gets if data are set. Setting it is `regenerate`."""
        self._touch()
        if self._id is None:
            if self._begun():
                raise OSError(_TOO_LATE_TO_SEND)
            self._id = make_id()
        return self._id

    @id.setter
    def id(self, sid: str) -> None:
        check_id(sid)
        self._touch()
        if sid == self._id:
            return
        if self._begun():
            raise OSError(_TOO_LATE_TO_SET)
        self._id = sid

    def regenerate(self) -> str:
        """Gives the session a new id, which is returned; the old one is destroyed when the head is made."""
        self.id = sid = make_id()
        return sid

    def cookie(self) -> str | None:
        """Saves what was changed so far, and returns the value of the Set-Cookie field, None if there is to be none.

        To be asked once, when the head is made.
        """
        if self._over:
            return None
        if not self._touched:
            self._asked = True
            return None
        try:
            self._save()
        except BaseException:
            self._over = True
            raise
        self._asked = True
        value = self._due()
        if value is not None:
            return self._format(value)
        return self._format("", max_age=0) if self._expire else None

    def finish(self) -> None:
        """Saves what was changed since; makes a session that was only read live longer. Then the session is over."""
        over, self._over = self._over, True
        if over or self._data is None:
            return
        if self._needs_cookie() and not self._asked:
            return  # no head was made, so nobody will ever know the new id; the old one stays as it was
        self._save()
        if not self._saved and self._stored is not None:
            self._store.refresh(self._stored)

    def _touch(self) -> None:
        """Finds the session that the client's cookie names, the first time."""
        if self._touched:
            return
        text = self._request.cookies.get(self._store.name)
        if isinstance(text, str):
            encoded = None
            with contextlib.suppress(InvalidSessionError):
                self._id, self._data, encoded = self._find(text)
            if self._data is None:
                self._id = None
            else:
                self._came = self._stored = self._id
                self._before = self._encoded() if encoded is None else encoded
        self._touched = True

    def _find(self, text: str) -> tuple[str, Any, bytes | None]:
        return self._store.fetch(text)

    def _begun(self) -> bool:
        return self._asked or (self._has_begun is not None and self._has_begun())

    def _needs_cookie(self) -> bool:
        return self._stored is None or self._id != self._stored

    def _too_late(self) -> str:
        return _TOO_LATE_TO_SEND

    def _encoded(self) -> bytes | None:
        """The data as bytes to compare; None if the codec cannot: such a store has objects, and is told each time."""
        try:
            return self._codec.encode(self._data)
        except SessionDataError:
            return None

    def _destroy(self) -> None:
        if self._stored is not None:
            self._store.destroy(self._stored)
        self._forget()
        self._expire = self._request.cookies.get(self._store.name) is not None

    def _forget(self) -> None:
        self._data = self._id = self._stored = self._before = None
        self._assigned = False

    def _save(self) -> None:
        """Brings the store to what the request has made of the session."""
        if self._data is None:
            return
        after = self._encoded()
        if after is None:
            self._before = None
        if self._stored is None:
            self._create()
        elif self._id != self._stored:
            self._move(self._stored)
        elif after is None or after != self._before:
            self._change(self._stored, after)
        else:
            return
        self._before = None if self._data is None else after
        self._saved = True

    def _create(self) -> None:
        if self._id is None:
            self._id = make_id()
        self._store.write(self._id, self._data)
        self._stored = self._id

    def _change(self, sid: str, after: bytes | None) -> None:
        """Mostly nobody else has changed anything; if somebody has, both changes are put together."""
        try:
            self._codec.check(self._data)
        except SessionDataError:
            self._before = None  # the store may know more than the codec; it is told everything, and may refuse
        if self._before is not None and after is not None and self._store.replace(sid, self._before, after):
            return

        def change(held: Any) -> Any:
            return None if held is None else self._merged(held)

        if self._store.update(sid, change) is None:
            self._lose()

    def _move(self, old: str) -> None:
        """To the new id first: if that fails, the old one still has everything."""
        held: Any = None

        def take(data: Any) -> None:
            nonlocal held
            held = data

        new = self.id
        self._store.write(new, self._data)
        self._store.update(old, take)
        if held is None and not self._assigned:
            self._store.destroy(new)
            self._forget()
            return
        self._stored = new
        merged = self._data if held is None else self._merged(held)
        if merged is not self._data:
            self._store.write(new, merged)

    def _lose(self) -> None:
        """Another request has destroyed the session. It stays destroyed, whatever this one changed in it.

        Data that were assigned as a whole are a new session, with a new id, if there is still a head to send it with.
        """
        if self._assigned and not self._asked:
            self._id = None
            self._create()
        else:
            self._forget()

    def _merged(self, held: Any) -> Any:
        """What this request has changed, on top of what the store holds now: mostly what it held before."""
        if self._before is None or self._codec.encode(held) == self._before:
            return self._data
        return merge(self._codec, self._codec.decode(self._before), self._data, held)

    def _due(self) -> str | None:
        """What the client has to be told: an id that it does not have."""
        return self._stored if self._stored != self._came else None

    def _format(self, value: str, max_age: int | None = None) -> str:
        secure = self._request.url.scheme == "https"
        return format_cookie(
            self._store.name, value, path="/", max_age=max_age, secure=secure, http_only=True, same_site="lax"
        )


class CookieLife(Life):
    """A session that the cookie carries: what changes it needs a cookie, and nothing can be saved after the head."""

    _store: CookieSessionStore
    _expires = 0
    _value: str | None = None

    def finish(self) -> None:
        """EnvironmentError if the data were changed in place when they could no longer be sent."""
        over, self._over = self._over, True
        if not over and self._asked and self._data is not None and self._encoded() != self._before:
            raise OSError(_TOO_LATE_FOR_DATA)

    def _find(self, text: str) -> tuple[str, Any, bytes | None]:
        sid, data, self._expires = self._store.open(text)
        return sid, data, None

    def _needs_cookie(self) -> bool:
        return True

    def _too_late(self) -> str:
        return _TOO_LATE_FOR_DATA

    def _destroy(self) -> None:
        if self._begun() and self._data is not None:
            raise OSError(_TOO_LATE_FOR_DATA)
        self._stored = None
        super()._destroy()

    def _save(self) -> None:
        """Seals the data if they changed, or if half of their time is over: more often, and readers undo changes."""
        if self._data is None:
            return
        after = self._codec.encode(self._data)
        young = self._expires - time.time() > self._store.ttl / 2
        if young and after == self._before and self._id == self._came:
            return
        self._value = self._store.seal(self.id, self._data)
        self._before = after

    def _due(self) -> str | None:
        return self._value


class _Adapted(SessionStore):
    """A store that does not derive from SessionStore."""

    def __init__(self, store: Any) -> None:
        self.ttl, self.name = store.ttl, store.name
        self._given = store

    def read(self, sid: str) -> Any:
        return self._given.read(sid)

    def write(self, sid: str, data: Any) -> None:
        self._given.write(sid, data)

    def refresh(self, sid: str) -> None:
        self._given.refresh(sid)

    def destroy(self, sid: str) -> None:
        self._given.destroy(sid)
