# SPDX-License-Identifier: MIT
"""Bodies of type `multipart/form-data` (RFC 7578), read with the `multipart` library.

The library splits the body into parts; this module checks what it hands over, decodes names, keeps the limits, and
puts each part where it belongs: a text field, an upload in memory, or an upload in the form's spool file.
"""

from __future__ import annotations

import importlib
import io
import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, cast

from .forms import Fields, Files, FormError, Text, read_exactly
from .pairs import collect, decode_text
from .upload import Spool, Upload, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["Limits", "parse_multipart"]

_CHUNK = 64 * 1024  # bytes read at once
_MAX_HEADER = 4096  # bytes of one header line of a part
_MAX_HEADERS = 16  # header lines of a part; browsers send two
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


class _Segment(Protocol):
    """What is used of the library's `MultipartSegment`; the events are one of these, then bytes, then None."""

    headerlist: list[tuple[str, str]]


class _Parser(Protocol):
    """What is used of the library's `PushMultipartParser`."""

    def parse(self, chunk: bytes) -> Iterator[_Segment | bytes | None]: ...
    def close(self) -> None: ...


def parse_multipart(
    content_type: bytes, body: BinaryIO, length: int, limits: Limits, text: Text
) -> tuple[Fields, Files]:
    """Parses a body of `length` bytes (-1: to its end) and returns (fields, files). FormError: 400 or 413."""
    library = _library()
    boundary = _boundary(content_type)
    form = _Form(limits, text)
    try:
        parser = library.PushMultipartParser(
            boundary,
            max_header_size=_MAX_HEADER,
            max_header_count=_MAX_HEADERS,
            max_segment_count=limits.max_parts,
            header_charset="iso-8859-1",  # any byte passes; names are decoded below
        )
        for event in _events(parser, _chunks(body, length, boundary)):
            form.take(event)
    except library.ParserLimitReached as error:
        raise FormError(f"multipart body: {error}", 413) from None
    except library.MultipartError as error:
        raise FormError(f"malformed multipart body: {error}") from None
    return collect(form.fields), collect(form.files)


def _library() -> ModuleType:
    try:
        library = importlib.import_module("multipart")
    except ImportError as error:
        raise ImportError("multipart forms need the package 'multipart'") from error
    if not hasattr(library, "PushMultipartParser"):
        raise ImportError("multipart forms need the package 'multipart'; another one has taken its module's name")
    return library


def _events(parser: _Parser, chunks: Iterator[bytes]) -> Iterator[_Segment | bytes | None]:
    for chunk in chunks:
        yield from parser.parse(chunk)
    parser.close()


def _chunks(body: BinaryIO, length: int, boundary: str) -> Iterator[bytes]:
    """Reads the body piece by piece. Text before the first boundary is refused: no client of a form sends any."""
    opening = b"--" + boundary.encode()
    head = b""
    done = 0
    while len(head) < len(opening) + 2 and (chunk := read_exactly(body, length, done, _CHUNK)):
        head += chunk
        done += len(chunk)
    if not head.startswith((opening, b"\r\n" + opening)):
        raise FormError("malformed multipart body: it does not begin with its boundary")
    yield head
    while chunk := read_exactly(body, length, done, _CHUNK):
        yield chunk
        done += len(chunk)


class _Form:
    """Collects the parts of one form: first their pairs, in order; the dicts are made at the end."""

    def __init__(self, limits: Limits, text: Text) -> None:
        self._text = text
        self.fields: list[tuple[str, str | bytes | None]] = []
        self.files: list[tuple[str, Upload]] = []
        self._limits = limits
        self._field_bytes = 0
        self._file_bytes = 0  # of uploads in memory
        self._spool: Spool | None = None
        self._name = self._type = ""
        self._filename: str | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._start = -1  # where the part begins in the spool; -1: it is in memory

    def take(self, event: _Segment | bytes | None) -> None:
        if event is None:
            self._end()
        elif isinstance(event, (bytes, bytearray)):
            self._size += len(event)
            if self._filename is None:
                self._take_field(event)
            else:
                self._take_file(event)
        else:
            self._begin(event)

    def _begin(self, segment: _Segment) -> None:
        self._name, self._filename, self._type = _describe(segment.headerlist, self._text)
        self._chunks, self._size, self._start = [], 0, -1
        if self._filename is None and len(self.fields) >= self._limits.max_fields:
            raise FormError(f"more than {self._limits.max_fields} fields", 413)

    def _take_field(self, data: bytes) -> None:
        self._field_bytes += len(data)
        if self._field_bytes > self._limits.fields:
            raise FormError(f"the fields of the form are larger than {self._limits.fields} bytes", 413)
        self._chunks.append(data)

    def _take_file(self, data: bytes) -> None:
        if self._start < 0 and self._file_bytes + self._size <= self._limits.memory:
            self._chunks.append(data)
            return
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
        if self._spool is None or self._start < 0:
            self._file_bytes += self._size
            return io.BytesIO(b"".join(self._chunks))
        return cast(BinaryIO, io.BufferedReader(Window(self._spool, self._start, self._size)))


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


def _describe(headers: list[tuple[str, str]], text: Text) -> tuple[str, str | None, str]:
    """Returns name, filename (None: a plain field) and content type of a part."""
    if any(_CONTROL.search(value) for _, value in headers):
        raise FormError("a control character, or half a line break, in a part's header")
    dispositions = [value for name, value in headers if name == "Content-Disposition"]
    if len(dispositions) != 1:
        raise FormError("a part of the form has not exactly one Content-Disposition")
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
