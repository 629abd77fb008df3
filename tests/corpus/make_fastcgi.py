#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The FastCGI corpus in a form that people can read: writes fastcgi/{valid,invalid}/NAME.bin and NAME.expect.

Every expectation is written by hand from the FastCGI specification; nothing here asks the parser. Run it after a
change; ``--check`` only compares, and ends with status 1 when a file differs. README.md describes the expectations.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

__all__ = ["CASES", "Case", "main"]

ROOT = Path(__file__).resolve().parent / "fastcgi"

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN = range(1, 12)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP = 1


def record(kind: int, request_id: int, content: bytes = b"", padding: int = 0, version: int = 1) -> bytes:
    """One record (section 3.3): header, content, padding of bytes that nobody may look at."""
    return struct.pack("!BBHHBB", version, kind, request_id, len(content), padding, 0) + content + b"\xee" * padding


def begin(request_id: int = 1, role: int = RESPONDER, flags: int = 0, padding: int = 0) -> bytes:
    """FCGI_BEGIN_REQUEST (section 5.1)."""
    return record(BEGIN, request_id, struct.pack("!HB5x", role, flags), padding)


def size(length: int, long: bool = False) -> bytes:
    """A length as section 3.4 encodes it: one byte, or four with the top bit set."""
    return bytes([length]) if length < 128 and not long else struct.pack("!I", length | 0x80000000)


def pair(name: str | bytes, value: str | bytes, long: bool = False) -> bytes:
    """One name-value pair (section 3.4); ``long`` takes four bytes where one would do."""
    name = name.encode() if isinstance(name, str) else name
    value = value.encode() if isinstance(value, str) else value
    return size(len(name), long) + size(len(value), long) + name + value


def params(block: bytes, request_id: int = 1, piece: int = 65535, padding: int = 0) -> bytes:
    """A PARAMS stream in records of ``piece`` bytes, ended."""
    pieces = [block[i : i + piece] for i in range(0, len(block), piece)]
    records = [record(PARAMS, request_id, content, padding) for content in pieces]
    return b"".join([*records, record(PARAMS, request_id, b"", padding)])


def stdin(body: bytes = b"", request_id: int = 1, padding: int = 0) -> bytes:
    """A STDIN stream of at most one record, ended."""
    return (record(STDIN, request_id, body, padding) if body else b"") + record(STDIN, request_id)


class Case:
    """One file: what is sent, why, and what must be reported."""

    def __init__(self, name: str, data: bytes, why: str, expect: str, max_fields: int | None = None) -> None:
        self.name = name  # "valid/NAME" or "invalid/NAME"
        self.data = data
        limits = "" if max_fields is None else f"limits header=8192 headers={max_fields} body=1048576\n"
        lines = [line.strip() for line in expect.strip().splitlines()]
        # Lines that begin with ">" belong to the event above them.
        events = "".join((" " + line[1:].lstrip() if line.startswith(">") else line) + "\n" for line in lines)
        self.expect = f"# {why}\n{limits}{events}"


SMALL = pair("REQUEST_METHOD", "GET") + pair("SCRIPT_NAME", "/a")
SMALL_HEAD = """params 1 ok
    > method GET
    > script /a
    > field REQUEST_METHOD=GET
    > field SCRIPT_NAME=/a"""
EMPTY_PARAMS = record(PARAMS, 1)
B1 = "begin 1 role=1 close"


def block_case(name: str, block: bytes, why: str, outcome: str, max_fields: int | None = None) -> Case:
    """A request whose params are ``block``."""
    data = begin() + params(block) + stdin()
    return Case(name, data, why, f"{B1}\nparams 1 {outcome}\nstdin 1 end", max_fields)


NGINX_VARIABLES = """QUERY_STRING=x=1&y=2
REQUEST_METHOD=POST
CONTENT_TYPE=text/plain
CONTENT_LENGTH=5
SCRIPT_NAME=/app
PATH_INFO=/p
REQUEST_URI=/app/p?x=1&y=2
SERVER_PROTOCOL=HTTP/1.1
HTTP_HOST=example.com
HTTP_X_A=""".splitlines()
NGINX = b"".join(pair(line.partition("=")[0], line.partition("=")[2]) for line in NGINX_VARIABLES)
NGINX_HEAD = """> method POST
    > target /app/p?x=1&y=2
    > script /app
    > path /p
    > query x=1&y=2
    > protocol HTTP/1.1
    > host example.com
    > type text/plain
    > length 5
    """ + "\n".join(f"> field {line}" for line in NGINX_VARIABLES)

