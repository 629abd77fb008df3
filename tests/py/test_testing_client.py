# SPDX-License-Identifier: MIT
"""smisk.testing.Client: requests as the server would make them, answers as it would send them."""

import asyncio
import contextvars
import io
import sys
import threading
import types

import pytest

pytest.importorskip("_smisk")

from smisk import Response
from smisk.core.forms import FormError
from smisk.testing import Client, LoadError


def echo(request):
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "get": request.get,
        "post": request.post,
        "cookies": request.cookies,
        "type": request.content_type,
        "length": request.content_length,
        "from": request.remote_addr,
        "url": str(request.url),
    }


# --- requests ---


def test_get_with_path_and_query_is_parsed_by_request():
    answer = Client(echo).get("/a b/å?x=1", params={"y": [1, 2], "z": None})
    assert answer.status == 200
    assert answer.content_type == "application/json"
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["get"]) == ("GET", "/a b/å", {"x": "1", "y": ["1", "2"], "z": None})
    assert seen["url"] == "http://localhost/a%20b/%C3%A5?x=1&y=1&y=2&z"
    assert (seen["length"], seen["from"]) == (None, "127.0.0.1")


def test_percent_encoded_path_is_sent_as_it_is():
    assert Client(echo).get("/%2F%C3%A5").json()["path"] == "//å"


@pytest.mark.parametrize("path", ["", "a", "http://elsewhere/"])
def test_path_without_slash_is_refused(path):
    with pytest.raises(ValueError, match="begins with /"):
        Client(echo).get(path)


def test_form_is_urlencoded():
    seen = Client(echo).post("/", data={"name": "Jack & Jill", "n": ["1", "2"]}).json()
    assert seen["post"] == {"name": "Jack & Jill", "n": ["1", "2"]}
    assert seen["type"] == "application/x-www-form-urlencoded"
    assert seen["length"] == len("name=Jack+%26+Jill&n=1&n=2")


def test_json_is_read_by_handler():
    answer = Client(lambda request: request.json()).post("/", json={"å": [1, None]})
    assert answer.json() == {"å": [1, None]}


def test_raw_body_has_no_type():
    def handle(request):
        return f"{request.content_type} {request.body!r}"

    assert Client(handle).put("/", data=b"\x00\xff").text == r"None b'\x00\xff'"


def test_empty_post_says_length_zero():
    assert Client(echo).post("/").json()["length"] == 0


def test_files_make_multipart_form():
    def handle(request):
        upload, two = request.files["one"], request.files["two"]
        return {
            "fields": request.post,
            "one": [upload.filename, upload.content_type, upload.read().decode()],
            "two": [(each.filename, each.size) for each in two],
        }

    file = io.BytesIO(b"content")
    file.name = "/tmp/a.html"
    answer = Client(handle).post(
        "/", data={"a": "ü"}, files={"one": file, "two": [("x", b"12"), ('q".bin', "345", "text/x")]}
    )
    assert answer.json() == {
        "fields": {"a": "ü"},
        "one": ["a.html", "text/html", "content"],
        "two": [["x", 2], ['q".bin', 3]],
    }


@pytest.mark.parametrize("more", [{"data": b"x"}, {"files": {"f": b"x"}}])
def test_json_with_another_body_is_refused(more):
    with pytest.raises(TypeError, match="json= goes with"):
        Client(echo).post("/", json={}, **more)


def test_data_of_another_type_is_refused():
    with pytest.raises(TypeError, match="data= is bytes"):
        Client(echo).post("/", data=7)


def test_headers_of_request_win_over_client_and_defaults():
    client = Client(lambda request: dict(request.headers), headers={"X-A": "1", "X-B": "1", "accept": "1"})
    seen = client.get("/", headers={"x-b": "2", "Host": "other"}).json()
    assert {name: seen[name] for name in ("X-A", "x-b", "Host")} == {"X-A": "1", "x-b": "2", "Host": "other"}
    assert "X-B" not in seen and "Accept" not in seen


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X": "a\0"}, {"X Y": "a"}, {"": "a"}])
def test_header_that_would_inject_is_refused(headers):
    with pytest.raises(ValueError, match="no header field"):
        Client(echo).get("/", headers=headers)


