# SPDX-License-Identifier: MIT
"""WebSocket conversations as a table, and what a client saw of them; the counterpart of lib.steps.

A transcript is the handshake's answer, each message that came, and the close. Everything in it is compared.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lib.sites import HOST
from lib.steps import NOT_COMPARED

__all__ = ["CONVERSATIONS", "Conversation", "converse"]

TIMEOUT = 20.0
CLOSED_EARLY = 403  # what a server says by itself when the application closes before it accepts, in its own words
# The key's answer is another each time.
NOT_COMPARED_HERE = NOT_COMPARED | {"sec-websocket-accept", "upgrade"}


@dataclass(frozen=True, eq=False)
class Conversation:
    """`send`: messages, each awaited an answer for if `answers`. `close`: how the client leaves; None: the server does.

    `refused`: the status of the answer instead of the handshake. `left`: what the site then notes, by /notes/websocket.
    """

    path: str
    send: Sequence[str | bytes] = ()
    answers: bool = True
    close: tuple[int, str] | None = (1000, "")
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: Sequence[str] | None = None
    deflate: bool = False
    refused: int = 0
    left: str = ""
    not_for: frozenset[str] = frozenset()


LONG = "Grüße " * 50000
FALCON = frozenset({"falcon-asgi"})
QUART = frozenset({"quart"})
CONVERSATIONS: dict[str, tuple[Conversation, ...]] = {
    "ws-echo": (
        Conversation("/ws/echo", ["one", "", "Grüße \U0001f600", LONG], left="left 1000"),
        Conversation("/ws/echo?binary=1", [b"\x00\xff", bytes(range(256)) * 2000], left="left 1000"),
        Conversation("/ws/echo?binary=1", [b"", b"x"], not_for=QUART),  # it takes an empty message for none
        Conversation("/ws/echo", ["one", LONG], deflate=True),
    ),
    "ws-json": (
        Conversation("/ws/json?q=gr%C3%BC%C3%9Fe", ['{"a": [1, "ü"]}'], close=None, headers={"Cookie": "theme=dark"}),
        Conversation("/ws/json", ["{}"], close=None, subprotocols=["other", "chat"]),
        Conversation("/ws/json", ["{}"], close=None, subprotocols=["other"]),
    ),
    "ws-close": (
        Conversation("/ws/echo", ["x"], close=(3001, "bye"), left="left 3001"),
        Conversation("/ws/broken", close=None, not_for=QUART),
    ),
    "ws-refuse": (
        Conversation("/ws/refused", refused=403, not_for=QUART),
        Conversation("/ws/denied", refused=401, not_for=FALCON | {"litestar"}),
        Conversation("/ws/denied", refused=403, not_for=frozenset({"starlette", "fastapi", "litestar", "quart"})),
        Conversation("/ws/missing", refused=403, not_for=frozenset({"starlette", "fastapi", "litestar", "quart"})),
    ),
}


def _plain(headers: object) -> tuple[tuple[str, str], ...]:
    pairs = [(name.lower(), value) for name, value in headers.raw_items()]  # type: ignore[attr-defined]
    # The parameters of an extension are each server's own.
    plain = [
        (name, value.partition(";")[0] if name == "sec-websocket-extensions" else value) for name, value in pairs
    ]
    return tuple(sorted(pair for pair in plain if pair[0] not in NOT_COMPARED_HERE))


def _talk(client: ClientConnection, wanted: Conversation, seen: list[object]) -> None:
    try:
        for message in wanted.send:
            client.send(message)
            if wanted.answers:
                seen.append(client.recv(TIMEOUT))
        if wanted.close is not None:
            client.close(*wanted.close)
        else:
            seen.append(("unexpected", client.recv(TIMEOUT)))
    except ConnectionClosed:
        pass
    seen.append(("closed", int(client.close_code or 0), client.close_reason))


def converse(port: int, wanted: Conversation) -> list[object]:
    """What a client of 127.0.0.1:`port` sees: status and fields of the handshake, messages, code and reason of the close."""
    try:
        with connect(
            f"ws://{HOST}{wanted.path}",
            sock=socket.create_connection(("127.0.0.1", port), TIMEOUT),
            additional_headers=dict(wanted.headers),
            subprotocols=wanted.subprotocols,  # type: ignore[arg-type]
            compression="deflate" if wanted.deflate else None,
            open_timeout=TIMEOUT,
            close_timeout=TIMEOUT,
            max_size=None,
            proxy=None,
        ) as client:
            assert not wanted.refused, f"{wanted.path} was accepted"
            assert client.response is not None
            seen: list[object] = [("opened", client.response.status_code, _plain(client.response.headers))]
            _talk(client, wanted, seen)
            return seen
    except InvalidStatus as refusal:
        answer = refusal.response
        assert answer.status_code == wanted.refused, f"{wanted.path}: {answer.status_code} {answer.body!r}"
        if answer.status_code == CLOSED_EARLY:
            return [("refused", CLOSED_EARLY)]
        return [("refused", answer.status_code, _plain(answer.headers), bytes(answer.body or b""))]
