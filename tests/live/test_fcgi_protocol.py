# SPDX-License-Identifier: MIT
"""FastCGI 1.0 as the specification says, section by section, from a raw socket."""

import json
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.daemon import Smiskd
from lib.fcgi import (
    ABORT_REQUEST,
    AUTHORIZER,
    DATA,
    END_REQUEST,
    FILTER,
    GET_VALUES,
    GET_VALUES_RESULT,
    KEEP_CONN,
    OVERLOADED,
    PARAMS,
    REQUEST_COMPLETE,
    STDERR,
    STDIN,
    STDOUT,
    UNKNOWN_ROLE,
    UNKNOWN_TYPE,
    FastCGI,
    begin,
    cgi_env,
    decode_pairs,
    encode_pairs,
    params,
    record,
    request,
    stream,
)
from lib.log import Log
from lib.servers import program
from lib.wait import until

MULTIPLEXED = 8


def shared(start: Callable[..., Smiskd], folder: Path, app: str) -> Smiskd:
    listeners = ("--fastcgi", f"unix:{folder}/s", "--fastcgi", "127.0.0.1:0")
    return start("--workers", "1", "--set", f"max_multiplexed={MULTIPLEXED}", *listeners, app)


@pytest.fixture(scope="module")
def echo_daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    return shared(module_smiskd, tmp_path_factory.mktemp("e"), "echo")


@pytest.fixture(scope="module")
def roles_daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    return shared(module_smiskd, tmp_path_factory.mktemp("r"), "roles")


@pytest.fixture(scope="module")
def faults_daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    return shared(module_smiskd, tmp_path_factory.mktemp("f"), "faults")


@pytest.fixture(scope="module")
def streams_daemon(module_smiskd: Callable[..., Smiskd], tmp_path_factory: pytest.TempPathFactory) -> Smiskd:
    return shared(module_smiskd, tmp_path_factory.mktemp("s"), "streams")


def connection(daemon: Smiskd) -> Iterator[FastCGI]:
    with FastCGI(daemon.fastcgi) as raw:
        yield raw
    daemon.check()


@pytest.fixture
def echo(echo_daemon: Smiskd) -> Iterator[FastCGI]:
    yield from connection(echo_daemon)


@pytest.fixture
def roles(roles_daemon: Smiskd) -> Iterator[FastCGI]:
    yield from connection(roles_daemon)


@pytest.fixture
def faults(faults_daemon: Smiskd) -> Iterator[FastCGI]:
    yield from connection(faults_daemon)


@pytest.fixture
def streams(streams_daemon: Smiskd) -> Iterator[FastCGI]:
    yield from connection(streams_daemon)


# --- connections (sections 3.5, 5.1) ---


def test_without_keep_conn_server_closes_after_end(echo: FastCGI) -> None:
    assert echo.ask("/x").status == 200
    echo.assert_closed()


def test_with_keep_conn_connection_serves_on(echo: FastCGI) -> None:
    for number in range(50):
        seen = json.loads(echo.ask(f"/{number}", request_id=number % 3 + 1, flags=KEEP_CONN).body)
        assert seen["path"] == f"/{number}"
    assert echo.ask("/last").status == 200
    echo.assert_closed()


def test_unknown_flag_bits_are_ignored(echo: FastCGI) -> None:
    assert echo.ask("/", flags=0xFE).status == 200
    echo.assert_closed()


@pytest.mark.parametrize("request_id", [1, 255, 256, 65535])
def test_any_request_id_is_answered_with_itself(echo: FastCGI, request_id: int) -> None:
    reply = echo.ask("/", b"body", request_id=request_id)
    assert {found.id for found in reply.records} == {request_id}


