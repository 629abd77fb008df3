# SPDX-License-Identifier: MIT
"""What every framework site is asked, feature by feature; see lib.steps for the words."""

from collections.abc import Iterator

from lib.steps import Step

__all__ = ["FLOWS"]

TOKEN = {"csrfmiddlewaretoken": r'name="csrfmiddlewaretoken" value="(\w+)"'}
DOCUMENT = bytes(range(256)) * 8
LARGE = bytes(range(256)) * 12288  # 3 MiB: beyond every server's memory for bodies
FASTAPI = frozenset({"fastapi"})
LITESTAR = frozenset({"litestar"})
FALCON = frozenset({"falcon-wsgi", "falcon-asgi"})
FALCON_WSGI = frozenset({"falcon-wsgi"})
BOTTLE = frozenset({"bottle"})
NO_RANGES = frozenset({"litestar"}) | FALCON


def pieces() -> Iterator[bytes]:
    """A body without a length."""
    for number in range(50):
        yield bytes([number]) * 4001


FLOWS: dict[str, tuple[Step, ...]] = {
    "routing": (
        Step("GET", "/", holds="home of"),
        Step("HEAD", "/", (200, 405)),
        Step("POST", "/", (403, 405)),
        Step("GET", "/items/7?q=caf%C3%A9", holds='"id'),
        Step("PUT", "/items/7", holds="PUT"),
        Step("DELETE", "/items/7", 204),
        Step("OPTIONS", "/items/7", (200, 204, 405)),
        Step("BREW", "/items/7", (400, 405)),
        Step("GET", "/items/seven", (400, 404, 422)),
        Step("GET", "/items/7/", (301, 307, 404, 200)),
        Step("GET", "/paths/a/b%20c/gr%C3%BC%C3%9Fe", holds="a/b c/gr"),
        Step("GET", "/paths/a%2Fb%2525", holds="a/b%25"),
        Step("GET", "/paths/a;b=c,d'(e)~!$&*+@:", holds="a;b=c,d"),
        Step("GET", "/redirect", (302, 303)),
        Step("GET", "/where?a=1&b=%20x&c=a+b", holds="%20x", headers={"User-Agent": "steps"}),
        Step("GET", "/where", headers=[("X-Many", "one"), ("User-Agent", "café")]),
    ),
    "fields": (
        Step("GET", "/headers", holds="fields"),
        # Of a variable that comes twice the last counts; nginx joins the two only from 1.23 on.
        Step("GET", "/where", headers=[("X-Many", "one"), ("X-Many", "two")], holds="one", only="http"),
    ),
    "templates": (Step("GET", "/page", holds="Grüße &amp; more"), Step("HEAD", "/page", (200, 405))),
    "forms": (
        Step("POST", "/form", form={"name": "Jack", "tag": ["a", "b"], "city": "Zürich"}, holds="Jack"),
        Step("POST", "/form", form={"name": "x" * 20000}, holds="x" * 20000),
        Step(
            "POST", "/form", (200, 400, 422), headers={"Content-Type": "application/x-www-form-urlencoded"}, data=b""
        ),
        Step("GET", "/form", 405, not_for=frozenset({"django-wsgi", "django-asgi"})),
    ),
    "uploads": (
        Step(
            "POST",
            "/upload",
            form={"title": "Two files"},
            files=[
                ("document", ("one.bin", DOCUMENT, "application/octet-stream")),
                ("document", ("zwei.txt", "Grüße\n".encode(), "text/plain")),
                ("picture", ("p.png", b"\x89PNG\r\n\x1a\n" * 3, "image/png")),
            ],
            holds="zwei.txt",
        ),
        Step(
            "POST",
            "/upload",
            files=[("document", ("large.bin", LARGE, "application/x-large"))],
            holds=str(len(LARGE)),
        ),
        Step(
            "POST",
            "/upload",
            (200, 400, 422, 500),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
            data=b"--x\r\nContent-Disposition: form-data\r\n",
            not_for=frozenset({"quart"}),  # its parser raises
        ),
    ),
    "cookies": (
        Step("GET", "/cookies/set", holds="set"),
        Step("GET", "/cookies", holds="dark"),
        Step("GET", "/cookies/delete", holds="deleted"),
        Step("GET", "/cookies", holds="lang"),
    ),
    "sessions": (
        Step("GET", "/session", holds="{}"),
        Step("POST", "/session/login", (302, 303), form={"name": "Ada"}),
        Step("GET", "/session", holds="Ada"),
        Step("GET", "/session", holds="2"),
        Step("POST", "/session/logout", 204),
        Step("GET", "/session", holds="{}"),
    ),
    "json": (
        Step("POST", "/json", json={"name": "Ada", "age": 36, "tags": ["ü", "\U0001f600"]}, holds="36"),
        Step("POST", "/json", json={"name": "", "age": "x"}, status=(400, 422)),
        Step("POST", "/json", (400, 422), headers={"Content-Type": "application/json"}, data=b"{no"),
        Step("POST", "/json", json={"name": "n" * 100000, "age": 1}, holds="n" * 100000),
    ),
    "injection": (
        Step("GET", "/injected?token=sesame", holds="Ali"),
        Step("GET", "/injected", 401),
    ),
    "streaming": (
        Step("GET", "/stream/100", holds="line 99"),
        Step("GET", "/stream/0"),
        Step("HEAD", "/stream/3", (200, 405)),
        Step("GET", "/big"),
        Step("POST", "/echo", data=b"abc", holds='"length":'),
        Step("POST", "/echo", data=LARGE, holds=str(len(LARGE))),
        Step("POST", "/echo", data=b""),
    ),
    "chunked": (Step("POST", "/echo", data=pieces, holds=str(50 * 4001)),),
    "sse": (Step("GET", "/sse", holds="event: tick"),),
    "hang-up": (
        Step("GET", "/endless", upto=100000, holds="xxx"),
        Step("GET", "/notes/endless", holds="ed", again=True),
        Step("GET", "/", holds="home of"),
    ),
    "broken": (Step("GET", "/broken", fails=None, holds="xxx"), Step("GET", "/", holds="home of")),
    "files": (
        Step("GET", "/file", holds="A page"),
        Step(
            "GET",
            "/file",
            (200, 304),
            take={"If-Modified-Since": "last-modified"},
            not_for=frozenset({"django-wsgi", "django-asgi"}),
        ),
        Step("HEAD", "/file", (200, 405)),
        Step("GET", "/file", (200, 206), headers={"Range": "bytes=2-5"}),
        Step(
            "GET", "/file", (200, 206), headers={"Range": "bytes=-10"}, not_for=frozenset({"quart"})
        ),  # 500 of its own
        Step("GET", "/file", (200, 416), headers={"Range": "bytes=99999-"}),
        Step("GET", "/download", holds="A page", not_for=frozenset({"bottle", "quart"})),
    ),
    "static": (
        Step("GET", "/static/site.css", holds="color"),
        Step("GET", "/static/site.css", (200, 304), take={"If-Modified-Since": "last-modified"}, not_for=LITESTAR),
        Step("HEAD", "/static/site.css", (200, 404, 405)),
        Step("GET", "/static/missing.css", 404),
        Step("GET", "/static/..%2fshared.py", (400, 403, 404), only="http"),  # nginx resolves the dots first
    ),
    "background": (
        Step("POST", "/background?note=done", 202, holds="accepted"),
        Step("GET", "/notes/background", holds="done", again=True),
    ),
    "middleware": (
        Step("GET", "/", headers={"X-Caller": "tests"}),
        Step("GET", "/items/7", headers={"X-Caller": "café"}),
    ),
    "compression": (
        Step("GET", "/big", headers={"Accept-Encoding": "gzip"}),
        Step("GET", "/stream/500", headers={"Accept-Encoding": "gzip"}, holds="line 499"),
        Step("GET", "/", headers={"Accept-Encoding": "gzip"}),
    ),
    "cors": (
        Step("GET", "/", headers={"Origin": "http://other.example"}),
        Step(
            "OPTIONS",
            "/items/7",
            (200, 204, 400),
            headers={"Origin": "http://other.example", "Access-Control-Request-Method": "PUT"},
        ),
    ),
    "mounted": (
        Step("GET", "/mounted/inner/page", holds="page"),
        Step("GET", "/mounted/gr%C3%BC%C3%9Fe%20x"),
    ),
    "errors": (
        Step("GET", "/error", 500, holds="sorry"),
        Step("GET", "/missing/gr%C3%BC%C3%9Fe", 404),
        Step("GET", "/missing?<script>", 404),
        Step("GET", "/teapot", (404, 418)),
        Step("HEAD", "/missing", (404, 405)),
        Step("GET", "/", holds="home of"),
    ),
    "orm": (
        Step("GET", "/authors", holds="{}"),
        Step("POST", "/authors", 201, form={"name": "Ada", "title": "On the engine"}, holds="true"),
        Step("POST", "/authors", 201, form={"name": "Ada", "title": "Grüße"}, holds="false"),
        Step("GET", "/authors", holds="On the engine"),
        Step("GET", "/authors/async", holds="Ada"),
        Step("DELETE", "/authors?name=Ada", holds="2"),
        Step("GET", "/authors", holds="{}"),
    ),
    "admin": (
        Step("GET", "/write", holds="csrfmiddlewaretoken"),
        Step("POST", "/write", form={"title": "without a token"}, status=403, holds="CSRF"),
        Step("GET", "/write", holds="csrfmiddlewaretoken"),
        Step("POST", "/write", form={"title": "t", "amount": "none"}, fill=TOKEN, holds="errorlist"),
        Step("POST", "/write", 302, form={"title": "t", "amount": "3"}, fill=TOKEN),
        Step("GET", "/admin/", 302),
        Step("GET", "/admin/login/?next=/admin/", holds="Log in"),
        Step(
            "POST",
            "/admin/login/?next=/admin/",
            form={"username": "ada", "password": "wrong"},
            fill=TOKEN,
            holds="error",
        ),
        Step("POST", "/admin/login/?next=/admin/", 302, form={"username": "ada", "password": "lovelace"}, fill=TOKEN),
        Step("GET", "/admin/", holds="Site administration"),
        Step("GET", "/admin/django_site/author/add/", holds="Add author"),
        Step("POST", "/admin/django_site/author/add/", 302, form={"name": "Grace"}, fill=TOKEN),
        Step("GET", "/admin/django_site/author/", holds="Grace"),
        Step("GET", "/admin/django_site/note/add/", holds="Grace"),
        Step("POST", "/admin/django_site/note/add/", 200, form={"title": ""}, fill=TOKEN, holds="required"),
        Step("GET", "/admin/logout/", (302, 405)),
    ),
}
