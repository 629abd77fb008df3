# SPDX-License-Identifier: MIT
"""The native interface: what handlers return, read and do wrong, as clients see it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lib import process
from lib.daemon import Smiskd
from lib.http import Answer, RawHTTP, get
from lib.wait import until

TIMEOUT = 30
SMALL_MEMORY = ("--set", "request_body_memory=64k")


@pytest.fixture(scope="module")
def daemons(module_smiskd: Callable[..., Smiskd]) -> Callable[[str], Smiskd]:
    """One daemon for each application, started when first asked for."""
    known: dict[str, Smiskd] = {}

    def of(app: str) -> Smiskd:
        if app not in known:
            known[app] = module_smiskd("--workers", "1", "--http", "127.0.0.1:0", *SMALL_MEMORY, app)
        return known[app]

    return of


@pytest.fixture
def use(daemons: Callable[[str], Smiskd]) -> Iterator[Callable[[str], Smiskd]]:
    """The daemon for an application; inspected after the test."""
    used: list[Smiskd] = []

    def of(app: str) -> Smiskd:
        used.append(daemons(app))
        return used[-1]

    yield of
    for daemon in used:
        daemon.check()


def ask(daemon: Smiskd, path: str, body: bytes | None = None, *fields: str) -> Answer:
    """One request on a connection of its own."""
    with RawHTTP(daemon.http) as raw:
        if body is None:
            return raw.request(get(path, *fields))
        raw.send(get(path, *fields, f"Content-Length: {len(body)}", method="POST") + body)
        return raw.read_answer("POST")


# --- what a handler returns ---

KINDS = {
    "/str": (200, "text/html; charset=utf-8", "<p>grün</p>".encode()),
    "/bytes": (200, None, b"\x00\xff"),
    "/bytearray": (200, None, b"array"),
    "/none": (204, None, b""),
    "/empty": (200, None, b""),
    "/status": (418, "text/html; charset=utf-8", b"teapot"),
    "/tuple": (201, "text/x-made", b"made"),
    "/pairs": (200, "text/html; charset=utf-8", b"twice"),
    "/nobody": (204, None, b""),
    "/response": (202, "text/x-ready", b"ready"),
    "/generator": (200, None, b"one two three"),
    "/iterator": (200, None, b"ab"),
    "/texts": (200, None, b"text"),
    "/file": (200, None, b"line 1\nline 2\n"),
}


@pytest.mark.parametrize("path", KINDS)
def test_return_value_becomes_answer(use: Callable[[str], Smiskd], path: str) -> None:
    status, kind, body = KINDS[path]
    answer = ask(use("kinds"), path)
    assert (answer.status, answer.body) == (status, body)
    if kind is not None:
        assert answer.get("content-type") == kind


@pytest.mark.parametrize(("path", "value"), [("/dict", {"a": [1, None, True], "b": "€"}), ("/list", [1, "two"])])
def test_dict_and_list_become_json(use: Callable[[str], Smiskd], path: str, value: object) -> None:
    answer = ask(use("kinds"), path)
    assert answer.get("content-type") == "application/json"
    assert json.loads(answer.body) == value


def test_header_fields_of_dict_and_pairs_are_sent(use: Callable[[str], Smiskd]) -> None:
    daemon = use("kinds")
    assert ask(daemon, "/tuple").get("x-one") == "1"
    assert ask(daemon, "/pairs").all("x-two") == ["a", "b"]
    assert ask(daemon, "/nobody").get("x-three") == "3"
    assert ask(daemon, "/response").get("x-four") == "4"


def test_same_response_object_serves_many_requests(use: Callable[[str], Smiskd]) -> None:
    daemon = use("kinds")
    assert [ask(daemon, "/response").body for _ in range(3)] == [b"ready"] * 3


# --- generators ---


def test_generator_is_pulled_only_as_client_reads(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    since = daemon.log.mark()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/?blocks=100000"))
        raw.read_head()
        raw.read_exactly(1 << 20)
    match = daemon.wait_log(r"generator over after (\d+) of 100000", since)
    # 1 MiB was read; beside it only socket buffers and write_buffer can hold anything.
    assert int(match[1]) < 500


def test_generator_runs_to_its_end_and_is_closed(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    since = daemon.log.mark()
    assert ask(daemon, "/?blocks=100").body == bytes(100 * 65536)
    daemon.wait_log("generator over after 100 of 100", since)


def test_generator_of_head_request_is_closed(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    since = daemon.log.mark()
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/?blocks=100000", method="HEAD")).status == 200
        assert raw.request(get("/?blocks=1")).body == bytes(65536)
    match = daemon.wait_log(r"generator over after (\d+) of 100000|generator over after 1 of 1$", since)
    assert match


def test_slow_reader_does_not_hold_up_others(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    with RawHTTP(daemon.http) as slow:
        slow.send(get("/?blocks=100000"))
        slow.read_head()
        for _ in range(20):
            assert ask(daemon, "/?blocks=1").body == bytes(65536)


def test_generator_that_fails_at_first_is_500(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    daemon.expect_log(r"GET .*/early[\s\S]*LookupError: before the first byte")
    assert ask(daemon, "/early").status == 500


def test_generator_that_fails_midway_leaves_answer_incomplete(use: Callable[[str], Smiskd]) -> None:
    daemon = use("streams")
    daemon.expect_log(r"GET .*/failing[\s\S]*LookupError: nothing more to say")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/failing"))
        assert raw.read_head().status == 200
        rest = raw.read_to_end()
    assert b"so far so good" in rest
    assert not rest.endswith(b"0\r\n\r\n")


# --- the body as a file ---

INPUT = {
    "/read": (b"abcdef", ["abc", "", "def", ""]),
    "/readline": (b"line 1\nline 2\nline 3", ["line 1\n", "li", "ne 2\n"]),
    "/readlines": (b"a\nb\n\nc", ["a\n", "b\n", "\n", "c"]),
    "/lines": (b"a\nb\n\nc", ["a\n", "b\n", "\n", "c"]),
    "/readinto": (b"four", [4, "four", 0]),
    "/seek": (b"again", ["again", "again", 5, True, True]),
    "/both": (b"same", ["same", "same", 4]),
}


@pytest.mark.parametrize("path", INPUT)
def test_input_reads_as_binary_file(use: Callable[[str], Smiskd], path: str) -> None:
    body, expected = INPUT[path]
    assert json.loads(ask(use("files"), path, body).body) == expected


@pytest.mark.parametrize("path", ["/read", "/readline", "/readlines", "/lines", "/readinto"])
def test_input_of_request_without_body_is_empty(use: Callable[[str], Smiskd], path: str) -> None:
    assert ask(use("files"), path).status == 200


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 5_000_000])
def test_input_larger_than_memory_limit_is_spooled_and_whole(use: Callable[[str], Smiskd], size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    answer = ask(use("files"), "/digest", body)
    assert json.loads(answer.body) == {"sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize("path", ["/readlines", "/lines"])
def test_spooled_input_reads_by_lines(use: Callable[[str], Smiskd], path: str) -> None:
    lines = [f"line {number}\n" for number in range(20_000)]
    assert json.loads(ask(use("files"), path, "".join(lines).encode()).body) == lines


def test_spool_file_has_no_name_and_goes_with_request(use: Callable[[str], Smiskd]) -> None:
    daemon = use("files")
    worker = daemon.workers()[0]
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/digest", "Content-Length: 200000", method="POST") + bytes(150_000))
        spooled = until(lambda: deleted(worker), "an unlinked spool file")
        assert all(target.endswith("(deleted)") for target in spooled)
        raw.send(bytes(50_000))
        assert raw.read_answer("POST").status == 200
    until(lambda: not deleted(worker), "the spool file is gone")


def deleted(pid: int) -> list[str]:
    return [target for target in process.descriptors(pid).values() if target.startswith("/") and "deleted" in target]


def test_json_body_is_parsed(use: Callable[[str], Smiskd]) -> None:
    answer = ask(use("files"), "/json", b'{"a": [1, 2.5, "\xe2\x82\xac"]}')
    assert json.loads(answer.body) == {"json": {"a": [1, 2.5, "€"]}}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1,]", b"nul"])
def test_json_body_that_is_none_is_400(use: Callable[[str], Smiskd], body: bytes) -> None:
    daemon = use("files")
    since = daemon.log.mark()
    assert ask(daemon, "/json", body).status == 400
    daemon.wait_log(r"\b400\b", since)


# --- forms, uploads, cookies ---


def test_query_and_urlencoded_form_are_parsed(use: Callable[[str], Smiskd]) -> None:
    body = b"name=Jack+%C3%B6l&age=53&age=54&empty=&bare"
    kind = "Content-Type: application/x-www-form-urlencoded"
    seen = json.loads(ask(use("forms"), "/?a=1&a=2&b", body, kind).body)
    assert seen["get"] == {"a": ["1", "2"], "b": None}
    assert seen["post"] == {"name": "Jack öl", "age": ["53", "54"], "empty": "", "bare": None}
    assert seen["files"] == {}


def test_body_of_other_type_is_no_form(use: Callable[[str], Smiskd]) -> None:
    seen = json.loads(ask(use("forms"), "/", b"a=1", "Content-Type: text/plain").body)
    assert (seen["post"], seen["files"]) == ({}, {})


def test_multipart_form_with_small_and_large_uploads(use: Callable[[str], Smiskd]) -> None:
    daemon = use("forms")
    small, large = b"small\r\n--not a boundary\r\n", bytes(range(256)) * 20_000
    files = [
        ("one", ("dir\\small.txt", small, "text/plain")),
        ("two", ("large.bin", large, "application/x-large")),
        ("two", ("empty", b"", "text/x-empty")),
    ]
    with requests.Session() as session:
        answer = session.post(daemon.url("/"), data={"field": "vålue"}, files=files, timeout=TIMEOUT)
    seen = answer.json()
    assert seen["post"] == {"field": "vålue"}
    first = seen["files"]["one"][0]
    assert (first["filename"], first["type"], first["size"]) == ("dir\\small.txt", "text/plain", len(small))
    assert first["sha256"] == hashlib.sha256(small).hexdigest()
    assert seen["files"]["two"][0]["sha256"] == hashlib.sha256(large).hexdigest()


MULTIPART = "Content-Type: multipart/form-data; boundary=B"
BAD_FORMS = {
    "no-boundary": (b"--B--\r\n", "Content-Type: multipart/form-data", 400),
    "cut": (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', MULTIPART, 400),
    "wrong-boundary": (b'--C\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--C--\r\n', MULTIPART, 400),
    "too-many-fields": (
        b"&".join(b"a=1" for _ in range(1001)),
        "Content-Type: application/x-www-form-urlencoded",
        413,
    ),
    "too-large": (b"a=" + b"x" * 70_000, "Content-Type: application/x-www-form-urlencoded", 413),
}


@pytest.mark.parametrize("name", BAD_FORMS)
def test_malformed_form_is_client_error_with_log_line(use: Callable[[str], Smiskd], name: str) -> None:
    daemon = use("forms")
    body, kind, status = BAD_FORMS[name]
    since = daemon.log.mark()
    assert ask(daemon, "/", body, kind).status == status
    daemon.wait_log(rf"\b{status}\b", since)


def test_query_with_too_many_fields_is_400(use: Callable[[str], Smiskd]) -> None:
    assert ask(use("forms"), "/?" + "&".join(["a"] * 1001)).status == 400


def test_cookies_with_repeats_and_odd_bytes_are_parsed(use: Callable[[str], Smiskd]) -> None:
    seen = json.loads(ask(use("forms"), "/", None, 'Cookie: a=1; b=%C3%A5; a=2; c="q"').body)
    assert (seen["cookies"]["a"], seen["cookies"]["b"]) == (["1", "2"], "å")


# --- errors ---


def test_exception_is_500_logged_once_with_method_url_and_id(use: Callable[[str], Smiskd]) -> None:
    daemon = use("faults")
    since = daemon.log.mark()
    daemon.expect_log(r"\[[0-9a-f-]+\] .*GET .*/raise\?q=1[\s\S]*ValueError: secret <b>detail</b>")
    answer = ask(daemon, "/raise?q=1")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    daemon.wait_log("ValueError: secret", since)
    assert ask(daemon, "/ok").body == b"fine"
    assert daemon.log.count("ValueError: secret", since) == 1


def test_exception_with_show_traceback_is_readable_and_escaped(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "1", "--http", "127.0.0.1:0", "--set", "show_traceback=true", "faults")
    daemon.expect_log(r"ValueError: secret")
    answer = ask(daemon, "/raise?<script>")
    assert answer.status == 500
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert b"secret &lt;b&gt;detail&lt;/b&gt;" in answer.body
    assert b"<script>" not in answer.body
    assert b"faults.py" in answer.body
    assert b"raise ValueError" in answer.body


@pytest.mark.parametrize("path", ["/exit", "/interrupt"])
def test_exit_of_handler_is_500_and_worker_lives(use: Callable[[str], Smiskd], path: str) -> None:
    daemon = use("faults")
    daemon.expect_log("SystemExit|KeyboardInterrupt")
    worker = daemon.workers()
    assert ask(daemon, path).status == 500
    assert ask(daemon, "/ok").body == b"fine"
    assert daemon.workers() == worker


INJECTIONS = ["/newline-value", "/lf-value", "/nul-value", "/newline-name", "/space-name", "/empty-name", "/location"]
MISTAKES = [
    "/transfer",
    "/status-text",
    "/status-low",
    "/status-100",
    "/status-high",
    "/object",
    "/int",
    "/chunks",
]


@pytest.mark.parametrize("path", INJECTIONS + MISTAKES)
def test_answer_that_cannot_be_sent_is_500_and_logged(use: Callable[[str], Smiskd], path: str) -> None:
    daemon = use("faults")
    daemon.expect_log(rf"GET .*{path}\b")
    with RawHTTP(daemon.http) as raw:
        raw.send(get(path))
        answer = raw.read_answer()
        assert answer.status == 500
        assert answer.get("x-b") is None
        assert answer.get("set-cookie") is None
        raw.send(get("/ok"))
        assert raw.read_answer().body == b"fine"


def test_body_shorter_than_its_length_closes_connection(use: Callable[[str], Smiskd]) -> None:
    daemon = use("faults")
    daemon.allow_log("4 of the 5000|Content-Length")
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/length"))
        head = raw.read_head()
        if head.status == 200:
            assert raw.read_to_end() == b"four"
        else:
            assert head.status == 500


# --- hooks ---


def test_hooks_run_once_in_each_worker(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--workers", "2", "--http", "127.0.0.1:0", "hooks")
    started = {daemon.wait_log(r"hook will_start (\d+)", times=n)[1] for n in (1, 2)}
    assert started == {str(pid) for pid in daemon.workers()}
    assert ask(daemon, "/").body.decode() in started
    daemon.stop()
    assert daemon.log.count("hook did_stop") == 2
    assert daemon.log.count("hook did_stop after 1 ") == 1
    assert daemon.log.count("hook will_start") == 2


# --- waiting for the application itself ---


def test_many_requests_grow_no_memory(use: Callable[[str], Smiskd]) -> None:
    daemon = use("hello")
    pid = daemon.workers()[0]
    with RawHTTP(daemon.http) as raw:
        ten = get("/") * 10
        sizes = []
        for _ in range(3):
            for _ in range(200):
                raw.send(ten)
                assert all(raw.read_answer().body == b"Hello, world!\n" for _ in range(10))
            sizes.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]))
    # ASan keeps freed memory in quarantine at first; between the last two rounds nothing may grow by more than 1 MiB.
    assert sizes[2] - sizes[1] < 2560