def test_reply_is_stdout_end_of_stdout_end_request_aligned_to_8_bytes(echo: FastCGI) -> None:
    reply = echo.ask("/", flags=KEEP_CONN)
    assert [found.type for found in reply.records[-2:]] == [STDOUT, END_REQUEST]
    assert reply.records[-2].content == b""
    assert (reply.app_status, reply.protocol_status) == (0, REQUEST_COMPLETE)
    assert all((8 + len(found.content) + found.padding) % 8 == 0 for found in reply.records)
    assert reply.stderr == b""


def test_cgi_response_has_status_and_no_connection_fields(echo: FastCGI) -> None:
    reply = echo.ask("/")
    names = [name for name, _ in reply.headers]
    assert reply.header("status") == "200 OK" or reply.header("status") is None
    assert not {"connection", "transfer-encoding", "keep-alive"} & set(names)
    assert reply.header("content-type") == "application/json"


def test_tcp_listener_speaks_the_same(echo_daemon: Smiskd) -> None:
    with FastCGI(echo_daemon.address("fastcgi", 1)) as raw:
        assert raw.ask("/tcp").status == 200
        raw.assert_closed()
    echo_daemon.check()


def test_half_closed_client_gets_whole_reply(echo: FastCGI) -> None:
    echo.send(request("/half"))
    echo.sock.shutdown(1)
    assert json.loads(echo.reply().body)["path"] == "/half"
    echo.assert_closed()


# --- roles (section 6) ---


def test_responder_sees_role_and_body(roles: FastCGI) -> None:
    assert json.loads(roles.ask("/", b"text").body) == {"role": "responder", "body": "text"}


@pytest.mark.parametrize(("key", "status"), [("sesame", 200), ("wrong", 401)])
def test_authorizer_answers_without_any_stdin(roles: FastCGI, key: str, status: int) -> None:
    reply = roles.ask("/", role=AUTHORIZER, env={"HTTP_X_KEY": key})
    assert (reply.status, reply.header("variable-auth_method")) == (status, "key")
    assert reply.protocol_status == REQUEST_COMPLETE


def test_filter_gets_body_data_length_and_time(roles: FastCGI) -> None:
    body, data = b"posted", b"file contents\n" * 10_000
    env = cgi_env("POST", "/", CONTENT_LENGTH="6", FCGI_DATA_LENGTH=str(len(data)), FCGI_DATA_LAST_MOD="1227312000")
    roles.send(begin(1, FILTER) + params(1, env) + stream(STDIN, 1, body) + stream(DATA, 1, data))
    seen = json.loads(roles.reply().body)
    assert seen == {"data": data.decode(), "length": len(data), "time": 1227312000, "body": "posted"}


def test_filter_waits_for_both_streams_in_any_order(roles: FastCGI) -> None:
    env = cgi_env("POST", "/", CONTENT_LENGTH="2", FCGI_DATA_LENGTH="4", FCGI_DATA_LAST_MOD="1")
    roles.send(begin(1, FILTER) + params(1, env) + stream(DATA, 1, b"data") + stream(STDIN, 1, b"in"))
    seen = json.loads(roles.reply().body)
    assert (seen["data"], seen["body"]) == ("data", "in")


@pytest.mark.parametrize("role", [0, 4, 65535])
def test_unknown_role_is_told_and_connection_kept(roles: FastCGI, role: int) -> None:
    roles.send(begin(1, role, KEEP_CONN))
    reply = roles.reply()
    assert (reply.protocol_status, reply.stdout) == (UNKNOWN_ROLE, b"")
    roles.send(params(1, cgi_env()) + stream(STDIN, 1, b""))  # what the server had sent already: ignored
    assert roles.ask("/", b"next", request_id=2).status == 200


def test_unknown_role_without_keep_conn_closes(roles: FastCGI) -> None:
    roles.send(begin(1, 9))
    assert roles.reply().protocol_status == UNKNOWN_ROLE
    roles.assert_closed()


# --- multiplexing (section 3.3) ---


