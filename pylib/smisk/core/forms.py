# SPDX-License-Identifier: MIT
"""Queries, JSON and form bodies: `application/x-www-form-urlencoded` here, `multipart/form-data` in `smisk.core.formdata`.

`_smisk` comes in when a handler first touches `request.get`, `post`, `files` or `json()`. Every dict, list and buffer that a
client can fill has a limit; passing it, or sending something malformed, is a FormError that knows its HTTP status.
"""

from __future__ import annotations

import sys

from .pairs import collect, decode_text, split_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json
    from typing import Any, BinaryIO

    from .pairs import Pair
    from .upload import Upload

__all__ = ["Fields", "Files", "FormError", "Text", "parse_form", "parse_json", "parse_query", "read_exactly"]

# bytes where there is no charset
Value = str | bytes | None
Fields = dict[str, Value | list[Value]]
Files = dict[str, "Upload | list[Upload]"]

_decoder: json.JSONDecoder | None = None  # made on first use


class FormError(ValueError):
    """A query, form or JSON body that cannot be taken. `status`: 400 (malformed) or 413 (a limit was passed)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Text:
    """How what is sent becomes text: `charset`, None for bytes; `tolerant`: ISO-8859-1 is taken for what does not fit."""

    __slots__ = ("charset", "tolerant")

    def __init__(self, charset: str | None = "utf-8", tolerant: bool = True) -> None:
        self.charset = charset
        self.tolerant = tolerant

    def decode_key(self, key: bytes) -> str:
        """A key is text always, whatever the bytes; without a charset it is read as UTF-8."""
        return decode_text(key, self.charset or "utf-8", True)

    def decode(self, value: bytes) -> str | bytes:
        """A value. UnicodeDecodeError for one that does not fit, unless that is tolerated."""
        return value if self.charset is None else decode_text(value, self.charset, self.tolerant)

    def decode_pair(self, pair: Pair) -> tuple[str, Value]:
        """A key with its value, None where it has none."""
        key, value = pair
        return self.decode_key(key), None if value is None else self.decode(value)


def parse_query(query: bytes, max_fields: int, charset: str | None = "utf-8", tolerant: bool = True) -> Fields:
    """Parses a query string: `a=1&b` gives {"a": "1", "b": None}, a repeated key a list in order.

    Values are text in `charset`, or bytes if it is None; what does not fit is ISO-8859-1 if `tolerant`, else a
    UnicodeDecodeError. FormError (400) past `max_fields` fields.
    """
    return _parse(query, max_fields, 400, Text(charset, tolerant))


def parse_form(
    content_type: bytes,
    body: BinaryIO,
    length: int,
    *,
    memory: int,
    max_fields: int,
    max_parts: int,
    temp_dir: str | None = None,
    charset: str | None = "utf-8",
    tolerant: bool = True,
    max_formdata_size: int | None = None,
    max_multipart_size: int = -1,
) -> tuple[Fields, Files]:
    """Parses a form body and returns (fields, files); any other media type leaves the body unread.

    `length` is the size of the body in bytes, -1 if it is not known. `memory` bounds the bytes of all plain fields
    together, and those of the uploads that are kept in memory; other uploads go to a file in `temp_dir`. Values as for
    parse_query. An Application's own limits, in bytes, 0 for a form that is left unread and -1 for no limit:
    `max_formdata_size`, in place of `memory`, of plain fields; `max_multipart_size` of a whole multipart body.
    FormError: 413 past a limit, 400 for anything malformed or cut short. ImportError without the multipart library.
    """
    media_type = content_type.partition(b";")[0].strip().lower()
    text = Text(charset, tolerant)
    fields = memory if max_formdata_size is None else max_formdata_size if max_formdata_size >= 0 else sys.maxsize
    if media_type == b"application/x-www-form-urlencoded" and max_formdata_size != 0:
        return _parse(_read_urlencoded(body, length, fields), max_fields, 413, text), {}
    if media_type == b"multipart/form-data" and max_multipart_size != 0:
        from .formdata import Limits, parse_multipart

        if 0 <= max_multipart_size < length:
            raise FormError(f"the multipart body is larger than {max_multipart_size} bytes", 413)
        limits = Limits(memory, max_fields, max_parts, temp_dir, fields)
        return parse_multipart(content_type, body, length, limits, text)
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


def _parse(data: bytes, max_fields: int, status: int, text: Text) -> Fields:
    # Counting separators first keeps a body of nothing but "&" from becoming a list of pairs.
    if data.count(b"&") >= max_fields and sum(map(bool, data.split(b"&"))) > max_fields:
        raise FormError(f"more than {max_fields} fields", status)
    return collect(text.decode_pair(pair) for pair in split_pairs(data))


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
