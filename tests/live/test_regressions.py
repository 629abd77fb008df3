# SPDX-License-Identifier: MIT
"""Defects that were found by attacking a running daemon; each test fails without its correction."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib.daemon import Smiskd
from lib.fcgi import (
    ABORT_REQUEST,
    END_REQUEST,
    GET_VALUES,
    GET_VALUES_RESULT,
    KEEP_CONN,
    FastCGI,
    Record,
    encode_pairs,
    record,
    request,
)
from lib.http import RawHTTP, get

ONE = ("--workers", "1")
HTTP = ("--http", "127.0.0.1:0")
FASTCGI = ("--fastcgi", "127.0.0.1:0")
BLOCK = 65536


def module(folder: Path, name: str, source: str) -> None:
    """Writes an application that the daemon finds with `cwd=folder`."""
    (folder / f"{name}.py").write_text(source)


# --- bounds ---

COUNTING = """
calls = 0

def handle(request):
    global calls
    calls += 1
    if request.path == "/calls":
        return str(calls)
    return bytes(500_000)
"""


def test_answers_that_a_pipelining_client_does_not_read_do_not_pile_up(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "counting", COUNTING)
    daemon = smiskd(*ONE, *HTTP, "counting", cwd=tmp_path)
    with RawHTTP(daemon.http) as greedy, RawHTTP(daemon.http) as other:
        greedy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        greedy.send(get("/") * 400)
        calls = [int(other.request(get("/calls")).body) for _ in range(50)][-1]
        assert calls - 50 < 40, "answers were made that nobody reads"
        for _ in range(400):
            assert len(greedy.read_answer().body) == 500_000
        greedy.send(get("/calls"))
        assert int(greedy.read_answer().body) == 451
    with RawHTTP(daemon.http) as gone:
        gone.send(get("/") * 100)
        gone.half_close()
        for _ in range(100):
            assert len(gone.read_answer().body) == 500_000
        gone.assert_closed()


def test_one_client_that_pipelines_without_end_does_not_starve_the_others(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *HTTP, "hello")
    over = threading.Event()
    with RawHTTP(daemon.http) as flood:

        def ask() -> None:
            many = get("/") * 2000
            while not over.is_set():
                flood.send(many)
            flood.half_close()

        def read() -> None:
            while flood.sock.recv(1 << 20):
                pass

        threads = [threading.Thread(target=work) for work in (ask, read)]
        for thread in threads:
            thread.start()
        try:
            with RawHTTP(daemon.http, 5.0) as other:
                for _ in range(20):
                    assert other.request(get("/")).status == 200
        finally:
            over.set()
            for thread in threads:
                thread.join()


# --- deadlines ---

SLOW = """
import time

def handle(request):
    time.sleep(1.0 if request.path == "/block" else 0.01)
    return str(len(request.body))
"""


def test_busy_server_does_not_take_its_own_lateness_for_the_clients(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    module(tmp_path, "slow", SLOW)
    limits = [word for name in ("body", "header", "keepalive") for word in ("--set", f"{name}_timeout=500ms")]
    daemon = smiskd(*ONE, *HTTP, *limits, "slow", cwd=tmp_path)
    with ExitStack() as open_clients:
        blocker = open_clients.enter_context(RawHTTP(daemon.http))
        clients = [open_clients.enter_context(RawHTTP(daemon.http)) for _ in range(300)]
        for client in clients:
            client.send(get("/", "Content-Length: 4", method="POST"))
        blocker.send(get("/block"))
        for client in clients:
            client.send("body")
        assert {client.read_answer().status for client in clients} == {200}
        assert blocker.read_answer().status == 200


# --- FastCGI ---


def test_two_streams_over_one_connection_both_come_to_their_end(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(*ONE, *FASTCGI, "--set", "write_buffer=64k", "streams")
    for _ in range(5):
        with FastCGI(daemon.fastcgi) as client:
            for request_id in (1, 2, 3):
                client.send(request("/?blocks=80", request_id=request_id, flags=KEEP_CONN))
            for request_id in (1, 2, 3):
                assert len(client.reply(request_id).body) == 80 * BLOCK
            assert len(client.ask("/?blocks=1", flags=KEEP_CONN).body) == BLOCK


WATCHFUL = """
import time

def watch(request):
    yield b"begun"
    while not request.is_aborted:
        time.sleep(0.005)

def handle(request):
    return watch(request) if request.path == "/watch" else "fine"
"""


def test_stream_that_sees_its_abort_and_returns_ends_once(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    module(tmp_path, "watchful", WATCHFUL)
    daemon = smiskd(*ONE, *FASTCGI, "watchful", cwd=tmp_path)
    with FastCGI(daemon.fastcgi) as client:
        client.send(request("/watch", request_id=1, flags=KEEP_CONN))
        while b"begun" not in client.take(_next(client)).stdout:
            pass
        client.send(record(ABORT_REQUEST, 1))
        client.send(record(GET_VALUES, 0, encode_pairs({"FCGI_MPXS_CONNS": ""})))
        ends = 0
        seen = set[int]()
        while not {END_REQUEST, GET_VALUES_RESULT} <= seen:
            found = _next(client)
            seen.add(found.type)
            ends += found.type == END_REQUEST
        client.replies.clear()
        assert ends == 1
        assert client.ask("/", flags=KEEP_CONN).body == b"fine"


def _next(client: FastCGI) -> Record:
    found = client.read_record()
    assert found is not None, "the server closed the connection"
    return found