def test_interleaved_requests_each_get_their_own(echo: FastCGI) -> None:
    bodies = {number: bytes([64 + number]) * 5000 for number in (1, 2, 3)}
    echo.send(b"".join(begin(number, flags=KEEP_CONN) for number in bodies))
    encoded = {number: encode_pairs(cgi_env("POST", f"/{number}", CONTENT_LENGTH="5000")) for number in bodies}
    for at in range(0, max(map(len, encoded.values())), 7):
        for number, pairs in encoded.items():
            if pairs[at : at + 7]:
                echo.send(record(PARAMS, number, pairs[at : at + 7]))
    echo.send(b"".join(record(PARAMS, number) for number in bodies))
    for at in range(0, 5000, 500):
        echo.send(b"".join(record(STDIN, number, body[at : at + 500], at % 9) for number, body in bodies.items()))
    echo.send(b"".join(record(STDIN, number) for number in (2, 3, 1)))
    for number, body in bodies.items():
        seen = json.loads(echo.reply(number).body)
        assert (seen["path"], seen["body"]) == (f"/{number}", body.decode())


def test_request_completes_while_another_is_unfinished(echo: FastCGI) -> None:
    echo.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("POST", "/slow", CONTENT_LENGTH="3")))
    assert json.loads(echo.ask("/fast", request_id=2, flags=KEEP_CONN).body)["path"] == "/fast"
    echo.send(stream(STDIN, 1, b"end"))
    assert json.loads(echo.reply(1).body)["body"] == "end"


def test_two_streamed_replies_share_connection(streams: FastCGI, streams_daemon: Smiskd) -> None:
    since = streams_daemon.log.mark()
    streams.send(request("/?blocks=20", request_id=1, flags=KEEP_CONN))
    streams.send(request("/?blocks=20", request_id=2, flags=KEEP_CONN))
    assert len(streams.reply(1).body) == 20 * 65536
    assert len(streams.reply(2).body) == 20 * 65536
    streams_daemon.wait_log("generator over after 20 of 20", since, times=2)


def test_requests_past_max_multiplexed_are_overloaded(echo: FastCGI) -> None:
    echo.send(b"".join(begin(number, flags=KEEP_CONN) for number in range(1, MULTIPLEXED + 3)))
    for number in (MULTIPLEXED + 1, MULTIPLEXED + 2):
        reply = echo.reply(number)
        assert (reply.protocol_status, reply.stdout) == (OVERLOADED, b"")
    for number in range(1, MULTIPLEXED + 1):
        echo.send(params(number, cgi_env("GET", f"/{number}")) + stream(STDIN, number, b""))
    for number in range(1, MULTIPLEXED + 1):
        assert json.loads(echo.reply(number).body)["path"] == f"/{number}"
    assert echo.ask("/after", request_id=MULTIPLEXED + 1).status == 200


# --- abort (section 5.4) ---


def test_abort_before_body_ends_request_and_frees_id(echo: FastCGI) -> None:
    echo.send(begin(1, flags=KEEP_CONN) + params(1, cgi_env("POST", "/", CONTENT_LENGTH="9")))
    echo.send(record(STDIN, 1, b"half") + record(ABORT_REQUEST, 1))
    assert echo.reply(1).protocol_status == REQUEST_COMPLETE
    assert json.loads(echo.ask("/again", b"new", flags=KEEP_CONN).body)["body"] == "new"


def test_abort_of_unknown_id_is_ignored(echo: FastCGI) -> None:
    echo.send(record(ABORT_REQUEST, 77))
    assert echo.ask("/").status == 200


def test_abort_closes_running_generator_and_ends_request(streams: FastCGI, streams_daemon: Smiskd) -> None:
    since = streams_daemon.log.mark()
    streams.send(request("/?blocks=100000", flags=KEEP_CONN))
    first = streams.read_record()
    assert first is not None
    assert first.type == STDOUT
    streams.take(first)
    streams.send(record(ABORT_REQUEST, 1))
    reply = streams.reply(1)
    assert reply.protocol_status == REQUEST_COMPLETE
    assert len(reply.stdout) < 50 << 20
    streams_daemon.wait_log(r"generator over after \d+ of 100000", since)
    assert len(streams.ask("/?blocks=1", request_id=2).body) == 65536


