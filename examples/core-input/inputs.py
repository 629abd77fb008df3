#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows what a request brings: query, form, uploads, cookies, session, environment.

/receive shows; every other path is the page with the forms. In the query of /receive: `dump` echoes the body as it
came, `set_cookie=v` sets a cookie, `set_session=v` keeps v in the session, without a value it destroys the session.
"""

from pathlib import Path

from smisk.core import Application

FORMS = Path(__file__).resolve().parent / "index.html"


class MyApp(Application):
    def __init__(self):
        super().__init__()
        # That of the forms.
        self.charset = "iso-8859-1"
        # Short, so that one can watch a session expire.
        self.sessions.ttl = 10

    def service(self):
        if self.request.path.rstrip("/") != "/receive":
            self.response.headers = ["Content-Type: text/html; charset=iso-8859-1"]
            self.response.write(FORMS.read_bytes())
            return
        self.request.max_multipart_size = 1024 * 1024
        self.request.max_formdata_size = 51
        self.response.headers = ["Content-Type: text/plain; charset=iso-8859-1"]
        if "dump" in self.request.get:
            self.dump()
            return
        self.react()
        text = "".join([*self.settings(), *self.fields(), *self.values()])
        # What ISO-8859-1 does not have is written as in Python.
        self.response.write(text.encode("iso-8859-1", "backslashreplace"))

    def dump(self):
        """Echoes the body, piece by piece."""
        while piece := self.request.input.read(8192):
            self.response.write(piece)

    def react(self):
        """Does what the query says to cookie and session."""
        query = self.request.get
        if query.get("set_cookie"):
            self.response.set_cookie("a_cookie", query["set_cookie"], max_age=20)
        if "set_session" in query:
            self.request.session = query["set_session"] or None
        elif self.request.session is None:
            self.request.session = "mos"

    def settings(self):
        """What the application is set to."""
        yield "self\n"
        for name in ("request_class", "response_class", "sessions_class", "sessions"):
            yield line(name, getattr(self, name))
        yield line("sessions.name", self.sessions.name)
        yield line("sessions.ttl", self.sessions.ttl)

    def fields(self):
        """The request and the response, field by field."""
        request = self.request
        yield "\nself.request\n"
        for name in ("env", "get", "post", "files", "cookies", "url", "session", "session_id"):
            yield line(name, getattr(request, name))
        yield line("input", request.input.read())
        yield "\nself.response\n"
        yield line("headers", self.response.headers)

    def values(self):
        """What came by name, one line each."""
        request = self.request
        sent = {name: value for name, value in request.env.items() if name.startswith("HTTP_")}
        headers = {name[5:].title().replace("_", "-"): value for name, value in sent.items()}
        for title, values in (
            ("Reconstructed headers", headers),
            ("Query parameters (GET)", request.get),
            ("Form data (POST)", request.post),
            ("Cookies", request.cookies),
        ):
            yield f"\n{title}\n"
            yield from (f"  {name} = {value}\n" for name, value in values.items())


def line(name, value):
    return f"  {name:<15} {value!r}\n"


if __name__ == "__main__":
    from smisk.util.main import main

    main(MyApp)
