# SPDX-License-Identifier: MIT
"""No ambiguity about where a request ends: what two servers could read differently is refused.

Every case carries a second request in what some parser takes for the first one's body. None may be answered twice, and
the application must never see the second.
"""

from collections.abc import Callable, Iterator

import pytest

from lib.daemon import Smiskd
from lib.http import RawHTTP, get

HIDDEN = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def daemon(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd("--workers", "1", "--http", "127.0.0.1:0", "echo")


def post(*fields: str, body: str = "", end: str = "\r\n") -> str:
    lines = ["POST / HTTP/1.1", "Host: a", *fields]
    return end.join(lines) + end + end + body + HIDDEN


CHUNK = "0\r\n\r\n"
TE = "Transfer-Encoding: chunked"
REFUSED = {
    "both-length-fields": post("Content-Length: 5", TE, body=CHUNK),
    "both-length-fields-turned": post(TE, "Content-Length: 5", body=CHUNK),
    "length-twice": post("Content-Length: 0", "Content-Length: 38"),
    "length-twice-equal": post("Content-Length: 0", "Content-Length: 0"),
    "length-list": post("Content-Length: 0, 38"),
    "length-list-equal": post("Content-Length: 0, 0"),
    "length-plus": post("Content-Length: +0"),
    "length-minus": post("Content-Length: -0"),
    "length-hex": post("Content-Length: 0x0"),
    "length-empty": post("Content-Length:"),
    "length-space-within": post("Content-Length: 0 0"),
    "length-underscore": post("Content-Length: 1_0", body="0123456789"),
    "length-fraction": post("Content-Length: 0.0"),
    "length-vertical-tab": post("Content-Length: \x0b0"),
    "te-twice": post(TE, TE, body=CHUNK),
    "te-twice-in-list": post("Transfer-Encoding: chunked, chunked", body=CHUNK),
    "te-not-last": post("Transfer-Encoding: chunked, gzip", body=CHUNK),
    "te-identity": post("Transfer-Encoding: identity"),
    "te-empty": post("Transfer-Encoding:"),
    "te-unknown": post("Transfer-Encoding: xchunked", body=CHUNK),
    "te-quoted": post('Transfer-Encoding: "chunked"', body=CHUNK),
    "te-vertical-tab": post("Transfer-Encoding: \x0bchunked", body=CHUNK),
    "te-parameter": post("Transfer-Encoding: chunked;q=1", body=CHUNK),
    "te-http-10": "POST / HTTP/1.0\r\nHost: a\r\n" + TE + "\r\n\r\n" + CHUNK + HIDDEN,
    "space-before-colon": post("Content-Length : 0"),
    "te-space-before-colon": post("Transfer-Encoding : chunked", body=CHUNK),
    "tab-before-colon": post("Transfer-Encoding\t: chunked", body=CHUNK),
    "space-before-first-field": "POST / HTTP/1.1\r\n Host: a\r\n\r\n" + HIDDEN,
    "fold": post("X: a", " Content-Length: 38"),
    "fold-tab": post("X: a", "\tTransfer-Encoding: chunked"),
    "bare-lf-lines": post("Content-Length: 0", end="\n"),
    "bare-lf-after-field": post("X: a\nContent-Length: 0"),
    "bare-lf-ends-head": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\n" + HIDDEN,
    "bare-cr-in-value": post("X: a\rContent-Length: 38"),
    "bare-cr-in-line": "POST / HTTP/1.1\rHost: a\r\n\r\n" + HIDDEN,
    "nul-in-name": post("Content-Length\0: 0"),
    "no-colon": post("Content-Length"),
    "name-empty": post(": 0"),
    "chunk-size-plus": post(TE, body="+0\r\n\r\n"),
    "chunk-size-0x": post(TE, body="0x0\r\n\r\n"),
    "chunk-size-empty": post(TE, body="\r\n\r\n"),
    "chunk-size-spaces": post(TE, body=" 0\r\n\r\n"),
    "chunk-size-underscore": post(TE, body="1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
    "chunk-size-over-64-bits": post(TE, body="10000000000000000\r\n\r\n0\r\n\r\n"),
    "chunk-size-lf": post(TE, body="0\n\r\n"),
    "chunk-size-endless": post(TE, body="0" * 70_000),
    "chunk-extension-lf": post(TE, body="0;a\n\r\n"),
    "chunk-extension-cr": post(TE, body="0;a\rb\r\n\r\n"),
    "chunk-data-without-crlf": post(TE, body="1\r\naX0\r\n\r\n"),
    "chunk-data-longer": post(TE, body="1\r\nab\r\n0\r\n\r\n"),
    "chunk-data-lf": post(TE, body="1\r\na\n0\r\n\r\n"),
    "trailer-lf": post(TE, body="0\r\nX: a\n\r\n"),
    "trailer-fold": post(TE, body="0\r\nX: a\r\n b\r\n\r\n"),
    "trailer-no-colon": post(TE, body="0\r\nX\r\n\r\n"),
    "target-space": "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "version-lower": "GET / http/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "version-long": "GET / HTTP/1.10\r\nHost: a\r\n\r\n" + HIDDEN,
    "version-space": "GET / HTTP/1.1 \r\nHost: a\r\n\r\n" + HIDDEN,
    "tab-in-request-line": "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
}


@pytest.fixture
def client(daemon: Smiskd) -> Iterator[RawHTTP]:
    with RawHTTP(daemon.http) as raw:
        yield raw
    daemon.check()


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_request_is_refused_and_nothing_follows(daemon: Smiskd, client: RawHTTP, name: str) -> None:
    since = daemon.log.mark()
    client.send(REFUSED[name])
    answer = client.read_answer("POST")
    assert answer.status in (400, 431, 501, 505), answer
    assert answer.get("connection") == "close"
    client.half_close()
    client.assert_closed()
    daemon.wait_log(rf"answered {answer.status}\b", since)
    assert daemon.log.count(r"answered \d", since) == 1
    assert daemon.log.find("smuggled", since) is None


def test_plain_requests_with_hidden_body_are_one_request(client: RawHTTP) -> None:
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + HIDDEN)
    answer = client.read_answer("POST")
    assert (answer.status, b"/smuggled" in answer.body) == (200, True)
    assert client.request(get("/last")).status == 200


def test_upgrade_to_h2c_is_not_taken(client: RawHTTP) -> None:
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    assert client.request(get("/", *fields)).status == 200  # RFC 9110 7.8: ignoring it is fine
    assert client.request(get("/")).status == 200