RECORDS = [
    Case(
        "valid/get",
        begin() + params(SMALL) + stdin(),
        "Section 6.2: a responder's request.",
        f"{B1}\n{SMALL_HEAD}\nstdin 1 end",
    ),
    Case(
        "valid/post",
        begin(flags=KEEP) + params(NGINX) + stdin(b"hello"),
        "Section 6.2, with a body and FCGI_KEEP_CONN.",
        f"begin 1 role=1 keep\nparams 1 ok\n{NGINX_HEAD}\nstdin 1 hello\nstdin 1 end",
    ),
    Case(
        "valid/authorizer",
        begin(role=AUTHORIZER) + params(SMALL),
        "Section 6.3: no STDIN is sent to an authorizer.",
        f"begin 1 role=2 close\n{SMALL_HEAD}",
    ),
    Case(
        "valid/filter",
        begin(role=FILTER) + params(SMALL) + stdin(b"in") + record(DATA, 1, b"file") + record(DATA, 1),
        "Section 6.4: STDIN, then DATA.",
        f"begin 1 role=3 close\n{SMALL_HEAD}\nstdin 1 in\nstdin 1 end\ndata 1 file\ndata 1 end",
    ),
    Case(
        "valid/role_unknown",
        begin(role=0x1234) + params(b"") + stdin(),
        "Section 5.5: the reader reports any role; the engine answers FCGI_UNKNOWN_ROLE.",
        "begin 1 role=4660 close\nparams 1 ok\nstdin 1 end",
    ),
    Case("valid/flags_unknown", begin(flags=0xFE), "Section 5.1: other flags than FCGI_KEEP_CONN mean nothing.", B1),
    Case("valid/flags_all", begin(flags=0xFF), "Section 5.1: FCGI_KEEP_CONN among others.", "begin 1 role=1 keep"),
    Case(
        "valid/id_largest",
        begin(65535) + record(STDIN, 65535, b"a") + record(ABORT, 65535),
        "Section 3.3: ids have 16 bits.",
        "begin 65535 role=1 close\nstdin 65535 a\nabort 65535",
    ),
    Case(
        "valid/id_256",
        begin(256) + record(STDIN, 256),
        "Section 3.3: an id whose low byte is 0 is not the null id.",
        "begin 256 role=1 close\nstdin 256 end",
    ),
    Case("valid/abort", begin() + record(ABORT, 1), "Section 5.4.", f"{B1}\nabort 1"),
    Case(
        "valid/abort_with_content",
        begin() + record(ABORT, 1, b"\x01\x02") + record(STDIN, 1),
        "Section 5.4: an abort has no content; what is there is skipped.",
        f"{B1}\nabort 1\nstdin 1 end",
    ),
    Case(
        "valid/abort_unknown_id",
        record(ABORT, 7),
        "Section 3.3: whether an id is alive is the engine's business.",
        "abort 7",
    ),
    Case(
        "valid/reserved_bytes",
        b"\x01\x05\x00\x01\x00\x01\x00\xff" + b"x",
        "Section 3.3: the reserved byte is not looked at.",
        "stdin 1 x",
    ),
    Case(
        "valid/padding_everywhere",
        begin(padding=255) + params(SMALL, padding=7) + stdin(b"x", padding=1),
        "Section 3.3: any padding after any record, after the end of a stream too.",
        f"{B1}\n{SMALL_HEAD}\nstdin 1 x\nstdin 1 end",
    ),
    Case(
        "valid/padding_255_on_full_record",
        record(STDIN, 1, b"x" * 65535, 255) + record(STDIN, 1),
        "The longest content with the longest padding: 65,790 bytes, no sum of 16 bits.",
        "stdin 1 " + "x" * 65535 + "\nstdin 1 end",
    ),
    Case(
        "valid/padding_longer_than_content",
        record(STDIN, 1, b"x", 200) + record(STDIN, 1),
        "Section 3.3.",
        "stdin 1 x\nstdin 1 end",
    ),
    Case(
        "valid/records_of_one_byte",
        begin()
        + params(SMALL, piece=1)
        + b"".join(record(STDIN, 1, bytes([c])) for c in b"hello")
        + record(STDIN, 1),
        "Section 3.3: a stream is the sum of its records, however small.",
        f"{B1}\n{SMALL_HEAD}\nstdin 1 hello\nstdin 1 end",
    ),
    Case(
        "valid/interleaved",
        begin(1)
        + begin(2, flags=KEEP)
        + record(STDIN, 1, b"a")
        + record(STDIN, 2, b"b")
        + record(STDIN, 1, b"c")
        + record(STDIN, 2)
        + record(STDIN, 1),
        "Section 3.3: requests share a connection.",
        f"{B1}\nbegin 2 role=1 keep\nstdin 1 a\nstdin 2 b\nstdin 1 c\nstdin 2 end\nstdin 1 end",
    ),
    Case(
        "valid/interleaved_params",
        begin(1)
        + begin(2)
        + record(PARAMS, 1, SMALL[:5])
        + record(PARAMS, 2, b"\x01\x01")
        + record(PARAMS, 1, SMALL[5:])
        + record(PARAMS, 2, b"NV")
        + record(PARAMS, 2)
        + record(PARAMS, 1),
        "Sections 3.3, 3.4: a pair split over records of two requests in turn.",
        f"{B1}\nbegin 2 role=1 close\nparams 2 ok\n> field N=V\n{SMALL_HEAD}",
    ),
    Case(
        "valid/stdin_before_params",
        begin() + record(STDIN, 1, b"x") + params(SMALL),
        "The reader knows records, not their order.",
        f"{B1}\nstdin 1 x\n{SMALL_HEAD}",
    ),
    Case(
        "valid/stream_ended_twice",
        record(STDIN, 1) + record(STDIN, 1),
        "Every empty record is reported.",
        "stdin 1 end\nstdin 1 end",
    ),
    Case(
        "valid/pipelined_requests",
        (begin(flags=KEEP) + params(SMALL) + stdin()) * 2,
        "Section 5.1: the next request on a kept connection may reuse the id.",
        "\n".join(["begin 1 role=1 keep", SMALL_HEAD, "stdin 1 end"] * 2),
    ),
    Case(
        "valid/body_of_record_headers",
        record(STDIN, 1, begin(9) + record(99, 0)) + record(STDIN, 1),
        "Content that looks like records is content.",
        r"stdin 1 \x01\x01\x00\x09\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01c\x00\x00\x00\x00\x00\x00"
        "\nstdin 1 end",
    ),
    Case(
        "valid/get_values",
        record(GET_VALUES, 0, pair("FCGI_MAX_CONNS", "") + pair("FCGI_MPXS_CONNS", "")),
        "Section 4.1.",
        "values\n> pair FCGI_MAX_CONNS=\n> pair FCGI_MPXS_CONNS=",
    ),
    Case("valid/get_values_empty", record(GET_VALUES, 0, b"", 3), "Section 4.1: asks for nothing.", "values"),
    Case(
        "valid/get_values_within_request",
        begin() + record(GET_VALUES, 0, pair("X", ""), 7) + record(STDIN, 1),
        "Section 3.3: management records may come at any time.",
        f"{B1}\nvalues\n> pair X=\nstdin 1 end",
    ),
    Case(
        "valid/management_unknown",
        record(42, 0, b"abc", 5) + record(STDIN, 1),
        "Section 4.2: content is skipped, type reported.",
        "unknown 42\nstdin 1 end",
    ),
    Case(
        "valid/management_type_0_and_255",
        record(0, 0) + record(255, 0),
        "Section 4.2: any type without a meaning.",
        "unknown 0\nunknown 255",
    ),
    Case(
        "valid/management_results_skipped",
        record(GET_VALUES_RESULT, 0, pair("A", "b")) + record(UNKNOWN, 0, b"\0" * 8) + record(STDIN, 1),
        "Section 8: answers that only applications give; an answer to them could go on for ever.",
        "stdin 1 end",
    ),
    Case(
        "valid/application_unknown_skipped",
        record(42, 1, b"abc", 5) + record(STDIN, 1),
        "Section 3.3: only management records are answered with UNKNOWN_TYPE.",
        "stdin 1 end",
    ),
    Case(
        "valid/server_types_skipped",
        b"".join(record(kind, 1, b"abc") for kind in (END, STDOUT, STDERR, GET_VALUES, UNKNOWN)) + record(STDIN, 1),
        "Section 8: records that a server never sends to an application.",
        "stdin 1 end",
    ),
    Case("valid/nothing", b"", "Nothing has come yet.", ""),
    Case(
        "valid/header_incomplete",
        begin() + b"\x01\x05\x00\x01\x00\x01\x00",
        "Seven bytes of a header.",
        f"{B1}\nmore",
    ),
    Case("valid/begin_incomplete", begin()[:15], "BEGIN_REQUEST waits until it is whole.", "more"),
    Case(
        "valid/values_incomplete",
        record(GET_VALUES, 0, pair("X", ""))[:-1],
        "GET_VALUES waits until it is whole.",
        "more",
    ),
    Case(
        "valid/content_incomplete",
        record(STDIN, 1, b"hello")[:-2],
        "Stream content is reported as it comes.",
        "stdin 1 hel\nmore",
    ),
    Case(
        "valid/padding_incomplete",
        record(STDIN, 1, b"hello", 4)[:-1],
        "Padding belongs to the record.",
        "stdin 1 hello\nmore",
    ),
]

