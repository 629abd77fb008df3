# SPDX-License-Identifier: MIT
"""Bodies of requests as browsers send them: urlencoded and multipart forms, JSON."""

from __future__ import annotations

import json
import mimetypes
import secrets
from collections.abc import Iterable, Mapping
from typing import IO, Any
from urllib.parse import quote_plus

__all__ = ["Fields", "Files", "encode_body", "encode_pairs"]

Fields = Mapping[str, Any] | Iterable[tuple[str, Any]]
# A file: its content, or (filename, content), or (filename, content, type).
Content = bytes | str | IO[bytes] | IO[str]
File = Content | tuple[str, Content] | tuple[str, Content, str]
Files = Mapping[str, File | list[File]]


def encode_pairs(fields: Fields) -> str:
    """`a=1&b` of {"a": 1, "b": None}; the items of a list or tuple repeat the name. Keys and values as UTF-8."""
    pieces = []
    for name, value in _flat(fields):
        piece = quote_plus(name)
        pieces.append(piece if value is None else f"{piece}={quote_plus(value)}")
    return "&".join(pieces)


def _flat(fields: Fields) -> list[tuple[str, str | bytes | None]]:
    pairs: list[tuple[str, str | bytes | None]] = []
    for name, value in fields.items() if isinstance(fields, Mapping) else fields:
        for item in value if isinstance(value, (list, tuple)) else [value]:
            pairs.append((name, item if item is None or isinstance(item, bytes) else str(item)))
    return pairs


def encode_body(data: object, given: object, files: Files | None) -> tuple[bytes, str]:
    """The body of `data`, `json` (`given`; None for none) and `files`, and its Content-Type, "" for none.

    TypeError for what does not go together, and for data that is neither text, bytes nor fields.
    """
    if given is not None:
        if data is not None or files:
            raise TypeError("json= goes with neither data= nor files=")
        return json.dumps(
            given, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode(), "application/json"
    if files:
        return _multipart(_fields_of(data), files)
    if data is None:
        return b"", ""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), ""
    if isinstance(data, str):
        return data.encode(), ""
    return encode_pairs(_fields_of(data)).encode(), "application/x-www-form-urlencoded"


def _fields_of(data: object) -> Fields:
    if data is None:
        return {}
    if isinstance(data, Mapping) or (isinstance(data, (list, tuple)) and all(len(pair) == 2 for pair in data)):
        return data
    raise TypeError(f"data= is bytes, str, a mapping or a list of pairs, not {type(data).__name__}")


def _multipart(fields: Fields, files: Files) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    parts = []
    for name, value in _flat(fields):
        content = value if isinstance(value, bytes) else (value or "").encode()
        parts.append(_part(boundary, f"name={_quoted(name)}", "", content))
    for name, given in files.items():
        for file in given if isinstance(given, list) else [given]:
            filename, content, kind = _file(name, file)
            parts.append(_part(boundary, f"name={_quoted(name)}; filename={_quoted(filename)}", kind, content))
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, names: str, kind: str, content: bytes) -> bytes:
    type_line = f"Content-Type: {kind}\r\n" if kind else ""
    head = f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n{type_line}\r\n"
    return head.encode() + content + b"\r\n"


def _quoted(text: str) -> str:
    """As browsers write a name within quotes (HTML, "multipart form data")."""
    return '"' + text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A") + '"'


def _file(name: str, file: File) -> tuple[str, bytes, str]:
    filename, content, kind = name, file, ""
    if isinstance(file, tuple):
        filename, content, *rest = file
        kind = rest[0] if rest else ""
    elif hasattr(file, "name"):
        filename = str(file.name).rpartition("/")[2]
    if any(char in kind for char in "\r\n"):
        raise ValueError(f"a Content-Type with CR or LF in it: {kind!r}")
    kind = kind or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    data: Any = content if isinstance(content, (bytes, str)) else content.read()  # type: ignore[union-attr]
    return filename, data.encode() if isinstance(data, str) else bytes(data), kind