def test_connection_lost_closes_all_running_generators(streams: FastCGI, streams_daemon: Smiskd) -> None:
    since = streams_daemon.log.mark()
    for number in (1, 2, 3):
        streams.send(request("/?blocks=100000", request_id=number, flags=KEEP_CONN))
    begun: set[int] = set()
    while begun != {1, 2, 3}:
        found = streams.read_record()
        assert found is not None
        begun.add(found.id)
    streams.close()
    streams_daemon.wait_log(r"generator over after \d+ of 100000", since, times=3)


# --- management (section 4) ---


def test_get_values_answers_what_it_knows(echo: FastCGI) -> None:
    names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "FCGI_UNHEARD_OF"]
    echo.send(record(GET_VALUES, 0, encode_pairs([(name, "") for name in names])))
    found = echo.read_record()
    assert found is not None
    assert (found.type, found.id) == (GET_VALUES_RESULT, 0)
    values = decode_pairs(found.content)
    assert set(values) == set(names[:3])
    assert values["FCGI_MPXS_CONNS"] == "1"
    assert int(values["FCGI_MAX_REQS"]) >= int(values["FCGI_MAX_CONNS"]) > 0


def test_get_values_names_only_what_was_asked(echo: FastCGI) -> None:
    echo.send(record(GET_VALUES, 0, encode_pairs([("FCGI_MPXS_CONNS", "")])))
    found = echo.read_record()
    assert found is not None
    assert decode_pairs(found.content) == {"FCGI_MPXS_CONNS": "1"}


def test_get_values_empty_gets_empty_result(echo: FastCGI) -> None:
    echo.send(record(GET_VALUES, 0))
    found = echo.read_record()
    assert found is not None
    assert (found.type, found.content) == (GET_VALUES_RESULT, b"")


def test_get_values_between_records_of_a_request(echo: FastCGI) -> None:
    echo.send(begin(1) + record(GET_VALUES, 0, encode_pairs([("FCGI_MPXS_CONNS", "")])))
    echo.send(params(1, cgi_env()) + stream(STDIN, 1, b""))
    first = echo.read_record()
    assert first is not None
    assert first.type == GET_VALUES_RESULT
    assert echo.reply().status == 200


@pytest.mark.parametrize("kind", [12, 99, 255])
def test_unknown_management_type_is_told(echo: FastCGI, kind: int) -> None:
    echo.send(record(kind, 0, b"whatever", 3))
    found = echo.read_record()
    assert found is not None
    assert (found.type, found.id, found.content) == (UNKNOWN_TYPE, 0, struct.pack(">B7x", kind))
    assert echo.ask("/").status == 200


# --- records and pairs at any split (sections 3.3, 3.4) ---

SPLIT = (
    begin(1, flags=KEEP_CONN)
    + stream(PARAMS, 1, encode_pairs(cgi_env("POST", "/split", "a=1", CONTENT_LENGTH="5", HTTP_X_LONG="v" * 200)), 90)
    + stream(STDIN, 1, b"Hello", 3)
)


def test_request_cut_at_every_byte_is_the_same_request(echo: FastCGI) -> None:
    for cut in range(1, len(SPLIT)):
        echo.send_pieces(SPLIT, cut)
        seen = json.loads(echo.reply().body)
        assert (seen["path"], seen["query"], seen["body"]) == ("/split", "a=1", "Hello"), cut


def test_request_byte_by_byte_is_the_same_request(echo: FastCGI) -> None:
    echo.send_pieces(SPLIT, *range(1, len(SPLIT)))
    assert json.loads(echo.reply().body)["body"] == "Hello"


