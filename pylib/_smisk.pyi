# SPDX-License-Identifier: MIT
"""The parts of Smisk that are written in C: what handlers receive, and what they may return."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Literal, TypeAlias, final

from smisk.core.forms import Fields, Files
from smisk.core.headers import Headers
from smisk.core.url import URL

__version__: str
__build__: str

_Pairs: TypeAlias = list[tuple[str, str]] | tuple[tuple[str, str], ...] | Mapping[str, str]
_Body: TypeAlias = (
    str | bytes | bytearray | memoryview | dict[str, Any] | list[Any] | Iterable[bytes] | Iterable[str] | None
)

@final
class Request:
    """One request, as a handler sees it. Made by the server; every field is built when first asked for."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def get(self) -> Fields: ...
    @property
    def post(self) -> Fields: ...
    @property
    def files(self) -> Files: ...
    @property
    def cookies(self) -> Fields: ...
    @property
    def body(self) -> bytes: ...
    @property
    def input(self) -> BinaryIO: ...
    @property
    def env(self) -> dict[str, str]: ...
    @property
    def remote_addr(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def role(self) -> Literal["responder", "authorizer", "filter"]: ...
    @property
    def id(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def content_length(self) -> int | None: ...
    @property
    def data(self) -> BinaryIO: ...
    @property
    def data_length(self) -> int | None: ...
    @property
    def data_time(self) -> int | None: ...
    @property
    def is_aborted(self) -> bool: ...
    def json(self) -> Any: ...
    def log_error(self, text: str, /) -> None: ...

class Response:
    """An answer with its status and header fields, returned by a handler."""

    body: _Body
    status: int
    content_type: str | None
    def __init__(
        self, body: _Body = b"", status: int = 200, headers: _Pairs | None = None, content_type: str | None = None
    ) -> None: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @headers.setter
    def headers(self, value: _Pairs | None) -> None: ...
    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        comment: str | None = None,
        domain: str | None = None,
        path: str | None = None,
        secure: bool = False,
        max_age: int | None = None,
        expires: float | datetime | None = None,
        http_only: bool = False,
        same_site: Literal["strict", "lax", "none", "Strict", "Lax", "None"] | None = None,
    ) -> None: ...

def _make_request(
    kind: Literal["http", "cgi"],
    fields: Iterable[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    method: str = "GET",
    target: str = "/",
    role: int = 1,
    data: bytes = b"",
    peer: str = "",
    spool: int = -1,
) -> Request: ...
