# SPDX-License-Identifier: MIT
"""WebSockets with a client library: messages, closing from both sides, what an application may do wrong, many at once."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from websockets.asyncio import client as async_client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lib.daemon import Smiskd
from lib.servers import Front

WITHIN = 15.0


@pytest.fixture(scope="module")
def sockets(module_smiskd: Callable[..., Smiskd]) -> Smiskd:
    return module_smiskd("--http", "127.0.0.1:0", "--workers", "1", "sockets:app")


@pytest.fixture
def daemon(sockets: Smiskd) -> Iterator[Smiskd]:
    yield sockets
    sockets.check()


def dial(daemon: Smiskd, path: str, **how: object) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{daemon.port}{path}", open_timeout=WITHIN, **how)  # type: ignore[arg-type]


def seen(daemon: Smiskd, name: str) -> object:
    """What the application noted next about the WebSocket of this name."""
    answer = requests.get(daemon.url(f"/seen?{name}"), timeout=WITHIN)
    assert answer.status_code == 200, answer
    return eval(answer.text, {})


def closed(client: ClientConnection) -> tuple[int, str]:
    """Code and reason that the server closes with; nothing else may come before."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=WITHIN)
    assert caught.value.rcvd is not None, "no close frame came"
    return caught.value.rcvd.code, caught.value.rcvd.reason


# --- messages ---


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize(
    "message",
    [
        "",
        "Hello",
        "κόσμε \U0001f600 \x00",
        b"",
        bytes(range(256)),
        "x" * 125,
        "x" * 126,
        "ä" * 32768,
        b"y" * 65535,
        b"z" * 65536,
        os.urandom(300_000),
        "long " * 1_000_000,
    ],
    ids=lambda message: f"{type(message).__name__}-{len(message)}",
)
def test_message_is_echoed(daemon: Smiskd, message: str | bytes, compression: str | None) -> None:
    with dial(daemon, "/echo", compression=compression, max_size=None) as client:
        for _ in range(3):
            client.send(message)
            assert client.recv(timeout=WITHIN) == message


def test_fragments_become_one_message(daemon: Smiskd) -> None:
    with dial(daemon, "/sizes") as client:
        client.send(["one ", "two ", "", "three"])
        assert client.recv(timeout=WITHIN) == "text 13"
        client.send([b"a", b"b" * 70000])
        assert client.recv(timeout=WITHIN) == "bytes 70001"


def test_messages_that_come_together_keep_their_order(daemon: Smiskd) -> None:
    with dial(daemon, "/echo") as client:
        for number in range(1000):
            client.send(str(number))
        assert [client.recv(timeout=WITHIN) for _ in range(1000)] == [str(number) for number in range(1000)]


def test_ping_is_answered_with_its_payload(daemon: Smiskd) -> None:
    with dial(daemon, "/echo") as client:
        assert client.ping(b"are you there").wait(WITHIN)


# --- handshake ---


def test_scope_is_that_of_a_websocket(daemon: Smiskd) -> None:
    with dial(daemon, "/scope?a=%20b", subprotocols=["chat", "v2"], additional_headers={"X-Mine": "1"}) as client:  # type: ignore[list-item]
        scope = {key: eval(value, {}) for key, value in json.loads(client.recv(timeout=WITHIN)).items()}
    headers = scope.pop("headers")
    host, port = scope.pop("client")
    assert (host, type(port)) == ("127.0.0.1", int)
    assert all(isinstance(name, bytes) and isinstance(value, bytes) for name, value in headers)
    assert (b"x-mine", b"1") in headers and (b"upgrade", b"websocket") in headers
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/scope",
        "raw_path": b"/scope",
        "query_string": b"a=%20b",
        "root_path": "",
        "server": ("127.0.0.1", daemon.port),
        "subprotocols": ["chat", "v2"],
        "extensions": {"websocket.http.response": {}},
    }


