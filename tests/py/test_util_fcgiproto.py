# SPDX-License-Identifier: MIT
"""FastCGI records and pairs in Python; expected bytes are written from the FastCGI specification 1.0."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from smisk.util import fcgiproto
from smisk.util.fcgiproto import Channel, FastCGIError, Record, getLenBytes, parseNameValues, writeNameValue

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets that do not wait for ever."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(10)
        right.settimeout(10)
        yield left, right


# --- constants (section 8) ---


def test_constants_are_those_of_the_specification() -> None:
    names = (
        "BEGIN_REQUEST ABORT_REQUEST END_REQUEST PARAMS STDIN STDOUT STDERR DATA GET_VALUES GET_VALUES_RESULT "
        "UNKNOWN_TYPE"
    )
    assert [getattr(fcgiproto, f"FCGI_{name}") for name in names.split()] == list(range(1, 12))
    assert [getattr(fcgiproto, f"FCGI_{name}") for name in ("RESPONDER", "AUTHORIZER", "FILTER")] == [1, 2, 3]
    statuses = ("REQUEST_COMPLETE", "CANT_MPX_CONN", "OVERLOADED", "UNKNOWN_ROLE")
    assert [getattr(fcgiproto, f"FCGI_{name}") for name in statuses] == [0, 1, 2, 3]
    assert (fcgiproto.FCGI_KEEP_CONN, fcgiproto.FCGI_MAX_PACKET_LEN) == (1, 0xFFFF)


# --- records (section 3.3) ---


@pytest.mark.parametrize(
    ("content", "padding"), [(b"", 0), (b"x", 7), (b"1234567", 1), (b"12345678", 0), (b"123456789", 7)]
)
def test_record_is_written_with_padding_to_eight(content: bytes, padding: int) -> None:
    record = Record(6, 258, content)
    head = bytes([1, 6, 1, 2, 0, len(content), padding, 0])
    assert record.toOutputString() == head + content + bytes(padding)
    assert record.totalLength() == len(content) + padding


def test_record_header_tells_what_follows() -> None:
    record = Record.fromHeaderString(b"\x01\x05\xff\xfe\x01\x00\x07\x99")
    assert (record.version, record.type, record.reqId) == (1, 5, 0xFFFE)
    assert (record.length, record.padding, record.totalLength()) == (256, 7, 263)
    assert record.content == b""


def test_record_of_longest_content_is_written() -> None:
    assert len(Record(6, 1, b"x" * 65535).toOutputString()) == 8 + 65536


@pytest.mark.parametrize(
    "arguments",
    [(6, 1, b"x" * 65536), (256, 1), (-1, 1), (6, 65536), (6, -1), (6, 1, b"", 256)],
)
def test_record_that_has_no_room_is_valueerror(arguments: tuple[int, int, bytes]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        Record(*arguments)


@pytest.mark.parametrize("header", [b"", b"\x01" * 7, b"\x01" * 9])
def test_header_of_wrong_length_is_error(header: bytes) -> None:
    with pytest.raises(FastCGIError, match="8 bytes"):
        Record.fromHeaderString(header)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_header_of_other_version_is_error(version: int) -> None:
    with pytest.raises(FastCGIError, match=f"version {version}"):
        Record.fromHeaderString(bytes([version, 1, 0, 1, 0, 0, 0, 0]))


# --- pairs (section 3.4) ---


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x00\x00\x80"),
        (65536, b"\x80\x01\x00\x00"),
        (2**31 - 1, b"\xff\xff\xff\xff"),
    ],
)
def test_length_has_one_byte_or_four(length: int, written: bytes) -> None:
    assert getLenBytes(length) == written


@pytest.mark.parametrize("length", [-1, 2**31])
def test_length_without_encoding_is_valueerror(length: int) -> None:
    with pytest.raises(ValueError, match="a length is"):
        getLenBytes(length)


def test_pairs_are_read_as_they_were_written() -> None:
    pairs = [(b"", b""), (b"A", b""), (b"NAME", b"v" * 127), (b"n" * 128, b"\x00\xff" * 70000)]
    assert list(parseNameValues(b"".join(writeNameValue(*pair) for pair in pairs))) == pairs


def test_pairs_with_long_form_of_short_length_are_read() -> None:
    assert list(parseNameValues(b"\x80\x00\x00\x01\x01AB")) == [(b"A", b"B")]


def test_no_pairs_are_read_from_nothing() -> None:
    assert list(parseNameValues(b"")) == []


def test_pairs_cut_anywhere_are_error() -> None:
    whole = writeNameValue(b"n" * 200, b"v")
    for length in range(1, len(whole)):
        with pytest.raises(FastCGIError):
            list(parseNameValues(whole[:length]))


def test_pairs_with_length_past_the_end_cost_no_memory() -> None:
    with pytest.raises(FastCGIError, match="has only 2"):
        list(parseNameValues(b"\xff\xff\xff\xff\xff\xff\xff\xffAB"))


# --- channels ---


def test_channel_reads_what_channel_writes(pair: Pair) -> None:
    left, right = Channel(pair[0]), Channel(pair[1])
    left.writePacket(Record(5, 7, b"body"))
    left.writePacket(Record(5, 7))
    for content in (b"body", b""):
        record = right.readPacket()
        assert record is not None
        assert (record.type, record.reqId, record.content) == (5, 7, content)


def test_channel_reads_record_that_comes_byte_by_byte(pair: Pair) -> None:
    channel = Channel(pair[1])
    data = Record(6, 1, b"slow").toOutputString()
    for at in range(len(data) - 1):
        pair[0].sendall(data[at : at + 1])
        assert channel.readPacket(tryrecv=True) is None
    pair[0].sendall(data[-1:])
    record = channel.readPacket(tryrecv=True)
    assert record is not None
    assert record.content == b"slow"


def test_channel_at_the_end_reads_none(pair: Pair) -> None:
    channel = Channel(pair[1])
    pair[0].sendall(Record(6, 1).toOutputString())
    pair[0].close()
    assert channel.readPacket() is not None
    assert channel.readPacket() is None


def test_channel_at_the_end_within_a_record_is_error(pair: Pair) -> None:
    data = Record(6, 1, b"cut").toOutputString()
    pair[0].sendall(data[:-1])
    pair[0].close()
    with pytest.raises(FastCGIError, match="into a record"):
        Channel(pair[1]).readPacket()


def test_channel_that_gets_no_fastcgi_is_error(pair: Pair) -> None:
    pair[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(FastCGIError, match="version 71"):
        Channel(pair[1]).readPacket()


def test_channel_writes_stream_in_records_that_end(pair: Pair) -> None:
    left, right = Channel(pair[0]), Channel(pair[1])
    body = bytes(range(256)) * 300

    def write() -> None:
        left.writeStream(fcgiproto.FCGI_STDIN, 1, body)
        pair[0].shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write)
    writer.start()
    records = list(iter(right.readPacket, None))
    writer.join()
    assert b"".join(record.content for record in records) == body
    assert [len(record.content) for record in records] == [65528, len(body) - 65528, 0]


# --- the server's half ---


class Recorder(Channel):
    """Notes what comes."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.events: list[tuple[object, ...]] = []

    def beginRequest(self, reqId: int, role: int, flags: int) -> None:
        self.events.append(("begin", reqId, role, flags))

    def abortRequest(self, reqId: int) -> None:
        self.events.append(("abort", reqId))

    def params(self, reqId: int, content: bytes) -> None:
        self.events.append(("params", reqId, content))

    def stdin(self, reqId: int, content: bytes) -> None:
        self.events.append(("stdin", reqId, content))

    def data(self, reqId: int, content: bytes) -> None:
        self.events.append(("data", reqId, content))


