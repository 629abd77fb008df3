# SPDX-License-Identifier: MIT
"""A configuration without its secrets, to be shown in a log.

A value is a secret when its key says so (`password`, `api_key`, `auth-token`, `DigestSecret`), and so are passwords
within URLs (`mysql://user:password@host/`) and connection strings (`host=a password=b`). Better one too many.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "SECRET_NAMES", "masked"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

MASK = "***"

# Parts of a key that make its value a secret, in lower case; `Configuration.secret_names` can have more.
SECRET_NAMES = frozenset({
    "apikey", "auth", "authorization", "cookie", "cookies", "credential", "credentials", "dsn", "key", "keys", "nonce",
    "pass", "passphrase", "passwd", "password", "passwords", "pin", "private", "pw", "pwd", "salt", "secret", "secrets",
    "signature", "token", "tokens",
})  # fmt: skip

_LONG_NAMES = ("passw", "passphrase", "secret", "token", "credential", "apikey")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Bounded, since a pattern that begins anywhere and reads to the end takes the square of the time.
_IN_URL = re.compile(r"(?<=://)([^\s/:@]{0,256}):(\S{0,256})@")
_IN_TEXT = re.compile(
    r"\b(\w{0,64}(?:passw|passphrase|secret|token|pwd|api_?key)\w{0,64}\s{0,8}[=:]\s{0,8})([^\s;&,]+)", re.IGNORECASE
)


def masked(value: object, names: Collection[str] = SECRET_NAMES) -> object:
    """Returns a copy of `value`, dicts, lists and scalars, in which every secret is `***`."""
    if isinstance(value, dict):
        return {key: _masked_item(key, item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([masked(item, names) for item in value]) if type(value) in (list, tuple) else MASK
    if isinstance(value, str):
        return _IN_TEXT.sub(rf"\1{MASK}", _IN_URL.sub(rf"\1:{MASK}@", value))
    return value


def _masked_item(key: object, value: object, names: Collection[str]) -> object:
    if value is None or isinstance(value, bool) or not _is_secret(str(key), names):
        return masked(value, names)
    return MASK


def _is_secret(key: str, names: Collection[str]) -> bool:
    lower = key.lower()
    return any(name in lower for name in _LONG_NAMES) or any(part.lower() in names for part in _PARTS.findall(key))
