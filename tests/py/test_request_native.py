# SPDX-License-Identifier: MIT
"""Request and Response of `_smisk` under plain Python: fields made from real heads by the real parsers."""

import gc
import io
import os
import sys
import tempfile

import pytest

_smisk = pytest.importorskip("_smisk")

from smisk.core.forms import FormError  # noqa: E402

CGI = [
    ("REQUEST_METHOD", "POST"),
    ("SCRIPT_NAME", "/app"),
    ("PATH_INFO", "/x å"),
    ("QUERY_STRING", "a=1&b&a=2"),
    ("SERVER_NAME", "internal"),
    ("SERVER_PORT", "8080"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("HTTP_HOST", "example.org:8443"),
    ("HTTPS", "on"),
    ("HTTP_X_FORWARDED_FOR", "10.0.0.1"),
    ("HTTP_COOKIE", "a=b"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", "3"),
    ("REMOTE_ADDR", "192.0.2.7"),
    ("REMOTE_USER", "bob"),
]


def http(*fields, body=b"", **named):
    return _smisk._make_request("http", [("Host", "example.org"), *fields], body, **named)


def cgi(*fields, body=b"", **named):
    return _smisk._make_request("cgi", [*CGI, *fields], body, **named)


def form(content, kind="application/x-www-form-urlencoded", **named):
    return http(("Content-Type", kind), ("Content-Length", str(len(content))), body=content, method="POST", **named)


@pytest.fixture
def spooled():
    """A request whose body, 200,000 bytes, lies in a file."""
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789abcdefghi\n" * 10_000)
        file.flush()
        yield http(method="POST", spool=file.fileno())


# --- heads ---


def test_http_head_gives_every_plain_field():
    request = http(("Content-Type", "text/x"), ("Content-Length", "3"), body=b"abc", method="PUT", peer="192.0.2.9")
    assert (request.method, request.path, request.query, request.protocol) == ("PUT", "/", "", "HTTP/1.1")
    assert (request.role, request.remote_addr, request.id) == ("responder", "192.0.2.9", "test")
    assert (request.content_type, request.content_length, request.is_aborted) == ("text/x", 3, False)
    assert repr(request) == "<Request PUT '/'>"


def test_absent_content_fields_are_none():
    request = http()
    assert request.content_type is None
    assert request.content_length is None
    assert request.data_length is None
    assert request.data_time is None


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a%20b/%C3%A5", "/a b/å"),
        ("/%E5", "/å"),
        ("/%zz%4", "/%zz%4"),
        ("/100%", "/100%"),
        ("/%2F%2f", "///"),
        ("/%00", "/\0"),
        ("/a?b/c", "/a"),
        ("/" + "%41" * 400, "/" + "A" * 400),
    ],
)
def test_http_path_is_percent_decoded(target, path):
    assert http(target=target).path == path


def test_cgi_path_is_script_name_and_path_info():
    request = cgi()
    assert request.path == "/app/x å"
    assert str(request.url) == "https://bob@example.org:8443/app/x%20%C3%A5?a=1&b&a=2"


def test_cgi_path_is_not_decoded_again():
    assert cgi(("PATH_INFO", "/100%25")).path == "/app/100%25"


def test_url_of_http_keeps_the_path_as_sent():
    request = http(target="/a%20b?x=1")
    assert str(request.url) == "http://example.org/a%20b?x=1"
    assert request.url.query == "x=1"
    assert http(target="/x").url.query is None


def test_url_host_is_ipv6():
    request = _smisk._make_request("http", [("Host", "[::1]:8080")])
    assert (request.url.host, request.url.port) == ("::1", 8080)


def test_url_without_host_is_what_the_server_calls_itself():
    fields = [pair for pair in CGI if pair[0] != "HTTP_HOST"]
    url = _smisk._make_request("cgi", fields).url
    assert (url.host, url.port) == ("internal", 8080)


def test_fields_are_made_once():
    request = cgi()
    for name in ("path", "url", "headers", "get", "post", "files", "cookies", "env", "input", "data", "body"):
        assert getattr(request, name) is getattr(request, name), name


