# SPDX-License-Identifier: MIT
"""An Application with a page for everything that one can do; the path says which."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from smisk.core import Application, Request, Response, app, request, response

__all__ = ["application"]


class MyRequest(Request):
    """Carries an attribute; its limit is its own."""

    label = "of the class"

    def __init__(self) -> None:
        self.seen = 0


class MyResponse(Response):
    note = "mine"


class Everything(Application):
    """`/name` calls `do_name()`."""

    request_class = MyRequest
    response_class = MyResponse

    def __init__(self) -> None:
        self.hooks: list[str] = []

    def application_will_start(self) -> None:
        self.hooks.append(f"started {self.request!r}")

    def application_did_stop(self) -> None:
        print("did stop", *self.hooks)

    def service(self) -> None:
        name = self.request.path.rpartition("/")[2] or "index"
        getattr(self, f"do_{name}")()

    # --- the body ---

    def do_index(self) -> None:
        self.response("a", b"b", "å", 12)

    def do_plain(self) -> None:
        self.response.headers = ["Content-Type: text/plain"]
        self.response.write("plain")

    def do_nothing(self) -> None:
        pass

    def do_status(self) -> None:
        self.response.headers = ["Status: 404 Not Here", ("X-Pair", "one"), b"X-Bytes: two", "X-Latin: \xe5"]
        self.response("gone")

    def do_pieces(self) -> None:
        for _ in range(10):
            self.response.write("x" * 1000)

    def do_long(self) -> None:
        for _ in range(100):
            self.response.write(b"y" * 1000)

    def do_large(self) -> None:
        self.response.write(b"z" * 500_000)

    def do_flush(self) -> None:
        self.response.write("first,")
        self.response.out.flush()
        self.response.write("second")

    def do_endless(self) -> None:
        for _ in range(int(self.request.get["blocks"])):
            self.response.write(b"e" * 65536)
        self.request.log_error("service over")

    def do_length(self) -> None:
        self.response.headers = ["Content-Length: 5"]
        self.response.write("12345")
        try:
            self.response.write("6")
        except ValueError:
            self.request.log_error("too long")

    def do_short(self) -> None:
        self.response.headers = ["Content-Length: 5"]
        self.response.write("123")

    def do_empty(self) -> None:
        self.response.headers = ["Status: 204 No Content"]
        self.response.write("unheard")

    def do_unchanged(self) -> None:
        self.response.headers = ["Status: 304 Not Modified", 'ETag: "x"']
        self.response.write("unheard")

    def do_out(self) -> None:
        out = self.response.out
        out.write(b"abcdef", 3)
        out.write_byte(33)
        out.writelines([b"1", "å", None])

    def do_lines(self) -> None:
        self.response.writelines(str(n) for n in range(5))

    # --- begin() and what it forbids ---

    def do_begin(self) -> None:
        said = [self.response.has_begun]
        self.response.write("")
        said.append(self.response.has_begun)
        self.response.begin()
        said.append(self.response.has_begun)
        for call in (self.response.begin, lambda: self.response.set_cookie("a", "b"), self.send):
            try:
                call()
            except OSError as error:
                said.append(str(error))
        self.response.headers.append("X-Late: lost")
        self.response(said)

    def send(self) -> None:
        self.response.send_file(__file__)

    def do_cookie(self) -> None:
        self.response.set_cookie("n", "v w", "c c", ".ex.com", "/a", 1, 0, 3600, 1)
        self.response.set_cookie("m", "v", max_age=-1)
        self.response(
            self.response.find_header("set-cookie"), self.response.find_header("X"), "", self.response.headers
        )

    # --- what a request says ---

    def do_show(self) -> None:
        asked = self.request
        self.response.headers = ["Content-Type: text/plain; charset=utf-8"]
        self.response.writelines(
            f"{key}={value!r}\n"
            for key, value in {
                "get": asked.get,
                "post": asked.post,
                "files": {key: file["size"] for key, file in asked.files.items()},
                "cookies": asked.cookies,
                "referrer": asked.referring_url and asked.referring_url.path,
                "active": asked.is_active,
                "label": (asked.label, asked.seen, self.response.note),
                "method": asked.method,
                "software": asked.env.get("SERVER_SOFTWARE"),
                "input": type(asked.input).__name__,
            }.items()
        )

    def do_bytes(self) -> None:
        self.charset = None
        try:
            self.response(repr(self.request.get).encode())
        finally:
            self.charset = "utf-8"

    def do_latin(self) -> None:
        before = self.request.get
        self.charset = "iso-8859-1"
        try:
            self.response(f"{before['a']}:{self.request.get['a']}")
        finally:
            self.charset = "utf-8"

    def do_strict(self) -> None:
        self.tolerant = False
        try:
            self.response(self.request.get)
        except UnicodeDecodeError as error:
            self.response(f"{type(error).__name__}")
        finally:
            self.tolerant = True

    def do_echo(self) -> None:
        self.response(*self.request)

    def do_errors(self) -> None:
        self.request.errors.write("to the log\n")
        self.response("logged")

    def do_limits(self) -> None:
        before = self.request.max_formdata_size
        self.request.max_formdata_size = 5
        try:
            self.response(self.request.post)
        finally:
            self.request.max_formdata_size = before

    # --- errors ---

    def do_raise(self) -> None:
        self.response.headers = ["X-Discarded: yes"]
        self.response.set_cookie("discarded", "yes")
        raise RuntimeError("<script>alert(1)</script>")

    def do_late(self) -> None:
        self.response.write("begun")
        raise RuntimeError("late <b>")

    def do_file_raise(self) -> None:
        self.response.send_file(__file__)
        raise RuntimeError("after the file")

    def do_header(self) -> None:
        self.response.headers = ["X: a\r\nSet-Cookie: b=c"]
        self.response("never")

    def do_colon(self) -> None:
        self.response.headers = ["no header at all"]

    # --- files ---

    def do_file(self) -> None:
        self.response.send_file(os.fsdecode(self.request.get["path"]))

    def do_nul(self) -> None:
        self.response.send_file("/etc/pass\0wd")

    # --- which request it is ---

    def do_proxies(self) -> None:
        same = (app == self, request.path == self.request.path, response == self.response, bool(request))
        elsewhere: list[Any] = []

        def look() -> None:
            elsewhere.extend([bool(request), repr(response), self.request, hasattr(request, "path")])

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        self.response(same, elsewhere, self.hooks)

    def do_keep(self) -> None:
        kept.append((self.request, self.response))
        self.response("kept")

    def do_kept(self) -> None:
        asked, answered = kept.pop()
        try:
            answered.write("again")
        except RuntimeError as error:
            self.response(asked.path, asked.is_active, error)

    def do_pid(self) -> None:
        self.response(os.getpid())

    def do_watch(self) -> None:
        self.response.headers = ["Content-Type: text/x-mine"]
        self.response.begin()
        gate = Path(self.request.get["gate"])
        while not gate.exists():
            assert not self.request.is_aborted  # which looks at the connection
            time.sleep(0.001)
        self.response("mine")

    def do_exit(self) -> None:
        self.exit()
        self.response(os.getpid())


kept: list[Any] = []
application = Everything()
