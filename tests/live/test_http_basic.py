# SPDX-License-Identifier: MIT
"""HTTP/1.1 as clients speak it every day: RFC 9110 and 9112, seen from a raw socket."""

import json
import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import pytest

from lib.daemon import Smiskd
from lib.http import RawHTTP, get

IMF_FIXDATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


@pytest.fixture(scope="module")
def echo_daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    path = tmp_path_factory.mktemp("echo") / "s"
    return module_smiskd("--workers", "1", "--http", "127.0.0.1:0", "--http", f"unix:{path}", "echo")


@pytest.fixture(scope="module")
def kinds_daemon(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd("--workers", "1", "--http", "127.0.0.1:0", "kinds")


@pytest.fixture
def echo(echo_daemon: Smiskd) -> Iterator[RawHTTP]:
    """A connection to an application that says what it was asked."""
    with RawHTTP(echo_daemon.http) as raw:
        yield raw
    echo_daemon.check()


@pytest.fixture
def kinds(kinds_daemon: Smiskd) -> Iterator[RawHTTP]:
    """A connection to an application that answers in every way."""
    with RawHTTP(kinds_daemon.http) as raw:
        yield raw
    kinds_daemon.check()


# --- heads of answers ---


def test_get_ok_has_date_length_and_type(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/str"))
    assert (answer.status, answer.reason, answer.body) == (200, "OK", "<p>grün</p>".encode())
    assert answer.get("content-length") == "12"
    assert answer.get("content-type") == "text/html; charset=utf-8"
    date = answer.get("date") or ""
    assert IMF_FIXDATE.fullmatch(date)
    assert parsedate_to_datetime(date)


def test_head_has_fields_of_get_and_no_body(kinds: RawHTTP) -> None:
    whole = kinds.request(get("/str"))
    head = kinds.request(get("/str", method="HEAD"))
    same = ("content-length", "content-type")
    assert [head.get(name) for name in same] == [whole.get(name) for name in same]
    assert kinds.request(get("/bytes")).body == b"\x00\xff"


def test_head_of_stream_has_no_body(kinds: RawHTTP) -> None:
    assert kinds.request(get("/generator", method="HEAD")).status == 200
    assert kinds.request(get("/bytes")).body == b"\x00\xff"


def test_no_content_has_neither_length_nor_body(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/none"))
    assert (answer.status, answer.reason) == (204, "No Content")
    assert answer.get("content-length") is None
    assert answer.get("transfer-encoding") is None
    assert kinds.request(get("/bytes")).body == b"\x00\xff"


def test_not_modified_has_no_body(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/unchanged"))
    assert (answer.status, answer.get("etag")) == (304, '"v1"')
    assert answer.get("transfer-encoding") is None
    assert kinds.request(get("/bytes")).body == b"\x00\xff"


def test_empty_body_has_length_zero(kinds: RawHTTP) -> None:
    assert kinds.request(get("/empty")).get("content-length") == "0"


def test_stream_is_chunked(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/generator"))
    assert answer.get("transfer-encoding") == "chunked"
    assert answer.body == b"one two three"


def test_stream_with_length_is_not_chunked(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/sized"))
    assert answer.get("transfer-encoding") is None
    assert (answer.get("content-length"), answer.body) == ("13", b"one two three")


# --- persistence (RFC 9112 9.3) ---


def test_connection_persists_over_many_requests(echo: RawHTTP) -> None:
    for number in range(200):
        assert json.loads(echo.request(get(f"/{number}")).body)["path"] == f"/{number}"


def test_connection_close_is_obeyed_and_said(echo: RawHTTP) -> None:
    answer = echo.request(get("/", "Connection: close"))
    assert answer.get("connection") == "close"
    echo.assert_closed()


def test_connection_option_is_case_insensitive_in_a_list(echo: RawHTTP) -> None:
    assert echo.request(get("/", "Connection: x-hop , Close")).get("connection") == "close"
    echo.assert_closed()


def test_http_10_closes_by_default(echo: RawHTTP) -> None:
    assert echo.request(get("/", version="HTTP/1.0")).status == 200
    echo.assert_closed()


def test_http_10_keep_alive_is_said_and_kept(echo: RawHTTP) -> None:
    answer = echo.request(get("/a", "Connection: keep-alive", version="HTTP/1.0"))
    assert (answer.get("connection") or "").lower() == "keep-alive"
    assert json.loads(echo.request(get("/b")).body)["path"] == "/b"


def test_http_10_needs_no_host(echo: RawHTTP) -> None:
    assert echo.request("GET / HTTP/1.0\r\n\r\n").status == 200
    echo.assert_closed()


def test_http_10_stream_ends_with_connection(kinds: RawHTTP) -> None:
    answer = kinds.request(get("/generator", version="HTTP/1.0"))
    assert answer.get("transfer-encoding") is None
    assert answer.body == b"one two three"


def test_pipelined_requests_are_answered_in_order(echo: RawHTTP) -> None:
    body = "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    echo.send(get("/1") + body.encode() + get("/3", method="HEAD") + get("/4"))
    assert json.loads(echo.read_answer().body)["path"] == "/1"
    posted = json.loads(echo.read_answer().body)
    assert (posted["path"], posted["body"]) == ("/post", "abc")
    assert echo.read_answer("HEAD").status == 200
    assert json.loads(echo.read_answer().body)["path"] == "/4"


def test_pipelined_hundred_requests_are_answered_in_order(echo: RawHTTP) -> None:
    echo.send(b"".join(get(f"/{number}") for number in range(100)))
    paths = [json.loads(echo.read_answer().body)["path"] for _ in range(100)]
    assert paths == [f"/{number}" for number in range(100)]


def test_pipelined_after_close_is_not_answered(echo: RawHTTP) -> None:
    echo.send(get("/1", "Connection: close") + get("/2"))
    assert json.loads(echo.read_answer().body)["path"] == "/1"
    echo.assert_closed()


def test_half_closed_client_gets_whole_answer(echo: RawHTTP) -> None:
    echo.send(get("/half"))
    echo.half_close()
    assert json.loads(echo.read_answer().body)["path"] == "/half"
    echo.assert_closed()


def test_half_closed_client_gets_stream(kinds: RawHTTP) -> None:
    kinds.send(get("/generator"))
    kinds.half_close()
    assert kinds.read_answer().body == b"one two three"
    kinds.assert_closed()


# --- targets and fields ---


def test_target_is_split_into_decoded_path_and_raw_query(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(get("/a%20b/%C3%A5?x=%20y&x=2&z")).body)
    assert (seen["path"], seen["query"]) == ("/a b/å", "x=%20y&x=2&z")
    assert seen["get"] == {"x": [" y", "2"], "z": None}


def test_absolute_form_overrides_host(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(get("http://other.example:81/p?q=1")).body)  # RFC 9112 3.2.2
    assert (seen["host"], seen["path"], seen["query"]) == ("other.example", "/p", "q=1")


def test_absolute_form_without_path_means_root(echo: RawHTTP) -> None:
    assert json.loads(echo.request(get("http://other.example")).body)["path"] == "/"


def test_options_asterisk_reaches_application(echo: RawHTTP) -> None:
    assert json.loads(echo.request(get("*", method="OPTIONS")).body)["method"] == "OPTIONS"


def test_unknown_method_reaches_application(echo: RawHTTP) -> None:
    assert json.loads(echo.request(get("/", method="PROPFIND")).body)["method"] == "PROPFIND"


def test_fields_keep_order_and_repeats(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(get("/", "X-A: 1", "x-b:\t2 ", "X-A: 3")).body)["headers"]
    wanted = [(name.lower(), value) for name, value in seen if name.lower().startswith("x-")]
    assert wanted == [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]


def test_empty_line_before_request_is_skipped(echo: RawHTTP) -> None:
    assert echo.request(b"\r\n" + get("/")).status == 200  # RFC 9112 2.2


def test_empty_host_is_allowed(echo: RawHTTP) -> None:
    assert echo.request("GET / HTTP/1.1\r\nHost:\r\n\r\n").status == 200  # RFC 9112 3.2


def test_cookies_are_parsed(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(get("/", "Cookie: a=1; b=two")).body)
    assert seen["cookies"] == {"a": "1", "b": "two"}


# --- bodies ---


def test_body_with_length_arrives(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\0\r\n\xff").body)
    assert (seen["body"], seen["content_length"]) == ("\0\r\n\xff", 4)


def test_get_with_body_leaves_next_request_intact(echo: RawHTTP) -> None:
    echo.send(b"GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /" + get("/2"))
    assert json.loads(echo.read_answer().body)["body"] == "GET /"
    assert json.loads(echo.read_answer().body)["path"] == "/2"


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_body_with_extensions_and_trailers_arrives(echo: RawHTTP) -> None:
    chunks = b'5;name=value;q="a b"\r\nHello\r\n1\r\n,\r\n00006\r\n world\r\n0;last\r\nX-Trailer: t\r\n\r\n'
    echo.send(CHUNKED + chunks + get("/next"))
    assert json.loads(echo.read_answer().body)["body"] == "Hello, world"
    assert json.loads(echo.read_answer().body)["path"] == "/next"


def test_chunked_empty_body_arrives(echo: RawHTTP) -> None:
    assert json.loads(echo.request(CHUNKED + b"0\r\n\r\n").body)["body"] == ""


def test_trailer_does_not_become_header_field(echo: RawHTTP) -> None:
    seen = json.loads(echo.request(CHUNKED + b"0\r\nX-Late: 1\r\nHost: evil\r\n\r\n").body)
    assert "x-late" not in [name.lower() for name, _ in seen["headers"]]
    assert seen["host"] == "a"


def test_expect_continue_gets_interim_answer_before_body(echo: RawHTTP) -> None:
    echo.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    interim = echo.read_head()
    assert (interim.status, interim.headers) == (100, [])
    echo.send(b"hi")
    assert json.loads(echo.read_answer().body)["body"] == "hi"


def test_expect_continue_with_http_10_is_ignored(echo: RawHTTP) -> None:
    echo.send(b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi")  # RFC 9110 10.1.1
    assert json.loads(echo.read_answer().body)["body"] == "hi"


def test_expect_continue_without_body_gets_final_answer(echo: RawHTTP) -> None:
    assert echo.request(get("/", "Expect: 100-continue")).status == 200


# --- splits ---

SPLIT = (
    b"POST /split?a=1 HTTP/1.1\r\nHost: test.example\r\nX-Long: " + b"v" * 40 + b"\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n5;e=1\r\nHello\r\n7\r\n, world\r\n0\r\nX-T: 1\r\n\r\n"
)


def test_request_cut_at_every_byte_is_the_same_request(echo_daemon: Smiskd) -> None:
    with RawHTTP(echo_daemon.address("http", 1)) as raw:
        for cut in range(1, len(SPLIT)):
            raw.send_pieces(SPLIT, cut)
            seen = json.loads(raw.read_answer().body)
            assert (seen["path"], seen["query"], seen["body"]) == ("/split", "a=1", "Hello, world"), cut
    echo_daemon.check()


def test_request_byte_by_byte_is_the_same_request(echo_daemon: Smiskd) -> None:
    with RawHTTP(echo_daemon.address("http", 1)) as raw:
        raw.send_pieces(SPLIT, *range(1, len(SPLIT)))
        assert json.loads(raw.read_answer().body)["body"] == "Hello, world"
    echo_daemon.check()


# --- listeners ---


def test_unix_listener_serves_with_empty_remote_addr(echo_daemon: Smiskd) -> None:
    with RawHTTP(echo_daemon.address("http", 1)) as raw:
        assert json.loads(raw.request(get("/")).body)["remote_addr"] == ""
    echo_daemon.check()


def test_ipv6_listener_serves(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", "--http", "[::1]:0", "echo")
    with RawHTTP(daemon.http) as raw:
        assert json.loads(raw.request(get("/")).body)["remote_addr"] == "::1"
