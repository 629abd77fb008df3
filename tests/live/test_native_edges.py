# SPDX-License-Identifier: MIT
"""The native interface at its edges: files, closing, children, output, and mistakes that deserve a clear word."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGHUP, SIGQUIT, SIGTERM, SIGUSR1

import pytest

from lib.daemon import Smiskd
from lib.fcgi import ABORT_REQUEST, KEEP_CONN, FastCGI, cgi_env, record, request
from lib.http import Answer, RawHTTP, get

HTTP = ("--workers", "1", "--http", "127.0.0.1:0")
MULTIPART = "Content-Type: multipart/form-data; boundary=B"
UPLOAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--B--\r\n'


@pytest.fixture(scope="module")
def shared(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    """One daemon with every kind of listener."""
    folder = tmp_path_factory.mktemp("edges")
    listeners = ("--http", f"unix:{folder}/h", "--fastcgi", "127.0.0.1:0", "--fastcgi", f"unix:{folder}/f")
    return module_smiskd(*HTTP, *listeners, "edges")


@pytest.fixture
def daemon(shared: Smiskd) -> Iterator[Smiskd]:
    yield shared
    shared.check()


def ask(daemon: Smiskd, path: str, body: bytes | None = None, *fields: str) -> Answer:
    with RawHTTP(daemon.http) as raw:
        if body is None:
            return raw.request(get(path, *fields))
        raw.send(get(path, *fields, f"Content-Length: {len(body)}", method="POST") + body)
        return raw.read_answer("POST")


# --- files ---


def test_file_is_sent_in_bounded_pieces_whatever_its_lines(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    assert ask(daemon, "/file").body == bytes(1_000_000)
    assert int(daemon.wait_log(r"file closed, largest piece (\d+)", since)[1]) <= 65536


def test_text_file_is_sent_as_utf8(daemon: Smiskd) -> None:
    answer = ask(daemon, "/text")
    assert answer.body == "zwölf\nBoxkämpfer".encode()
    assert answer.get("content-type") == "text/html; charset=utf-8"


def test_upload_can_be_returned(daemon: Smiskd) -> None:
    assert ask(daemon, "/upload", UPLOAD, MULTIPART).body == b"hello"


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_input_has_no_descriptor_wherever_it_lies(daemon: Smiskd, size: int) -> None:
    assert ask(daemon, "/fileno", bytes(size)).body == b"unsupported"


# --- closing ---


@pytest.mark.parametrize("number", [0, 1])
def test_generator_is_closed_once_when_http_client_leaves(daemon: Smiskd, number: int) -> None:
    since = daemon.log.mark()
    with RawHTTP(daemon.address("http", number)) as raw:
        raw.send(get(f"/closing?http{number}"))
        raw.read_head()
        raw.read_exactly(100_000)
    daemon.wait_log(f"closed http{number}", since)
    daemon.check()
    assert daemon.log.count(f"closed http{number}", since) == 1


@pytest.mark.parametrize("number", [0, 1])
def test_generator_is_closed_once_when_fastcgi_connection_ends(daemon: Smiskd, number: int) -> None:
    since = daemon.log.mark()
    with FastCGI(daemon.address("fastcgi", number)) as client:
        client.send(request(env=cgi_env(path="/closing", query=f"fastcgi{number}")))
        client.sock.recv(1000)
    daemon.wait_log(f"closed fastcgi{number}", since)
    daemon.check()
    assert daemon.log.count(f"closed fastcgi{number}", since) == 1


def test_generator_is_closed_once_when_request_is_aborted(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    with FastCGI(daemon.fastcgi) as client:
        client.send(request(env=cgi_env(path="/closing", query="abort"), flags=KEEP_CONN))
        client.sock.recv(1000)
        client.send(record(ABORT_REQUEST, 1))
        daemon.wait_log("closed abort", since)
    daemon.check()
    assert daemon.log.count("closed abort", since) == 1


# --- requests that go elsewhere ---


@pytest.mark.parametrize("size", [3, 2_000_000])
def test_request_answers_in_other_thread_and_after_its_answer(daemon: Smiskd, size: int) -> None:
    body = b"x" * size
    told = {"body": body.decode(), "input": body.decode(), "headers": 3, "cookies": {"a": "1"}, "is_aborted": False}
    assert json.loads(ask(daemon, "/thread", body, "Cookie: a=1").body) == {"path": "/thread", **told}
    assert ask(daemon, "/keep", body, "Cookie: a=1").body == b"kept"
    for _ in range(2):
        seen = json.loads(ask(daemon, "/kept").body)
        assert (seen["path"], seen["body"], seen["cookies"]) == ("/keep", told["body"], told["cookies"])
    ask(daemon, "/keep")  # lets go of the spool file


# --- mistakes ---

WORDS = {
    "/set": "edges:handle returned set;",
    "/mapping": "edges:handle returned mappingproxy;",
    "/response-as-body": "edges:handle returned a Response as the body of another answer",
    "/header-surrogate": "edges:handle returned a header that has no UTF-8 form",
    "/path": "edges:handle returned PosixPath;",
}


@pytest.mark.parametrize("path", WORDS)
def test_answer_that_cannot_be_meant_is_500_with_clear_words(daemon: Smiskd, path: str) -> None:
    daemon.expect_log(WORDS[path])
    assert ask(daemon, path).status == 500


def test_exception_with_text_beyond_utf8_is_told_to_front_server(daemon: Smiskd) -> None:
    daemon.expect_log(r"LookupError: no file \\udce9")
    with FastCGI(daemon.fastcgi) as client:
        reply = client.ask("/surrogate")
    assert reply.status == 500
    assert b"LookupError: no file \\udce9" in reply.stderr


def test_form_error_of_application_is_its_status(smiskd: Callable[..., Smiskd]) -> None:
    # In a fresh worker: nothing of the request was parsed before.
    assert ask(smiskd(*HTTP, "edges"), "/own").status == 422


@pytest.mark.parametrize("body", [b"NaN", b'{"a": -Infinity}', b"[" * 500_000, b"1" * 5000, '"ü"'.encode("utf-16")])
def test_body_that_only_looks_like_json_is_400(daemon: Smiskd, body: bytes) -> None:
    assert ask(daemon, "/json", body).status == 400


def test_json_body_may_have_byte_order_mark(daemon: Smiskd) -> None:
    assert json.loads(ask(daemon, "/json", b'\xef\xbb\xbf{"a":1}').body) == {"json": {"a": 1}}


# --- the process ---


def test_child_can_be_ended_without_its_worker(daemon: Smiskd) -> None:
    seen = json.loads(ask(daemon, "/child").body)
    assert seen == {"exitcode": -15, "pid": daemon.workers()[0]}
    assert ask(daemon, "/print").status == 200
    assert daemon.workers() == [seen["pid"]]


def test_program_gets_no_descriptor_and_no_handler_of_the_server(daemon: Smiskd) -> None:
    first, second = ask(daemon, "/program").body.decode().splitlines()
    assert first == ""
    blocked, caught = (int(mask, 16) for mask in second.split())
    assert blocked == 0
    assert not caught & (1 << SIGTERM - 1 | 1 << SIGQUIT - 1 | 1 << SIGHUP - 1 | 1 << SIGUSR1 - 1)


def test_print_goes_where_the_log_goes(daemon: Smiskd) -> None:
    since = daemon.log.mark()
    assert ask(daemon, "/print").body == b"printed"
    daemon.wait_log("^printed, no newline …$", since)
    daemon.wait_log("^written to descriptor 1$", since)


def test_signal_handlers_of_application_do_not_take_the_servers_signals(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    text = "import signal\nsignal.signal(signal.SIGTERM, print)\ndef application_will_start():\n"
    text += "    signal.signal(signal.SIGINT, signal.SIG_IGN)\ndef handle(request):\n    return 'x'\n"
    (tmp_path / "taker.py").write_text(text)
    daemon = smiskd(*HTTP, "taker", cwd=tmp_path)
    daemon.wait_log("warning: app: its handler for SIGTERM is not used")
    daemon.wait_log("warning: app: its handler for SIGINT is not used")
    daemon.signal(SIGTERM)
    assert daemon.wait(10.0) == 0
