#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The WebSocket corpus in a form that people can read: writes websocket/{valid,invalid}/NAME.bin and NAME.expect.

Every expectation is written by hand from RFC 6455 and RFC 7692; nothing here asks the parser. Run it after a change;
``--check`` only compares, and ends with status 1 when a file differs. README.md describes the expectations.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

__all__ = ["CASES", "main"]

ROOT = Path(__file__).resolve().parent / "websocket"
MASK = bytes.fromhex("37fa213d")  # the mask of RFC 6455 5.7

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    """RFC 6455 5.3."""
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def length(size: int, width: int | None = None) -> bytes:
    """The second byte, masked, and the extended length; ``width`` forces 2 or 8 bytes of it (section 5.2)."""
    if width is None:
        width = 0 if size < 126 else 2 if size < 65536 else 8
    if width == 0:
        return bytes([0x80 | size])
    return bytes([0x80 | (126 if width == 2 else 127)]) + struct.pack("!H" if width == 2 else "!Q", size)


def frame(opcode: int, payload: bytes | str = b"", flags: int = FIN, width: int | None = None) -> bytes:
    """A frame as a client sends it."""
    data = payload.encode() if isinstance(payload, str) else payload
    return bytes([flags | opcode]) + length(len(data), width) + MASK + masked(data)


def head(opcode: int, size: int, width: int | None = None) -> bytes:
    """The beginning of a frame whose payload does not come."""
    return bytes([FIN | opcode]) + length(size, width) + MASK


def close(code: int, reason: bytes | str = b"") -> bytes:
    """A close frame (section 5.5.1)."""
    data = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, struct.pack("!H", code) + data)


# name: (bytes, why, events, bytes of a message or None)
Case = tuple[bytes, str, str, "int | None"]

HELLO = frame(TEXT, "Hello")