def test_malformed_head_is_refused():
    with pytest.raises(ValueError, match="not a request head"):
        http(("Bad name", "x"))
    with pytest.raises(ValueError, match="not a set of CGI variables"):
        cgi(("CONTENT_LENGTH", "many"))
    with pytest.raises(ValueError, match="kind must be"):
        _smisk._make_request("spdy", [])


@pytest.mark.parametrize("fields", [5, [5], [("a",)], [("a", 5)]])
def test_fields_of_the_wrong_shape_are_refused(fields):
    with pytest.raises(TypeError):
        _smisk._make_request("cgi", fields)


# --- headers and env ---


def test_headers_of_http_and_cgi_agree():
    request = http(("X-Forwarded-For", "10.0.0.1"), ("x-forwarded-for", "10.0.0.2"))
    assert request.headers["X-FORWARDED-FOR"] == "10.0.0.1, 10.0.0.2"
    assert cgi().headers["x-forwarded-for"] == "10.0.0.1"
    assert list(cgi().headers) == ["Host", "X-Forwarded-For", "Cookie", "Content-Length"]


def test_env_of_http_has_the_cgi_variables():
    request = http(
        ("User-Agent", "t"),
        ("Content-Type", "text/x"),
        ("Accept", "a"),
        ("Accept", "b"),
        target="/a%20b?q=1",
        peer="192.0.2.9",
    )
    env = request.env
    assert env["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert env["SERVER_SOFTWARE"] == f"smisk/{_smisk.__version__}"
    assert (env["REQUEST_METHOD"], env["REQUEST_URI"]) == ("GET", "/a%20b?q=1")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"], env["QUERY_STRING"]) == ("", "/a b", "q=1")
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("example.org", "80")
    assert (env["HTTP_USER_AGENT"], env["CONTENT_TYPE"], env["HTTP_ACCEPT"]) == ("t", "text/x", "a, b")
    assert env["REMOTE_ADDR"] == "192.0.2.9"
    assert "HTTP_CONTENT_TYPE" not in env


def test_env_has_no_variable_that_a_client_could_forge():
    env = http(("Proxy", "evil"), ("X_Real_Ip", "evil"), ("X-Real-Ip", "10.0.0.1")).env
    assert "HTTP_PROXY" not in env
    assert env["HTTP_X_REAL_IP"] == "10.0.0.1"
    assert "HTTP_PROXY" not in cgi(("HTTP_PROXY", "evil")).env


def test_env_of_cgi_is_what_was_sent():
    env = cgi().env
    assert env == dict(CGI)
    env["MINE"] = "1"
    assert "MINE" not in cgi().env


def test_cgi_variable_given_twice_counts_with_its_last_value():
    request = cgi(("HTTP_X", "1"), ("HTTP_X", "2"), ("HTTP_COOKIE", "c=d"))
    assert request.env["HTTP_X"] == "2"
    assert request.headers["X"] == "2"
    assert request.cookies == {"c": "d"}


def test_bytes_that_are_no_utf8_are_read_as_latin1():
    request = _smisk._make_request("cgi", [(b"HTTP_X", b"\xe5"), (b"PATH_INFO", b"/\xe5")])
    assert request.headers["x"] == "å"
    assert request.path == "/å"


# --- parameters ---


def test_get_and_cookies():
    request = http(("Cookie", "a=1; b=2"), ("Cookie", "a=3"), target="/?x=1&y&x=%C3%A5")
    assert request.get == {"x": ["1", "å"], "y": None}
    assert request.cookies == {"a": ["1", "3"], "b": "2"}
    assert http().get == {}
    assert http().cookies == {}


def test_form_urlencoded():
    request = form(b"a=1&b=2&a=3")
    assert request.post == {"a": ["1", "3"], "b": "2"}
    assert request.files == {}
    assert request.input.read() == b"a=1&b=2&a=3"


def test_form_multipart():
    content = (
        b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xx\r\nContent-Disposition: form-data; '
        b'name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--xx--\r\n'
    )
    request = form(content, "multipart/form-data; boundary=xx")
    assert request.files["f"].filename == "x.txt"
    assert request.post == {"a": "1"}


def uploads_of(*contents):
    parts = [
        b'--xx\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\n%b\r\n' % (number, content)
        for number, content in enumerate(contents)
    ]
    return b"".join(parts) + b"--xx--\r\n"


def spooled_form(file, content):
    file.write(content)
    file.flush()
    fields = [("Content-Type", "multipart/form-data; boundary=xx"), ("Content-Length", str(len(content)))]
    return http(*fields, method="POST", spool=file.fileno())


def test_upload_of_a_body_in_a_file_stays_there():
    """The data is many times what a form may keep in memory, and no file is made for it."""
    contents = [bytes([number]) * (1_500_000 + number) for number in range(3)]
    with tempfile.TemporaryFile() as file:
        request = spooled_form(file, uploads_of(*contents, b"small"))
        before = set(os.listdir("/proc/self/fd"))
        files = request.files["f"]
        added = set(os.listdir("/proc/self/fd")) - before
        assert len(added) == 1
        assert os.path.sameopenfile(int(added.pop()), file.fileno())
    assert [one.size for one in files] == [len(one) for one in contents] + [5]
    assert files[0].read() == contents[0]  # in memory, or in the file
    del request
    gc.collect()
    assert [one.read() for one in files[:0:-1]] == [b"small", *contents[:0:-1]]
    files[1].file.seek(-3, os.SEEK_END)
    assert files[1].read() == contents[1][-3:]
    del files
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < len(before)  # the temporary file is closed too


def test_upload_of_a_body_in_a_file_is_found_wherever_reads_end():
    for spare in range(-40, 4):
        first = b"x" * (64 * 1024 - len(uploads_of(b"")) + spare)
        second = b"\r\n--x\r\r\n-" * 150_000
        with tempfile.TemporaryFile() as file:
            request = spooled_form(file, uploads_of(first, second, first))
            assert [one.read() for one in request.files["f"]] == [first, second, first]


def test_malformed_form_raises_each_time():
    request = form(b"a=1&" * 2000)
    for _ in range(2):
        with pytest.raises(FormError) as caught:
            request.post  # noqa: B018
        assert caught.value.status == 413


def test_body_that_is_no_form_gives_no_fields():
    assert form(b"{}", "application/json").post == {}


# --- bodies ---


def test_body_and_input_in_memory():
    request = http(method="POST", body=b"abc\ndef")
    assert request.body == b"abc\ndef"
    assert isinstance(request.input, io.BufferedIOBase)
    assert list(request.input) == [b"abc\n", b"def"]
    assert request.input.read() == b""


def test_body_and_input_in_a_file(spooled):
    file = spooled.input
    assert isinstance(file, io.BufferedReader)
    assert (file.read(3), file.readline(), file.tell()) == (b"012", b"3456789abcdefghi\n", 20)
    assert (file.seekable(), file.readable(), file.writable()) == (True, True, False)
    assert file.seek(-20, io.SEEK_END) == 199_980
    assert file.readlines() == [b"0123456789abcdefghi\n"]
    assert file.read() == b""
    assert file.seek(0) == 0
    assert file.read() == spooled.body
    assert len(spooled.body) == 200_000


def test_input_in_a_file_lives_longer_than_its_request(spooled):
    file = spooled.input
    other = http(method="POST", body=b"x")
    del other
    gc.collect()
    assert len(file.read()) == 200_000
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_input_in_a_file_refuses_wrong_places(spooled):
    with pytest.raises(ValueError, match="cannot seek"):
        spooled.input.raw.seek(-1)
    with pytest.raises(TypeError):
        spooled.input.raw.readinto(b"read only")
    assert spooled.input.seek(10**9) == 10**9
    assert spooled.input.read() == b""


def test_json():
    assert http(method="POST", body=b'{"a": [1, null]}').json() == {"a": [1, None]}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfd"])
def test_json_that_is_none_is_a_form_error(body):
    with pytest.raises(FormError) as caught:
        http(method="POST", body=body).json()
    assert caught.value.status == 400
    assert isinstance(caught.value.__cause__, ValueError)


def test_filter_has_data():
    request = cgi(("FCGI_DATA_LENGTH", "4"), ("FCGI_DATA_LAST_MOD", "1000"), role=3, data=b"data")
    assert (request.role, request.data.read(), request.data_length, request.data_time) == ("filter", b"data", 4, 1000)
    assert http().data.read() == b""
    assert cgi(role=2).role == "authorizer"


# --- types ---


def test_request_cannot_be_made_by_hand():
    with pytest.raises(TypeError):
        _smisk.Request()
    with pytest.raises(AttributeError):
        http().path = "/x"


def test_request_in_a_cycle_is_collected():
    request = http(target="/?a=1")
    request.get["self"] = request
    del request
    assert gc.collect() > 0


def test_log_error_takes_text_only(capfd):
    http().log_error("a\nb")
    with pytest.raises(TypeError, match="str"):
        http().log_error(b"x")
    assert "[test] a\\x0ab" in capfd.readouterr().err


def test_requests_leave_nothing_behind():
    def use():
        request = cgi(body=b"abc", role=3, data=b"x")
        for name in dir(request):
            if not name.startswith("_") and name not in ("json", "log_error", "session", "session_id"):
                getattr(request, name)
        response = _smisk.Response(request.body, 404, {"A": "b"}, "text/x")
        response.set_cookie("a", "b")

    def growth():
        before = sys.getallocatedblocks()
        for _ in range(1000):
            use()
        gc.collect()
        return sys.getallocatedblocks() - before

    growth()  # until caches of the interpreter are full
    # A leak shows in every round; what else the process keeps for itself in one of them does not.
    assert min(growth() for _ in range(3)) < 50


def test_response_defaults():
    response = _smisk.Response()
    assert (response.body, response.status, response.headers, response.content_type) == (b"", 200, [], None)


def test_response_takes_mappings_and_pairs():
    response = _smisk.Response("x", 404, {"A": "1"}, "text/x")
    assert response.headers == [("A", "1")]
    response.headers = [("B", "2"), ("B", "3")]
    response.headers.append(("C", "4"))
    assert response.headers == [("B", "2"), ("B", "3"), ("C", "4")]
    response.headers = None
    assert response.headers == []
    assert repr(response) == "<Response 404, str>"


def test_response_cookie_becomes_a_header():
    response = _smisk.Response()
    response.set_cookie("a", "b", path="/", http_only=True)
    assert response.headers == [("Set-Cookie", "a=b; Path=/; HttpOnly")]
    with pytest.raises(ValueError, match="a b"):
        response.set_cookie("a b", "c")


@pytest.mark.parametrize("status", [199, 1000, -1, 10**30])
def test_response_status_out_of_range_is_refused(status):
    with pytest.raises(ValueError, match="between 200 and 999"):
        _smisk.Response(b"", status)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "200"),
        ("status", True),
        ("status", 200.0),
        ("headers", "A: b"),
        ("headers", 5),
        ("content_type", b"x"),
    ],
)
def test_response_of_wrong_types_is_refused(name, value):
    with pytest.raises(TypeError, match=r"a Response cannot have|must be"):
        _smisk.Response(**{name: value})
    with pytest.raises(AttributeError):
        delattr(_smisk.Response(), name)


def test_response_can_be_subclassed():
    class Page(_smisk.Response):
        def __init__(self, title):
            super().__init__(f"<h1>{title}</h1>", 203)
            self.title = title
            self.body = self

    page = Page("x")
    assert (page.title, page.status) == ("x", 203)
    page.set_cookie("a", "b")
    del page
    assert gc.collect() > 0


# --- what clients and applications get wrong ---


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b"[" * 200_000, "[]".encode("utf-16"), b"\xff", b""])
def test_json_refuses_what_the_standard_does_not_know(body):
    with pytest.raises(FormError) as caught:
        http(("Content-Length", str(len(body))), body=body, method="POST").json()
    assert caught.value.status == 400


def test_json_takes_byte_order_mark():
    assert http(body=b"\xef\xbb\xbf[1]", method="POST").json() == [1]


def test_spooled_input_has_no_descriptor(spooled):
    with pytest.raises(io.UnsupportedOperation):
        spooled.input.fileno()


def test_cookie_value_that_is_no_text_is_named():
    with pytest.raises(TypeError, match="cookie 'a': the value must be str, not int"):
        _smisk.Response().set_cookie("a", 5)
