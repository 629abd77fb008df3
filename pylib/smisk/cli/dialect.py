# SPDX-License-Identifier: MIT
"""Values as a configuration has them: the other way round than smisk.config reads."""

from __future__ import annotations

from smisk.host_config.kinds import SIZE_UNITS, TIME_UNITS, Duration, Kind, Level, Octal, Size
from smisk.host_config.listen import DEFAULT_BACKLOG, Listener

__all__ = ["written", "written_setting"]

BARE = (Level, Octal)


def written(value: object) -> str:
    """A value on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(written, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def written_setting(value: object, kind: Kind) -> str:
    """A setting of the host, as it was resolved."""
    if isinstance(kind, Duration) and isinstance(value, int):
        return _quantity(value, TIME_UNITS, "0")
    if isinstance(kind, Size) and isinstance(value, int):
        return _quantity(value, SIZE_UNITS, str(value))
    if isinstance(kind, BARE):
        return str(value)
    if isinstance(value, list):
        return (
            "[" + ", ".join(_listener(each) if isinstance(each, Listener) else written(each) for each in value) + "]"
        )
    return written(value)


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _quantity(value: int, units: dict[str, int], otherwise: str) -> str:
    """In the largest unit that it is a whole number of."""
    for unit, size in sorted(units.items(), key=lambda pair: -pair[1]):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return otherwise


def _listener(listener: Listener) -> str:
    is_unix = listener.address.startswith("unix:")
    parts = dict(listener.parts)
    if parts.get("backlog") == str(DEFAULT_BACKLOG):
        del parts["backlog"]
    if not parts and not listener.allow:
        return written(f"{listener.protocol}{'+' if is_unix else '://'}{listener.address}")
    numbers = ("mode", "backlog")
    fields = {"address": written(listener.address), "protocol": written(listener.protocol)}
    fields.update({key: part if key in numbers else written(part) for key, part in parts.items()})
    if listener.allow:
        fields["allow"] = written(listener.allow)
    return "{" + ", ".join(f"{key}: {text}" for key, text in fields.items()) + "}"
