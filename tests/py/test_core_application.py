# SPDX-License-Identifier: MIT
"""smisk.core without a server: Application and its settings, the proxies, streams, exports."""

import io
import subprocess
import sys

import pytest

_smisk = pytest.importorskip("_smisk")

import smisk.core  # noqa: E402
from smisk.core import Application, Request, Response, Stream, app, request, response  # noqa: E402
from smisk.core.application import serve_request  # noqa: E402
from smisk.core.errorfragment import render_fragment  # noqa: E402
from smisk.core.forms import FormError, parse_form, parse_query  # noqa: E402
from smisk.core.stream import LogStream  # noqa: E402


@pytest.fixture(autouse=True)
def no_current(monkeypatch):
    monkeypatch.setattr(Application, "current", None)


# --- Application ---


def test_application_ignores_arguments_and_is_current():
    first = Application(1, two=2)
    assert Application.current is first

    class Mine(Application):
        def __init__(self):
            pass  # calls nobody else's

    second = Mine()
    assert Application.current is second
    assert Mine.current is second


def test_application_has_the_defaults():
    made = Application()
    assert (made.request_class, made.response_class) == (Request, Response)
    assert (made.request, made.response) == (None, None)
    assert (made.charset, made.tolerant, made.forks) == ("utf-8", True, 0)
    assert not made.show_traceback


def test_request_and_response_cannot_be_set():
    made = Application()
    for name in ("request", "response"):
        with pytest.raises(AttributeError):
            setattr(made, name, None)


@pytest.mark.parametrize("name", ["latin_1", "UTF-8", "ascii"])
def test_charset_known_to_python_is_taken(name):
    made = Application()
    made.charset = name
    assert made.charset == name
    assert Application().charset == "utf-8"


@pytest.mark.parametrize("name", ["utf-9", "", "hex", "rot_13", "None"])
def test_charset_that_is_none_is_refused_at_once(name):
    made = Application()
    with pytest.raises(ValueError, match="charset"):
        made.charset = name
    assert made.charset == "utf-8"


def test_charset_none_means_bytes():
    made = Application()
    made.charset = None
    assert made.charset is None


def test_tolerant_takes_bool_and_int_only():
    made = Application()
    made.tolerant = 0
    assert made.tolerant is False
    with pytest.raises(TypeError, match="tolerant must be a boolean"):
        made.tolerant = "no"


def test_sessions_are_made_on_first_use_and_settable():
    class Store:
        pass

    class Mine(Application):
        sessions_class = Store

    made = Mine()
    store = made.sessions
    assert isinstance(store, Store)
    assert made.sessions is store
    made.sessions = other = Store()
    assert made.sessions is other


def test_exit_outside_of_a_server_says_so():
    with pytest.raises(RuntimeError, match="not served"):
        Application().exit()


# --- the proxies ---


@pytest.mark.parametrize("proxy", [app, request, response])
def test_proxy_outside_of_a_request_stands_for_none(proxy):
    assert not proxy
    assert repr(proxy) == str(proxy) == "None"
    for touch in (lambda: proxy.path, lambda: setattr(proxy, "path", 1), lambda: delattr(proxy, "path")):
        with pytest.raises(AttributeError):
            touch()


def test_app_proxy_is_the_current_application():
    made = Application()
    app.answer = 42
    assert (made.answer, app == made, bool(app), hash(app)) == (42, True, True, hash(made))


def test_response_proxy_alone_can_be_called():
    assert [callable(proxy) for proxy in (app, request, response)] == [False, False, True]


# --- Request and Response ---


def test_request_and_response_can_be_derived_from():
    class Mine(Response):
        note = "x"

    assert Mine("body", 201).status == 201
    assert issubclass(type("Own", (Request,), {"label": 1}), Request)
    with pytest.raises(TypeError):
        type("Own", (Request,), {})()


@pytest.mark.parametrize("call", ["begin", "write", "writelines", "send_file", "__call__"])
def test_response_without_a_request_writes_nothing(call):
    with pytest.raises(RuntimeError, match="answers no request"):
        getattr(Response(), call)(*([] if call == "begin" else ["x"]))


def test_headers_are_found_by_their_beginning():
    made = Response(headers=[("X-One", "1"), "Content-Type: text/plain", b"X-Two: 2"])
    found = [made.find_header(text) for text in ("content-type", "CONTENT-TYPE: TEXT", "x-", b"x-two: 2", "", "y")]
    assert found == [1, 1, 0, 2, 0, -1]
    assert Response().find_header("") == -1


OLD = ("n", "v", "c", ".ex.com", "/a", 1, 1, 3600, 1)