@pytest.mark.parametrize("size", [1, 2, 7, 8, 100, 8192, 65535])
@pytest.mark.parametrize("padding", [0, 1, 7, 255])
def test_body_in_records_of_any_size_and_padding_arrives(echo: FastCGI, size: int, padding: int) -> None:
    body = (b"0123456789" * 14_000)[: max(200, 2 * size + 3)]
    env = cgi_env("POST", "/", CONTENT_LENGTH=str(len(body)))
    pairs = stream(PARAMS, 1, encode_pairs(env), size, padding)
    echo.send(begin(1) + pairs + stream(STDIN, 1, body, size, padding))
    assert json.loads(echo.reply().body)["body"] == body.decode()


def test_end_records_may_have_padding(echo: FastCGI) -> None:
    empty = record(PARAMS, 1, b"", 8), record(STDIN, 1, b"", 255)
    echo.send(begin(1) + record(PARAMS, 1, encode_pairs(cgi_env())) + empty[0] + empty[1])
    assert echo.reply().status == 200


def test_reserved_byte_of_record_is_ignored(echo: FastCGI) -> None:
    data = bytearray(request("/"))
    data[7] = 0xFF
    echo.send(bytes(data))
    assert echo.reply().status == 200


def test_pairs_with_four_byte_lengths_everywhere(echo: FastCGI) -> None:
    pairs = encode_pairs(cgi_env("GET", "/long", HTTP_X_A="1"), long=True)
    echo.send(begin(1) + stream(PARAMS, 1, pairs) + stream(STDIN, 1, b""))
    assert json.loads(echo.reply().body)["path"] == "/long"


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 40_000])
def test_value_of_any_length_arrives(echo: FastCGI, length: int) -> None:
    seen = json.loads(echo.ask("/", env={"HTTP_X_VALUE": "v" * length}).body)
    values = [value for name, value in seen["headers"] if name.lower() == "x-value"]
    assert values == ["v" * length]


def test_large_reply_is_cut_into_records(streams: FastCGI) -> None:
    reply = streams.ask("/?blocks=10")
    assert reply.body == bytes(655_360)
    sizes = [len(found.content) for found in reply.records if found.type == STDOUT and found.content]
    assert max(sizes) <= 65535
    assert len(sizes) >= 10


# --- CONTENT_LENGTH (section 6.2, RFC 3875 4.1.2) ---


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 70_000])
def test_missing_content_length_means_to_the_end(echo: FastCGI, body: bytes) -> None:
    echo.send(begin(1) + params(1, cgi_env("POST", "/")) + stream(STDIN, 1, body))
    assert json.loads(echo.reply().body)["body"] == body.decode()


@pytest.mark.parametrize("length", ["", "-1"], ids=["empty", "as-caddy-sends"])
def test_content_length_that_says_unknown_means_to_the_end(echo: FastCGI, length: str) -> None:
    echo.send(begin(1) + params(1, cgi_env("POST", "/", CONTENT_LENGTH=length)) + stream(STDIN, 1, b"abc"))
    assert json.loads(echo.reply().body)["body"] == "abc"


@pytest.mark.parametrize("length", ["0", "2", "4", "100000"])
def test_body_that_disagrees_with_content_length_is_400(echo: FastCGI, echo_daemon: Smiskd, length: str) -> None:
    since = echo_daemon.log.mark()
    env = cgi_env("POST", "/", CONTENT_LENGTH=length)
    echo.send(begin(1, flags=KEEP_CONN) + params(1, env) + stream(STDIN, 1, b"abc"))
    reply = echo.reply()
    assert (reply.status, reply.protocol_status) == (400, REQUEST_COMPLETE)
    echo_daemon.wait_log("answered 400", since)
    assert echo.ask("/next", b"fine", request_id=2).status == 200


# --- STDERR (section 6.2) and END_REQUEST (5.5) ---