def test_subprotocol_and_headers_of_accept_reach_the_client(daemon: Smiskd) -> None:
    how = {"subprotocol": "v2", "headers": [("x-a", "1"), ("set-cookie", "a=b"), ("set-cookie", "c=d")]}
    path = "/accept?" + json.dumps(how).replace('"', "%22").replace(" ", "%20")
    with dial(daemon, path, subprotocols=["chat", "v2"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "v2"
        assert client.response is not None
        assert client.response.headers["x-a"] == "1"
        assert client.response.headers.get_all("set-cookie") == ["a=b", "c=d"]
        assert closed(client) == (1000, "")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"subprotocol": "other"}, r"ValueError: .*'other' was not offered by the client \(offered: chat\)"),
        ({"subprotocol": 3}, r"TypeError: .*subprotocol must be str"),
        ({"headers": [("x-a", "1\r\nset-cookie: b")]}, "ValueError: .*CR, LF or NUL"),
        ({"headers": [("upgrade", "h2c")]}, "ValueError: .*belongs to the server"),
        ({"headers": [("sec-websocket-protocol", "chat")]}, "ValueError: .*belongs into 'subprotocol'"),
    ],
)
def test_wrong_accept_is_an_error_that_names_the_mistake(daemon: Smiskd, how: dict[str, object], words: str) -> None:
    daemon.expect_log(words)
    path = "/accept?" + json.dumps(how).replace('"', "%22").replace(" ", "%20")
    with pytest.raises(InvalidStatus) as caught, dial(daemon, path, subprotocols=["chat"]):  # type: ignore[list-item]
        pass
    assert caught.value.response.status_code == 500


def test_close_before_accept_is_403(daemon: Smiskd) -> None:
    with pytest.raises(InvalidStatus) as caught, dial(daemon, "/refuse"):
        pass
    assert caught.value.response.status_code == 403
    assert seen(daemon, "refuse") == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


def test_denial_response_is_the_application_s_own(daemon: Smiskd) -> None:
    with pytest.raises(InvalidStatus) as caught, dial(daemon, "/deny"):
        pass
    response = caught.value.response
    assert (response.status_code, response.headers["x-why"], response.body) == (451, "closed", b"not here")
    assert seen(daemon, "deny") == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


# --- closing ---


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "gone"), (3000, "lib"), (4999, "é" * 60)])
def test_close_of_the_client_reaches_the_application(daemon: Smiskd, code: int, reason: str) -> None:
    with dial(daemon, f"/echo?client-{code}") as client:
        client.close(code, reason)
        assert client.protocol.close_code == code
    assert seen(daemon, f"client-{code}") == {"type": "websocket.disconnect", "code": code, "reason": reason}


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1008, "policy"), (4000, "mine")])
def test_close_of_the_application_reaches_the_client(daemon: Smiskd, code: int, reason: str) -> None:
    with dial(daemon, f"/close?{code},{reason}") as client:
        assert closed(client) == (code, reason)
    disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}
    assert [seen(daemon, "close"), seen(daemon, "close")] == [disconnect, disconnect]
    assert "unexpected ASGI message 'websocket.send'" in str(seen(daemon, "close"))


def test_reason_that_is_too_long_is_cut_between_characters(daemon: Smiskd) -> None:
    with dial(daemon, f"/close?1000,{'r' * 122}éé") as client:
        assert closed(client) == (1000, "r" * 122)
    for _ in range(3):
        seen(daemon, "close")


def test_application_that_raises_closes_with_1011(daemon: Smiskd) -> None:
    daemon.expect_log("ValueError: after accept")
    with dial(daemon, "/raise-after") as client:
        client.send("go")
        assert closed(client) == (1011, "")


def test_application_that_returns_closes_with_1000(daemon: Smiskd) -> None:
    with dial(daemon, "/return-after") as client:
        assert client.recv(timeout=WITHIN) == "bye"
        assert closed(client) == (1000, "")


@pytest.mark.parametrize(
    ("path", "words"),
    [("/raise-before", "ValueError: before accept"), ("/return-before", "without sending a response")],
)
def test_application_that_ends_before_accept_is_500(daemon: Smiskd, path: str, words: str) -> None:
    daemon.expect_log(words)
    with pytest.raises(InvalidStatus) as caught, dial(daemon, path):
        pass
    assert caught.value.response.status_code == 500


