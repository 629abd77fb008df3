# SPDX-License-Identifier: MIT
"""Bodies of type `multipart/form-data` (RFC 7578).

`smisk.core.parts` splits the body into parts; this module checks what it hands over, decodes names, keeps the limits,
and puts each part where it belongs: a text field, an upload in memory, or an upload in a file. That is the file in
which the host keeps a large body, where the upload stays as it is, or the form's own spool file.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from .forms import Fields, Files, FormError, Text, read_exactly
from .pairs import collect, decode_text
from .parts import split_parts
from .upload import Held, Spool, Upload, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .parts import Data, Head

__all__ = ["Limits", "parse_multipart"]

_CHUNK = 64 * 1024  # bytes read at once
_MAX_BOUNDARY = 70  # RFC 2046, section 5.1.1

_PARAMETER = r';[ \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*(%s|[^\s";]*))?[ \t]*'
_HTML = re.compile(_PARAMETER % r'"[^"]*"', re.ASCII)
_QUOTED_PAIRS = re.compile(_PARAMETER % r'"(?:[^"\\]|\\.)*"', re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Limits(NamedTuple):
    """What one form may take. `memory`: bytes of all uploads that stay in memory; `fields`: of all fields together."""

    memory: int
    max_fields: int
    max_parts: int
    temp_dir: str | None
    fields: int


def parse_multipart(
    content_type: bytes, body: BinaryIO, length: int, limits: Limits, text: Text
) -> tuple[Fields, Files]:
    """Parses a body of `length` bytes (-1: to its end) and returns (fields, files). FormError: 400 or 413."""
    boundary = _boundary(content_type).encode()
    form = _Form(limits, text, _file_of(body))
    for event in split_parts(_chunks(body, length), boundary, limits.max_parts):
        form.take(event)
    return collect(form.fields), collect(form.files)


def _file_of(body: BinaryIO) -> Held | None:
    """The file that the body is in, if it is one of the host's; it is read from its beginning."""
    duplicate = getattr(getattr(body, "raw", None), "duplicate", None)
    return None if duplicate is None else Held(duplicate())


def _chunks(body: BinaryIO, length: int) -> Iterator[bytes]:
    done = 0
    while chunk := read_exactly(body, length, done, _CHUNK):
        yield chunk
        done += len(chunk)


class _Form:
    """Collects the parts of one form: first their pairs, in order; the dicts are made at the end."""

    def __init__(self, limits: Limits, text: Text, body: Held | None) -> None:
        self.fields: list[tuple[str, str | bytes | None]] = []
        self.files: list[tuple[str, Upload]] = []
        self._limits = limits
        self._text = text
        self._field_bytes = 0
        self._file_bytes = 0  # of uploads in memory
        self._body = body
        self._spool: Spool | None = None
        self._name = self._type = ""
        self._filename: str | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._start = -1  # where the part begins in the spool; -1: it is in memory

    def take(self, event: Head | Data | None) -> None:
        if event is None:
            self._end()
        elif isinstance(event, list):
            self._begin(event)
        else:
            start, data = event
            self._size += len(data)
            if self._filename is None:
                self._take_field(data)
            else:
                self._take_file(start, data)

    def _begin(self, head: Head) -> None:
        self._name, self._filename, self._type = _describe(head, self._text)
        self._chunks, self._size, self._start = [], 0, -1
        if self._filename is None and len(self.fields) >= self._limits.max_fields:
            raise FormError(f"more than {self._limits.max_fields} fields", 413)

    def _take_field(self, data: bytes) -> None:
        self._field_bytes += len(data)
        if self._field_bytes > self._limits.fields:
            raise FormError(f"the fields of the form are larger than {self._limits.fields} bytes", 413)
        self._chunks.append(data)

    def _take_file(self, start: int, data: bytes) -> None:
        if self._start < 0 and self._file_bytes + self._size <= self._limits.memory:
            self._chunks.append(data)
        elif self._body is not None:
            if self._start < 0:
                self._start = start + len(data) - self._size
                self._chunks = []
        else:
            self._take_to_spool(data)

    def _take_to_spool(self, data: bytes) -> None:
        if self._spool is None:
            self._spool = Spool(self._limits.temp_dir)
        if self._start < 0:
            self._start = self._spool.size
            self._spool.append(b"".join(self._chunks))
            self._chunks = []
        self._spool.append(data)

    def _end(self) -> None:
        if self._filename is None:
            self.fields.append((self._name, self._text.decode(b"".join(self._chunks))))
        elif self._filename or self._size:  # neither: a file input that was left empty
            upload = Upload(self._filename, self._type, self._file(), self._size, self._limits.temp_dir)
            self.files.append((self._name, upload))
        self._chunks = []

    def _file(self) -> BinaryIO:
        held = self._body or self._spool
        if held is None or self._start < 0:
            self._file_bytes += self._size
            return io.BytesIO(b"".join(self._chunks))
        return cast(BinaryIO, io.BufferedReader(Window(held, self._start, self._size)))


