# SPDX-License-Identifier: MIT
"""Sessions in a request: when the cookie is sent, and what is stored, of Applications and native handlers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import Smiskd
from lib.http import Answer, RawHTTP, get

HTTP = ("--workers", "1", "--http", "127.0.0.1:0")


def ask(daemon: Smiskd, path: str, cookie: str = "") -> Answer:
    fields = (f"Cookie: {cookie}",) if cookie else ()
    with RawHTTP(daemon.http) as raw:
        return raw.request(get(path, *fields))


def cookie_of(answer: Answer) -> str:
    return (answer.get("set-cookie") or "").partition(";")[0]


@pytest.fixture
def daemon(smiskd: Callable[..., Smiskd]) -> Smiskd:
    return smiskd(*HTTP, "smisk_sessions:Sessions")


def test_session_that_is_only_read_is_not_made(daemon: Smiskd) -> None:
    for path, body in (("/untouched", b"untouched"), ("/read", b"None")):
        answer = ask(daemon, path)
        assert (answer.body, answer.get("set-cookie")) == (body, None)
    assert ask(daemon, "/kept").body == b"[]"


def test_session_is_kept_from_request_to_request(daemon: Smiskd) -> None:
    first = ask(daemon, "/set?one")
    cookie = cookie_of(first)
    assert cookie.startswith("SID=")
    assert "HttpOnly" in (first.get("set-cookie") or "")
    answer = ask(daemon, "/read", cookie)
    assert (answer.body, answer.get("set-cookie")) == (b"'one'", None)
    assert ask(daemon, "/set?two", cookie).get("set-cookie") is None
    assert ask(daemon, "/read", cookie).body == b"'two'"


def test_session_that_is_ended_is_gone(daemon: Smiskd) -> None:
    cookie = cookie_of(ask(daemon, "/set?one"))
    answer = ask(daemon, "/end", cookie)
    assert "Max-Age=0" in (answer.get("set-cookie") or "")
    assert ask(daemon, "/read", cookie).body == b"None"
    assert ask(daemon, "/kept").body == b"[]"


def test_session_goes_on_under_a_new_id(daemon: Smiskd) -> None:
    old = cookie_of(ask(daemon, "/set?one"))
    answer = ask(daemon, "/change", old)
    assert (answer.body, cookie_of(answer)) == (b"True", "SID=0123456789abcdefghijklmnopqrstuv")
    assert ask(daemon, "/read", old).body == b"None"
    assert ask(daemon, "/read", cookie_of(answer)).body == b"'one'"


@pytest.mark.parametrize("cookie", ["SID=../etc/passwd", "SID=zzzz", "SID=\xff", "SID", "SID=", "SID=a; SID=b"])
def test_forged_id_is_no_session(daemon: Smiskd, cookie: str) -> None:
    assert ask(daemon, "/read", cookie).body == b"None"


def test_session_after_begin_is_too_late(daemon: Smiskd) -> None:
    answer = ask(daemon, "/late")
    assert answer.body == b"Output already started - too late to send session id with response"
    assert (answer.get("set-cookie"), ask(daemon, "/kept").body) == (None, b"[]")


def test_store_that_fails_kills_nothing(daemon: Smiskd) -> None:
    daemon.expect_log("the store is broken")
    ask(daemon, "/set?broken")
    assert ask(daemon, "/untouched").body == b"untouched"


def test_native_handler_has_a_session_too(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd(*HTTP, "smisk_sessions:handle", env={"TMPDIR": str(tmp_path)})
    first = ask(daemon, "/")
    assert [ask(daemon, "/", cookie_of(first)).body for _ in range(2)] == [b"2", b"3"]
    assert cookie_of(first).startswith("SID=")