VALID: dict[str, Case] = {
    "text": (HELLO, "RFC 6455 5.7: a masked text message.", "text Hello", None),
    "text_empty": (frame(TEXT), "A message may be empty.", "text", None),
    "text_two": (HELLO + frame(TEXT, "again"), "One after the other.", "text Hello\ntext again", None),
    "text_utf8": (
        frame(TEXT, "κόσμε \U0001f600"),
        "Characters of two and four bytes.",
        r"text \xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5 \xf0\x9f\x98\x80",
        None,
    ),
    "text_utf8_edges": (
        frame(TEXT, "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"),
        "The first and the last of each length, and both sides of the surrogates.",
        r"text \x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        None,
    ),
    "text_nul": (frame(TEXT, "a\0b"), "NUL is a character.", r"text a\x00b", None),
    "text_fragments": (
        frame(TEXT, "Hel", 0) + frame(CONTINUATION, "lo"),
        "RFC 6455 5.7: a fragmented message.",
        "text Hello",
        None,
    ),
    "text_cut_in_character": (
        frame(TEXT, b"\xf0\x9f", 0) + frame(CONTINUATION, b"", 0) + frame(CONTINUATION, b"\x98\x80"),
        "Section 8.1: only the whole message must be UTF-8; a frame may end within a character.",
        r"text \xf0\x9f\x98\x80",
        None,
    ),
    "text_empty_fragments": (
        frame(TEXT, "", 0) + frame(CONTINUATION, "", 0) + frame(CONTINUATION),
        "Fragments may be empty.",
        "text",
        None,
    ),
    "binary": (frame(BINARY, bytes([0, 255, 128, 65])), "Any bytes.", r"binary \x00\xff\x80A", None),
    "binary_125": (frame(BINARY, b"x" * 125), "The longest short length.", "binary " + "x" * 125, None),
    "binary_126": (frame(BINARY, b"y" * 126), "The shortest length of two bytes.", "binary " + "y" * 126, None),
    "binary_300": (
        frame(BINARY, bytes(range(65, 85)) * 15),
        "Many times eight bytes, and a rest.",
        "binary " + bytes(range(65, 85)).decode() * 15,
        None,
    ),
    "binary_65535": (frame(BINARY, b"z" * 65535), "The longest length of two bytes.", "binary " + "z" * 65535, None),
    "binary_65536": (
        frame(BINARY, b"w" * 65536),
        "The shortest length of eight bytes.",
        "binary " + "w" * 65536,
        None,
    ),
    "binary_at_limit": (frame(BINARY, b"12345678"), "Exactly as long as it may be.", "binary 12345678", 8),
    "binary_limit_anew": (
        frame(BINARY, b"123456") + frame(BINARY, b"123456"),
        "The limit is one for each message.",
        "binary 123456\nbinary 123456",
        8,
    ),
    "ping": (frame(PING, "Hello"), "RFC 6455 5.7: a ping.", "ping Hello", None),
    "ping_empty": (frame(PING), "A ping may be empty.", "ping", None),
    "ping_125": (frame(PING, b"p" * 125), "The largest control frame.", "ping " + "p" * 125, None),
    "ping_binary": (frame(PING, b"\xff\xfe"), "Application data of a ping is no text.", r"ping \xff\xfe", None),
    "ping_over_message_limit": (frame(PING, b"0123456789"), "ws_max_size is for messages.", "ping 0123456789", 4),
    "pong": (frame(PONG, "Hello"), "Also one that nobody asked for (5.5.3).", "pong Hello", None),
    "control_between_fragments": (
        frame(TEXT, "Hel", 0)
        + frame(PING, "!")
        + frame(CONTINUATION, "l", 0)
        + frame(PONG)
        + frame(CONTINUATION, "o"),
        "Section 5.4: control frames may come between fragments.",
        "ping !\npong\ntext Hello",
        None,
    ),
    "close": (close(1000, "bye"), "With code and reason.", "close 1000 bye", None),
    "close_empty": (frame(CLOSE), "Section 7.1.5: no code is 1005.", "close 1005", None),
    "close_code_only": (close(1001), "A reason may be missing.", "close 1001", None),
    "close_reason_123": (close(1000, "r" * 123), "The longest reason.", "close 1000 " + "r" * 123, None),
    "close_codes": (
        b"".join(close(code) for code in (1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)),
        "Codes of the registry, of libraries and of applications.",
        "\n".join(f"close {code}" for code in (1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)),
        None,
    ),
    "close_within_message": (
        frame(TEXT, "Hel", 0) + close(1001),
        "A client may give up a message, which then has no end.",
        "close 1001\nmore",
        None,
    ),
    "unfinished_header": (HELLO[:4], "The input ends within a header.", "more", None),
    "unfinished_payload": (HELLO[:8], "The input ends within a payload.", "more", None),
    "unfinished_message": (frame(BINARY, b"a", 0), "The input ends between fragments.", "more", None),
    "deflate_text": (
        frame(TEXT, bytes.fromhex("f248cdc9c90700"), FIN | RSV1),
        "RFC 7692 7.2.3.1: compressed text is left to the inflater.",
        r"text deflated \xf2H\xcd\xc9\xc9\x07\x00",
        None,
    ),
    "deflate_plain": (HELLO, "RFC 7692 6: a message need not be compressed.", "text Hello", None),
    "deflate_fragments": (
        frame(TEXT, bytes.fromhex("f248cd"), RSV1) + frame(PING) + frame(CONTINUATION, bytes.fromhex("c9c90700")),
        "RFC 7692 7.2.3.1: only the first frame says that the message is compressed.",
        "ping\n" + r"text deflated \xf2H\xcd\xc9\xc9\x07\x00",
        None,
    ),
    "deflate_plain_after": (
        frame(BINARY, b"\x00", FIN | RSV1) + frame(TEXT, b"a"),
        "The next message stands for itself.",
        "binary deflated \\x00\ntext a",
        None,
    ),
}

BAD = "bad 1002"
NO_TEXT = "bad 1007"
TOO_BIG = "bad 1009"

