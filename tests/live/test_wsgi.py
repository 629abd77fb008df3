# SPDX-License-Identifier: MIT
"""The WSGI interface over HTTP and FastCGI: environ, wsgi.input, wsgi.errors, every kind of answer (PEP 3333)."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.daemon import Smiskd
from lib.fcgi import KEEP_CONN, STDIN, FastCGI, Reply, begin, cgi_env, params, request, stream
from lib.http import Answer, RawHTTP, get

BOTH = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")
MEMORY = 4096  # request_body_memory of these tests: larger bodies are spooled
SETTINGS = ("--set", f"request_body_memory={MEMORY}", "--set", "write_buffer=65536")
BLOCK = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def echo_running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*BOTH, *SETTINGS, "wsgi_echo:application")


@pytest.fixture
def echo(echo_running: Smiskd) -> Iterator[Smiskd]:
    yield echo_running
    echo_running.check()


@pytest.fixture(scope="module")
def bodies_running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*BOTH, *SETTINGS, "wsgi_bodies:application")


@pytest.fixture
def bodies(bodies_running: Smiskd) -> Iterator[Smiskd]:
    yield bodies_running
    bodies_running.check()


def fetch(daemon: Smiskd, path: str = "/", *fields: str, body: bytes = b"", method: str = "GET") -> Answer:
    length = [f"Content-Length: {len(body)}"] if body else []
    with RawHTTP(daemon.http) as raw:
        raw.send(get(path, *length, *fields, method=method) + body)
        return raw.read_answer(method)


def fetch_json(daemon: Smiskd, path: str = "/", *fields: str, body: bytes = b"") -> Any:
    answer = fetch(daemon, path, *fields, body=body, method="POST" if body else "GET")
    assert answer.status == 200, answer
    return json.loads(answer.body)


def ask_json(daemon: Smiskd, path: str = "/", body: bytes = b"", **more: Any) -> Any:
    with FastCGI(daemon.fastcgi) as fcgi:
        return json.loads(fcgi.ask(path, body, **more).body)


# --- environ ---


def test_environ_over_http_has_the_cgi_and_wsgi_variables(echo: Smiskd) -> None:
    environ = fetch_json(echo, "/a%20b/c?x=%20y&z")
    port = environ.pop("REMOTE_PORT")
    assert environ == {
        "is dict": True,
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.input": "InputWrapper",
        "wsgi.errors": "ErrorWrapper",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": "type",
        "wsgi.input_terminated": True,
        "wsgi.early_hints": "EarlyHints",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": environ["SERVER_SOFTWARE"],
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a%20b/c?x=%20y&z",
        "REQUEST_SCHEME": "http",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/c",
        "QUERY_STRING": "x=%20y&z",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "test.example",
        "SERVER_PORT": str(echo.port),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "test.example",
    }
    assert environ["SERVER_SOFTWARE"].startswith("smisk/") and 0 < int(port) < 65536


def test_environ_text_is_bytes_read_as_latin_1(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        raw.send(get("/caf%C3%A9%FF?q=%C3%A9", "X-Raw: \xe9\xfftail"))
        environ = json.loads(raw.read_answer().body)
    assert environ["PATH_INFO"].encode("latin-1") == "/café".encode() + b"\xff"
    assert environ["QUERY_STRING"] == "q=%C3%A9"
    assert environ["HTTP_X_RAW"] == "\xe9\xfftail"
    with FastCGI(echo.fastcgi) as fcgi:
        env = {**cgi_env("GET", "/café"), "HTTP_X": "ü"}
        environ = json.loads(fcgi.ask("/café", env=env).body)
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/café"
    assert environ["HTTP_X"].encode("latin-1").decode() == "ü"


def test_environ_joins_repeated_fields_and_leaves_out_what_could_forge_others(echo: Smiskd) -> None:
    fields = (
        "X-A: 1",
        "x-a: 2",
        "Cookie: a=1",
        "Cookie: b=2",
        "Proxy: http://evil",
        "X_B: 3",
        "X-Long-" + "n" * 60 + ": 4",
    )
    environ = fetch_json(echo, "/", *fields)
    assert {name: value for name, value in environ.items() if name.startswith("HTTP_")} == {
        "HTTP_HOST": "test.example",
        "HTTP_X_A": "1, 2",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_LONG_" + "N" * 60: "4",
    }


def test_environ_of_one_request_says_nothing_of_the_one_before(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        first = json.loads(raw.request(get("/one?q", "X-A: first", "Accept: a/b")).body)
        second = json.loads(raw.request(get("/two", "X-A: second", "User-Agent: x")).body)
        third = json.loads(raw.request(get("/two", "X-A: second")).body)
    assert (first["HTTP_X_A"], first["PATH_INFO"], first["QUERY_STRING"]) == ("first", "/one", "q")
    assert (second["HTTP_X_A"], second["PATH_INFO"], second["QUERY_STRING"]) == ("second", "/two", "")
    assert "HTTP_ACCEPT" not in second and "HTTP_USER_AGENT" not in third


# One request often, then one of the same length in every part, and all over again: what a request may take from the
# one before is decided by its bytes. In the last three only the border between a name and its value, or between two
# fields, has moved.
SERIES: list[tuple[list[str], dict[str, str]]] = [
    (["X-A: one", "X-B: two"], {"HTTP_X_A": "one", "HTTP_X_B": "two"}),
    (["X-A: one", "X-B: six"], {"HTTP_X_A": "one", "HTTP_X_B": "six"}),
    (["X-A: ten", "X-B: six"], {"HTTP_X_A": "ten", "HTTP_X_B": "six"}),
    (["X-A: ten", "X-C: six"], {"HTTP_X_A": "ten", "HTTP_X_C": "six"}),
    (["X-A: te", "X-CC: six"], {"HTTP_X_A": "te", "HTTP_X_CC": "six"}),
]


def test_environ_of_requests_that_come_again_over_http(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        for fields, wanted in SERIES * 2:
            for _ in range(4):
                environ = json.loads(raw.request(get("/", *fields)).body)
                found = {name: value for name, value in environ.items() if name.startswith("HTTP_X")}
                assert found == wanted


# The names and values, joined, are the same bytes in each.
MOVED = [
    {"HTTP_XAB": "CD", "HTTP_Y": "1"},
    {"HTTP_XA": "BCD", "HTTP_Y": "1"},
    {"HTTP_XABC": "D", "HTTP_Y": "1"},
    {"HTTP_XABCD": "", "HTTP_Y": "1"},
    {"HTTP_XABCD": "HTTP_Y", "1": ""},
]


@pytest.mark.parametrize("is_first", [True, False])
def test_environ_of_requests_that_come_again_over_fastcgi(echo: Smiskd, is_first: bool) -> None:
    rest = {name: value for name, value in cgi_env().items() if not name.startswith("HTTP_")}
    with FastCGI(echo.fastcgi) as fcgi:
        for wanted in MOVED * 2:
            env = {**wanted, **rest} if is_first else {**rest, **wanted}
            for _ in range(4):
                fcgi.send(begin(1, flags=KEEP_CONN) + params(1, env) + stream(STDIN, 1, b""))
                environ = json.loads(fcgi.reply().body)
                assert {name: environ[name] for name in environ if name.startswith("HTTP_") or name == "1"} == wanted


def header_fields(environ: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environ.items() if name.startswith("HTTP_") and name != "HTTP_HOST"}


def test_environ_of_heads_with_the_same_names_has_their_own_values(echo: Smiskd) -> None:
    """A head that looks like the one before begins as a copy of it: what differs must differ."""
    heads = [
        ("GET", "/a", ("X-A: 1", "X-B: same", "Accept: x/y")),
        ("GET", "/a", ("X-A: 1", "X-B: same", "Accept: x/y")),
        ("GET", "/b?q", ("X-A: 2", "X-B: same", "Accept: ")),
        ("HEAD", "/b?q", ("X-A: 3", "X-B: same", "Accept: x/y")),
        ("PUT", "/", ("X-A: 1", "X-B: same", "Accept: x/y")),
        ("GET", "/a", ("X-B: 1", "X-A: order", "Accept: x/y")),
        ("GET", "/a", ("X-B: 2", "X-B: again", "Accept: x/y")),
        ("GET", "/a", ("X-B: 2", "X-B: again", "Accept: x/y")),
        ("GET", "/a", ("X-B: 3", "X-B: again", "Accept: x/y")),
        ("GET", "/a", ("X_B: 3", "Proxy: again", "Accept: x/y")),
        ("GET", "/a", ("X_B: 3", "Proxy: again", "Accept: x/z")),
        ("GET", "/a", ("X_B: 4", "Proxy: again", "Accept: x/y")),
    ]
    with RawHTTP(echo.http) as raw:
        for method, target, fields in heads * 2:
            raw.send(get(target, *fields, method="GET" if method == "HEAD" else method))
            environ = json.loads(raw.read_answer().body)
            expected: dict[str, str] = {}
            for name, value in (field.split(": ", 1) for field in fields):
                if "_" not in name and name != "Proxy":
                    key = "HTTP_" + name.upper().replace("-", "_")
                    expected[key] = f"{expected[key]}, {value}" if key in expected else value
            assert header_fields(environ) == expected
            path, _, query = target.partition("?")
            assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["REQUEST_URI"]) == (path, query, target)
            assert environ["REQUEST_METHOD"] == ("GET" if method == "HEAD" else method)


def test_environ_of_heads_that_take_turns_is_right(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as one, RawHTTP(echo.http) as other:
        for turn in range(6):
            first = json.loads(one.request(get(f"/{turn}", f"X-Turn: {turn}", "X-One: 1")).body)
            second = json.loads(other.request(get(f"/{turn}", f"X-Other: {turn}")).body)
            assert header_fields(first) == {"HTTP_X_TURN": str(turn), "HTTP_X_ONE": "1"}
            assert header_fields(second) == {"HTTP_X_OTHER": str(turn)}
            assert first["REMOTE_PORT"] == str(one.sock.getsockname()[1])
            assert second["REMOTE_PORT"] == str(other.sock.getsockname()[1])


def test_environ_of_parameters_with_the_same_names_has_their_own_values(echo: Smiskd) -> None:
    with FastCGI(echo.fastcgi) as fcgi:
        for turn in range(8):
            type_ = "text/plain" if turn % 3 == 0 else ""
            env = {"CONTENT_TYPE": type_, "SERVER_NAME": "" if turn == 5 else "s", "HTTP_X": str(turn), "X": "same"}
            fcgi.send(request(f"/{turn}", flags=1, env=env))
            environ = json.loads(fcgi.reply().body)
            assert environ.get("CONTENT_TYPE", "") == type_ and ("CONTENT_TYPE" in environ) == bool(type_)
            assert (environ["HTTP_X"], environ["PATH_INFO"], environ["X"]) == (str(turn), f"/{turn}", "same")
            assert environ["SERVER_NAME"] == ("s" if turn != 5 else environ["SERVER_NAME"]) != ""


def test_environ_that_the_application_changes_is_its_own(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "def application(environ, start_response):\n"
        "    body = repr(sorted(environ)).encode()\n"
        "    environ.clear()\n"
        "    environ['HTTP_X_A'] = environ['forged'] = 'forged'\n"
        "    start_response('200 OK', [])\n"
        "    return [body]\n"
    )
    daemon = smiskd(*BOTH, "greedy:application", cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        answers = {raw.request(get("/", "X-A: 1")).body for _ in range(5)}
    assert len(answers) == 1 and b"forged" not in answers.pop()


def test_environ_of_many_made_up_fields_is_right(echo: Smiskd) -> None:
    """More names than the table of names has places, in two spellings each."""
    names = [f"X-{number:03d}-{number % 7 * 'y'}" for number in range(90)]
    for spell in (str.upper, str.lower, str.upper):
        environ = fetch_json(echo, "/", *(f"{spell(name)}: value of {name}" for name in names))
        got = {name: value for name, value in environ.items() if name.startswith("HTTP_X_")}
        assert got == {"HTTP_" + name.upper().replace("-", "_"): f"value of {name}" for name in names}


def test_environ_says_how_long_the_body_is(echo: Smiskd) -> None:
    environ = fetch_json(echo, "/", "Content-Type: text/x", body=b"12345")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x", "5")
    assert "HTTP_CONTENT_TYPE" not in environ and "HTTP_CONTENT_LENGTH" not in environ
    assert "CONTENT_LENGTH" not in fetch_json(echo)
    with RawHTTP(echo.http) as raw:
        raw.send(get("/", "Content-Length: 0", method="POST"))
        assert json.loads(raw.read_answer().body)["CONTENT_LENGTH"] == "0"


def test_environ_of_a_chunked_body_has_its_length_and_no_coding(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        raw.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        environ = json.loads(raw.read_answer().body)
    assert environ["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_environ_of_options_for_the_server_has_no_path(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        environ = json.loads(raw.request(get("*", method="OPTIONS")).body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REQUEST_URI"]) == ("", "", "*")


def test_environ_over_a_unix_socket_has_name_and_port(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("--workers", "2", "--http", f"unix:{tmp_path}/s", "wsgi_echo:application")
    with RawHTTP(daemon.http) as raw:
        environ = json.loads(raw.request("GET / HTTP/1.0\r\n\r\n").body)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("localhost", "80", "")
    assert (environ["SERVER_PROTOCOL"], environ["wsgi.multiprocess"]) == ("HTTP/1.0", True)


def test_environ_over_fastcgi_has_the_front_servers_parameters(echo: Smiskd) -> None:
    extra = {
        "DOCUMENT_ROOT": "/var/www",
        "HTTP_USER_AGENT": "x",
        "HTTP_PROXY": "http://evil",
        "HTTP_CONTENT_LENGTH": "3",
        "HTTP_CONTENT_TYPE": "text/plain",
        "CONTENT_TYPE": "text/plain",
        "REMOTE_USER": "anna",
        "wsgi.version": "forged",
        "wsgi.input": "forged",
    }
    environ = ask_json(echo, "/p?q=1", b"abc", env=extra)
    expected = {**cgi_env("POST", "/p", "q=1"), **extra, "CONTENT_LENGTH": "3", "wsgi.url_scheme": "http"}
    for name in ("HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "wsgi.version", "wsgi.input"):
        del expected[name]
    assert {name: environ.get(name) for name in expected} == expected
    assert (environ["wsgi.version"], environ["wsgi.input"]) == ([1, 0], "InputWrapper")
    assert not {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & set(environ)


def test_environ_over_fastcgi_fills_in_what_wsgi_requires(echo: Smiskd) -> None:
    empty = {"SERVER_NAME": "", "SERVER_PORT": "", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "HTTPS": "on"}
    environ = ask_json(echo, "/", env={**empty, "HTTP_HOST": "[::1]:99"})
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("[::1]", "99")
    assert environ["wsgi.url_scheme"] == "https"
    assert "CONTENT_TYPE" not in environ and "CONTENT_LENGTH" not in environ
    environ = ask_json(echo, "/", env={**empty, "HTTP_HOST": ""})
    assert environ["SERVER_NAME"] != "" and environ["SERVER_PORT"] == "443"


def test_application_without_validator_gets_the_types_of_the_host(echo: Smiskd) -> None:
    environ = fetch_json(echo, "/types")
    assert (environ["wsgi.input"], environ["wsgi.errors"]) == ("Input", "Errors")


# --- SCRIPT_NAME and PATH_INFO ---

NGINX = {"SERVER_SOFTWARE": "nginx/1.22.1"}
LIGHTTPD = {"SERVER_SOFTWARE": "lighttpd/1.4.69"}


def cgi(script: str, path: str | None, uri: str, **more: str) -> dict[str, str]:
    return {"SCRIPT_NAME": script, "REQUEST_URI": uri, **({} if path is None else {"PATH_INFO": path}), **more}


# What comes, the root_path, and what the application must see.
SPLITS = {
    "nothing": (cgi("", "", "/"), "", ("", "")),
    "path in PATH_INFO": (cgi("", "/a/b", "/a/b"), "", ("", "/a/b")),
    "nginx's own parameters": (cgi("/a/b", None, "/a/b?x", **NGINX), "", ("", "/a/b")),
    "Apache, an empty PATH_INFO": (cgi("/a/b", "", "/a/b"), "", ("", "/a/b")),
    "both the whole path": (cgi("/a/b", "/a/b", "/a/b?x"), "", ("", "/a/b")),
    "both the whole path, encoded": (cgi("/a b", "/a b", "/a%20b"), "", ("", "/a b")),
    "a path below its own name": (cgi("/a", "/a", "/a/a"), "", ("/a", "/a")),
    "a split that is meant": (cgi("/app", "/x/y", "/app/x/y", **NGINX), "", ("/app", "/x/y")),
    "slash between": (cgi("/app/", "/x", "/app/x"), "", ("/app", "/x")),
    "slash missing": (cgi("/app/", "x", "/app/x"), "", ("/app", "/x")),
    "slash only": (cgi("/", "/x", "/x"), "", ("", "/x")),
    "path without slash": (cgi("", "x", "/x"), "", ("", "/x")),
    "lighttpd below /": (cgi("/a", "/b/c", "/a/b/c", **LIGHTTPD), "", ("", "/a/b/c")),
    "lighttpd below /, one segment": (cgi("/a", None, "/a", **LIGHTTPD), "", ("", "/a")),
    "lighttpd with fix-root-scriptname": (cgi("", "/a/b", "/a/b", **LIGHTTPD), "", ("", "/a/b")),
    "mounted, verbatim": (cgi("", "/shop/x", "/shop/x"), "/shop", ("/shop", "/x")),
    "mounted, stripped": (cgi("", "/x", "/shop/x"), "/shop", ("/shop", "/x")),
    "mounted, at the mount point": (cgi("/shop", None, "/shop", **NGINX), "/shop", ("/shop", "")),
    "mounted, with its slash": (cgi("/shop/", None, "/shop/", **NGINX), "/shop", ("/shop", "/")),
    "mounted, split there": (cgi("/shop", "/x", "/shop/x"), "/shop", ("/shop", "/x")),
    "mounted, split elsewhere": (cgi("/shop/deep", "/x", "/shop/deep/x"), "/shop", ("/shop", "/deep/x")),
    "mounted, lighttpd": (cgi("/shop", "/x", "/shop/x", **LIGHTTPD), "/shop", ("/shop", "/x")),
    "mounted, another segment": (cgi("", "/shopping", "/shopping"), "/shop", ("/shop", "/shopping")),
    "mounted deep": (cgi("", "/a/shop/x", "/a/shop/x"), "/a/shop", ("/a/shop", "/x")),
}


@pytest.fixture(scope="module")
def mounted(module_smiskd: Callable[..., Smiskd], echo_running: Smiskd) -> Callable[[str], Smiskd]:
    running = {"": echo_running}

    def at(root: str) -> Smiskd:
        if root not in running:
            running[root] = module_smiskd(*BOTH, "--set", f"root_path={root}", "wsgi_echo:application")
        return running[root]

    return at


@pytest.mark.parametrize("name", SPLITS)
def test_paths_from_a_front_server(mounted: Callable[[str], Smiskd], name: str) -> None:
    sent, root, expected = SPLITS[name]
    basic = {key: value for key, value in cgi_env().items() if key not in ("SCRIPT_NAME", "PATH_INFO", "REQUEST_URI")}
    with FastCGI(mounted(root).fastcgi) as fcgi:
        fcgi.send(begin(1) + params(1, basic | sent) + stream(STDIN, 1, b""))
        environ = json.loads(fcgi.reply().body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/shop/x%2Fy", ("/shop", "/x/y")),
        ("/shop", ("/shop", "")),
        ("/shop/", ("/shop", "/")),
        ("/sh%6Fp/x", ("/shop", "/x")),
        ("/x", ("/shop", "/x")),
        ("/shopping", ("/shop", "/shopping")),
        ("/", ("/shop", "/")),
        ("/" + "long/" * 500, ("/shop", "/" + "long/" * 500)),
        ("/shop/" + "%41" * 1000, ("/shop", "/" + "A" * 1000)),
    ],
)
def test_paths_below_root_path_over_http(
    mounted: Callable[[str], Smiskd], target: str, expected: tuple[str, str]
) -> None:
    environ = fetch_json(mounted("/shop"), target)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected


# --- wsgi.input ---

TEXT = b"first\nsecond line\n\nlast without end"
READS = {
    "/read-all": [TEXT.decode(), "", "", ""],
    "/readinto": [[4, "firs"], [4, "t\nse"]],
    "/read-4": [TEXT[at : at + 4].decode() for at in range(0, len(TEXT), 4)],
    "/readline-4": ["firs", "t\n", "seco", "nd l", "ine\n", "\n", "last", " wit", "hout", " end"],
    "/readline": ["first\n", "second line\n", "\n", "last without end"],
    "/readlines": ["first\n", "second line\n", "\n", "last without end"],
    "/readlines-hint": ["first\n"],
    "/iterate": ["first\n", "second line\n", "\n", "last without end"],
    "/text": [["first\n", "second line\n", "\n", "last without end"], len(TEXT)],
    "/refusals": ["UnsupportedOperation", "ValueError", "TypeError", "TypeError"],
    "/seek": [
        len(TEXT) - 3,
        "end",
        len(TEXT),
        2,
        "rs",
        5,
        TEXT.decode()[5:],
        1000,
        "",
        [True, True, False, False, False],
    ],
    "/in-thread": [len(TEXT)],
}


@pytest.mark.parametrize("path", READS)
def test_input_is_read_in_every_way(echo: Smiskd, path: str) -> None:
    assert fetch_json(echo, path, body=TEXT) == READS[path]
    assert ask_json(echo, path, TEXT) == READS[path]


@pytest.mark.parametrize("path", ["/read-4", "/readline", "/readlines", "/iterate"])
def test_input_without_a_body_is_at_its_end(echo: Smiskd, path: str) -> None:
    assert fetch_json(echo, path) == []
    assert ask_json(echo, path) == []


def test_input_of_a_spooled_body_is_read_in_every_way(echo: Smiskd) -> None:
    lines = [b"x" * 200_000 + b"\n", b"\n", b"y" * 65_535 + b"\n", b"z" * 100_000]
    whole = b"".join(lines)
    assert len(whole) > MEMORY
    assert fetch_json(echo, "/line-lengths", body=whole) == [len(line) for line in lines]
    assert fetch_json(echo, "/length", body=whole) == len(whole)
    assert ask_json(echo, "/line-lengths", whole) == [len(line) for line in lines]
    assert fetch_json(echo, "/readline", body=TEXT * 200) == [
        line.decode() for line in (TEXT * 200).splitlines(keepends=True)
    ]
    assert "".join(fetch_json(echo, "/readline-4", body=TEXT * 200)) == (TEXT * 200).decode()


def test_input_of_a_chunked_body_without_length_is_read_whole(echo: Smiskd) -> None:
    with RawHTTP(echo.http) as raw:
        raw.send(get("/readlines", "Transfer-Encoding: chunked", method="POST"))
        raw.send(b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (TEXT[:7], TEXT[7:])) + b"0\r\n\r\n")
        assert json.loads(raw.read_answer().body) == READS["/readlines"]


def test_input_over_fastcgi_without_content_length_is_read_whole(echo: Smiskd) -> None:
    with FastCGI(echo.fastcgi) as fcgi:
        fcgi.send(begin(1) + params(1, cgi_env("POST", "/read-all")) + stream(STDIN, 1, TEXT))
        assert json.loads(fcgi.reply().body) == READS["/read-all"]


@pytest.mark.parametrize("body", [TEXT, b"a line\n" * 3000], ids=["in memory", "spooled"])
def test_input_and_errors_kept_past_their_request_work_on(echo: Smiskd, body: bytes) -> None:
    with RawHTTP(echo.http) as raw:
        raw.send(get("/keep", f"Content-Length: {len(body)}", method="POST") + body)
        raw.read_answer()
        raw.request(get("/types"))
        first_line = body.split(b"\n")[0].decode() + "\n"
        found = json.loads(raw.request(get("/later")).body)
    assert found == [body.decode(), 0, first_line, "wsgi.early_hints was called after its request was over"]
    echo.wait_log("warning: wsgi.errors: said after the request")


# --- wsgi.errors ---


def test_errors_go_to_the_log_line_by_line(echo: Smiskd) -> None:
    since = len(echo.log.lines)
    assert fetch_json(echo, "/say") is None
    echo.wait_log(r"\] left over", since)
    said = [line for line in echo.log.lines[since:] if "[" in line or line.startswith("    ")]
    text = "\n".join(said)
    assert re.search(r"warning: \[\S+\] one line\n", text)
    assert re.search(r"warning: \[\S+\] in three parts\n", text)
    assert re.search(r"warning: \[\S+\] no end\n", text)
    assert re.search(r"warning: \[\S+\] wsgi.errors\n +first\n +second \\udc80\n", text)


def test_errors_go_to_the_front_server_too(echo: Smiskd) -> None:
    with FastCGI(echo.fastcgi) as fcgi:
        reply = fcgi.ask("/say")
    assert reply.stderr == b"one line\nin three parts\nno end\nfirst\nsecond \\udc80\nleft over\n"


# --- answers ---

CHUNKED = None
ANSWERS: dict[str, tuple[int, bytes, str | None]] = {
    "/list": (200, b"one", "3"),
    "/tuple": (200, b"one", "3"),
    "/two": (200, b"one two", "7"),
    "/none": (200, b"", "0"),
    "/empty": (200, b"", "0"),
    "/generator": (200, b"ab", CHUNKED),
    "/closing": (200, b"xy", CHUNKED),
    "/one": (200, b"only one", "8"),
    "/old": (200, b"old sequence", CHUNKED),
    "/long-list": (200, BLOCK * 64, str(64 * len(BLOCK))),
    "/exact": (200, b"12345", "5"),
    "/subclass": (200, b"a subclass", "10"),
    "/lazy": (203, b"lazy", CHUNKED),
    "/many-empty": (200, b"after 200 empty pieces", CHUNKED),
    "/changed-mind": (404, b"changed its mind", "16"),
    "/write": (200, b"written, then returned", CHUNKED),
    "/pipe": (200, b"through a pipe", CHUNKED),
    "/zipped": (200, b"unzipped on the way", CHUNKED),
    "/memory": (200, b"from memory", CHUNKED),
    "/iterated": (200, b"abcdefg", CHUNKED),
    "/hints": (200, b"hinted", "6"),
    "/cookies": (200, b"body", "4"),
    "/keyword": (200, b"by keyword", "10"),
    "/no-reason": (404, b"body", "4"),
    "/latin": (200, b"body", "4"),
}


@pytest.mark.parametrize("path", ANSWERS)
def test_answer_over_http(bodies: Smiskd, path: str) -> None:
    status, body, length = ANSWERS[path]
    with RawHTTP(bodies.http) as raw:
        for _ in range(2):
            raw.send(get(path))
            answer = raw.read_answer()
            while answer.status == 103:
                answer = raw.read_answer()
            assert (answer.status, answer.body, answer.get("content-length")) == (status, body, length)


@pytest.mark.parametrize("path", ANSWERS)
def test_answer_over_http_1_0(bodies: Smiskd, path: str) -> None:
    status, body, length = ANSWERS[path]
    with RawHTTP(bodies.http) as raw:
        answer = raw.request(get(path, version="HTTP/1.0"))
        assert (answer.status, answer.body, answer.get("content-length")) == (status, body, length)
        raw.assert_closed()


@pytest.mark.parametrize("path", ANSWERS)
def test_answer_over_fastcgi(bodies: Smiskd, path: str) -> None:
    status, body, length = ANSWERS[path]
    with FastCGI(bodies.fastcgi) as fcgi:
        reply: Reply = fcgi.ask(path)
    assert (reply.status, reply.body, reply.header("content-length")) == (status, body, length)


@pytest.mark.parametrize("path", ANSWERS)
def test_answer_to_head_has_no_body(bodies: Smiskd, path: str) -> None:
    status, body, length = ANSWERS[path]
    with RawHTTP(bodies.http) as raw:
        raw.send(get(path, method="HEAD"))
        answer = raw.read_answer("HEAD")
        while answer.status == 103:
            answer = raw.read_answer("HEAD")
        # Of an application that gave nothing, nobody knows what it had given to GET.
        assert (answer.status, answer.get("content-length")) == (status, length if body else None)
        assert raw.request(get("/list")).body == b"one"


def test_answers_without_content_have_none(bodies: Smiskd) -> None:
    with RawHTTP(bodies.http) as raw:
        for path, status in (("/204", 204), ("/304", 304)):
            answer = raw.request(get(path))
            assert (answer.status, answer.body) == (status, b"")
        assert answer.get("etag") == '"x"'
        assert raw.request(get("/list")).body == b"one"


def test_head_keeps_reason_and_fields_as_given(bodies: Smiskd) -> None:
    answer = fetch(bodies, "/latin")
    assert (answer.reason, answer.get("x-latin")) == ("Tr\xe8s bien", "caf\xe9")
    assert fetch(bodies, "/cookies").all("set-cookie") == ["a=1", "b=2"]
    assert fetch(bodies, "/no-reason").reason == "Not Found"
    assert fetch(bodies, "/many-empty").get("x-kept") == "as checked"
    changed = fetch(bodies, "/changed-mind")
    assert (changed.reason, changed.get("x-first")) == ("Not Here", None)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/closing", "closed body"),
        ("/exact", "closed exact"),
        ("/write", "closed after write"),
        ("/one", "closed body"),
        ("/iterated", "closed pieces"),
        ("/saying-file", "closed file"),
        ("/patched-close", "closed by the framework's close"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_result_is_closed_once(bodies: Smiskd, path: str, said: str, method: str) -> None:
    since = len(bodies.log.lines)
    fetch(bodies, path, method=method)
    bodies.wait_log(said, since)
    fetch(bodies, "/list")
    assert sum(said in line for line in bodies.log.lines[since:]) == 1


def test_generator_is_pulled_on_demand_and_closed_when_the_client_leaves(bodies: Smiskd) -> None:
    since = len(bodies.log.lines)
    with RawHTTP(bodies.http) as raw:
        raw.send(get("/blocks?1000"))
        raw.read_head()
    found = bodies.wait_log(r"generator over after (\d+) of 1000", since)
    assert int(found[1]) < 300
    assert sum("generator over" in line for line in bodies.log.lines[since:]) == 1


def test_generator_over_fastcgi_is_closed_when_the_request_is_aborted(bodies: Smiskd) -> None:
    since = len(bodies.log.lines)
    with FastCGI(bodies.fastcgi) as fcgi:
        fcgi.send(request("/blocks?1000"))
        fcgi.read_record()
    found = bodies.wait_log(r"generator over after (\d+) of 1000", since)
    assert int(found[1]) < 300


def test_generator_is_sent_whole(bodies: Smiskd) -> None:
    since = len(bodies.log.lines)
    assert fetch(bodies, "/blocks?100").body == BLOCK * 100
    bodies.wait_log("generator over after 100 of 100", since)


def test_pieces_reach_the_client_one_by_one(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    """Each piece has to be there before the next is asked for: the generator waits for the client to say so."""
    gate = tmp_path / "gate"
    (tmp_path / "stepwise.py").write_text(
        "import os, sys, time\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    yield b'first'\n"
        f"    with open({str(gate)!r}) as fifo:\n"
        "        fifo.read()\n"
        "    yield b'second'\n"
    )
    os.mkfifo(gate)
    daemon = smiskd(*BOTH, "stepwise:application", cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/"))
        raw.read_head()
        assert raw.read_exactly(10) == b"5\r\nfirst\r\n"
        gate.write_text("go on")
        assert raw.read_until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


# --- write() ---


def test_write_runs_ahead_of_a_slow_client_and_blocks_nobody(bodies: Smiskd) -> None:
    """16 MiB by write() to a client that does not read: another is served, and then the first gets all of it."""
    since = len(bodies.log.lines)
    with RawHTTP(bodies.http) as slow, RawHTTP(bodies.http) as other:
        slow.send(get("/write?blocks=256"))
        assert other.request(get("/list")).body == b"one"
        assert not any("closed after write" in line for line in bodies.log.lines[since:])
        assert slow.read_answer().body == BLOCK * 256 + b"then returned"
    bodies.wait_log("closed after write", since)


def test_write_over_fastcgi_is_sent_whole(bodies: Smiskd) -> None:
    with FastCGI(bodies.fastcgi) as fcgi:
        assert fcgi.ask("/write?blocks=64").body == BLOCK * 64 + b"then returned"


def test_write_to_a_client_that_has_left_ends_the_application(bodies: Smiskd) -> None:
    since = len(bodies.log.lines)
    with RawHTTP(bodies.http) as raw:
        raw.send(get("/write?blocks=256"))
        raw.read_head()
    assert fetch(bodies, "/list").body == b"one"
    assert not [line for line in bodies.log.lines[since:] if "error" in line]


def test_write_further_ahead_than_max_body_size_is_refused(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*BOTH, *SETTINGS, "--set", "max_body_size=1m", "wsgi_bodies:application")
    daemon.expect_log(r"write\(\) is more than max_body_size \(1048576 bytes\) ahead of the client")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/write?blocks=1000"))
        raw.read_head()
        daemon.wait_log("ahead of the client")


# --- wsgi.file_wrapper ---


def numbered(size: int) -> bytes:
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("size=10", 0, 10),
        ("size=10&skip=4", 4, 10),
        ("size=10&skip=10", 10, 10),
        ("size=0", 0, 0),
        ("size=10&length=10", 0, 10),
        ("size=10&length=6", 0, 6),
        ("size=10&length=0", 0, 0),
        ("size=10&skip=3&length=4", 3, 7),
        ("size=3000000", 0, 3000000),
        ("size=3000000&skip=100001", 100001, 3000000),
    ],
)
@pytest.mark.parametrize("protocol", ["http", "fastcgi"])
def test_file_is_sent_from_its_place_on(bodies: Smiskd, query: str, first: int, last: int, protocol: str) -> None:
    expected = numbered(last)[first:]
    if protocol == "http":
        answer = fetch(bodies, f"/file?{query}")
        assert answer.get("content-length") == str(len(expected))
        assert answer.body == expected
    else:
        with FastCGI(bodies.fastcgi) as fcgi:
            reply = fcgi.ask(f"/file?{query}")
            assert (reply.body, reply.header("content-length")) == (expected, str(len(expected)))


def test_file_shorter_than_its_content_length_cuts_the_connection(bodies: Smiskd) -> None:
    bodies.expect_log("ended after 10 of the 12 bytes that Content-Length promised")
    with RawHTTP(bodies.http) as raw:
        raw.send(get("/file?size=10&length=12"))
        assert raw.read_head().get("content-length") == "12"
        assert raw.read_to_end() == numbered(10)


def test_file_to_a_client_that_leaves_is_closed(bodies: Smiskd) -> None:
    with RawHTTP(bodies.http) as raw:
        raw.send(get("/file?size=50000000"))
        raw.read_head()
        raw.read_exactly(100000)
    assert fetch(bodies, "/list").body == b"one"  # the fixture counts the descriptors


def test_file_that_does_not_know_its_size_is_read(bodies: Smiskd) -> None:
    assert b"wsgi_bodies" in fetch(bodies, "/proc").body


# --- wsgi.early_hints ---


@pytest.mark.parametrize("path", ["/hints", "/late-hints"])
def test_early_hints_come_before_the_answer(bodies: Smiskd, path: str) -> None:
    with RawHTTP(bodies.http) as raw:
        raw.send(get(path))
        for link in ("</style.css>; rel=preload", "</script.js>; rel=preload"):
            hint = raw.read_head()
            assert (hint.status, hint.headers) == (103, [("link", link)])
        answer = raw.read_answer()
    assert (answer.status, answer.body, answer.get("x-final"), answer.get("link")) == (200, b"hinted", "yes", None)