def test_request_that_server_refuses_is_an_error():
    with pytest.raises(ValueError, match="not a request head"):
        Client(echo).request("G T", "/")


def test_repeated_header_keeps_its_lines():
    client = Client(lambda request: request.headers.getlist("x"))
    assert client.get("/", headers=[("X", "1"), ("X", "2")]).json() == ["1", "2"]


def test_base_url_is_what_the_application_sees():
    def handle(request):
        return f"{request.url} {request.env['SERVER_NAME']} {request.env['SERVER_PORT']} {request.env.get('HTTPS')}"

    assert (
        Client(handle, base_url="http://example.org:81").get("/").text == "http://example.org:81/ example.org 81 None"
    )
    assert Client(handle, base_url="https://example.org").get("/x").text == "https://example.org/x example.org 443 on"


def test_front_gives_the_variables_of_a_front_server():
    def handle(request):
        return {name: request.env.get(name) for name in ("REQUEST_URI", "PATH_INFO", "HTTP_X_Y", "REMOTE_ADDR")}

    seen = Client(handle, front=True, remote_addr="192.0.2.1").get("/a%20b?c", headers={"X-Y": "z", "Proxy": "p"})
    assert seen.json() == {
        "REQUEST_URI": "/a%20b?c",
        "PATH_INFO": "/a b",
        "HTTP_X_Y": "z",
        "REMOTE_ADDR": "192.0.2.1",
    }


@pytest.mark.parametrize("url", ["ftp://x", "http://", "localhost", "http://x/path", "http://x/?q"])
def test_base_url_that_is_no_origin_is_refused(url):
    with pytest.raises(ValueError, match="base_url is"):
        Client(echo, base_url=url)


# --- answers of native handlers (docs/native.md, "What a handler returns") ---


@pytest.mark.parametrize(
    ("returned", "status", "kind", "body"),
    [
        ("å", 200, "text/html; charset=utf-8", "å".encode()),
        (b"\x00", 200, "application/octet-stream", b"\x00"),
        (bytearray(b"x"), 200, "application/octet-stream", b"x"),
        ({"a": ["ü"]}, 200, "application/json", '{"a":["ü"]}'.encode()),
        ([1, 2], 200, "application/json", b"[1,2]"),
        (None, 204, None, b""),
        (("gone", 410), 410, "text/html; charset=utf-8", b"gone"),
        (("x", 200, {"content-type": "text/x"}), 200, "text/x", b"x"),
        (("x", 200, [("A", "b")]), 200, "text/html; charset=utf-8", b"x"),
        (Response("x", 201, content_type="text/y"), 201, "text/y", b"x"),
        (Response("x", content_type=""), 200, None, b"x"),
        (Response(None), 200, None, b""),
    ],
)
def test_whole_answers_are_sent_as_the_server_would(returned, status, kind, body):
    answer = Client(lambda request: returned).get("/")
    assert (answer.status, answer.headers.get("Content-Type"), answer.body) == (status, kind, body)
    assert answer.headers.get("Content-Length") == (None if status == 204 else str(len(body)))


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [(["", "a", b"b"], "text/html; charset=utf-8"), ([b"a", "b"], "application/octet-stream"), ([], None)],
)
def test_generator_is_collected_and_closed(pieces, kind):
    closed = []

    def body():
        try:
            yield from pieces
        finally:
            closed.append(True)

    answer = Client(lambda request: body()).get("/")
    assert (answer.body, answer.headers.get("Content-Type")) == (b"ab" if pieces else b"", kind)
    assert closed == [True]


