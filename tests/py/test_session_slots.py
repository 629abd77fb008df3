# SPDX-License-Identifier: MIT
"""The two slots of a session's file: a change happens or does not, wherever it is cut off."""

import random

import pytest
from smisk.session import slots


def changed(file, content):
    """The file after a whole change."""
    start, data = slots.next_slot(slots.newest(file), content)
    return file[:start] + data + file[start + len(data) :]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 2028, b"x" * 2029, b"x" * 100_000])
def test_new_file_has_its_content(content):
    assert slots.newest(slots.lay_out(content)).content == content


def test_small_file_is_one_block():
    assert len(slots.lay_out(b"x" * 1000)) == 4096


def test_changes_alternate_between_the_slots():
    file = slots.lay_out(b"0")
    for number in range(1, 20):
        file = changed(file, b"%d" % number * (number % 3 + 1))
        slot = slots.newest(file)
        assert slot.content == b"%d" % number * (number % 3 + 1)
        assert slot.which == number % 2


def test_content_that_does_not_fit_needs_a_new_file():
    slot = slots.newest(slots.lay_out(b""))
    assert slots.next_slot(slot, b"x" * (slot.size - slots.OVERHEAD)) is not None
    assert slots.next_slot(slot, b"x" * (slot.size - slots.OVERHEAD + 1)) is None


def test_change_that_is_cut_off_anywhere_has_not_happened():
    file = changed(changed(slots.lay_out(b"one"), b"two"), b"three, which counts")
    start, data = slots.next_slot(slots.newest(file), b"four, in the place of two")
    for cut in range(len(data)):
        assert slots.newest(file[:start] + data[:cut] + file[start + cut :]).content == b"three, which counts"
    assert slots.newest(file[:start] + data + file[start + len(data) :]).content == b"four, in the place of two"


def test_file_that_was_cut_off_anywhere_is_invalid():
    file = changed(slots.lay_out(b"one"), b"two")
    assert [size for size in range(len(file)) if slots.newest(file[:size]) is not None] == []
    assert slots.newest(file + b"\0\0") is None


def test_damage_in_one_slot_leaves_the_other_and_in_both_nothing():
    random.seed(5)
    file = changed(slots.lay_out(b"one" * 100), b"two" * 100)
    for _ in range(500):
        first, second = random.randrange(200), 2048 + random.randrange(200)
        damaged = bytearray(file)
        damaged[second] ^= 1 << random.randrange(8)
        assert slots.newest(bytes(damaged)).content == b"one" * 100
        damaged[first] ^= 1 << random.randrange(8)
        assert slots.newest(bytes(damaged)) is None


def test_any_bytes_never_raise():
    random.seed(6)
    for size in [*range(80), 4095, 4096]:
        assert slots.newest(random.randbytes(size)) is None