def _boundary(content_type: bytes) -> str:
    """RFC 2046, section 5.1.1, but any printable ASCII, since clients use more than the grammar allows."""
    boundary = _parameters("Content-Type", content_type.decode("iso-8859-1"), _QUOTED_PAIRS).get("boundary", "")
    if not boundary:
        raise FormError("multipart/form-data without a boundary")
    if len(boundary) > _MAX_BOUNDARY:
        raise FormError(f"the multipart boundary is longer than {_MAX_BOUNDARY} characters")
    if not boundary.isascii() or not boundary.isprintable() or boundary.endswith(" "):
        raise FormError("the multipart boundary has a character that is not allowed there")
    return boundary


def _describe(headers: Head, text: Text) -> tuple[str, str | None, str]:
    """Returns name, filename (None: a plain field) and content type of a part."""
    if any(_CONTROL.search(value) for _, value in headers):
        raise FormError("a control character, or half a line break, in a part's header")
    dispositions = [value for name, value in headers if name == "Content-Disposition"]
    if len(dispositions) != 1:
        raise FormError("a part of the form has not exactly one Content-Disposition")
    if dispositions[0].partition(";")[0].strip().lower() != "form-data":
        raise FormError("a part of the form has another Content-Disposition than form-data")
    try:
        parameters = _parameters("Content-Disposition", dispositions[0], _HTML)
    except FormError:
        parameters = _parameters("Content-Disposition", dispositions[0], _QUOTED_PAIRS)
    if "name" not in parameters:
        raise FormError("a part of the form has no name")
    filename = parameters.get("filename")
    content_type = next((value for name, value in headers if name == "Content-Type"), "")
    name = text.decode_key(parameters["name"].encode("iso-8859-1"))
    if filename is not None:
        filename = text.decode_key(filename.encode("iso-8859-1"))
    return name, filename, decode_text(content_type.strip().encode("iso-8859-1"))


def _parameters(field: str, text: str, grammar: re.Pattern[str]) -> dict[str, str]:
    """Reads `;name=value` after the first token. FormError for anything else and for repeated names.

    Browsers write `%22`, `%0D` and `%0A` for three characters and leave backslashes alone (HTML, section 4.10.21.8);
    older clients write quoted pairs. `filename*` is another name and so ignored (RFC 7578, section 4.2).
    """
    parameters: dict[str, str] = {}
    at = len(text.partition(";")[0])
    while at < len(text):
        match = grammar.match(text, at)
        if match is None:
            raise FormError(f"malformed {field}: {text[:200]!r}")
        at = match.end()
        name, value = match.groups()
        if name is None:
            continue
        if name.lower() in parameters:
            raise FormError(f"{field} has two parameters {name[:40]!r}")
        parameters[name.lower()] = _unquote(value, grammar)
    return parameters


def _unquote(value: str, grammar: re.Pattern[str]) -> str:
    if not value.startswith('"'):
        return value
    value = value[1:-1]
    if grammar is _QUOTED_PAIRS:
        return re.sub(r'\\(["\\])', r"\1", value)
    return value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