def test_server_gets_request_by_its_methods(pair: Pair) -> None:
    server = Recorder(pair[1])
    server.handlePacket(Record(1, 3, b"\x00\x03\x01" + bytes(5)))
    for kind in (4, 5, 8):
        server.handlePacket(Record(kind, 3, b"%d" % kind))
    server.handlePacket(Record(2, 3))
    assert server.events == [
        ("begin", 3, 3, 1),
        ("params", 3, b"4"),
        ("stdin", 3, b"5"),
        ("data", 3, b"8"),
        ("abort", 3),
    ]


def test_server_answers_get_values_with_what_it_knows(pair: Pair) -> None:
    Channel(pair[1]).handlePacket(
        Record(9, 0, writeNameValue(b"FCGI_MPXS_CONNS", b"") + writeNameValue(b"FCGI_OTHER", b""))
    )
    record = Channel(pair[0]).readPacket()
    assert record is not None
    assert (record.type, record.reqId, record.content) == (10, 0, b"\x0f\x01FCGI_MPXS_CONNS0")


def test_server_answers_unknown_management_record(pair: Pair) -> None:
    Channel(pair[1]).handlePacket(Record(77, 0, b"?"))
    record = Channel(pair[0]).readPacket()
    assert record is not None
    assert (record.type, record.content) == (11, bytes([77, 0, 0, 0, 0, 0, 0, 0]))


def test_server_ends_request(pair: Pair) -> None:
    Channel(pair[1]).endRequest(5, appStatus=258, protocolStatus=fcgiproto.FCGI_OVERLOADED)
    record = Channel(pair[0]).readPacket()
    assert record is not None
    assert (record.type, record.reqId, record.content) == (3, 5, struct.pack(">IBBBB", 258, 2, 0, 0, 0))


@pytest.mark.parametrize("record", [Record(6, 1, b"?"), Record(99, 1), Record(1, 1, b"short")])
def test_server_refuses_what_no_client_sends(pair: Pair, record: Record) -> None:
    with pytest.raises(FastCGIError):
        Channel(pair[1]).handlePacket(record)
