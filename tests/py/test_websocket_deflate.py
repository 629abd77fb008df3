# SPDX-License-Identifier: MIT
"""Compressed messages: both directions, their contexts, and what must not swell."""

import tracemalloc
import zlib

import pytest
from smisk.websocket import InflateError, TooBigError
from smisk.websocket.deflate import Deflate, agree

TAIL = b"\x00\x00\xff\xff"


def deflate(offer="permessage-deflate", max_size=1000):
    agreed = agree(offer)
    assert agreed is not None
    return Deflate(agreed[1], max_size)


class Client:
    """The other end, by zlib alone."""

    def __init__(self, bits=15):
        self.out = zlib.compressobj(6, zlib.DEFLATED, -bits)
        self.into = zlib.decompressobj(-bits)

    def write(self, data):
        return (self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)

    def read(self, payload):
        return self.into.decompress(payload + TAIL)


@pytest.mark.parametrize(
    "payload",
    [
        "f248cdc9c90700",  # RFC 7692 7.2.3.1: one block
        "000500faff48656c6c6f00",  # 7.2.3.3: not compressed
        "f348cdc9c9070000",  # 7.2.3.4: a final block, then an empty one
        "f24805000000ffffcac9c90700",  # 7.2.3.5: two blocks
    ],
)
def test_examples_of_the_rfc_are_inflated(payload):
    work = deflate()
    for _ in range(2):
        assert work.inflate(bytes.fromhex(payload)) == b"Hello"


def test_second_message_uses_the_window_of_the_first():
    work = deflate()
    assert work.inflate(bytes.fromhex("f248cdc9c90700")) == b"Hello"
    assert work.inflate(bytes.fromhex("f200110000")) == b"Hello"  # RFC 7692 7.2.3.2


def test_window_is_not_kept_where_that_was_agreed():
    work = deflate("permessage-deflate; client_no_context_takeover")
    assert work.inflate(bytes.fromhex("f248cdc9c90700")) == b"Hello"
    with pytest.raises(InflateError):
        work.inflate(bytes.fromhex("f200110000"))


def test_empty_message_is_one_byte():
    assert deflate().deflate(b"") == b"\x00"  # RFC 7692 7.2.3.6
    assert deflate().inflate(b"\x00") == b""


@pytest.mark.parametrize("offer", ["permessage-deflate", "permessage-deflate; server_max_window_bits=9"])
@pytest.mark.parametrize("takeover", ["", "; server_no_context_takeover"])
def test_what_is_sent_can_be_read(offer, takeover):
    work, client = deflate(offer + takeover), Client(9 if "=9" in offer else 15)
    for message in (b"Hello", b"Hello", b"", bytes(range(256)) * 300, b"Hello" * 1000):
        assert client.read(work.deflate(message)) == message


def test_server_keeps_no_context_where_that_was_agreed():
    work = deflate("permessage-deflate; server_no_context_takeover")
    assert work.deflate(b"Hello, Hello") == work.deflate(b"Hello, Hello")
    work = deflate()
    assert len(work.deflate(b"Hello, you there")) > len(work.deflate(b"Hello, you there"))


def test_message_at_the_limit_is_taken():
    client, work = Client(), deflate(max_size=1000)
    assert work.inflate(client.write(b"a" * 1000)) == b"a" * 1000
    with pytest.raises(TooBigError):
        work.inflate(client.write(b"a" * 1001))


def test_bomb_is_stopped_at_the_limit():
    bomb = Client().write(bytes(200 * 1024 * 1024))
    work = deflate(max_size=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooBigError):
            work.inflate(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_bomb_of_two_streams_is_stopped_at_the_limit():
    final = zlib.compressobj(9, zlib.DEFLATED, -15)
    half = final.compress(b"a" * 600) + final.flush()
    with pytest.raises(TooBigError):
        deflate(max_size=1000).inflate(half + half)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xff",  # a reserved kind of block
        b"\x00\x05\x00\x00\x00Hello",  # a length and its complement that disagree
        b"\x03\x00\x03\x00\x03\x00\x03\x00",  # one final block after the other
    ],
)
def test_what_deflate_does_not_write_is_an_error(payload):
    with pytest.raises(InflateError):
        deflate().inflate(payload)


def test_message_after_a_final_block_begins_anew():
    work = deflate()
    final = zlib.compressobj(9, zlib.DEFLATED, -15)
    assert work.inflate(final.compress(b"Hello") + final.flush()) == b"Hello"
    assert work.inflate(Client().write(b"again")) == b"again"