def test_log_error_reaches_stderr_and_log_sanitised(faults: FastCGI, faults_daemon: Smiskd) -> None:
    since = faults_daemon.log.mark()
    faults_daemon.allow_log("forged 2026-01-01 error")
    reply = faults.ask("/log")
    assert (reply.status, reply.body) == (200, b"logged")
    assert b"first" in reply.stderr
    assert b"forged 2026-01-01 error: line" in reply.stderr
    assert not any(byte < 32 and byte != 10 for byte in reply.stderr)
    faults_daemon.wait_log(r"first", since)
    assert all("\x1b" not in line for line in faults_daemon.log.lines[since:])


def test_log_error_longer_than_a_record_is_cut_into_records(faults: FastCGI) -> None:
    reply = faults.ask("/log-long")
    assert reply.stderr.count(b"x") == 200_000
    errors = [found for found in reply.records if found.type == STDERR]
    assert len([found for found in errors if found.content]) >= 4
    assert reply.records[-1].type == END_REQUEST


def test_unhandled_exception_is_500_with_complete_end(faults: FastCGI, faults_daemon: Smiskd) -> None:
    faults_daemon.expect_log(r"GET .*/raise[\s\S]*ValueError: secret")
    reply = faults.ask("/raise")
    assert (reply.status, reply.protocol_status) == (500, REQUEST_COMPLETE)
    assert b"secret" not in reply.body


# --- one system call (issue: STDOUT, its end and END_REQUEST leave together) ---


def finished_sends(path: Path) -> list[str]:
    """Calls that strace wrote down whole. What the log says meanwhile of other connections is not an answer."""
    return [line for line in path.read_text().splitlines() if " = " in line and "write(2," not in line]


def test_small_reply_leaves_in_one_system_call(echo: FastCGI, echo_daemon: Smiskd, tmp_path: Path) -> None:
    assert echo.ask("/warm", flags=KEEP_CONN).status == 200
    output = tmp_path / "calls"
    calls = "trace=write,writev,pwritev,sendto,sendmsg,sendfile,shutdown"
    command = [program("strace"), "-f", "-e", calls, "-o", str(output), "-p", str(echo_daemon.workers()[0])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        log = Log(tracer.stderr)
        log.wait("attached")
        assert echo.ask("/counted", flags=KEEP_CONN).status == 200
        assert echo.ask("/after", flags=KEEP_CONN).status == 200
        # An answer is here before its last call is written down, but not before those in front of it are: were an
        # answer two calls, three of the four would stand there.
        until(lambda: len(finished_sends(output)) >= 2, "two answers in strace's output")
        tracer.send_signal(signal.SIGINT)
        log.join()
    sent = finished_sends(output)
    assert len(sent) == 2, sent


# --- FCGI_WEB_SERVER_ADDRS (section 3.2) ---


@pytest.mark.parametrize("addresses", ["192.0.2.1", "192.0.2.1,198.51.100.7", "not-an-address"])
def test_peer_not_in_web_server_addrs_is_refused(smiskd: Callable[..., Smiskd], addresses: str) -> None:
    env = {"FCGI_WEB_SERVER_ADDRS": addresses}
    daemon = smiskd("--workers", "1", "--fastcgi", "127.0.0.1:0", "hello", env=env)
    with FastCGI(daemon.fastcgi) as raw:
        try:
            raw.send(request("/"))
            raw.assert_closed()
        except (ConnectionResetError, BrokenPipeError):
            pass
    daemon.wait_log("127.0.0.1.*refused")


@pytest.mark.parametrize("addresses", ["127.0.0.1", "192.0.2.1,127.0.0.1", ""])
def test_peer_in_web_server_addrs_is_served(smiskd: Callable[..., Smiskd], addresses: str) -> None:
    env = {"FCGI_WEB_SERVER_ADDRS": addresses}
    daemon = smiskd("--workers", "1", "--fastcgi", "127.0.0.1:0", "hello", env=env)
    with FastCGI(daemon.fastcgi) as raw:
        assert raw.ask("/").body == b"Hello, world!\n"
