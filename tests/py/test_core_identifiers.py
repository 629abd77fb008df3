# SPDX-License-Identifier: MIT
"""smisk.core.identifiers: the table of the reference, lengths and alphabets, and hashes of anything."""

import hashlib
import subprocess
import sys

import pytest
from smisk.core.identifiers import object_hash, pack, uid

DIGEST = hashlib.sha1(b"x").digest()
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"


@pytest.mark.parametrize(
    ("data", "nbits", "expected"),
    [
        (DIGEST, 4, "116fdae85ca29248baaadfc7b315563087c50227"),
        (DIGEST, 5, "hgtra7moa9a8olalt7vmj8lc30uo5g8e"),
        (DIGEST, 6, "hovHemIaFgUGGSfvX4lp3w7nw87"),
        (b"\xff" * 20, 6, "-" * 26 + "f"),
        (b"\xff" * 20, 5, "v" * 32),
        (b"\x01" + b"\0" * 19, 4, "1" + "0" * 39),
        (b"\x01" + b"\0" * 19, 5, "1" + "0" * 31),
    ],
)
def test_pack_gives_what_the_reference_says(data, nbits, expected):
    assert pack(data, nbits) == expected


def test_pack_takes_five_bits_unless_told():
    assert pack(DIGEST) == pack(DIGEST, None) == pack(DIGEST, 5)


def unpack(text, nbits, size):
    number = sum(LETTERS.index(letter) << (i * nbits) for i, letter in enumerate(text))
    return number.to_bytes(size + 1, "little")[:size]


@pytest.mark.parametrize("nbits", [4, 5, 6])
@pytest.mark.parametrize("size", [*range(25), 1000])
def test_pack_of_any_length_loses_nothing(nbits, size):
    data = bytes((i * 7 + 3) % 256 for i in range(size))
    text = pack(data, nbits)
    assert len(text) == -(-8 * size // nbits)
    assert set(text) <= set(LETTERS[: 1 << nbits])
    assert unpack(text, nbits, size) == data


def test_pack_of_text_packs_its_utf8():
    assert pack("räk") == pack("räk".encode())
    assert pack("abc") == pack(b"abc")


@pytest.mark.parametrize("nbits", [-1, 0, 1, 3, 7, 8, 1 << 70])
def test_pack_in_other_numbers_of_bits_is_refused(nbits):
    with pytest.raises(ValueError, match=f"^Invalid number of bits: {nbits}$"):
        pack(DIGEST, nbits)


@pytest.mark.parametrize("arguments", [(), (None,), (1,), (b"", "5"), (b"", 5.0), (b"", 5, 5)])
def test_pack_of_wrong_types_is_a_type_error(arguments):
    with pytest.raises(TypeError):
        pack(*arguments)


@pytest.mark.parametrize(("nbits", "length"), [(4, 40), (5, 32), (6, 27), (None, 32)])
@pytest.mark.parametrize("node", [None, b"", b"node", "nöd"])
def test_uid_has_the_length_and_the_letters_of_its_bits(nbits, length, node):
    text = uid(nbits, node)
    assert isinstance(text, str) and len(text) == length
    assert set(text) <= set(LETTERS[: 1 << (nbits or 5)])


@pytest.mark.parametrize("nbits", [0, -1])
def test_uid_without_bits_is_twenty_bytes(nbits):
    data = uid(nbits)
    assert isinstance(data, bytes) and len(data) == 20


def test_uid_is_another_one_each_time():
    assert len({uid() for _ in range(1000)} | {uid(5, "node") for _ in range(1000)}) == 2000


def test_uid_in_a_forked_process_is_another_one():
    code = (
        "import os, sys; from smisk.core.identifiers import uid\n"
        "if os.fork() == 0: print(uid(), flush=True); os._exit(0)\n"
        "os.wait(); print(uid())"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 2


@pytest.mark.parametrize("nbits", [7, 3, -2, 100])
def test_uid_in_other_numbers_of_bits_is_refused(nbits):
    with pytest.raises(ValueError, match=f"^Invalid number of bits: {nbits}$"):
        uid(nbits)


@pytest.mark.parametrize("arguments", [("5",), (5.0,), (0.0,), (5, 1), (5, ["node"])])
def test_uid_of_wrong_types_is_a_type_error(arguments):
    with pytest.raises(TypeError):
        uid(*arguments)


@pytest.mark.parametrize("value", [0, "text", (1, "a"), None, 1.5, frozenset({1})])
def test_object_hash_of_what_has_a_hash_is_it(value):
    assert object_hash(value) == hash(value)


@pytest.mark.parametrize("make", [lambda: [1, "a"], lambda: {"a": [1, {"b": 2}]}, lambda: {1, 2}, lambda: ([],)])
def test_object_hash_of_equal_values_is_equal(make):
    assert object_hash(make()) == object_hash(make())
    assert isinstance(object_hash(make()), int)


def test_object_hash_sees_a_change_and_not_who_else_looks():
    value = {"a": ["long enough to be an object of its own"]}
    before = object_hash(value)
    others = [value["a"], value["a"][0]]
    assert object_hash(value) == before
    others[0].append(1)
    assert object_hash(value) != before


def test_object_hash_of_what_cannot_be_marshalled_is_that_of_none():
    circle = []
    circle.append(circle)
    assert object_hash([object()]) == hash(None)
    assert object_hash(circle) == hash(None)
