# SPDX-License-Identifier: MIT
"""Applications in the manner of Smisk 1.1, as clients see them: over HTTP and FastCGI, and behind real front servers."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from lib.daemon import Smiskd, run_smiskd
from lib.fcgi import KEEP_CONN, STDIN, FastCGI, begin, cgi_env, params, stream
from lib.http import Answer, RawHTTP, connect, get
from lib.servers import Front

TIMEOUT = 30
LISTEN = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")
SMALL_MEMORY = ("--set", "request_body_memory=64k")


@pytest.fixture(scope="module")
def shared(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*LISTEN, *SMALL_MEMORY, "smisk_all")


@pytest.fixture
def daemon(shared: Smiskd) -> Iterator[Smiskd]:
    """A daemon with the application `smisk_all`; inspected after the test."""
    yield shared
    shared.check()


def ask(daemon: Smiskd, path: str, *fields: str, body: bytes | None = None, method: str = "") -> Answer:
    method = method or ("GET" if body is None else "POST")
    length = () if body is None else (f"Content-Length: {len(body)}",)
    with RawHTTP(daemon.http) as raw:
        raw.send(get(path, *fields, *length, method=method) + (body or b""))
        return raw.read_answer(method)


def test_head_that_was_begun_outlives_the_refusal_of_another_request(daemon: Smiskd, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with FastCGI(daemon.fastcgi) as front:
        front.send(
            begin(1, flags=KEEP_CONN) + params(1, cgi_env("GET", "/watch", f"gate={gate}")) + stream(STDIN, 1, b"")
        )
        front.send(begin(2, flags=KEEP_CONN) + params(2, cgi_env("GET", "/", CONTENT_LENGTH="none")))
        daemon.wait_log("answered 400: CONTENT_LENGTH is not one number")
        gate.touch()
        mine, refused = front.reply(1), front.reply(2)
    assert (mine.header("status"), mine.header("content-type")) == ("200 OK", "text/x-mine")
    assert mine.body == b"mine" and refused.header("status") == "400 Bad Request"


# --- what a service writes ---

BODIES = {
    "/": (200, "text/html; charset=utf-8", "abå12".encode()),
    "/plain": (200, "text/plain", b"plain"),
    "/nothing": (200, None, b""),
    "/status": (404, "text/html; charset=utf-8", b"gone"),
    "/pieces": (200, "text/html; charset=utf-8", b"x" * 10_000),
    "/large": (200, "text/html; charset=utf-8", b"z" * 500_000),
    "/out": (200, "text/html; charset=utf-8", "abc!1åNone".encode()),
    "/lines": (200, "text/html; charset=utf-8", b"01234"),
}


@pytest.mark.parametrize("path", BODIES)
def test_response_of_a_buffer_has_its_length(daemon: Smiskd, path: str) -> None:
    status, kind, body = BODIES[path]
    answer = ask(daemon, path)
    assert (answer.status, answer.get("content-type"), answer.body) == (status, kind, body)
    assert answer.get("content-length") == str(len(body))


@pytest.mark.parametrize("path", BODIES)
def test_response_over_fastcgi_is_the_same(daemon: Smiskd, path: str) -> None:
    status, kind, body = BODIES[path]
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask(path)
    assert (reply.status, reply.header("content-type"), reply.body) == (status, kind, body)


def test_headers_of_lines_pairs_and_bytes_are_sent(daemon: Smiskd) -> None:
    answer = ask(daemon, "/status")
    assert (answer.reason, answer.get("x-pair"), answer.get("x-bytes")) == ("Not Here", "one", "two")
    assert answer.get("x-latin") == "å"


def test_one_write_leaves_in_one_piece(daemon: Smiskd) -> None:
    with connect(daemon.http) as sock:
        sock.sendall(get("/plain"))
        assert sock.recv(65536).endswith(b"\r\n\r\nplain")


def test_long_response_streams(daemon: Smiskd) -> None:
    answer = ask(daemon, "/long")
    assert (answer.get("transfer-encoding"), answer.body) == ("chunked", b"y" * 100_000)


def test_flush_sends_what_was_written(daemon: Smiskd) -> None:
    answer = ask(daemon, "/flush")
    assert (answer.get("content-length"), answer.body) == (None, b"first,second")


@pytest.mark.parametrize("path", ["/plain", "/pieces", "/long", "/large"])
def test_answer_to_head_has_no_body(daemon: Smiskd, path: str) -> None:
    with RawHTTP(daemon.http) as raw:
        answers = [raw.request(get(path, method="HEAD")) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 2
    if path != "/long":
        assert answers[0].get("content-length") == str(len(BODIES[path][2]))


@pytest.mark.parametrize(("path", "status"), [("/empty", 204), ("/unchanged", 304)])
def test_status_without_body_swallows_what_is_written(daemon: Smiskd, path: str, status: int) -> None:
    with RawHTTP(daemon.http) as raw:
        answers = [raw.request(get(path)) for _ in range(2)]
    assert [(answer.status, answer.body, answer.get("content-type")) for answer in answers] == [
        (status, b"", None)
    ] * 2


def test_body_beyond_content_length_is_refused(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    assert ask(daemon, "/length").body == b"12345"
    daemon.wait_log("too long", since)


def test_body_short_of_content_length_closes_the_connection(daemon: Smiskd) -> None:
    daemon.expect_log("ended after 3 of the 5 bytes")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/short"))
        assert raw.read_to_end().endswith(b"\r\n\r\n123")


def test_begin_fixes_the_head(daemon: Smiskd) -> None:
    answer = ask(daemon, "/begin")
    said = [
        False,
        False,
        True,
        "output has already begun",
        "Cookies can not be set when output has already begun.",
        "send_file() comes too late: output has already begun",
    ]
    assert answer.body.decode() == str(said)
    assert answer.get("x-late") is None


def test_cookies_take_the_old_order_and_names(daemon: Smiskd) -> None:
    first, second = ask(daemon, "/cookie").all("set-cookie")
    head, expires, tail = first.partition("Expires=")
    assert head == "n=v%20w; Comment=c c; Domain=.ex.com; Path=/a; Max-Age=3600; "
    assert (expires, tail.partition(" GMT")[2], second) == ("Expires=", "; Secure; HttpOnly", "m=v")


def test_service_ahead_of_its_client_goes_to_a_file(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/endless?blocks=1000"))
        daemon.wait_log("service over", since)  # though nothing was read yet
        assert ask(daemon, "/plain").body == b"plain"  # nobody waits for this client
        answer = raw.read_answer("GET")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(b"e" * 65_536_000).digest()


def test_client_that_leaves_ends_the_response(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/endless?blocks=1000"))
        daemon.wait_log("service over", since)
    assert ask(daemon, "/plain").body == b"plain"


# --- what a request says ---


def test_request_gives_parameters_cookies_and_attributes(daemon: Smiskd) -> None:
    fields = ("Cookie: c=1; c=%C3%A5", "Referer: http://x.example/from?a")
    lines = ask(daemon, "/show?a=1&a=2&b", *fields).body.decode().splitlines()
    assert lines == [
        "get={'a': ['1', '2'], 'b': None}",
        "post={}",
        "files={}",
        "cookies={'c': ['1', 'å']}",
        "referrer='/from'",
        "active=True",
        "label=('of the class', 0, 'mine')",
        "method='GET'",
        lines[8],
        "input='Stream'",
    ]


@pytest.mark.parametrize("referrer", ["http://[::1", "::::", "\xff\xfe", " "])
def test_referrer_that_is_no_url_is_none_or_a_url(daemon: Smiskd, referrer: str) -> None:
    assert ask(daemon, "/show", f"Referer: {referrer}").status == 200


def test_server_software_names_both_servers(daemon: Smiskd) -> None:
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/show", env=cgi_env(path="/show", SERVER_SOFTWARE="front/1"))
    assert b"software='front/1 smisk/2" in reply.body


def test_form_and_files_are_read(daemon: Smiskd) -> None:
    answer = requests.post(
        daemon.url("/show"), data={"field": "å", "empty": ""}, files={"up": ("n.txt", b"12345")}, timeout=TIMEOUT
    )
    assert "post={'field': 'å', 'empty': ''}" in answer.text
    assert "files={'up': 5}" in answer.text


FORM = ("Content-Type: application/x-www-form-urlencoded",)


def test_form_larger_than_request_body_memory_is_read(daemon: Smiskd) -> None:
    answer = ask(daemon, "/show", *FORM, body=b"a=" + b"x" * 200_000)
    assert f"post={{'a': '{'x' * 200_000}'}}".encode() in answer.body


def test_form_past_its_limit_is_413(daemon: Smiskd) -> None:
    assert ask(daemon, "/limits", *FORM, body=b"a=12").body == b"{'a': '12'}"
    answer = ask(daemon, "/limits", *FORM, body=b"a=1234")
    assert (answer.status, b"larger than 5 bytes" in answer.body) == (413, True)
    assert ask(daemon, "/show", *FORM, body=b"a=1234").status == 200


def test_lines_of_the_body_are_those_of_the_request(daemon: Smiskd) -> None:
    assert ask(daemon, "/echo", body=b"one\ntwo\n\nend").body == b"one\ntwo\n\nend"


def test_charset_decides_about_parameters_and_text(daemon: Smiskd) -> None:
    assert ask(daemon, "/bytes?a=%E5").body == b"{'a': b'\\xe5'}"
    assert ask(daemon, "/latin?a=%C3%A5").body == "å:Ã¥".encode("iso-8859-1")
    assert ask(daemon, "/strict?a=%E5").body == b"UnicodeDecodeError"
    assert "get={'a': 'å'}" in ask(daemon, "/show?a=%E5").body.decode()


def test_errors_go_to_the_log(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/errors")
    assert (reply.body, reply.stderr) == (b"logged", b"to the log\n")
    daemon.wait_log("to the log", since)


# --- exceptions ---


def test_exception_is_logged_and_answered_with_a_page(daemon: Smiskd) -> None:
    daemon.expect_log("RuntimeError: <script>alert")
    answer = ask(daemon, "/raise")
    assert (answer.status, answer.get("cache-control")) == (500, "no-cache")
    assert answer.get("content-length") == str(len(answer.body))
    assert (answer.get("x-discarded"), answer.get("set-cookie")) == (None, None)
    for text in (
        b"<title>Service Error</title>",
        b"<h1>Service Error</h1>",
        b"Additional information has been logged.",
    ):
        assert text in answer.body
    assert b"<script>" not in answer.body


def test_exception_after_begin_appends_its_fragment(daemon: Smiskd) -> None:
    daemon.expect_log("RuntimeError: late")
    answer = ask(daemon, "/late")
    assert answer.body.startswith(b"begun<h1>Service Error</h1>")
    assert b"<title>" not in answer.body


def test_traceback_is_shown_escaped_where_it_is_set(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*LISTEN, "--set", "show_traceback=true", "smisk_all")
    daemon.expect_log("RuntimeError: <script>alert")
    page = ask(daemon, "/raise").body
    assert b"Traceback (most recent call last)" in page
    assert b"RuntimeError: &lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("path", ["/header", "/colon", "/nul", "/file_raise"])
def test_response_that_cannot_be_sent_is_500(daemon: Smiskd, path: str) -> None:
    daemon.expect_log(path)
    answer = ask(daemon, path)
    assert (answer.status, answer.all("set-cookie")) == (500, [])
    assert b"Service Error" in answer.body


@pytest.mark.parametrize("env", [{"SERVER_NAME": "", "SERVER_PORT": ""}, {"SERVER_NAME": "<b>:81"}])
def test_error_page_needs_no_variable(daemon: Smiskd, env: dict[str, str]) -> None:
    daemon.expect_log("RuntimeError: <script>alert")
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/raise", env=env)
    expected = b"at &lt;b&gt; port 81" if env["SERVER_NAME"] else b"<address>at ? port ?"
    assert expected in reply.body


def test_error_that_raises_is_a_plain_500(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*LISTEN, "smisk_faults")
    daemon.expect_log("ValueError: first")
    daemon.expect_log("KeyError: 'second'")
    assert ask(daemon, "/error").status == 500
    daemon.expect_log("async def")
    assert ask(daemon, "/async").status == 500
    assert ask(daemon, "/").body == b"fine"


# --- which request it is ---


def test_proxies_are_of_this_request_and_thread(daemon: Smiskd) -> None:
    assert ask(daemon, "/proxies").body == b"(True, True, True, True)[False, 'None', None, False]['started None']"


def test_request_that_is_kept_is_over(daemon: Smiskd) -> None:
    assert ask(daemon, "/keep").body == b"kept"
    assert ask(daemon, "/kept").body.startswith(b"/keepFalsethis Response answers no request")


def test_exit_ends_the_worker_after_its_answer(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    pid = ask(daemon, "/pid").body
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/exit"))
        with RawHTTP(daemon.http) as next_one:  # comes while the first is answered
            next_one.send(get("/pid"))
            assert raw.read_answer("GET").body == pid
            next_one.read_answer("GET")
    daemon.wait_log("did stop started None", since)
    daemon.wait_log("has finished; starting another", since)
    assert ask(daemon, "/pid").body != pid
    daemon.rebase(1)


# --- what is served ---


def test_class_is_found_and_made(smiskd: Callable[..., Smiskd]) -> None:
    assert ask(smiskd(*LISTEN, "smisk_minimal"), "/any").body == b"Hello World!"


MODULES = {
    "one = object()\nclass Mine(Application): pass": "app:Mine() (interface smisk)",
    "class Mine(Application): pass\nmade = Mine()": "app:Mine (interface smisk)",
    "class Mine(Application): pass\ndef build(): return Mine()": "app:build() (interface smisk)",
    "class Mine(Application): pass\napplication = Mine": "app:application() (interface smisk)",
    "from smisk.core import app\nclass Mine(Application): pass\nMine()": "app:Mine (interface smisk)",
}


@pytest.mark.parametrize("text", MODULES)
def test_application_of_a_module_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.py").write_text(f"from smisk.core import Application\n{text}\n")
    name = "shop:build()" if "build" in text else "shop"
    done = run_smiskd("-t", name, cwd=tmp_path)
    assert "app: " + MODULES[text].replace("app:", "shop:", 1) in done.stdout + done.stderr


REFUSED = {
    ("class A(Application): pass\nclass B(Application): pass", "auto"): "several classes",
    ("class A(Application): pass\ndef app(request): pass", "smisk"): "no smisk.core.Application",
    ("class A(Application): pass", "wsgi"): "interface is smisk or auto, not wsgi",
    ("class A(Application):\n  def application_will_start(self): raise KeyError('why')", "auto"): "KeyError: 'why'",
    ("class A(Application): request_class = int", "auto"): "request_class must be",
}


@pytest.mark.parametrize(("text", "interface"), REFUSED)
def test_what_cannot_be_served_is_explained(tmp_path: Path, text: str, interface: str) -> None:
    (tmp_path / "shop.py").write_text(f"from smisk.core import Application\n{text}\n")
    done = run_smiskd("-t", "--interface", interface, "shop", cwd=tmp_path)
    assert done.returncode == 1
    assert REFUSED[text, interface] in done.stderr, done.stderr


# --- files ---

NAMES = ["plain.txt", "a b å %41.jpg", "page.html"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(f"{number}".encode() * 100_000)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_file_is_sent_with_length_and_type(daemon: Smiskd, folder: Path, name: str) -> None:
    path = f"/file?path={quote(str(folder / name))}"
    answer = ask(daemon, path)
    kinds = {"txt": "text/plain", "jpg": "image/jpeg", "html": "text/html"}
    assert answer.body == (folder / name).read_bytes()
    assert answer.get("content-type") == kinds[name.rpartition(".")[2]]
    head = ask(daemon, path, method="HEAD")
    assert (head.get("content-length"), head.body) == ("100000", b"")
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/file", env=cgi_env(path="/file", query=path.partition("?")[2], SERVER_SOFTWARE="Other/1"))
    assert reply.body == (folder / name).read_bytes()


@pytest.mark.parametrize("path", ["/nowhere", "/etc", "/dev/null"])
def test_file_that_is_none_is_an_error(daemon: Smiskd, path: str) -> None:
    daemon.expect_log("OSError|FileNotFoundError|IsADirectoryError")
    assert ask(daemon, f"/file?path={path}").status == 500


@pytest.mark.parametrize("character", ["%0D%0AX: y", "%0A", "%00"])
def test_path_with_a_line_break_or_nul_is_refused(daemon: Smiskd, character: str) -> None:
    daemon.expect_log("ValueError")
    env = cgi_env(path="/file", query=f"path=/a{character.replace(' ', '%20')}", SERVER_SOFTWARE="nginx/1.22")
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/file", env=env)
    assert (reply.status, reply.header("x-accel-redirect")) == (500, None)


SOFTWARE = {
    "lighttpd/1.4.69": ("x-lighttpd-send-file", "/f/a%20b%25.jpg"),
    "lighttpd/1.5.0": ("x-sendfile", "/f/a%20b%25.jpg"),
    "Apache/2.4 (Unix)": ("x-sendfile", "/f/a b%.jpg"),
    "nginx/1.22.1": ("x-accel-redirect", "/f/a%20b%25.jpg"),
}


@pytest.mark.parametrize("software", SOFTWARE)
def test_front_server_is_told_of_a_file_in_its_own_words(daemon: Smiskd, software: str) -> None:
    env = cgi_env(path="/file", query="path=/f/a%20b%25.jpg", SERVER_SOFTWARE=software)
    with FastCGI(daemon.fastcgi) as raw:
        reply = raw.ask("/file", env=env)
    header, path = SOFTWARE[software]
    assert (reply.header(header), reply.header("content-type"), reply.body) == (path, "image/jpeg", b"")


@pytest.fixture(params=["nginx-files", "lighttpd-files", "apache-files", "caddy"])
def before(
    request: pytest.FixtureRequest, daemon: Smiskd, front: Callable[..., Front], tmp_path: Path
) -> tuple[Front, Path]:
    """A front server, and the folder `files` whose files it may send."""
    server = front(request.param, daemon.fastcgi)
    return server, server.files


@pytest.mark.parametrize("name", NAMES)
def test_front_server_sends_the_file(before: tuple[Front, Path], name: str) -> None:
    server, files = before
    files.mkdir(exist_ok=True)
    files.chmod(0o755)
    (files / name).write_bytes(b"by the front server\n" * 1000)
    shown = f"/files/{name}" if server.name == "nginx-files" else str(files / name)
    answer = requests.get(server.url(f"/file?path={quote(shown)}"), timeout=TIMEOUT)
    assert (answer.status_code, answer.content) == (200, b"by the front server\n" * 1000)
    assert answer.headers["content-length"] == "20000"
    assert "accel" not in str(answer.headers).lower()
    assert "sendfile" not in str(answer.headers).lower()