def test_file_is_read_and_closed():
    file = io.BytesIO(b"x" * 100_000)
    answer = Client(lambda request: (file, 200, {"Content-Type": "text/x"})).get("/")
    assert (len(answer.body), file.closed) == (100_000, True)


def test_head_has_length_and_no_body():
    client = Client(lambda request: "four")
    answer = client.head("/")
    assert (answer.body, answer.headers["Content-Length"]) == (b"", "4")


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        ({1, 2}, TypeError, "returned set"),
        (7, TypeError, "returned int"),
        (("a", "b"), TypeError, "a status that is no int but str"),
        (("a", 99), ValueError, "not between 200 and 999"),
        (("a", 200, {}, 1), TypeError, "a tuple of 4"),
        (("a", 200, "x"), TypeError, "headers that are no list"),
        (("a", 200, [("x",)]), TypeError, "each is a pair"),
        (("a", 200, {"X": "a\r\nb"}), ValueError, "CR, LF or NUL"),
        (("a", 200, {"a b": "c"}), ValueError, "no token"),
        (("a", 200, {"Transfer-Encoding": "chunked"}), ValueError, "only the server may send"),
        (("a", 200, {"Connection": "upgrade"}), ValueError, "only the server may send"),
        (("a", 200, {"Content-Length": "2"}), ValueError, "Content-Length of 2"),
        (("a", 200, {"Content-Length": "x"}), ValueError, "no number"),
        ((Response("x"), 200), TypeError, "a Response as the body"),
        ([float("nan")], ValueError, "not JSON compliant"),
        ([1, object()], TypeError, "not JSON serializable"),
    ],
)
def test_answers_that_the_server_refuses_are_raised(returned, error, words):
    with pytest.raises(error, match=words):
        Client(lambda request: returned).get("/")


def test_piece_of_wrong_type_is_raised():
    with pytest.raises(TypeError, match="generator, which gave int"):
        Client(lambda request: (number for number in [1])).get("/")


def test_text_follows_the_charset():
    assert Client(lambda request: (b"\xe5", 200, {"Content-Type": 'text/x; charset="latin-1"'})).get("/").text == "å"
    assert Client(lambda request: (b"\xe5", 200, {"Content-Type": "text/x; charset=no"})).get("/").text == "\ufffd"


# --- errors ---


def failing(request):
    raise LookupError("nothing here")


def test_exception_of_application_is_raised_in_the_test():
    with pytest.raises(LookupError, match="nothing here"):
        Client(failing).get("/")


def test_exception_is_answered_500_when_asked_for():
    answer = Client(failing, raise_errors=False).get("/")
    assert (answer.status, type(answer.error)) == (500, LookupError)
    assert "nothing here" not in answer.text


def test_traceback_is_shown_as_by_the_server():
    page = Client(failing, raise_errors=False, show_traceback=True).get("/").text
    assert "nothing here" in page and "LookupError" in page


@pytest.mark.parametrize(
    ("error", "status"), [(FormError("x"), 400), (FormError("x", 422), 422), (FormError("x", 7), 400)]
)
def test_mistake_of_client_is_answered_and_not_raised(error, status):
    def handle(request):
        raise error

    assert Client(handle).get("/").status == status


def test_malformed_json_is_answered_400():
    assert Client(lambda request: request.json()).post("/", data="{").status == 400


# --- cookies ---


def cookies(request):
    answer = Response({"seen": request.cookies})
    match request.path:
        case "/set":
            answer.set_cookie("a", "b; c+d", path="/")
            answer.set_cookie("deep", "1", path="/deep")
        case "/forget":
            answer.set_cookie("a", "", path="/", max_age=0)
        case "/secure":
            answer.set_cookie("s", "1", path="/", secure=True)
        case "/domain":
            answer.set_cookie("d", "1", path="/", domain="other.example")
        case "/old/page":
            answer.set_cookie("old", "1", expires=1)
            answer.set_cookie("here", "1")
    return answer


