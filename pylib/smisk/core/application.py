# SPDX-License-Identifier: MIT
"""`Application`, the heart of a program in the manner of Smisk 1.1: a class with a method `service()`.

`smiskd` makes a Request and a Response for each request, calls `service()`, and sends what it wrote (host/py/iface_smisk.c).
"""

from __future__ import annotations

import codecs
import os
import signal
import sys

from _smisk import Request, Response, _request, _response, _serve, _want_exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, ClassVar

    from typing_extensions import Self

__all__ = ["Application", "serve_request"]


class _FileSessions:
    """The usual class of session stores, imported when it is asked for."""

    def __get__(self, instance: object, owner: object = None) -> Any:
        from smisk.core.sessions import FileSessionStore

        return FileSessionStore


class Application:
    """A program that answers requests: override `service()`.

    `request` and `response` are those of the request that is served in this thread or task, None outside of one; the
    proxies `smisk.core.request` and `response` are the same. Classes are looked at when a worker starts.
    """

    current: ClassVar[Application | None] = None
    """The Application that was made last."""

    request_class: type[Request] = Request
    response_class: type[Response] = Response
    sessions_class: Any = _FileSessions()
    """Called without arguments for `sessions` when that is first used."""

    request: Any = _request
    response: Any = _response

    show_traceback: object = False
    """Whether `error()` shows the client what went wrong. `smiskd` sets it by the setting of that name."""

    forks: int = 0
    """How many worker processes `run()` asks for, besides the first one."""

    _charset: str | None = "utf-8"
    _tolerant = True
    _sessions: Any = None

    def __new__(cls, *args: object, **named: object) -> Self:
        """Makes the instance `Application.current`, also where a subclass does not call our `__init__`."""
        self = super().__new__(cls)
        Application.current = self
        return self

    def __init__(self, *args: object, **named: object) -> None:
        """Ignores all arguments."""

    # --- settings ---

    @property
    def charset(self) -> str | None:
        """Charset of text: of parameters and cookies that come in, of what `response.write()` sends.

        None: parameters stay bytes, and only bytes are written. ValueError for a name that is no charset of Python's.
        """
        return self._charset

    @charset.setter
    def charset(self, name: str | None) -> None:
        if name is not None:
            name = str(name)
            _check_charset(name)
        self._charset = name
        request = self.request
        if request is not None:
            request._forget()

    @property
    def tolerant(self) -> bool:
        """Whether what comes in and is not in `charset` is read as ISO-8859-1; else it is a UnicodeDecodeError."""
        return self._tolerant

    @tolerant.setter
    def tolerant(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("tolerant must be a boolean")
        self._tolerant = bool(value)

    @property
    def sessions(self) -> Any:
        """The store of sessions, made when it is first used."""
        if self._sessions is None:
            self._sessions = self.sessions_class()
        return self._sessions

    @sessions.setter
    def sessions(self, store: Any) -> None:
        self._sessions = store

    # --- what a program overrides ---

    def service(self) -> None:
        """Answers `self.request` by `self.response`. What it returns is ignored."""
        self.response.headers = ["Content-type: text/html"]
        self.response(
            f"<html><head><title>Smisk instance #{os.getpid()}</title></head>",
            "<body><h1>No services available</h1></body></html>\n",
        )

    def application_will_start(self) -> None:
        """Called once in every worker process, before its first request. An exception keeps it from starting."""

    def application_did_stop(self) -> None:
        """Called once in every worker process, after its last request."""

    def error(self, typ: type[BaseException], val: BaseException, tb: TracebackType | None) -> None:
        """Answers an exception that `service()` raised: logs it, and sends a page, or the rest of one.

        Headers that were set before are discarded, unless output has begun. A request that the client got wrong
        (FormError) is answered with its own status. What is raised here is logged, and a plain 500 is sent.
        """
        from smisk.core.errorfragment import render_fragment, render_page

        status = self._log(val)
        response = self.response
        fragment = render_fragment(val, self.request.env, bool(self.show_traceback))
        if response.has_begun:
            self._append(fragment)
            return
        page = render_page(fragment).encode("utf-8", "replace")
        response.headers = [
            f"Status: {status}",
            "Content-Type: text/html; charset=utf-8",
            f"Content-Length: {len(page)}",
            "Cache-Control: no-cache",
        ]
        response.write(page)

    def _log(self, error: BaseException) -> str:
        """Logs an exception and returns the status of its answer."""
        from smisk.core.forms import FormError

        if isinstance(error, FormError):
            self.request.log_error(f"{error.status}: {error}")
            return str(error.status)
        self.response._log_exception(error)
        return "500 Internal Server Error"

    def _append(self, fragment: str) -> None:
        """Behind a Content-Length or a file there is no room; then the client sees what is there."""
        try:
            self.response.write(fragment.encode(self.charset or "utf-8", "xmlcharrefreplace"))
        except (OSError, ValueError):
            return

    # --- running ---

    def run(self) -> None:
        """Serves: hands this program over to `smiskd`, see smisk.core.launch.run_application.

        In a worker that runs the program again, this is where it is taken over; in a module that `smiskd` serves by
        name, it warns and returns.
        """
        from smisk.core.launch import run_application

        run_application(self)

    def exit(self) -> None:
        """Ends this worker process after the requests that it is at; the master starts another one in its place.

        RuntimeError outside of `smiskd`, where there is nothing to end.
        """
        if not _is_hosted():
            raise RuntimeError("the application is not served, so it cannot exit")
        _want_exit()
        os.kill(os.getpid(), signal.SIGTERM)


def serve_request(application: Application, request: Request) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Runs `service()` for a request without a server, as smisk.testing does, and returns (status, fields, body).

    Raises what `error()` raises.
    """
    return _serve(application, request)


def _is_hosted() -> bool:
    """Whether this is a process of `smiskd`: only there `_smisk` is built in."""
    return "_smisk" in sys.builtin_module_names


def _check_charset(name: str) -> None:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        raise ValueError(f"unknown charset {name!r}") from None
    if not getattr(codec, "_is_text_encoding", True):
        raise ValueError(f"{name!r} is a codec, but no charset of text")
