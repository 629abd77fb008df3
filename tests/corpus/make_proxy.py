#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The corpus of PROXY headers in a form that people can read: writes proxy/{valid,invalid}/NAME.bin and NAME.expect.

Every expectation is written by hand from HAProxy's proxy-protocol.txt; nothing here asks the parser. Run it after a
change; ``--check`` only compares, and ends with status 1 when a file differs. README.md describes the expectations.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

__all__ = ["CASES", "main"]

ROOT = Path(__file__).resolve().parent / "proxy"

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UNIX = 0x00, 0x11, 0x12, 0x21, 0x31
GET = b"GET / HTTP/1.1\r\n\r\n"


def v2(command: int, family: int, block: bytes = b"", length: int | None = None) -> bytes:
    """A version 2 header (section 2.2); ``length`` is what it says when that is not the truth."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


def v4(source: str, source_port: int, target: str, target_port: int) -> bytes:
    """The address block of IPv4."""
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", source_port, target_port)


def v6(source: str, source_port: int, target: str, target_port: int) -> bytes:
    """The address block of IPv6."""
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, address) for address in (source, target))
    return addresses + struct.pack("!HH", source_port, target_port)


def tlv(kind: int, value: bytes) -> bytes:
    """One extension (section 2.2.7)."""
    return struct.pack("!BH", kind, len(value)) + value


B4 = v4("192.0.2.1", 56324, "198.51.100.9", 443)
B6 = v6("2001:db8::1", 56324, "2001:db8::2", 443)
SAID4 = "address 192.0.2.1 56324 198.51.100.9 443\nrest"
LONGEST6 = b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

CASES: dict[str, tuple[bytes, str, str]] = {
    # name: (bytes, why, events)
    "valid/v1_tcp4": (
        b"PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n",
        "2.1: protocol, addresses, ports.",
        SAID4,
    ),
    "valid/v1_tcp4_and_request": (
        b"PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n" + GET,
        "What follows the line is the connection's.",
        SAID4 + r" GET / HTTP/1.1\x0d\x0a\x0d\x0a",
    ),
    "valid/v1_tcp6": (
        b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\nx",
        "2.1: ports go from 0 to 65535.",
        "address 2001:db8::1 0 2001:db8::2 65535\nrest x",
    ),
    "valid/v1_tcp6_longest": (
        b"PROXY TCP6 " + LONGEST6 + b" " + LONGEST6 + b" 65535 65535\r\n",
        "2.1: the longest line of TCP6.",
        "address {0} 65535 {0} 65535\nrest".format(LONGEST6.decode()),
    ),
    "valid/v1_tcp6_mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6409 56324 443\r\n",
        "IPv4 in IPv6 is IPv4, so that it is found among trusted networks.",
        SAID4,
    ),
    "valid/v1_unknown": (b"PROXY UNKNOWN\r\nx", "2.1: the short form.", "unknown\nrest x"),
    "valid/v1_unknown_long": (
        b"PROXY UNKNOWN ffff::1 nonsense 70000  \r\nx",
        "2.1: all that follows UNKNOWN must be ignored.",
        "unknown\nrest x",
    ),
    "valid/v1_unknown_107": (
        b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n",
        "2.1: 107 bytes with CRLF are the most.",
        "unknown\nrest",
    ),
    "valid/v2_tcp4": (v2(PROXY, TCP4, B4) + GET, "2.2: IPv4.", SAID4 + r" GET / HTTP/1.1\x0d\x0a\x0d\x0a"),
    "valid/v2_tcp6": (
        v2(PROXY, TCP6, B6),
        "2.2: IPv6.",
        "address 2001:db8::1 56324 2001:db8::2 443\nrest",
    ),
    "valid/v2_tcp4_tlvs": (
        v2(PROXY, TCP4, B4 + tlv(2, b"example.com") + tlv(4, b"") + tlv(0xEA, b"\0" * 300)) + b"x",
        "2.2.7: extensions are skipped, the empty one and the unknown one too.",
        SAID4 + " x",
    ),
    "valid/v2_tcp4_tls": (
        v2(PROXY, TCP4, B4 + tlv(4, b"") + tlv(0x20, b"\x01\0\0\0\0" + tlv(0x21, b"TLSv1.3"))) + b"x",
        "2.2.6: PP2_TYPE_SSL with PP2_CLIENT_SSL: the client came over TLS.",
        SAID4.replace("443", "443 tls") + " x",
    ),
    "valid/v2_tcp4_tls_not": (
        v2(PROXY, TCP4, B4 + tlv(0x20, b"\xfe\0\0\0\0") + tlv(0x20, b"\x01\0\0\0")) + b"x",
        "2.2.6: without PP2_CLIENT_SSL, and too short to say so.",
        SAID4 + " x",
    ),
    "valid/v2_local": (v2(LOCAL, UNSPEC) + b"x", "2.2: a health check.", "local\nrest x"),
    "valid/v2_local_with_block": (
        v2(LOCAL, 0xFF, b"\x07") + b"x",
        "2.2: with LOCAL the block is discarded, the family with it.",
        "local\nrest x",
    ),
    "valid/v2_unspec": (v2(PROXY, UNSPEC, b"abc"), "2.2: no address that is told.", "unknown\nrest"),
    "valid/v2_udp4": (v2(PROXY, UDP4, B4), "2.2: a datagram is nobody's connection.", "unknown\nrest"),
    "valid/v2_unix": (v2(PROXY, UNIX, b"/a".ljust(108, b"\0") * 2), "2.2: has no IP address.", "unknown\nrest"),
    "valid/v1_twice": (
        b"PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\nPROXY UNKNOWN\r\n",
        "A second one is not a header but the first line of the client.",
        SAID4 + r" PROXY UNKNOWN\x0d\x0a",
    ),
    "valid/none_get": (GET, "HTTP.", "none"),
    "valid/none_propfind": (b"PROPFIND / HTTP/1.1\r\n", "Another method that begins with PRO.", "none"),
    "valid/none_lower_case": (b"proxy TCP4 192.0.2.1", "2.1: in upper case.", "none"),
    "valid/none_empty_line": (b"\r\nGET / HTTP/1.1\r\n", "RFC 9112 2.2: an empty line before.", "none"),
    "valid/none_fastcgi": (b"\x01\x01\0\x01\0\x08\0\0", "FastCGI.", "none"),
    "valid/none_signature_broken": (b"\r\n\r\n\0\r\nQUIx\n", "Not the signature.", "none"),
    "valid/more_v1": (b"PROXY TCP4 192.0.2.1 198.51.100.9 563", "No end yet.", "more"),
    "valid/more_v1_start": (b"PRO", "May become one.", "more"),
    "valid/more_v1_cr": (b"PROXY UNKNOWN\r", "No LF yet.", "more"),
    "valid/more_v2_signature": (SIGNATURE[:7], "May become one.", "more"),
    "valid/more_v2_block": (v2(PROXY, TCP4, B4)[:-1], "One byte is missing.", "more"),
    "invalid/v1_no_protocol": (b"PROXY \r\n", "No protocol.", "bad"),
    "invalid/v1_http": (b"PROXY / HTTP/1.1\r\n", "An HTTP method of this name is not supported.", "bad"),
    "invalid/v1_tcp5": (b"PROXY TCP5 192.0.2.1 198.51.100.9 1 2\r\n", "No such protocol.", "bad"),
    "invalid/v1_two_spaces": (b"PROXY TCP4  192.0.2.1 198.51.100.9 1 2\r\n", "2.1: exactly one space.", "bad"),
    "invalid/v1_space_at_end": (b"PROXY TCP4 192.0.2.1 198.51.100.9 1 2 \r\n", "2.1: then CRLF.", "bad"),
    "invalid/v1_port_missing": (b"PROXY TCP4 192.0.2.1 198.51.100.9 1\r\n", "One port.", "bad"),
    "invalid/v1_port_huge": (b"PROXY TCP4 192.0.2.1 198.51.100.9 65536 2\r\n", "2.1: up to 65535.", "bad"),
    "invalid/v1_port_zeros": (b"PROXY TCP4 192.0.2.1 198.51.100.9 01 2\r\n", "2.1: no leading zeros.", "bad"),
    "invalid/v1_port_sign": (b"PROXY TCP4 192.0.2.1 198.51.100.9 +1 2\r\n", "2.1: digits.", "bad"),
    "invalid/v1_ip_zeros": (b"PROXY TCP4 192.000.2.1 198.51.100.9 1 2\r\n", "2.1: no leading zeros.", "bad"),
    "invalid/v1_ip_short": (b"PROXY TCP4 192.0.2 198.51.100.9 1 2\r\n", "Three numbers.", "bad"),
    "invalid/v1_ip_v6_in_tcp4": (b"PROXY TCP4 ::1 198.51.100.9 1 2\r\n", "Another family.", "bad"),
    "invalid/v1_ip_v4_in_tcp6": (b"PROXY TCP6 ::1 198.51.100.9 1 2\r\n", "Another family.", "bad"),
    "invalid/v1_ip_nul": (b"PROXY TCP4 192.0.2.1\0 198.51.100.9 1 2\r\n", "A NUL.", "bad"),
    "invalid/v1_lf_only": (b"PROXY TCP4 192.0.2.1 198.51.100.9 1 2\n" + b"x" * 80, "2.1: CRLF.", "bad"),
    "invalid/v1_cr_only": (b"PROXY UNKNOWN\rx", "2.1: CRLF.", "bad"),
    "invalid/v1_108": (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", "2.1: 107 bytes are the most.", "bad"),
    "invalid/v1_endless": (b"PROXY UNKNOWN " + b"x" * 300, "2.1: 107 bytes are the most.", "bad"),
    "invalid/v2_version_1": (v2(0x11, TCP4, B4), "2.2: the version must be 2.", "bad"),
    "invalid/v2_version_3": (v2(0x31, TCP4, B4), "2.2: the version must be 2.", "bad"),
    "invalid/v2_command_2": (v2(0x22, TCP4, B4), "2.2: other commands must be dropped.", "bad"),
    "invalid/v2_family_4": (v2(PROXY, 0x41, B4), "2.2: other families must be dropped.", "bad"),
    "invalid/v2_transport_3": (v2(PROXY, 0x13, B4), "2.2: other transports must be dropped.", "bad"),
    "invalid/v2_short_tcp4": (v2(PROXY, TCP4, B4[:-1]), "11 bytes for 12.", "bad"),
    "invalid/v2_short_tcp6": (v2(PROXY, TCP6, B4), "12 bytes for 36.", "bad"),
    "invalid/v2_short_unix": (v2(PROXY, UNIX, B6), "36 bytes for 216.", "bad"),
    "invalid/v2_tlv_cut": (v2(PROXY, TCP4, B4 + b"\x02\0"), "Two bytes are no extension.", "bad"),
    "invalid/v2_tlv_past_end": (
        v2(PROXY, TCP4, B4 + tlv(2, b"abc")[:-1]) + GET,
        "An extension that ends behind the header.",
        "bad",
    ),
}


def main(arguments: list[str]) -> int:
    """Writes all files, or compares them with ``--check``; gives the exit status."""
    files: dict[Path, bytes] = {}
    for name, (data, why, events) in CASES.items():
        files[ROOT / f"{name}.bin"] = data
        files[ROOT / f"{name}.expect"] = f"# {why}\n{events}\n".encode("ascii")
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
