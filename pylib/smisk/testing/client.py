# SPDX-License-Identifier: MIT
"""The client: calls an application in process, as the server would, and keeps its cookies."""

from __future__ import annotations

import html
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any

from smisk.core.forms import FormError

from . import asgi, native, smisk_app, wsgi
from .answer import Answer
from .form import Fields, Files, encode_body
from .jar import CookieJar, decode_plain, decode_quoted, encode_plain, encode_quoted
from .life import Life
from .load import load
from .outgoing import Origin, Outgoing
from .parts import Parts
from .portal import Portal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Client"]

OWN_KINDS = ("native", "async", "smisk")  # whose cookies are percent-encoded
HEADERS = {"User-Agent": "smisk.testing", "Accept": "*/*"}


class Client:
    """Calls one application. Not for several threads at once.

    `application`: a callable, a `smisk.core.Application` or its class, or a name as `smiskd` takes it, such as
    `shop:create_app("test")`; `interface` as in smisk.conf. Raises smisk.testing.LoadError.

    `base_url`: where the application seems to be; with https its requests come as from a front server that ends TLS,
    over FastCGI, and `front=True` has the same without TLS. `root_path`: as the setting. `remote_addr`: the client's address.
    `headers` and `cookies` go with every request. `raise_errors`: exceptions of the application come out of `get()`
    and the like; else they are answered 500, and are the answer's `error`. What the client did wrong (FormError) is
    always answered. `lifespan`: as the setting. `timeout`: seconds that an asynchronous application may take, None: any.

    As a context manager it also runs what belongs to a worker's life: `application_will_start()`,
    `application_did_stop()` and the ASGI lifespan.
    """

    def __init__(
        self,
        application: object,
        interface: str = "auto",
        *,
        base_url: str = "http://localhost",
        front: bool = False,
        root_path: str = "",
        remote_addr: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        raise_errors: bool = True,
        show_traceback: bool = False,
        lifespan: str = "auto",
        timeout: float | None = 30.0,
    ) -> None:
        self._loaded = load(application, interface)
        self._origin = Origin(base_url)
        self._kind = "cgi" if front or self._origin.is_https else "http"
        self._root_path = root_path.rstrip("/")
        self._peer = remote_addr
        self._timeout = timeout
        self._show_traceback = show_traceback
        self._portal = Portal()
        self._life = Life(self._loaded, self._portal, lifespan, timeout)
        is_own = self._loaded.kind in OWN_KINDS
        self._encode = encode_quoted if is_own else encode_plain
        self._decode = decode_quoted if is_own else decode_plain
        self.raise_errors = raise_errors
        self.headers = dict(headers or {})
        self.cookies = CookieJar(self._origin.host, self._encode, self._decode)
        self.cookies.update(cookies or {})

    @property
    def application(self) -> Any:
        """What is called: the callable, or the Application."""
        return self._loaded.handler

    @property
    def interface(self) -> str:
        """What the application was found to be: "native", "wsgi", "asgi" or "smisk"."""
        return "native" if self._loaded.kind == "async" else self._loaded.kind

    def __repr__(self) -> str:
        return f"<Client of {self._loaded.label} ({self.interface})>"

    # --- life ---

    def __enter__(self) -> Client:
        try:
            self._life.start()
        except BaseException:
            self._portal.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what `with` began, and the event loop of an asynchronous application; once more is fine."""
        try:
            self._life.stop()
        finally:
            self._portal.close()

    # --- requests ---

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Fields | None = None,
        data: object = None,
        json: object = None,
        files: Files | None = None,
        headers: object = None,
        cookies: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request and returns the answer.

        `path` begins with / and may have a query; `params` are added to it. `data`: bytes, str, or the fields of a form;
        `json`: what is sent as JSON; `files`: uploads by name, each its content or (filename, content[, type]), with
        which the form becomes multipart. `headers`: a mapping or pairs; they win over the client's own. `cookies` go
        with this request alone.

        Raises what the application raises (see `raise_errors`), ValueError for a request that the server would refuse,
        TimeoutError.
        """
        outgoing = Outgoing(self._origin, self._kind, self._peer, method, path, params)
        outgoing.add(headers)
        if cookies is not None or len(self.cookies):
            self._add_cookies(outgoing, cookies or {})
        outgoing.add_missing(self.headers, first=True)
        outgoing.add_missing({"Host": self._origin.authority, **HEADERS}, first=True)
        outgoing.set_body(*encode_body(data, json, files))
        answer = self._send(outgoing)
        for line in answer.headers.getlist("Set-Cookie"):
            self.cookies.take(line, outgoing.path)
        return answer

    def get(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("GET", path, **more)

    def head(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("HEAD", path, **more)

    def post(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("DELETE", path, **more)

    def options(self, path: str, **more: Any) -> Answer:
        """See `request()`."""
        return self.request("OPTIONS", path, **more)

    # --- within ---

    def _add_cookies(self, outgoing: Outgoing, more: Mapping[str, str]) -> None:
        kept = [pair for pair in self.cookies.pairs(outgoing.path, self._origin.is_https) if pair[0] not in more]
        pairs = [*kept, *((name, self._encode(value)) for name, value in more.items())]
        if pairs:
            outgoing.add_missing({"Cookie": "; ".join(f"{name}={value}" for name, value in pairs)})

    def _send(self, outgoing: Outgoing) -> Answer:
        request = outgoing.request()
        error: BaseException | None = None
        try:
            parts = self._call(request, outgoing)
            parts.settle(outgoing.method)
        except FormError as raised:
            status = raised.status if 400 <= raised.status <= 499 else 400
            parts = _page(status)
            parts.settle(outgoing.method)
        except Exception as raised:
            if self.raise_errors:
                raise
            error = raised
            parts = self._failure(raised, outgoing)
            parts.settle(outgoing.method)
        return Answer(parts, self._decode, error)

    def _call(self, request: Any, outgoing: Outgoing) -> Parts:
        loaded = self._loaded
        if loaded.kind == "native":
            return native.answer(loaded, request, outgoing.method)
        if loaded.kind == "wsgi":
            return wsgi.answer(loaded, request, outgoing, self._root_path)
        if loaded.kind == "smisk":
            return smisk_app.answer(loaded.handler, request)
        if loaded.kind == "async":
            return self._portal.run(native.answer_async(loaded, request, outgoing.method), self._timeout)
        answer = asgi.answer(loaded, outgoing, self._root_path, self._life.state)
        return self._portal.run(answer, self._timeout)

    def _failure(self, error: Exception, outgoing: Outgoing) -> Parts:
        if not self._show_traceback:
            return _page(500)
        from smisk.core.errorpage import render

        page = render(error, method=outgoing.method, url=outgoing.target, request_id="test", show_traceback=True)
        return Parts(500, [("Content-Type", "text/html; charset=utf-8")], page.encode("utf-8", "replace"))


def _page(status: int) -> Parts:
    """The page of an error that the application did not answer itself, as the server has it."""
    known = {each.value: each.phrase for each in HTTPStatus}
    title = html.escape(f"{status} {known.get(status, '')}".strip())
    page = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n' \
           f"<body><h1>{title}</h1></body></html>\n"  # fmt: skip
    fields = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    return Parts(status, fields, page.encode())
