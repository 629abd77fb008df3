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
    # That of the forms.
    charset = "iso-8859-1"

    def application_will_start(self):
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
        else:
            self.react()
            self.show()

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

    def show(self):
        """Writes everything as text."""
        request, response = self.request, self.response
        post = request.post  # before the output begins: a form that is too large becomes an error page
        self.section(
            "self",
            request_class=self.request_class,
            response_class=self.response_class,
            sessions_class=self.sessions_class,
            sessions=self.sessions,
            name=self.sessions.name,
            ttl=self.sessions.ttl,
        )
        self.section(
            "self.request",
            env=request.env,
            get=request.get,
            post=post,
            files=request.files,
            cookies=request.cookies,
            input=request.input.read(),
            url=str(request.url),
            session_id=request.session_id,
            session=request.session,
        )
        fields = {name: value for name, value in request.env.items() if name.startswith("HTTP_")}
        self.pairs(
            "Reconstructed headers", {name[5:].title().replace("_", "-"): value for name, value in fields.items()}
        )
        self.section("self.response", headers=response.headers)
        self.pairs("Query parameters (GET)", request.get)
        self.pairs("Form data (POST)", post)
        self.pairs("Cookies", request.cookies)

    def section(self, title, **values):
        lines = [f"{title}.\n", *(f"  {name:<15} {value!r}\n" for name, value in values.items()), "\n"]
        self.write(lines)

    def pairs(self, title, values):
        self.write([f"{title}:\n", *(f"  {key} = {value}\n" for key, value in values.items()), "\n"])

    def write(self, lines):
        """Writes text; what ISO-8859-1 does not have is written as in Python."""
        self.response.write("".join(lines).encode("iso-8859-1", "backslashreplace"))


if __name__ == "__main__":
    from smisk.util.main import main

    main(MyApp)