def test_cookie_in_old_order_is_as_by_name():
    old, new = Response(), Response()
    old.set_cookie(*OLD)
    new.set_cookie(
        "n", "v", comment="c", domain=".ex.com", path="/a", secure=True, max_age=3600, http_only=True, version=0
    )
    assert [value.partition("Expires")[0] for _, value in old.headers] == [
        value.partition("Expires")[0] for _, value in new.headers
    ]
    assert old.headers[0][1].endswith("; Secure; HttpOnly")


def test_cookie_without_age_lasts_for_the_session():
    made = Response()
    made.set_cookie("n", "v", None, None, None, 0, 1, -1, 0)
    made.set_cookie("m", "v;=&/")
    assert made.headers == [("Set-Cookie", "n=v"), ("Set-Cookie", "m=v%3B%3D%26%2F")]


@pytest.mark.parametrize("more", [{"max_age": -2}, {"path": "/;x"}, {"nonsense": 1}])
def test_cookie_that_cannot_be_sent_is_refused(more):
    made = Response()
    with pytest.raises((TypeError, ValueError)):
        made.set_cookie("n", "v", **more)
    with pytest.raises(TypeError):
        made.set_cookie(*OLD, "one too many")
    with pytest.raises(TypeError, match="twice"):
        made.set_cookie("n", "v", "comment", comment="again")
    assert made.headers == []


def make(*fields, **named):
    return _smisk._make_request("http", [("Host", "h"), *fields], **named)


def test_referring_url_is_made_once():
    asked = make(("Referer", "http://a.example/b?c"))
    assert asked.referring_url is asked.referring_url
    assert (asked.referring_url.host, asked.referring_url.path) == ("a.example", "/b")
    assert make().referring_url is None


def test_request_is_iterated_by_lines():
    asked = make(("Content-Length", "8"), body=b"a\nbc\n\nd.", method="POST")
    assert list(asked) == [b"a\n", b"bc\n", b"\n", b"d."]


def test_limits_of_forms_are_those_of_the_process():
    first, second = make(), make()
    assert (first.max_multipart_size, first.max_formdata_size) == (2147483648, 10737418)
    try:
        first.max_formdata_size = 5
        assert second.max_formdata_size == 5
        for wrong in ("5", None, 1.5):
            with pytest.raises(TypeError):
                first.max_formdata_size = wrong
    finally:
        second.max_formdata_size = 10737418


# --- served without a server ---


class Store:
    """Sessions in a dict, by the protocol of 1.1."""

    ttl = 900
    name = "SID"

    def __init__(self):
        self.kept = {}

    def read(self, sid):
        if sid not in self.kept:
            raise smisk.core.InvalidSessionError("no data")
        return self.kept[sid]

    def write(self, sid, data):
        self.kept[sid] = data

    def refresh(self, sid):
        pass

    def destroy(self, sid):
        self.kept.pop(sid, None)


class Counter(Application):
    sessions_class = Store

    def service(self):
        if request.path == "/raise":
            raise RuntimeError("no")
        self.response.headers = ["Status: 201 Made"]
        if request.path == "/count":
            request.session = (request.session or 0) + 1
            response("<", request.session, ">")


def test_application_is_served_in_process():
    made = Counter()
    assert serve_request(made, make()) == (201, [], b"")
    status, _, body = serve_request(made, make(target="/raise"))
    assert (status, b"Service Error" in body, repr(request)) == (500, True, "None")
    asked = make(method="HEAD", target="/raise")
    assert serve_request(made, asked)[2] == b""


def test_session_goes_from_request_to_request():
    made = Counter()
    _, fields, body = serve_request(made, make(target="/count"))
    cookie = dict(fields)[b"Set-Cookie"].decode().partition(";")[0]
    assert (body, made.sessions.kept) == (b"<1>", {cookie.partition("=")[2]: 1})
    for times in (2, 3):
        _, fields, body = serve_request(made, make(("Cookie", cookie), target="/count"))
        assert (b"Set-Cookie" in dict(fields), body) == (False, f"<{times}>".encode())
    assert list(made.sessions.kept.values()) == [3]


# --- parameters by charset ---


def test_query_values_follow_the_charset():
    assert parse_query(b"n=%C3%A5", 9, "latin_1") == {"n": "Ã¥"}
    assert parse_query(b"n=%E5&m", 9, None) == {"n": b"\xe5", "m": None}
    assert parse_query(b"n=%E5", 9) == {"n": "å"}
    with pytest.raises(UnicodeDecodeError):
        parse_query(b"n=%E5", 9, "utf-8", False)
    with pytest.raises(LookupError):
        parse_query(b"n=x", 9, "utf-9")