INVALID: dict[str, Case] = {
    "unmasked": (bytes.fromhex("810548656c6c6f"), "Section 5.1: a client must mask.", BAD, None),
    "rsv1": (frame(TEXT, "a", FIN | RSV1), "No extension was agreed on.", BAD, None),
    "rsv2": (frame(TEXT, "a", FIN | RSV2), "Nobody uses it.", BAD, None),
    "rsv3": (frame(TEXT, "a", FIN | RSV3), "Nobody uses it.", BAD, None),
    "deflate_rsv2": (frame(TEXT, "a", FIN | RSV1 | RSV2), "Only RSV1 has a meaning.", BAD, None),
    "deflate_rsv1_ping": (frame(PING, "a", FIN | RSV1), "RFC 7692 6: no control frame is compressed.", BAD, None),
    "deflate_rsv1_continuation": (
        frame(TEXT, "a", RSV1) + frame(CONTINUATION, "b", FIN | RSV1),
        "RFC 7692 6: RSV1 stands in the first frame.",
        BAD,
        None,
    ),
    **{
        f"opcode_{opcode}": (frame(opcode, "a"), "A reserved opcode.", BAD, None)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "continuation_first": (frame(CONTINUATION, "a"), "Nothing to go on with (5.4).", BAD, None),
    "continuation_after_end": (
        HELLO + frame(CONTINUATION, "a"),
        "The message has ended.",
        f"text Hello\n{BAD}",
        None,
    ),
    "text_within_text": (frame(TEXT, "a", 0) + frame(TEXT, "b"), "Messages do not mix (5.4).", BAD, None),
    "binary_within_text": (frame(TEXT, "a", 0) + frame(BINARY, "b"), "Messages do not mix (5.4).", BAD, None),
    "ping_fragment": (frame(PING, "a", 0), "Section 5.5: control frames are not fragmented.", BAD, None),
    "ping_126": (frame(PING, b"p" * 126), "Section 5.5: at most 125 bytes.", BAD, None),
    "ping_long_form": (frame(PING, b"p", width=8), "Too long even in its shortest reading.", BAD, None),
    "length_2_for_1": (frame(TEXT, "a", width=2), "Section 5.2: the shortest form.", BAD, None),
    "length_2_for_125": (frame(TEXT, "a" * 125, width=2), "Section 5.2: the shortest form.", BAD, None),
    "length_8_for_2": (frame(TEXT, "a" * 126, width=8), "Section 5.2: the shortest form.", BAD, None),
    "length_8_for_65535": (head(BINARY, 65535, 8), "Section 5.2: the shortest form.", BAD, None),
    "length_64_bits": (head(BINARY, 1 << 63, 8), "Section 5.2: the most significant bit must be 0.", BAD, None),
    "length_all_ones": (head(BINARY, (1 << 64) - 1, 8), "Must not wrap.", BAD, None),
    "close_one_byte": (frame(CLOSE, b"\x03"), "Half a code.", BAD, None),
    **{
        f"close_code_{code}": (close(code), "Section 7.4: nobody may send it.", BAD, None)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close_reason_no_text": (close(1000, b"\xff"), "Section 5.5.1: the reason is UTF-8.", NO_TEXT, None),
    "close_reason_cut": (close(1000, b"\xe2\x82"), "It ends within a character.", NO_TEXT, None),
    **{
        f"utf8_{name}": (frame(TEXT, data), why, NO_TEXT, None)
        for name, data, why in (
            ("continuation", b"a\x80", "A continuation byte alone."),
            ("cut", b"abc\xe2\x82", "The text ends within a character."),
            ("interrupted", b"\xe2\x82a", "ASCII where a continuation byte must stand."),
            ("overlong_2", b"\xc0\xaf", "A slash in two bytes."),
            ("overlong_2_end", b"\xc1\xbf", "DEL in two bytes."),
            ("overlong_3", b"\xe0\x9f\xbf", "U+07FF in three bytes."),
            ("overlong_4", b"\xf0\x8f\xbf\xbf", "U+FFFF in four bytes."),
            ("surrogate_first", b"\xed\xa0\x80", "U+D800."),
            ("surrogate_last", b"\xed\xbf\xbf", "U+DFFF."),
            ("past_end", b"\xf4\x90\x80\x80", "U+110000."),
            ("lead_f5", b"\xf5\x80\x80\x80", "Past all characters."),
            ("lead_ff", b"12345678\xff", "No lead byte, after eight that are."),
        )
    },
    "utf8_in_second_fragment": (
        frame(TEXT, b"\xce", 0) + frame(CONTINUATION, b"a"),
        "The first fragment's character is not finished.",
        NO_TEXT,
        None,
    ),
    "utf8_fragments_end_in_character": (
        frame(TEXT, b"\xce", 0) + frame(CONTINUATION),
        "The message ends within a character.",
        NO_TEXT,
        None,
    ),
    "too_big": (head(BINARY, 9), "Refused before its payload comes.", TOO_BIG, 8),
    "too_big_together": (
        frame(BINARY, b"1234", 0) + head(CONTINUATION, 5),
        "Fragments are counted together.",
        TOO_BIG,
        8,
    ),
    "deflate_too_big": (
        frame(BINARY, b"\x01" * 70, FIN | RSV1),
        "Four bytes may grow by a quarter and 64 bytes: 69; nothing else may.",
        TOO_BIG,
        4,
    ),
    "too_big_by_far": (head(BINARY, (1 << 63) - 1, 8), "The largest length there is.", TOO_BIG, 8),
}

CASES = {
    **{f"valid/{name}": case for name, case in VALID.items()},
    **{f"invalid/{name}": case for name, case in INVALID.items()},
}


def written(case: Case) -> tuple[bytes, bytes]:
    """The contents of the two files."""
    data, why, events, limit = case
    limits = "" if limit is None else f"limits header=8192 headers=100 body={limit}\n"
    return data, f"# {why}\n{limits}{events}\n".encode("ascii")


def main(arguments: list[str]) -> int:
    """Writes all files, or compares them with ``--check``; gives the exit status."""
    files: dict[Path, bytes] = {}
    for name, case in CASES.items():
        files[ROOT / f"{name}.bin"], files[ROOT / f"{name}.expect"] = written(case)
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
