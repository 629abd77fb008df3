# SPDX-License-Identifier: MIT
"""Queries, JSON and form bodies: `application/x-www-form-urlencoded` here, `multipart/form-data` in `smisk.core.formdata`.

`_smisk` comes in when a handler first touches `request.get`, `post`, `files` or `json()`. Every dict, list and buffer that a
client can fill has a limit; passing it, or sending something malformed, is a FormError that knows its HTTP status.
"""

from __future__ import annotations

from _smisk import parse_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
    from typing import Any, BinaryIO

    from .upload import Upload

__all__ = ["Fields", "Files", "FormError", "parse_form", "parse_json", "parse_query", "read_exactly"]

Value = str | None
Fields = dict[str, Value | list[Value]]
Files = dict[str, "Upload | list[Upload]"]

_decoder: json.JSONDecoder | None = None  # made on first use


class FormError(ValueError):
    """A query, form or JSON body that cannot be taken. `status`: 400 (malformed) or 413 (a limit was passed)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parse_query(query: bytes, max_fields: int, charset: str = "utf-8", tolerant: bool = True) -> Fields:
    """Parses a query string: `a=1&b` gives {"a": "1", "b": None}, a repeated key a list in order.

    Text is in `charset`, and ISO-8859-1 where it does not fit and `tolerant` is true, else UnicodeDecodeError.
    FormError (400) past `max_fields` fields.
    """
    return _parse(query, max_fields, 400, charset, tolerant)


def parse_form(
    content_type: bytes,
    body: BinaryIO,
    length: int,
    *,
    memory: int,
    max_fields: int,
    max_parts: int,
    temp_dir: str | None = None,
    charset: str = "utf-8",
    tolerant: bool = True,
) -> tuple[Fields, Files]:
    """Parses a form body and returns (fields, files); any other media type leaves the body unread.

    `length` is the size of the body in bytes, -1 if it is not known. `memory` bounds the bytes of all plain fields
    together, and those of the uploads that are kept in memory; other uploads go to a file in `temp_dir`. Text is
    decoded as in `parse_query`; a charset parameter of the type is ignored, since browsers send none.
    FormError: 413 past a limit, 400 for anything malformed or cut short. ImportError without the multipart library.
    """
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == b"application/x-www-form-urlencoded":
        data = _read_urlencoded(body, length, memory)
        return _parse(data, max_fields, 413, charset, tolerant), {}
    if media_type == b"multipart/form-data":
        from .formdata import Limits, parse_multipart

        limits = Limits(memory=memory, max_fields=max_fields, max_parts=max_parts, temp_dir=temp_dir)
        return parse_multipart(content_type, body, length, limits, charset, tolerant)
    return {}, {}


def parse_json(body: bytes) -> Any:
    """Parses a JSON body (RFC 8259): UTF-8, with or without a byte order mark; no NaN, no Infinity.

    FormError (400) for anything else, and for arrays and objects nested deeper than the recursion limit allows.
    """
    global _decoder
    if _decoder is None:
        import json

        _decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    try:
        return _decoder.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormError(f"the body is not JSON: {error}") from error


def read_exactly(body: BinaryIO, length: int, done: int, size: int) -> bytes:
    """Reads up to `size` bytes of a body of `length` bytes, of which `done` were read; b"" at its end.

    FormError (400) if the body ends before its length. A length of -1 means: to the end of the file.
    """
    if length >= 0:
        size = min(size, length - done)
    data = body.read(size) if size > 0 else b""
    if not data and 0 <= done < length:
        raise FormError(f"the body ends after {done} of {length} bytes")
    return data


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def _parse(data: bytes, max_fields: int, status: int, charset: str, tolerant: bool) -> Fields:
    fields = parse_pairs(data, max_fields, charset, tolerant)
    if fields is None:
        raise FormError(f"more than {max_fields} fields", status)
    return fields


def _read_urlencoded(body: BinaryIO, length: int, memory: int) -> bytes:
    chunks: list[bytes] = []
    done = 0
    while length <= memory and done <= memory:
        chunk = read_exactly(body, length, done, memory + 1 - done)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        done += len(chunk)
    raise FormError(f"form data is larger than {memory} bytes", 413)
