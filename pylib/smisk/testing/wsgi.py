# SPDX-License-Identifier: MIT
"""Calling a WSGI application (PEP 3333) in process, with the environ that `smiskd` would make."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

from .outgoing import Outgoing
from .parts import Parts

if TYPE_CHECKING:
    from types import TracebackType

    from _smisk import Request

    from .load import Loaded

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

__all__ = ["answer", "environ_of"]

STATUS = re.compile(r"[2-9]\d\d( [^\r\n\0]*)?")


def environ_of(request: Request, outgoing: Outgoing, root_path: str) -> dict[str, Any]:
    """The variables of CGI and WSGI; all text is Latin-1, one character for each byte."""
    environ: dict[str, Any] = dict(request.env)
    # request.env is decoded for people; where that is not one character a byte, what was sent says it again.
    exact = dict(outgoing.variables())
    for name, value in environ.items():
        if not value.isascii():
            environ[name] = exact[name.encode()].decode("latin-1")
    path = outgoing.path_bytes.decode("latin-1")
    environ["SCRIPT_NAME"] = root = root_path.encode().decode("latin-1")
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    environ["PATH_INFO"] = path
    if not environ.get("CONTENT_LENGTH"):
        environ.pop("CONTENT_LENGTH", None)
    environ.update(_of_wsgi(request, outgoing))
    return environ


def _of_wsgi(request: Request, outgoing: Outgoing) -> dict[str, Any]:
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if outgoing.origin.is_https else "http",
        "wsgi.input": request.input,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "wsgi.early_hints": _take_hints,
    }


def _take_hints(links: Iterable[tuple[str, str]]) -> None:
    """There is nobody to send them to, but they have to be right."""
    Parts(200, list(links), b"")


class Call:
    """One call of an application: what it says to start_response and write."""

    def __init__(self, loaded: Loaded, method: str) -> None:
        self._label = loaded.label
        self._method = method
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._pieces: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        """start_response(). Raises what the server would: wrong types, a second call, `exc_info` after the head."""
        if exc_info is not None and exc_info[1] is not None and any(self._pieces):
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status and exc_info is None:
            raise RuntimeError("start_response() was called before, and there is no exc_info")
        if not isinstance(status, str) or not STATUS.fullmatch(status):
            raise ValueError(f"start_response(): a status is three digits and a reason, not {status!r}")
        if not isinstance(headers, list):
            raise TypeError(f"start_response(): headers are a list of (name, value), not {type(headers).__name__}")
        for pair in headers:
            if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(each, str) for each in pair)):
                raise TypeError(f"start_response(): a header is a tuple (name, value) of str, not {pair!r}")
        latin = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        Parts(200, latin, b"")  # refuses what the server would
        self._status, self._headers = status, list(headers)
        return self.write

    def write(self, data: bytes, /) -> None:
        """Takes a piece of the body. TypeError for anything but bytes."""
        if not isinstance(data, bytes):
            raise TypeError(f"{self._label}: the body is bytes, not {type(data).__name__}")
        if data and not self._status:
            raise RuntimeError(f"{self._label} did not call start_response()")
        self._pieces.append(data)

    def parts(self, is_list: bool) -> Parts:
        """The answer; `is_list`: its body was there whole, so that the server tells its length."""
        if not self._status:
            raise RuntimeError(f"{self._label} did not call start_response()")
        latin = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers]
        return Parts(int(self._status[:3]), latin, b"".join(self._pieces), whole=is_list or not any(self._pieces))


def answer(loaded: Loaded, request: Request, outgoing: Outgoing, root_path: str) -> Parts:
    """Calls the application. Raises what it raises, and what the server would have to say."""
    call = Call(loaded, outgoing.method)
    body = loaded.handler(environ_of(request, outgoing, root_path), call.start)
    try:
        if isinstance(body, (str, bytes)) or not isinstance(body, Iterable):
            raise TypeError(f"{loaded.label} returned {type(body).__name__}; the body is an iterable of bytes")
        for piece in body:
            call.write(piece)
    finally:
        close = getattr(body, "close", None)
        if callable(close):
            close()
    return call.parts(isinstance(body, (list, tuple)))