BROKEN_RECORDS = [
    Case("invalid/version_0", record(STDIN, 1, version=0), "Section 3.3: FCGI_VERSION_1 is the only one.", "bad"),
    Case("invalid/version_2", begin() + record(STDIN, 1, version=2), "Section 3.3.", f"{B1}\nbad"),
    Case(
        "invalid/http_request",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP on a FastCGI port: known from its first byte.",
        "bad",
    ),
    Case("invalid/tls_hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "TLS on a FastCGI port.", "bad"),
    Case(
        "invalid/begin_short",
        record(BEGIN, 1, b"\0\1\0\0\0\0\0"),
        "Section 5.1: FCGI_BeginRequestBody has 8 bytes.",
        "bad",
    ),
    Case(
        "invalid/begin_long",
        record(BEGIN, 1, b"\0\1\0\0\0\0\0\0\0"),
        "Section 5.1: FCGI_BeginRequestBody has 8 bytes.",
        "bad",
    ),
    Case("invalid/begin_empty", record(BEGIN, 1), "Section 5.1.", "bad"),
    Case("invalid/begin_id_0", begin(0), "Section 3.3: id 0 is for management records.", "bad"),
    Case("invalid/params_id_0", record(PARAMS, 0, SMALL), "Section 3.3: a stream with the null id.", "bad"),
    Case(
        "invalid/stdin_id_0",
        begin() + params(SMALL) + record(STDIN, 0, b"x"),
        "Section 3.3: a stream with the null id.",
        f"{B1}\n{SMALL_HEAD}\nbad",
    ),
    Case("invalid/data_id_0", record(DATA, 0), "Section 3.3: a stream with the null id.", "bad"),
    Case("invalid/abort_id_0", record(ABORT, 0), "Section 3.3: an application record with the null id.", "bad"),
    Case("invalid/stdout_id_0", record(STDOUT, 0, b"x"), "Section 3.3: a stream with the null id.", "bad"),
    Case(
        "invalid/end_id_0", record(END, 0, b"\0" * 8), "Section 3.3: an application record with the null id.", "bad"
    ),
    Case(
        "invalid/padding_shorter_than_said",
        record(STDIN, 1, b"x", 8)[:-4] + record(STDIN, 1) + record(STDIN, 1),
        "Padding that is not there eats the next header, and what follows is no record.",
        "stdin 1 x\nbad",
    ),
    Case(
        "invalid/content_longer_than_said",
        b"\x01\x05\x00\x01\x00\x01\x00\x00" + b"xy",
        "Where a header must begin there is none.",
        "stdin 1 x\nbad",
    ),
    Case(
        "invalid/values_malformed",
        record(GET_VALUES, 0, b"\x05\x00abc"),
        "Section 3.4: a name that runs past the record.",
        "values\n> malformed",
    ),
]

LONG = "v" * 127
PAIRS = [
    block_case("valid/params_none", b"", "An empty stream is an empty list.", "ok"),
    block_case(
        "valid/params_long_lengths",
        pair("A", "b", long=True) + pair("C", "", long=True),
        "Section 3.4: four-byte lengths where one byte would do.",
        "ok\n> field A=b\n> field C=",
    ),
    block_case(
        "valid/params_127_128",
        pair("A", LONG) + pair("B", LONG + "v") + pair("N" * 128, "x"),
        "Section 3.4: where lengths change from one byte to four.",
        f"ok\n> field A={LONG}\n> field B={LONG}v\n> field {'N' * 128}=x",
    ),
    Case(
        "valid/params_value_over_64k",
        begin() + params(pair("A", "v" * 70000)) + stdin(),
        "Section 3.4: a value that needs two records.",
        f"{B1}\nparams 1 ok\n> field A={'v' * 70000}\nstdin 1 end",
    ),
    Case(
        "valid/params_split_in_lengths",
        begin() + params(pair("NAME", "value", long=True), piece=3) + stdin(),
        "Sections 3.3, 3.4: records end within the lengths.",
        f"{B1}\nparams 1 ok\n> field NAME=value\nstdin 1 end",
    ),
    block_case(
        "valid/params_max_fields",
        pair("A", "1") + pair("B", "2"),
        "As many as allowed.",
        "ok\n> field A=1\n> field B=2",
        max_fields=2,
    ),
    block_case(
        "valid/params_repeated",
        pair("SCRIPT_NAME", "/a") + pair("SCRIPT_NAME", "/b"),
        "RFC 3875 4.1: as in an environment, the last one counts.",
        "ok\n> script /b\n> field SCRIPT_NAME=/a\n> field SCRIPT_NAME=/b",
    ),
    block_case(
        "valid/params_names_exact",
        pair("script_name", "/a") + pair("XSCRIPT_NAME", "/b") + pair("REQUEST_METHOD2", "x"),
        "RFC 3875 4.1: names are compared whole and with their case.",
        "ok\n> field script_name=/a\n> field XSCRIPT_NAME=/b\n> field REQUEST_METHOD2=x",
    ),
    block_case(
        "valid/params_path_info_empty",
        pair("SCRIPT_NAME", "/a") + pair("PATH_INFO", ""),
        "RFC 3875 4.1.5: an empty PATH_INFO (the class of CVE-2019-11043) is an empty path.",
        "ok\n> script /a\n> field SCRIPT_NAME=/a\n> field PATH_INFO=",
    ),
    block_case(
        "valid/params_query_from_uri",
        pair("REQUEST_URI", "/a?"),
        "A question mark in REQUEST_URI announces a query.",
        "ok\n> target /a?\n> query\n> field REQUEST_URI=/a?",
    ),
    block_case(
        "valid/params_query_without_uri",
        pair("QUERY_STRING", "a"),
        "RFC 3875 4.1.7: REQUEST_URI is no part of CGI.",
        "ok\n> query a\n> field QUERY_STRING=a",
    ),
    block_case(
        "valid/params_query_empty",
        pair("REQUEST_URI", "/a") + pair("QUERY_STRING", ""),
        "RFC 3875 4.1.7: servers send an empty QUERY_STRING when there is none.",
        "ok\n> target /a\n> field REQUEST_URI=/a\n> field QUERY_STRING=",
    ),
    block_case(
        "valid/params_length_empty",
        pair("CONTENT_LENGTH", ""),
        "RFC 3875 4.1.2: empty is absent.",
        "ok\n> field CONTENT_LENGTH=",
    ),
    block_case(
        "valid/params_length_unknown",
        pair("CONTENT_LENGTH", "-1"),
        "Caddy's way to say that the length is not known.",
        "ok\n> field CONTENT_LENGTH=-1",
    ),
    block_case(
        "valid/params_length_zeros",
        pair("CONTENT_LENGTH", "0005"),
        "RFC 3875 4.1.2: 1*DIGIT.",
        "ok\n> length 5\n> field CONTENT_LENGTH=0005",
    ),
    block_case(
        "valid/params_length_twice_equal",
        pair("CONTENT_LENGTH", "5") + pair("CONTENT_LENGTH", "5"),
        "The same length twice says nothing new.",
        "ok\n> length 5\n> field CONTENT_LENGTH=5\n> field CONTENT_LENGTH=5",
    ),
    block_case(
        "valid/params_length_largest",
        pair("CONTENT_LENGTH", "9223372036854775807"),
        "63 bits.",
        "ok\n> length 9223372036854775807\n> field CONTENT_LENGTH=9223372036854775807",
    ),
    block_case(
        "valid/params_of_other_servers",
        pair("UWSGI_FILE", "/tmp/x.py")
        + pair("PHP_VALUE", "auto_prepend_file=x")
        + pair("HTTP_PROXY", "http://evil/"),
        "Parameters that configure other servers are data here.",
        "ok\n> field UWSGI_FILE=/tmp/x.py\n> field PHP_VALUE=auto_prepend_file=x\n> field HTTP_PROXY=http://evil/",
    ),
    block_case(
        "valid/params_control_bytes",
        pair("HTTP_X", "a\r\nb\x1b\xff".encode("latin-1")),
        "Values are opaque but for NUL; the log escapes them.",
        r"ok" "\n" r"> field HTTP_X=a\x0d\x0ab\x1b\xff",
    ),
]

BROKEN_PAIRS = [
    block_case(
        "invalid/params_name_past_end", b"\x05\x00abc", "Section 3.4: a name that runs past the block.", "malformed"
    ),
    block_case(
        "invalid/params_value_past_end",
        b"\x01\x05Aabc",
        "Section 3.4: a value that runs past the block.",
        "malformed",
    ),
    block_case("invalid/params_only_name_length", b"\x01", "Section 3.4: no value length.", "malformed"),
    block_case(
        "invalid/params_long_length_cut",
        b"\x80\x00\x00",
        "Section 3.4: three bytes of a four-byte length.",
        "malformed",
    ),
    block_case(
        "invalid/params_second_length_cut",
        b"\x01\x80\x00\x00",
        "Section 3.4: three bytes of the second length.",
        "malformed",
    ),
    block_case(
        "invalid/params_lengths_wrap_32",
        b"\xff\xff\xff\xff\xff\xff\xff\xffAB",
        "The class of CVE-2025-23016: two lengths of 2^31 - 1 whose sum with 2 wraps at 32 bits.",
        "malformed",
    ),
    block_case(
        "invalid/params_length_wraps_to_small",
        b"\xff\xff\xff\xff\x03AB",
        "2^31 - 1 + 3 is negative in 32 signed bits.",
        "malformed",
    ),
    block_case(
        "invalid/params_value_length_huge",
        b"\x01\xff\xff\xff\xfeA",
        "A value of 2^31 - 2 bytes is not there.",
        "malformed",
    ),
    block_case("invalid/params_empty_name", pair("", "x"), "A parameter has a name.", "bad-bytes"),
    block_case("invalid/params_all_zero", b"\0" * 8, "Pairs of nothing.", "bad-bytes"),
    block_case(
        "invalid/params_nul_in_name", pair("A\0B", "x"), "RFC 3875 4.1: no NUL in an environment.", "bad-bytes"
    ),
    block_case("invalid/params_nul_in_value", pair("PATH_INFO", "/a\0.txt"), "RFC 3875 4.1.5: no NUL.", "bad-bytes"),
    block_case(
        "invalid/params_too_many",
        pair("A", "1") + pair("B", "2") + pair("C", "3"),
        "One more than allowed.",
        "too-many",
        max_fields=2,
    ),
    block_case("invalid/params_length_sign", pair("CONTENT_LENGTH", "+5"), "RFC 3875 4.1.2: 1*DIGIT.", "bad-length"),
    block_case("invalid/params_length_minus", pair("CONTENT_LENGTH", "-2"), "RFC 3875 4.1.2: 1*DIGIT.", "bad-length"),
    block_case("invalid/params_length_space", pair("CONTENT_LENGTH", " 5"), "RFC 3875 4.1.2: 1*DIGIT.", "bad-length"),
    block_case(
        "invalid/params_length_word", pair("CONTENT_LENGTH", "five"), "RFC 3875 4.1.2: 1*DIGIT.", "bad-length"
    ),
    block_case(
        "invalid/params_length_overflow",
        pair("CONTENT_LENGTH", "9223372036854775808"),
        "2^63 must not wrap.",
        "bad-length",
    ),
    block_case(
        "invalid/params_length_overflow_64",
        pair("CONTENT_LENGTH", "18446744073709551621"),
        "2^64 + 5 is not 5.",
        "bad-length",
    ),
    block_case(
        "invalid/params_length_twice",
        pair("CONTENT_LENGTH", "5") + pair("CONTENT_LENGTH", "6"),
        "Two lengths, two requests.",
        "bad-length",
    ),
]

CASES = RECORDS + BROKEN_RECORDS + PAIRS + BROKEN_PAIRS


def main(arguments: list[str]) -> int:
    """Writes all files, or compares them with ``--check``; gives the exit status."""
    files: dict[Path, bytes] = {}
    for case in CASES:
        files[ROOT / f"{case.name}.bin"] = case.data
        files[ROOT / f"{case.name}.expect"] = case.expect.encode("ascii")
    if len(files) != 2 * len(CASES):
        sys.exit("two cases have one name")
    if arguments == ["--check"]:
        there = {path for path in ROOT.rglob("*") if path.is_file()}
        wrong = sorted(
            str(path) for path in there | set(files) if path not in there or path.read_bytes() != files.get(path)
        )
        print("\n".join(wrong) or f"{len(CASES)} cases as written")
        return 1 if wrong else 0
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(CASES)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
