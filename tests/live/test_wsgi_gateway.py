# SPDX-License-Identifier: MIT
"""smisk.wsgi.Gateway under smiskd: PEP 3333, and what Smisk 1.1 promised."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.daemon import APPS, Smiskd
from lib.fcgi import FastCGI
from lib.http import Answer, RawHTTP, get

PLACES = ("--workers", "1", "--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0")
SIGNATURE = "smisk+wsgi/0.1.0"


@pytest.fixture(scope="module")
def running(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd(*PLACES, "gateway:gateway")


@pytest.fixture
def gateway(running: Smiskd) -> Iterator[Smiskd]:
    yield running
    running.check()


def ask(daemon: Smiskd, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
    with RawHTTP(daemon.http) as raw:
        length = [f"Content-Length: {len(body)}"] if body else []
        raw.send(get(path, *length, *fields, method=method) + body)
        return raw.read_answer(method)


def test_gateway_answers_with_status_fields_and_body(gateway: Smiskd) -> None:
    answer = ask(gateway, "/valid", method="POST", body=b"c")
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"abc")
    assert (answer.get("content-type"), answer.get("x-powered-by")) == ("text/plain", SIGNATURE)


def test_gateway_answers_over_fastcgi(gateway: Smiskd) -> None:
    with FastCGI(gateway.fastcgi) as fcgi:
        assert fcgi.ask("/valid", b"c").body == b"abc"


def test_environ_has_the_variables_of_wsgi(gateway: Smiskd) -> None:
    environ = json.loads(ask(gateway, "/show/%C3%A5?x=%20", "X-Own: 1").body)
    assert (
        environ.items()
        >= {
            "is dict": True,
            "PATH_INFO": "/show/\xc3\xa5",
            "QUERY_STRING": "x=%20",
            "HTTP_X_OWN": "1",
            "REQUEST_METHOD": "GET",
            "wsgi.url_scheme": "http",
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "smisk.app": "Gateway",
        }.items()
    )
    assert environ["wsgi.version"] == [1, 0]
    assert {"wsgi.input", "wsgi.errors", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME"} <= environ.keys()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/late", 201, b"late"),
        ("/write", 200, b"written, returned"),
        ("/empty", 404, b""),
    ],
)
def test_gateway_takes_every_way_to_answer(gateway: Smiskd, path: str, status: int, body: bytes) -> None:
    answer = ask(gateway, path)
    assert (answer.status, answer.body, answer.get("x-powered-by")) == (status, body, SIGNATURE)


def test_body_is_closed_after_it_is_sent(gateway: Smiskd) -> None:
    since = len(gateway.log.lines)
    assert ask(gateway, "/close").body == b"one two"
    gateway.wait_log("closed the body", since)


def test_body_is_closed_when_it_fails(gateway: Smiskd) -> None:
    since = len(gateway.log.lines)
    gateway.expect_log("LookupError: in the middle")
    assert ask(gateway, "/break_off").status == 500
    gateway.wait_log("closed the body", since)


def test_head_is_replaced_by_one_that_comes_with_an_exception(gateway: Smiskd) -> None:
    answer = ask(gateway, "/replace")
    assert (answer.status, answer.reason, answer.body) == (503, "Busy", b"instead")
    assert (answer.get("x-new"), answer.get("x-old")) == ("1", None)


def test_exception_after_the_head_went_out_is_raised(gateway: Smiskd) -> None:
    gateway.expect_log("ValueError: found out too late")
    with RawHTTP(gateway.http) as raw:
        raw.send(get("/too_late", "Connection: close"))
        assert raw.read_head().status == 200
        rest = raw.read_to_end()
    assert b"begun" in rest and b"never sent" not in rest


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/again", "AssertionError: Headers already set!"),
        ("/never", "AssertionError: the application has not called start_response"),
        ("/never_empty", "AssertionError: the application has not called start_response"),
        ("/text", "TypeError: a WSGI application answers with bytes, not str"),
        ("/hop", "AssertionError: Hop-by-hop headers not allowed: Transfer-Encoding"),
        ("/status", "AssertionError: Status must be three digits"),
    ],
)
def test_what_the_pep_forbids_is_an_error(gateway: Smiskd, path: str, message: str) -> None:
    gateway.expect_log(message)
    answer = ask(gateway, path)
    assert answer.status == 500 and b"never sent" not in answer.body


def test_request_sends_files(gateway: Smiskd) -> None:
    assert ask(gateway, "/send_file").body == (APPS / "gateway.py").read_bytes()


def test_url_is_completed_from_that_of_the_request(gateway: Smiskd) -> None:
    found = ask(gateway, "/complete/here?sub/name").body.decode()
    assert found == f"{ask(gateway, '/complete/here?').body.decode().removesuffix('here')}sub/name"
    assert found.startswith("http://") and found.endswith("/complete/sub/name")


def test_application_of_a_gateway_is_served_as_wsgi(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*PLACES, "--interface", "wsgi", "gateway:gateway.wsgi_app")
    answer = ask(daemon, "/write")
    assert (answer.body, answer.get("x-powered-by")) == (b"written, returned", None)


PROGRAM = """import sys
from smisk.wsgi import main


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"from a program"]


if __name__ == "__main__":
    main(application)
"""


def test_program_with_main_is_served_by_its_module(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    daemon = smiskd(*PLACES, "program", cwd=tmp_path)
    assert ask(daemon, "/").body == b"from a program"


def test_hop_by_hop_fields_are_known() -> None:
    from smisk.wsgi import Gateway, Request, __version__, is_hop_by_hop

    names = "connection keep-alive proxy-authenticate proxy-authorization te trailers transfer-encoding upgrade"
    assert all(is_hop_by_hop(name) and is_hop_by_hop(name.title()) for name in names.split())
    assert not is_hop_by_hop("Content-Type")
    assert (__version__, Gateway.request_class) == ((0, 1, 0), Request)