def test_cookies_are_kept_between_requests():
    client = Client(cookies)
    assert client.get("/set").cookies == {"a": "b; c+d", "deep": "1"}
    assert client.get("/").json()["seen"] == {"a": "b; c+d"}
    assert client.get("/deep/er").json()["seen"] == {"a": "b; c+d", "deep": "1"}
    assert client.get("/deeper").json()["seen"] == {"a": "b; c+d"}
    assert dict(client.cookies) == {"a": "b; c+d", "deep": "1"}
    client.get("/forget")
    assert list(client.cookies) == ["deep"]


def test_secure_cookie_comes_back_over_https_only():
    client = Client(cookies)
    client.get("/secure")
    assert client.get("/").json()["seen"] == {}
    client = Client(cookies, base_url="https://localhost")
    client.get("/secure")
    assert client.get("/").json()["seen"] == {"s": "1"}


def test_cookie_of_another_domain_is_dropped():
    client = Client(cookies)
    client.get("/domain")
    assert len(client.cookies) == 0
    client = Client(cookies, base_url="http://sub.other.example")
    client.get("/domain")
    assert dict(client.cookies) == {"d": "1"}


def test_expired_cookie_is_not_kept_and_path_is_that_of_the_request():
    client = Client(cookies)
    client.get("/old/page")
    assert client.get("/old/other").json()["seen"] == {"here": "1"}
    assert client.get("/elsewhere").json()["seen"] == {}


def test_cookies_of_client_and_of_one_request_are_sent():
    client = Client(echo, cookies={"a": "1"})
    assert client.get("/", cookies={"b": "ü;"}).json()["cookies"] == {"a": "1", "b": "ü;"}
    assert client.get("/", cookies={"a": "2"}).json()["cookies"] == {"a": "2"}
    client.cookies["c"] = "3"
    del client.cookies["a"]
    assert client.get("/").json()["cookies"] == {"c": "3"}
    with pytest.raises(KeyError):
        del client.cookies["a"]


# --- asynchronous handlers ---


def test_async_handler_runs_in_a_task_with_the_context_of_the_test():
    variable = contextvars.ContextVar("variable")
    variable.set("of the test")

    async def handle(request):
        await asyncio.sleep(0)
        assert asyncio.current_task() is not None
        return variable.get()

    assert Client(handle).get("/").text == "of the test"


def test_async_generator_is_collected_and_closed():
    closed = []

    async def pieces():
        try:
            for number in range(3):
                await asyncio.sleep(0)
                yield f"{number}"
        finally:
            closed.append(True)

    async def handle(request):
        return pieces(), 200, {"Content-Type": "text/plain"}

    answer = Client(handle).get("/")
    assert (answer.text, closed) == ("012", [True])
    assert (Client(handle).head("/").body, closed) == (b"", [True, True])


def test_client_works_within_a_running_loop():
    async def handle(request):
        return "fine"

    async def test():
        return Client(handle).get("/").text

    assert asyncio.run(test()) == "fine"


def test_async_handler_that_hangs_is_cancelled():
    ended = threading.Event()

    async def handle(request):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    client = Client(handle, timeout=0.01)
    with pytest.raises(TimeoutError, match="has not answered"):
        client.get("/")
    assert ended.wait(10)
    client.close()


def test_timeout_error_of_the_application_is_its_own():
    async def handle(request):
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs"):
        Client(handle).get("/")


def test_exit_of_an_async_handler_comes_out():
    async def handle(request):
        raise SystemExit(3)

    client = Client(handle)
    with pytest.raises(SystemExit):
        client.get("/")


def test_close_ends_the_thread():
    async def handle(request):
        return threading.current_thread().name

    client = Client(handle)
    before = set(threading.enumerate())
    name = client.get("/").text
    started = set(threading.enumerate()) - before
    assert [thread.name for thread in started] == [name]
    client.close()
    client.close()
    assert started.isdisjoint(threading.enumerate())