# --- what an application does wrong ---


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("neither", 'ValueError: websocket.send: neither "text" nor "bytes" is given'),
        ("both", 'ValueError: websocket.send: both "text" and "bytes" are given'),
        ("text", 'TypeError: websocket.send: "text" is str, not bytes'),
        ("bytes", 'TypeError: websocket.send: "bytes" is bytes, not str'),
        ("surrogate", "UnicodeEncodeError: 'utf-8' codec can't encode"),
        (
            "again",
            "RuntimeError: unexpected ASGI message 'websocket.accept'; expected websocket.send or websocket.close",
        ),
        ("http", "RuntimeError: unexpected ASGI message 'http.response.start'"),
        ("start", "RuntimeError: unexpected ASGI message 'websocket.http.response.start'"),
        ("unknown", "RuntimeError: unexpected ASGI message 'websocket.shout'"),
        ("typeless", 'TypeError: an ASGI message has a "type"'),
        ("list", "TypeError: send() takes a dict, not list"),
        ("code", "ValueError: websocket.close: 1005 is no code that may be sent"),
        ("code-large", "ValueError: websocket.close: 1180591620717411303424 is no code that may be sent"),
        ("code-text", 'TypeError: websocket.close: "code" is an int, "reason" a str'),
        ("reason", 'TypeError: websocket.close: "code" is an int, "reason" a str'),
    ],
)
def test_wrong_message_is_an_error_that_names_the_mistake(daemon: Smiskd, mistake: str, words: str) -> None:
    with dial(daemon, f"/wrong?{mistake}") as client:
        assert words in str(client.recv(timeout=WITHIN))
        assert closed(client) == (1000, "")


def test_message_before_accept_is_an_error_and_the_handshake_may_go_on(daemon: Smiskd) -> None:
    with dial(daemon, "/early") as client:
        said = str(client.recv(timeout=WITHIN))
        assert "unexpected ASGI message 'websocket.send'; expected websocket.accept" in said
        assert closed(client) == (1000, "")


def test_receive_that_was_cancelled_loses_no_message(daemon: Smiskd) -> None:
    with dial(daemon, "/cancel") as client:
        assert client.recv(timeout=WITHIN) == "cancelled"
        client.send("kept")
        assert client.recv(timeout=WITHIN) == "kept"
        assert closed(client) == (1000, "")


# --- backpressure ---


def test_application_that_does_not_receive_stops_the_client(daemon: Smiskd) -> None:
    asyncio.run(_fill(daemon))
    assert seen(daemon, "hold") == {"type": "websocket.disconnect", "code": 1000, "reason": ""}


async def _fill(daemon: Smiskd) -> None:
    async with async_client.connect(f"ws://127.0.0.1:{daemon.port}/hold", compression=None) as client:
        count = 0
        assert await asyncio.to_thread(seen, daemon, "hold") == "open"
        # Of messages of 1 MiB few fit into the buffers between here and there.
        sending = asyncio.ensure_future(client.send(b"x" * 1_000_000))
        while (await asyncio.wait([sending], timeout=0.5))[0]:
            await sending
            count += 1
            assert count < 100
            sending = asyncio.ensure_future(client.send(b"x" * 1_000_000))
        await asyncio.to_thread(requests.get, daemon.url("/go"), timeout=WITHIN)
        await sending
        await client.send("last")
        assert await asyncio.wait_for(client.recv(), WITHIN) == str(count + 2)


def test_thousand_websockets_echo_at_once(daemon: Smiskd) -> None:
    assert asyncio.run(_many(daemon, 1000)) == 1000


async def _many(daemon: Smiskd, number: int) -> int:
    limit = asyncio.Semaphore(64)
    all_open = asyncio.Event()
    n_open = 0

    async def one(index: int) -> bool:
        nonlocal n_open
        async with limit:
            client = await async_client.connect(f"ws://127.0.0.1:{daemon.port}/echo", open_timeout=60)
        n_open += 1
        if n_open == number:
            all_open.set()
        await all_open.wait()
        async with client:
            for turn in range(3):
                await client.send(f"{index} {turn}")
                if await client.recv() != f"{index} {turn}":
                    return False
        return True

    return sum(await asyncio.wait_for(asyncio.gather(*map(one, range(number))), 120))


# --- life ---


def test_ordinary_requests_are_served_beside_websockets(daemon: Smiskd) -> None:
    with dial(daemon, "/echo") as client:
        assert requests.get(daemon.url("/"), timeout=WITHIN).text == "plain"
        client.send("still here")
        assert client.recv(timeout=WITHIN) == "still here"


