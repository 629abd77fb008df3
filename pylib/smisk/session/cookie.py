# SPDX-License-Identifier: MIT
"""Sessions in the cookie itself: signed, so that clients can read them but not make or change them.

Nothing is kept on the server, so nothing can be taken back there: a session that was destroyed lives on, with whoever
has kept its cookie, until it expires. Concurrent requests of one session overwrite each other: the last answer counts.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

from smisk.core.sessions import InvalidSessionError, SessionDataError, SessionStore

from .codec import get_codec
from .ids import is_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .codec import Codec

    Secret = str | bytes

__all__ = ["CookieSessionStore", "Opened"]

_MIN_SECRET = 16  # bytes


class Opened(NamedTuple):
    """What a cookie said: id, data, and when it expires, in seconds since 1970."""

    sid: str
    data: Any
    expires: int


class CookieSessionStore(SessionStore):
    """Keeps each session in its cookie, `id.expiry.data.signature`, signed with HMAC-SHA-256.

    `secrets`: one secret of 16 bytes or more, or several: the first signs, all are accepted. To change the secret, put
    the new one in front and take the old one away after `ttl`. `max_size`: bytes of the cookie's name and value;
    browsers take 4,096 with its attributes.
    """

    max_size: int = 4000
    kept = False

    def __init__(
        self,
        secrets: Secret | Sequence[Secret],
        *,
        ttl: float | None = None,
        name: str | None = None,
        codec: str | Codec | None = None,
        max_size: int | None = None,
    ) -> None:
        """ValueError for a short secret, and for pickles: with them, a secret that leaks would be a shell."""
        super().__init__(ttl=ttl, name=name, codec=codec, max_size=max_size)
        given = [secrets] if isinstance(secrets, (str, bytes)) else list(secrets)
        self._secrets = [_checked(secret) for secret in given]
        if not self._secrets:
            raise ValueError("CookieSessionStore needs a secret")
        if get_codec(self.codec).name == "pickle":
            raise ValueError("CookieSessionStore does not take pickles: use 'json' or 'msgpack'")

    def read(self, sid: str) -> Any:
        """The data of a cookie's value. InvalidSessionError: forged, damaged, expired, or not of this name and codec."""
        return self.open(sid).data

    def find(self, text: str) -> tuple[str, Any]:
        """Id and data of a cookie's value. InvalidSessionError as `read`."""
        return self.open(text)[:2]

    def open(self, text: str) -> Opened:
        """Everything that a cookie's value says. InvalidSessionError as `read`."""
        if len(text) > self.max_size:
            raise InvalidSessionError(f"session cookie is over {self.max_size} bytes")
        body, _, signature = text.rpartition(".")
        if not text.isascii() or not self._is_signed(body, signature):
            raise InvalidSessionError("session cookie has no valid signature")
        sid, expires, data = body.split(".")
        if int(expires, 16) <= time.time():
            raise InvalidSessionError("data too old")
        try:
            return Opened(sid, get_codec(self.codec).decode(_from_base64(data)), int(expires, 16))
        except Exception as error:  # the signature is ours, so it is another version's
            raise InvalidSessionError(f"invalid session data: {error}") from error

    def seal(self, sid: str, data: Any) -> str:
        """The value of the cookie of a session, good for `ttl` seconds. SessionDataError: they do not fit in one."""
        if not is_id(sid):
            raise InvalidSessionError("malformed session id")
        codec = get_codec(self.codec)
        encoded = urlsafe_b64encode(codec.encode(data)).rstrip(b"=").decode("ascii")
        codec.check(data)
        body = f"{sid}.{int(time.time() + self.ttl):x}.{encoded}"
        value = f"{body}.{self._sign(self._secrets[0], body)}"
        size = len(self.name) + 1 + len(value)
        if size > self.max_size:
            raise SessionDataError(f"the session cookie would be {size} bytes, max_size is {self.max_size}")
        return value

    def write(self, sid: str, data: Any) -> None:
        """Always NotImplementedError, as are `refresh` and `destroy`: there is only the cookie."""
        raise NotImplementedError("CookieSessionStore keeps nothing: a session is written by sending its cookie")

    def refresh(self, sid: str) -> None:
        raise NotImplementedError("CookieSessionStore keeps nothing: a session is refreshed by sending its cookie")

    def destroy(self, sid: str) -> None:
        raise NotImplementedError("CookieSessionStore keeps nothing that could be destroyed here")

    def _is_signed(self, body: str, signature: str) -> bool:
        """Tries all secrets, whichever fits, so that the time tells nothing."""
        fits = [hmac.compare_digest(self._sign(secret, body), signature) for secret in self._secrets]
        return any(fits)

    def _sign(self, secret: bytes, body: str) -> str:
        """Also for what was signed: another cookie, or another codec, needs another signature."""
        purpose = f"smisk session 1\0{self.name}\0{get_codec(self.codec).name}\0{body}"
        return urlsafe_b64encode(hmac.digest(secret, purpose.encode(), "sha256")).rstrip(b"=").decode("ascii")


def _checked(secret: Secret) -> bytes:
    """A key made of the secret. TypeError, ValueError."""
    if not isinstance(secret, (str, bytes)):
        raise TypeError(f"a secret must be str or bytes, not {type(secret).__name__}")
    data = secret.encode() if isinstance(secret, str) else secret
    if len(data) < _MIN_SECRET:
        raise ValueError(f"a secret needs {_MIN_SECRET} bytes or more; secrets.token_hex(32) makes a good one")
    return sha256(b"smisk session key\0" + data).digest()


def _from_base64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