def form(body, kind="application/x-www-form-urlencoded", **limits):
    return parse_form(kind.encode(), io.BytesIO(body), len(body), memory=100, max_fields=9, max_parts=9, **limits)


def test_own_limit_of_a_form_replaces_the_hosts():
    body = b"a=" + b"x" * 200
    with pytest.raises(FormError) as raised:
        form(body)
    assert raised.value.status == 413
    assert form(body, max_formdata_size=202)[0] == {"a": "x" * 200}
    assert form(body, max_formdata_size=-1)[0] == {"a": "x" * 200}
    assert form(body, max_formdata_size=0) == ({}, {})
    with pytest.raises(FormError):
        form(body, max_formdata_size=201)


PART = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n\xe5\r\n--b--\r\n'
MULTIPART = "multipart/form-data; boundary=b"


def test_multipart_limit_counts_the_whole_body():
    assert form(PART, MULTIPART)[0] == {"f": "å"}
    assert form(PART, MULTIPART, charset=None)[0] == {"f": b"\xe5"}
    assert form(PART, MULTIPART, max_multipart_size=len(PART))[0] == {"f": "å"}
    assert form(PART, MULTIPART, max_multipart_size=0) == ({}, {})
    with pytest.raises(FormError) as raised:
        form(PART, MULTIPART, max_multipart_size=len(PART) - 1)
    assert raised.value.status == 413
    with pytest.raises(UnicodeDecodeError):
        form(PART, MULTIPART, tolerant=False)


# --- streams ---


def test_stream_reads_by_the_contract():
    stream = Stream(io.BytesIO(b"one\ntwo\nthree"))
    assert (stream.readable(), stream.writable(), stream.seekable()) == (True, False, True)
    assert (stream.read(0), stream.read(2), stream.readline(), stream.readline(2)) == (b"", b"on", b"e\n", b"tw")
    assert stream.readlines(1) == [b"o\n"]
    assert (stream.read(), stream.read(), stream.readline(), list(stream)) == (b"three", b"", b"", [])
    assert (stream.seek(4), stream.tell(), list(stream)) == (4, 4, [b"two\n", b"three"])
    stream.seek(0)
    buffer = bytearray(3)
    assert (stream.readinto(buffer), buffer) == (3, b"one")
    with pytest.raises(io.UnsupportedOperation):
        stream.write(b"x")


def test_stream_reads_large_bodies_whole():
    data = bytes(range(256)) * 100
    assert Stream(io.BytesIO(data)).read() == data
    assert Stream(io.BytesIO(data)).read(-1) == data


def test_stream_writes_bytes_only():
    out = io.BytesIO()
    stream = Stream(None, out.write)
    assert (stream.write(b"abc"), stream.write(bytearray(b"def"), 2)) == (3, 2)
    stream.write_byte(33)
    stream.writelines([1, None, "å", b"z"])
    assert out.getvalue() == b"abcde!1None\xc3\xa5z"
    for wrong in (lambda: stream.write("x"), lambda: stream.write_byte("x"), stream.write):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(io.UnsupportedOperation):
        stream.read()


def test_closed_stream_is_of_no_use():
    stream = Stream(io.BytesIO(b"x"))
    with stream:
        assert stream.read() == b"x"
    assert stream.closed
    for call in (stream.read, stream.readline, stream.flush, lambda: list(stream)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_log_stream_makes_an_entry_of_each_write():
    entries = []
    stream = LogStream(None, entries.append)
    print("one", file=stream)
    stream.write(b"tw\xff\n")
    stream.write("three", 2)
    assert entries == ["one", "tw\\xff", "th"]


# --- the error page ---


def test_error_fragment_escapes_and_hides():
    error = RuntimeError("<b>secret")
    hidden = render_fragment(error, {}, False)
    assert "secret" not in hidden
    assert "Additional information has been logged." in hidden
    assert "<address>at ? port ?</address>" in hidden
    shown = render_fragment(error, {"SERVER_SOFTWARE": "x<y", "SERVER_NAME": "h", "SERVER_PORT": "8"}, True)
    assert "RuntimeError: &lt;b&gt;secret" in shown
    assert "<address>x&lt;y at h port 8</address>" in shown
    assert "too large" in render_fragment(FormError("too large", 413), {}, False)


# --- imports ---


def test_core_imports_nothing_that_is_not_asked_for():
    code = "import sys, smisk.core; print([name for name in sys.modules if name.startswith(('smisk.', '_smisk'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['smisk.core']"


def test_core_names_what_it_exports():
    assert set(smisk.core.__all__) <= set(dir(smisk.core))
    with pytest.raises(AttributeError):
        smisk.core.nothing  # noqa: B018
    assert (smisk.app, smisk.request, smisk.response) == (app, request, response)