def test_stop_closes_with_1012_and_tells_the_application(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--http", "127.0.0.1:0", "--workers", "1", "sockets:app")
    with dial(daemon, "/echo") as client:
        client.send("a")
        assert client.recv(timeout=WITHIN) == "a"
        daemon.signal(signal.SIGTERM)
        assert closed(client) == (1012, "")
    assert daemon.wait() == 0


def test_ping_without_answer_closes_the_websocket(smiskd: Callable[..., Smiskd]) -> None:
    from lib.websocket import PING, open_websocket

    daemon = smiskd(
        *("--http", "127.0.0.1:0", "--workers", "1", "--set", "ws_ping_interval=100ms"),
        *("--set", "ws_ping_timeout=100ms", "sockets:app"),
    )
    with open_websocket(daemon.http, "/echo") as client:
        assert client.read_frame().opcode == PING
        ended = client.read_close()
        assert (ended.code, ended.reason) == (1011, "no answer to a ping")
    assert seen(daemon, "echo") == {"type": "websocket.disconnect", "code": 1011, "reason": "no answer to a ping"}


def test_answers_to_pings_keep_the_websocket_open(smiskd: Callable[..., Smiskd]) -> None:
    from lib.websocket import PING, PONG, TEXT, frame, open_websocket

    daemon = smiskd(
        *("--http", "127.0.0.1:0", "--workers", "1", "--set", "ws_ping_interval=50ms"),
        *("--set", "ws_ping_timeout=5s", "sockets:app"),
    )
    with open_websocket(daemon.http, "/echo") as client:
        for _ in range(5):
            ping = client.read_frame()
            assert ping.opcode == PING
            client.send(frame(PONG, ping.payload))
        client.send(frame(TEXT, "alive"))
        answer = client.read_frame()
        while answer.opcode == PING:
            answer = client.read_frame()
        assert (answer.opcode, answer.payload) == (TEXT, b"alive")


def test_example_chat_tells_everybody(smiskd: Callable[..., Smiskd]) -> None:
    folder = Path(__file__).resolve().parents[2] / "examples" / "chat"
    daemon = smiskd("--pythonpath", str(folder), "--http", "127.0.0.1:0", "--workers", "1", "chat:app")
    with dial(daemon, "/") as one, dial(daemon, "/") as two:
        two.send("I am here")
        assert two.recv(timeout=WITHIN) == "I am here"
        one.send("Hello")
        assert [each.recv(timeout=WITHIN) for each in (two, one)] == ["Hello", "I am here"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_websockets_run_on_other_loops(smiskd: Callable[..., Smiskd], loop: str) -> None:
    if loop != "asyncio":
        pytest.importorskip(loop)
    daemon = smiskd("--http", "127.0.0.1:0", "--workers", "1", "--set", f"loop={loop}", "sockets:app")
    with dial(daemon, "/echo", max_size=None) as client:
        for message in ("Hello", b"x" * 3_000_000, "again"):
            client.send(message)
            assert client.recv(timeout=WITHIN) == message
        assert client.ping().wait(WITHIN)
        daemon.signal(signal.SIGTERM)
        assert closed(client) == (1012, "")
    assert daemon.wait() == 0


# --- behind a front server ---


def test_scheme_of_a_trusted_proxy_makes_it_wss(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd(
        *("--http", "127.0.0.1:0", "--workers", "1", "--set", 'trusted_proxies=["127.0.0.1"]', "sockets:app")
    )
    with dial(daemon, "/scope", additional_headers={"X-Forwarded-Proto": "https"}) as client:
        assert eval(json.loads(client.recv(timeout=WITHIN))["scheme"], {}) == "wss"


def test_websocket_through_nginx_is_echoed(
    daemon: Smiskd, front: Callable[[str, object], Front], tmp_path: Path
) -> None:
    nginx = front("nginx-proxy", daemon.http)
    with connect(f"ws://127.0.0.1:{nginx.port}/echo?nginx", open_timeout=WITHIN) as client:
        for message in ("Hello", b"x" * 200_000, "long " * 10_000):
            client.send(message)
            assert client.recv(timeout=WITHIN) == message
    assert seen(daemon, "nginx") == {"type": "websocket.disconnect", "code": 1000, "reason": ""}
    with connect(f"ws://127.0.0.1:{nginx.port}/close?4001,why", open_timeout=WITHIN) as client:
        assert closed(client) == (4001, "why")
    for _ in range(3):
        seen(daemon, "close")