def test_client_that_is_dropped_ends_its_thread():
    async def handle(request):
        return "x"

    before = set(threading.enumerate())
    Client(handle).get("/")
    assert set(threading.enumerate()) <= before


def test_background_task_goes_on_between_requests():
    done = threading.Event()

    async def later():
        done.set()

    async def handle(request):
        handle.task = asyncio.get_running_loop().create_task(later())
        return "x"

    client = Client(handle)
    client.get("/")
    assert done.wait(10)
    client.close()


# --- what is called ---


@pytest.fixture
def module(monkeypatch):
    """A module `shop` with the given content."""

    def make(**content):
        made = types.ModuleType("shop")
        vars(made).update(content)
        monkeypatch.setitem(sys.modules, "shop", made)
        return made

    return make


def test_names_are_understood_as_by_smiskd(module):
    module(handle=lambda request: "handle", site=types.SimpleNamespace(app=lambda request: "deep"))
    assert Client("shop").get("/").text == "handle"
    assert Client("shop:site.app").get("/").text == "deep"
    module(application=lambda request: "first", app=lambda request: "second")
    assert Client("shop").get("/").text == "first"


def test_factory_is_called_with_its_arguments(module):
    def create_app(name="plain", debug=False):
        return lambda request: f"{name} {debug}"

    module(create_app=create_app)
    assert Client('shop:create_app("prod", debug=True)').get("/").text == "prod True"
    assert Client("shop:create_app()").get("/").text == "plain False"
    assert Client("shop:create_app").get("/").text == "plain False"
    assert Client(create_app).get("/").text == "plain False"


def test_file_is_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "an_app_of_its_own.py"
    path.write_text("def handle(request):\n    return __file__\n")
    try:
        assert Client(str(path)).get("/").text == str(path)
        assert Client(f"{path}:handle").get("/").text == str(path)
    finally:
        sys.modules.pop("an_app_of_its_own", None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module_here", "there is no module"),
        ("shop:hand", 'no attribute "hand" .did you mean "handler"'),
        ("shop", "none of application, app, handle"),
        ("shop:number", "cannot be called"),
        ("shop:", "is not of the form"),
        ("", "is not of the form"),
        ("nowhere/shop.py", "is not a file"),
        ("shop:nothing()", "returned None"),
        ("shop:number()", "is no factory"),
        ("shop:handler(open())", "not a literal"),
        ("shop:four", "fits no interface"),
    ],
)
def test_what_cannot_be_served_is_explained(module, name, words):
    module(handler=lambda request: "", number=7, nothing=lambda: None, four=lambda a, b, c, d: None)
    with pytest.raises(LoadError, match=words):
        Client(name)


def test_error_of_the_module_itself_comes_through(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_shop.py").write_text("import no_such_module_here\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        Client("broken_shop")


def test_interface_can_be_said():
    def handle(*arguments):
        return "x"

    assert Client(handle, "native").interface == "native"
    with pytest.raises(ValueError, match="interface is"):
        Client(echo, "cgi")
    with pytest.raises(LoadError, match="can never be called"):
        Client(echo, "asgi")


def test_hooks_run_around_the_client(module):
    log = []
    module(
        handle=lambda request: ",".join(log),
        application_will_start=lambda: log.append("start"),
        application_did_stop=lambda: log.append("stop"),
    )
    with Client("shop") as client:
        assert client.get("/").text == "start"
    assert log == ["start", "stop"]
    client.close()
    assert log == ["start", "stop"]


def test_hook_that_fails_is_raised(module):
    module(handle=echo, application_will_start=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError), Client("shop"):
        pass


def test_import_of_testing_loads_nothing_else():
    import subprocess

    code = (
        "import sys; before = set(sys.modules); import smisk.testing; "
        "print(sorted(name for name in set(sys.modules) - before if 'smisk' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['smisk', 'smisk.testing']"
