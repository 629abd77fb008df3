# SPDX-License-Identifier: MIT
"""Ids of sessions: 160 random bits as 32 characters of `0-9a-v`, the alphabet and length that they always had.

Nothing else is an id. What a client sends is checked here before it becomes part of a path, a key or a query.
"""

from __future__ import annotations

import os
import re
from base64 import b32hexencode

from smisk.core.sessions import InvalidSessionError

__all__ = ["ID_LENGTH", "check_id", "is_id", "make_id"]

ID_LENGTH = 32

_BYTES = ID_LENGTH * 5 // 8
_is_id = re.compile(rf"[0-9a-v]{{{ID_LENGTH}}}").fullmatch


def make_id() -> str:
    """A new id, from the system's source of secrets."""
    return b32hexencode(os.urandom(_BYTES)).decode("ascii").lower()


def is_id(text: object) -> bool:
    """Whether that is an id in form; of what session, only a store can tell."""
    return isinstance(text, str) and _is_id(text) is not None


def check_id(sid: object) -> None:
    """InvalidSessionError unless `sid` is an id in form; TypeError if it is no text at all."""
    if not isinstance(sid, str):
        raise TypeError(f"a session id must be str, not {type(sid).__name__}")
    if _is_id(sid) is None:
        raise InvalidSessionError(f"malformed session id: {ID_LENGTH} characters of 0-9 a-v are needed")
