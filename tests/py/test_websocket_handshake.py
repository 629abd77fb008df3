# SPDX-License-Identifier: MIT
"""The opening handshake: what is refused, what is offered, and what an application may accept with."""

import pytest
from smisk.websocket import Handshake, HandshakeError

# RFC 6455 1.3: this key has that answer.
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
ACCEPT = (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
VERSION = (b"sec-websocket-version", b"13")
BOTH = [KEY, VERSION]


def handshake(*more, headers=None, method="GET", compression=True):
    return Handshake(method, [*(BOTH if headers is None else headers), *more], 1000, compression)


def refusal(*more, **how):
    with pytest.raises(HandshakeError) as caught:
        handshake(*more, **how)
    return caught.value


def test_accept_answers_the_key_of_the_rfc():
    assert handshake().accept(None, None) == ([ACCEPT], None)


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ([KEY], 400, "Sec-WebSocket-Version is missing"),
        ([VERSION], 400, "Sec-WebSocket-Key is missing"),
        ([KEY, KEY, VERSION], 400, "Sec-WebSocket-Key comes more than once"),
        ([KEY, (b"sec-websocket-version", b"8")], 426, "version 13"),
        ([KEY, (b"sec-websocket-version", b"13, 8")], 426, "version 13"),
        ([KEY, VERSION, VERSION], 426, "version 13"),
        ([(b"sec-websocket-key", b""), VERSION], 400, "16 bytes"),
        ([(b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25j"), VERSION], 400, "16 bytes"),
        ([(b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ"), VERSION], 400, "16 bytes"),
        ([(b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25*ZQ=="), VERSION], 400, "16 bytes"),
        ([(b"sec-websocket-key", b"\xff" * 24), VERSION], 400, "16 bytes"),
        ([*BOTH, (b"sec-websocket-protocol", b"a b")], 400, "list of names"),
        ([*BOTH, (b"sec-websocket-protocol", b"\xe5")], 400, "list of names"),
    ],
)
def test_handshake_against_the_rules_is_refused(headers, status, reason):
    error = refusal(headers=headers)
    assert error.status == status
    assert reason in error.reason


def test_other_version_is_told_which_one_is_spoken():
    assert refusal(headers=[KEY, (b"sec-websocket-version", b"7")]).headers == [VERSION]


def test_other_method_is_refused():
    assert refusal(method="POST").status == 400


def test_subprotocols_keep_their_order_over_several_fields():
    shaken = handshake((b"sec-websocket-protocol", b"chat, superchat"), (b"sec-websocket-protocol", b" ,v2.x"))
    assert shaken.subprotocols == ["chat", "superchat", "v2.x"]


def test_subprotocol_that_was_offered_is_accepted():
    fields, _ = handshake((b"sec-websocket-protocol", b"chat, superchat")).accept("superchat", [])
    assert fields == [ACCEPT, (b"sec-websocket-protocol", b"superchat")]


@pytest.mark.parametrize(
    ("subprotocol", "error", "words"),
    [
        ("chat", ValueError, r"'chat' was not offered by the client \(offered: none\)"),
        ("", ValueError, "was not offered"),
        (b"chat", TypeError, "must be str or None, not bytes"),
        (1, TypeError, "must be str or None, not int"),
    ],
)
def test_subprotocol_that_was_not_offered_is_an_error(subprotocol, error, words):
    with pytest.raises(error, match=words):
        handshake().accept(subprotocol, None)


def test_headers_of_the_application_come_in_order():
    mine = [(b"x-a", b"1"), [b"Set-Cookie", b"a=b"], (b"set-cookie", b"c=d")]
    fields, _ = handshake().accept(None, iter(mine))
    assert fields == [ACCEPT, (b"x-a", b"1"), (b"Set-Cookie", b"a=b"), (b"set-cookie", b"c=d")]


@pytest.mark.parametrize(
    ("headers", "error", "words"),
    [
        (7, TypeError, "an iterable of pairs, not int"),
        ([b"x-a"], TypeError, "a pair of name and value"),
        ([(b"x-a",)], TypeError, "a pair of name and value"),
        ([7], TypeError, "a pair of name and value"),
        ([b"ab"], TypeError, "must be bytes"),
        ([("x-a", "1")], TypeError, "must be bytes"),
        ([(b"x-a", "1")], TypeError, "must be bytes"),
        ([(b"", b"1")], ValueError, "no name of a header"),
        ([(b"x a", b"1")], ValueError, "no name of a header"),
        ([(b"x\r\ny", b"1")], ValueError, "no name of a header"),
        ([(b"x-a", b"1\r\nset-cookie: b")], ValueError, "CR, LF or NUL"),
        ([(b"x-a", b"1\n")], ValueError, "CR, LF or NUL"),
        ([(b"x-a", b"\0")], ValueError, "CR, LF or NUL"),
        ([(b"Sec-WebSocket-Protocol", b"chat")], ValueError, "belongs into 'subprotocol'"),
        ([(b"Sec-WebSocket-Accept", b"x")], ValueError, "belongs to the server"),
        ([(b"Sec-WebSocket-Extensions", b"x")], ValueError, "belongs to the server"),
        ([(b"Connection", b"close")], ValueError, "belongs to the server"),
        ([(b"upgrade", b"h2c")], ValueError, "belongs to the server"),
        ([(b"transfer-encoding", b"chunked")], ValueError, "belongs to the server"),
        ([(b"content-length", b"0")], ValueError, "belongs to the server"),
    ],
)
def test_headers_that_cannot_be_sent_are_errors_that_name_the_mistake(headers, error, words):
    with pytest.raises(error, match=words):
        handshake().accept(None, headers)


# --- compression: RFC 7692 7.1 ---


def agreed(offer, **how):
    fields, deflate = handshake((b"sec-websocket-extensions", offer), **how).accept(None, None)
    answer = dict(fields).get(b"sec-websocket-extensions")
    assert (answer is None) == (deflate is None)
    return answer


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (b"permessage-deflate", b"permessage-deflate"),
        (b"permessage-deflate; server_no_context_takeover", b"permessage-deflate; server_no_context_takeover"),
        (b"permessage-deflate;client_no_context_takeover", b"permessage-deflate; client_no_context_takeover"),
        (b"permessage-deflate; server_max_window_bits=10", b"permessage-deflate; server_max_window_bits=10"),
        (b'permessage-deflate; server_max_window_bits = "10"', b"permessage-deflate; server_max_window_bits=10"),
        (b"permessage-deflate; client_max_window_bits=9", b"permessage-deflate; client_max_window_bits=9"),
        (b"x-other, permessage-deflate", b"permessage-deflate"),
        # The first that can be had: zlib makes no window of 8 bits.
        (b"permessage-deflate; server_max_window_bits=8, permessage-deflate", b"permessage-deflate"),
    ],
)
def test_offer_of_compression_is_taken(offer, answer):
    assert agreed(offer) == answer


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        b"x-other",
        b"x-webkit-deflate-frame",
        b"permessage-deflate; unknown",
        b"permessage-deflate; server_max_window_bits",
        b"permessage-deflate; server_max_window_bits=16",
        b"permessage-deflate; server_max_window_bits=7",
        b"permessage-deflate; server_max_window_bits=010",
        b"permessage-deflate; server_max_window_bits=x",
        b"permessage-deflate; server_no_context_takeover=1",
        b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        b"permessage-deflate; client_max_window_bits=",
        b"permessage-deflate;;",
        b"permessage-deflate \xff",
    ],
)
def test_offer_against_the_rules_is_passed_over(offer):
    assert agreed(offer) is None


def test_client_window_that_is_left_to_the_server_is_answered():
    assert agreed(b"permessage-deflate; client_max_window_bits") == b"permessage-deflate; client_max_window_bits=15"


def test_compression_that_is_switched_off_is_not_agreed_on():
    assert agreed(b"permessage-deflate", compression=False) is None
