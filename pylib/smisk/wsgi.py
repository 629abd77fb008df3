# SPDX-License-Identifier: MIT
"""A WSGI application (PEP 3333) as a Smisk `Application`.

    from smisk.wsgi import main

    main(application)

`Gateway` is for programs that run one the way Smisk 1.1 did, or that subclass it. `smiskd` serves WSGI itself, in C:
`smiskd mysite:application`, or of a gateway that stands in a module, `smiskd --interface wsgi mysite:gateway.wsgi_app`
(in smisk.conf `app: "mysite:gateway.wsgi_app", interface: "wsgi"`). That is faster, adds no header field, passes bytes
that are no UTF-8 on as they came, and has files sent by the kernel.
"""

from __future__ import annotations

import re

from _smisk import Request as _Request

from .core.application import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
    Environ = dict[str, Any]
    WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

__all__ = ["Gateway", "Request", "__version__", "is_hop_by_hop", "main"]

__version__ = (0, 1, 0)

_POWERED_BY = "X-Powered-By: smisk+wsgi/{}.{}.{}".format(*__version__)
_STATUS = re.compile(r"[1-9][0-9]{2} ", re.ASCII)
# RFC 2616, section 13.5.1, as PEP 3333 has them.
_HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ]
)


def is_hop_by_hop(header_name: str) -> bool:
    """Whether a header field belongs to the connection, and so to the server. Case does not matter."""
    return header_name.lower() in _HOP_BY_HOP


class Request(_Request):
    """The request of a `Gateway`: its `env` becomes the environment of WSGI."""

    _gateway: Gateway | None = None

    def prepare(self, app: Gateway) -> None:
        """Completes `env` by the keys of PEP 3333 and `smisk.app`, and turns its text into Latin-1, byte by byte."""
        env: Environ = self.env
        for name, value in env.items():
            if not value.isascii():
                env[name] = value.encode("utf-8", "surrogateescape").decode("latin-1")
        env["wsgi.input"] = self.input
        env["wsgi.errors"] = self.errors
        env["wsgi.version"] = app.wsgi_version
        env["wsgi.run_once"] = app.wsgi_run_once
        env["wsgi.url_scheme"] = self.url.scheme
        env["wsgi.multithread"] = app.wsgi_multithread
        env["wsgi.multiprocess"] = app.wsgi_multiprocess
        env["smisk.app"] = app
        self._gateway = app

    def send_file(self, path: str | bytes | os.PathLike[str]) -> None:
        """The response's `send_file()`. NotImplementedError before `prepare()`."""
        if self._gateway is None:
            raise NotImplementedError("a request that is not prepared has no send_file")
        self._gateway.response.send_file(path)


class Gateway(Application):
    """Runs the WSGI application `wsgi_app`."""

    request_class = Request

    wsgi_version = (1, 0)
    wsgi_multithread = False
    wsgi_multiprocess = True
    wsgi_run_once = False

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        super().__init__()
        self.wsgi_app = wsgi_app

    def service(self) -> None:
        """Calls the application and writes what it returns, piece by piece; `close()` of that is called in any case.

        AssertionError where the application has not called `start_response()`, TypeError for pieces that are not bytes.
        """
        self.request.prepare(self)
        result = self.wsgi_app(self.request.env, self.start_response)
        try:
            for piece in result:
                if not isinstance(piece, bytes):
                    raise TypeError(f"a WSGI application answers with bytes, not {type(piece).__name__}")
                if piece:
                    self._check_started()
                    self.response.write(piece)
            self._check_started()
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """PEP 3333's `start_response()`. The head goes out with the first byte of the body.

        Called again, it needs an `exc_info`: the new head takes the place of the old one, or, where that has gone out,
        the exception is raised. AssertionError for what the PEP forbids.
        """
        response = self.response
        if exc_info is not None:
            try:
                if response.has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no circle through this frame
        elif response.headers:
            raise AssertionError("Headers already set!")
        _check_status(status)
        for name, value in headers:
            _check_field(name, value)
        response.headers = [f"Status: {status}", *(f"{name}: {value}" for name, value in headers), _POWERED_BY]
        write: Callable[[bytes], object] = response.write
        return write

    def _check_started(self) -> None:
        if not self.response.has_begun and not self.response.headers:
            raise AssertionError("the application has not called start_response()")


def main(
    wsgi_app: WSGIApplication,
    appdir: str | None = None,
    bind: str | None = None,
    forks: int | None = None,
    handle_errors: bool = True,
    cli: bool = True,
) -> Any:
    """Runs a WSGI application as a program: as `smisk.util.main.main()`, with the same command line, does others."""
    from .util.main import main as run

    return run(Gateway(wsgi_app), appdir=appdir, bind=bind, forks=forks, handle_errors=handle_errors, cli=cli)


def _check_status(status: object) -> None:
    if not isinstance(status, str):
        raise AssertionError("Status must be a string")
    if not _STATUS.match(status):
        raise AssertionError(f"Status must be three digits, a space and a reason: {status!r}")


def _check_field(name: object, value: object) -> None:
    if not isinstance(name, str) or not isinstance(value, str):
        raise AssertionError("Header names and values must be strings")
    if is_hop_by_hop(name):
        raise AssertionError(f"Hop-by-hop headers not allowed: {name}")
