# SPDX-License-Identifier: MIT
"""smiskd behind every front server that it is documented for, with the files of examples/deploy.

One smiskd serves FastCGI over a unix socket and over TCP, and HTTP; each front server runs the same list of requests.
Bodies of 100 MB and 64 MB are streamed and compared by digest.
"""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lib.daemon import Address, Smiskd
from lib.fcgi import FastCGI, Reply
from lib.http import RawHTTP
from lib.servers import Front, cgi_fcgi, example, free_port, program, start_front

KINDS = ["nginx-keep", "nginx-close", "nginx-proxy", "lighttpd", "apache-keep", "apache-close", "caddy", "haproxy"]
BLOCK = bytes(range(256)) * 256  # as tests/apps/front.py sends it
MEGABYTE = BLOCK * 16
SMALL_CHUNKED = 4000  # three times this fits into HAProxy's buffer
TIMEOUT = 60


def upload(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield MEGABYTE


def digest_of(megabytes: int) -> str:
    known = hashlib.sha256()
    for piece in upload(megabytes):
        known.update(piece)
    return known.hexdigest()


class Sized:
    """A body with a known length that is sent in pieces, so that requests gives it a Content-Length."""

    def __init__(self, megabytes: int) -> None:
        self._left = megabytes

    def __len__(self) -> int:
        return self._left * len(MEGABYTE)

    def read(self, _size: int = -1) -> bytes:
        if self._left == 0:
            return b""
        self._left -= 1
        return MEGABYTE


@pytest.fixture(scope="module")
def behind(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    """The smiskd behind all front servers."""
    path = tmp_path_factory.mktemp("run") / "site.sock"
    listeners = ("--fastcgi", f"unix:{path}", "--fastcgi", "127.0.0.1:0", "--http", "127.0.0.1:0")
    return module_smiskd("--workers", "2", *listeners, "front")


def upstream_of(kind: str, behind: Smiskd) -> Address:
    """HTTP for the proxy; TCP for Apache, whose processes run as a user who may not enter the test's folder."""
    if kind == "nginx-proxy":
        return behind.http
    return behind.address("fastcgi", 1 if kind.startswith("apache") else 0)


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, behind: Smiskd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One front server after the other; each ends before smiskd is inspected for what it left behind."""
    kind: str = request.param
    started = start_front(kind, tmp_path_factory.mktemp(kind), upstream_of(kind, behind))
    yield started
    started.stop()
    print(started.everything())
    behind.check()


@pytest.fixture
def client(site: Front) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_get_through_front_answers_page(site: Front, client: requests.Session) -> None:
    answer = client.get(site.url("/hello"), timeout=TIMEOUT)
    assert (answer.status_code, answer.text) == (200, "Hello over HTTP/1.1\n")
    assert answer.headers["content-type"].lower() == "text/html; charset=utf-8"


def test_get_through_front_keeps_path_and_query_apart(site: Front, client: requests.Session) -> None:
    answer = client.get(site.url("/env?a=1&b=%20x"), timeout=TIMEOUT)
    expected = {"method": "GET", "path": "/env", "query": "a=1&b=%20x", "remote_addr": "127.0.0.1"}
    assert {key: answer.json()[key] for key in expected} == expected


def test_head_through_front_has_fields_and_no_body(site: Front) -> None:
    with RawHTTP(site.address) as raw:
        raw.send("HEAD /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = raw.read_head()
        assert answer.status == 200
        assert answer.get("content-type") == "text/html; charset=utf-8"
        raw.assert_closed()


def test_post_small_through_front_arrives_whole(site: Front, client: requests.Session) -> None:
    answer = client.post(site.url("/echo"), data=b"name=Jack", timeout=TIMEOUT)
    expected = {"method": "POST", "length": 9, "sha256": hashlib.sha256(b"name=Jack").hexdigest()}
    assert answer.json() == expected


def test_post_100_mb_through_front_arrives_whole(site: Front, client: requests.Session) -> None:
    answer = client.post(site.url("/echo"), data=Sized(100), timeout=TIMEOUT)
    assert answer.json() == {"method": "POST", "length": 100 << 20, "sha256": digest_of(100)}


def test_post_chunked_through_front_arrives_whole(site: Front, client: requests.Session) -> None:
    whole = BLOCK[: SMALL_CHUNKED if site.name == "haproxy" else None] * 3
    pieces = (whole[at : at + 1000] for at in range(0, len(whole), 1000))
    answer = client.post(site.url("/echo"), data=pieces, timeout=TIMEOUT)
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    expected = {"method": "POST", "length": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    assert answer.json() == expected


def test_post_chunked_3_mb_through_front_arrives_whole_or_is_refused(site: Front, client: requests.Session) -> None:
    answer = client.post(site.url("/echo"), data=upload(3), timeout=TIMEOUT)
    if site.name == "haproxy":  # refuses by itself what its buffer cannot hold, see examples/deploy/haproxy
        assert answer.status_code == 400
    else:
        assert answer.json() == {"method": "POST", "length": 3 << 20, "sha256": digest_of(3)}


def test_missing_page_through_front_is_404(site: Front, client: requests.Session) -> None:
    answer = client.get(site.url("/missing/page"), timeout=TIMEOUT)
    assert (answer.status_code, answer.text) == (404, "nothing at /missing/page\n")


def test_redirect_through_front_is_followed_by_client(site: Front, client: requests.Session) -> None:
    first = client.get(site.url("/redirect"), timeout=TIMEOUT, allow_redirects=False)
    assert first.status_code == 302
    assert first.headers["location"] in ("/hello?from=redirect", site.url("/hello?from=redirect"))
    assert client.get(site.url("/redirect"), timeout=TIMEOUT).text == "Hello over HTTP/1.1\n"


def test_cookies_through_front_travel_both_ways(site: Front, client: requests.Session) -> None:
    assert client.get(site.url("/cookies"), timeout=TIMEOUT).json() == {}
    assert client.cookies.get_dict() == {"one": "1", "two": "2"}
    assert client.get(site.url("/cookies"), timeout=TIMEOUT).json() == {"one": "1", "two": "2"}


def test_download_64_mb_through_front_arrives_whole(site: Front, client: requests.Session) -> None:
    known, length = hashlib.sha256(), 0
    with client.get(site.url("/download?mb=64"), timeout=TIMEOUT, stream=True) as answer:
        for piece in answer.iter_content(1 << 20):
            known.update(piece)
            length += len(piece)
    assert (length, known.hexdigest()) == (64 << 20, digest_of(64))


def test_abort_through_front_closes_generator(site: Front, behind: Smiskd) -> None:
    since = behind.log.mark()
    with RawHTTP(site.address) as raw:
        raw.send("GET /download?mb=100000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert raw.read_head().status == 200
        raw.read_exactly(1 << 20)
    behind.wait_log("download closed early", since)


def test_upload_abort_through_front_frees_connection(site: Front, behind: Smiskd) -> None:
    with RawHTTP(site.address) as raw:
        raw.send("POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n\r\n")
        raw.send(MEGABYTE)
    with RawHTTP(site.address) as raw:
        assert raw.request("GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").status == 200


# --- lighttpd as the one who asks ---


def test_lighttpd_authorizer_permits_or_refuses_file(
    smiskd: Callable[..., Smiskd], front: Callable[..., Front], tmp_path: Path
) -> None:
    daemon = smiskd("--fastcgi", f"unix:{tmp_path}/s", "gate")
    site = front("lighttpd-authorizer", daemon.fastcgi)
    permitted = requests.get(site.url("/page.txt"), headers={"X-Key": "sesame"}, timeout=TIMEOUT)
    assert (permitted.status_code, permitted.text) == (200, "a file that lighttpd serves\n")
    refused = requests.get(site.url("/page.txt"), timeout=TIMEOUT)
    assert (refused.status_code, refused.text) == (403, "authorizer says no\n")


# --- spawn-fcgi and cgi-fcgi ---


def bridge(upstream: Address, method: str = "GET", path: str = "/", query: str = "", **more: str) -> list[object]:
    """Arguments of Popen for one CGI request through cgi-fcgi."""
    env = {
        "PATH": os.environ["PATH"],
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        **more,
    }
    return [cgi_fcgi(upstream), env]


def cgi(upstream: Address, method: str, path: str, body: bytes = b"", query: str = "", **more: str) -> Reply:
    """One CGI request through cgi-fcgi, with its answer as it came out."""
    if body:
        more["CONTENT_LENGTH"] = str(len(body))
    command, env = bridge(upstream, method, path, query, **more)
    done = subprocess.run(command, env=env, input=body, capture_output=True, timeout=TIMEOUT, check=True)  # type: ignore[call-overload]
    return Reply(stdout=done.stdout, stderr=done.stderr)


@pytest.mark.parametrize("number", [0, 1], ids=["unix", "tcp"])
def test_cgi_fcgi_small_requests_are_answered(behind: Smiskd, number: int) -> None:
    where = behind.address("fastcgi", number)
    assert cgi(where, "GET", "/hello").body == b"Hello over HTTP/1.0\n"
    head = cgi(where, "HEAD", "/hello")
    assert (head.status, head.body) == (200, b"")
    assert b'"length": 9' in cgi(where, "POST", "/echo", b"name=Jack").body.replace(b'":9', b'": 9')
    assert cgi(where, "GET", "/missing").status == 404
    moved = cgi(where, "GET", "/redirect")
    assert (moved.status, moved.header("location")) == (302, "/hello?from=redirect")
    cookies = cgi(where, "GET", "/cookies", HTTP_COOKIE="one=1; two=2")
    assert [v for k, v in cookies.headers if k == "set-cookie"] == ["one=1; Path=/", "two=2; Path=/; HttpOnly"]


@pytest.mark.parametrize("number", [0, 1], ids=["unix", "tcp"])
def test_cgi_fcgi_post_100_mb_arrives_whole(behind: Smiskd, number: int) -> None:
    answer = cgi(behind.address("fastcgi", number), "POST", "/echo", MEGABYTE * 100)
    assert digest_of(100).encode() in answer.body


def test_cgi_fcgi_download_64_mb_arrives_whole(behind: Smiskd) -> None:
    # Not over TCP: cgi-fcgi gives up when the eight bytes of a record's header come in two reads.
    down = cgi(behind.address("fastcgi"), "GET", "/download", query="mb=64")
    assert hashlib.sha256(down.body).hexdigest() == digest_of(64)


def test_cgi_fcgi_killed_closes_generator(behind: Smiskd) -> None:
    since = behind.log.mark()
    command, env = bridge(behind.address("fastcgi"), "GET", "/download", "mb=100000")
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:  # type: ignore[call-overload]
        assert running.stdout.read(1 << 20)
        running.kill()
    behind.wait_log("download closed early", since)


@pytest.fixture(params=["unix", "tcp"])
def spawned(request: pytest.FixtureRequest, tmp_path: Path, smiskd: Callable[..., Smiskd]) -> tuple[Smiskd, Address]:
    """A smiskd that spawn-fcgi started by the script in examples/deploy, and where it listens."""
    program("spawn-fcgi")
    where: Address = str(tmp_path / "s") if request.param == "unix" else ("127.0.0.1", free_port())
    target = f"-s {where}" if isinstance(where, str) else f"-a {where[0]} -p {where[1]}"
    replace = {
        "-s /run/smisk/site.sock -M 0660": target + (" -M 0660" if isinstance(where, str) else ""),
        "/usr/bin/env smiskd --pythonpath /srv/site mysite": '"$@"',
    }
    script = tmp_path / "start"
    script.write_text(example("spawn-fcgi/smisk", replace))
    return smiskd("--workers", "2", "front", prefix=("/bin/sh", str(script))), where


def test_spawn_fcgi_gives_listener_as_descriptor_0(spawned: tuple[Smiskd, Address]) -> None:
    daemon, where = spawned
    assert len(daemon.workers()) == 2
    with FastCGI(where) as raw:
        assert raw.ask("/hello").body == b"Hello over HTTP/1.1\n"
    assert cgi(where, "GET", "/hello").body == b"Hello over HTTP/1.0\n"
    # Not by cgi-fcgi: it cannot read a record header that TCP delivers in two parts.
    with FastCGI(where) as raw:
        assert hashlib.sha256(raw.ask("/download?mb=8").body).hexdigest() == digest_of(8)


def test_spawn_fcgi_behind_nginx_serves_all_that_others_do(
    spawned: tuple[Smiskd, Address], front: Callable[..., Front]
) -> None:
    daemon, where = spawned
    site = front("nginx-close", where)
    for check in (
        test_get_through_front_answers_page,
        test_post_small_through_front_arrives_whole,
        test_post_100_mb_through_front_arrives_whole,
        test_post_chunked_through_front_arrives_whole,
        test_missing_page_through_front_is_404,
        test_redirect_through_front_is_followed_by_client,
        test_cookies_through_front_travel_both_ways,
        test_download_64_mb_through_front_arrives_whole,
    ):
        with requests.Session() as session:
            session.trust_env = False
            check(site, session)
    test_head_through_front_has_fields_and_no_body(site)
    test_abort_through_front_closes_generator(site, daemon)
