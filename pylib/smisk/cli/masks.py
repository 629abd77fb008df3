# SPDX-License-Identifier: MIT
"""Keeping secrets off the screen: by the names of keys, by passwords in URLs, by what a factory is called with."""

from __future__ import annotations

import re

__all__ = ["MASK", "masked"]

MASK = "********"
SECRET_NAME = re.compile(
    r"(^|[^a-z])pass$|passw|passphrase|secret|token|credential|private|salt$|dsn$|api.?key|(^|[^a-z])key$",
    re.IGNORECASE,
)
URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^/@\s:]*:)[^/@\s]+(?=@)", re.IGNORECASE)


def masked(key: str, value: object) -> object:
    """`value` without what should not be seen; `key` is the last name of its path."""
    if value is None or isinstance(value, bool) or value == "":
        return value
    if isinstance(value, dict):
        return {each: masked(str(each), inner) for each, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(masked(key, each) for each in value)
    if SECRET_NAME.search(key):
        return MASK
    if isinstance(value, str):
        return URL_PASSWORD.sub(rf"\g<before>{MASK}", value)
    return value
