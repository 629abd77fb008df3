# SPDX-License-Identifier: MIT
"""Ids of sessions: random, of one form, and nothing else is taken for one."""

import re

import pytest
from smisk.core.sessions import InvalidSessionError
from smisk.session import ids

BAD = {
    "empty": "",
    "short": "a" * 31,
    "long": "a" * 33,
    "capital": "A" * 32,
    "beyond v": "w" * 32,
    "line end": "a" * 32 + "\n",
    "path": "../" + "a" * 29,
    "nul": "a" * 31 + "\0",
    "other digits": "٣" * 32,
    "space": " " + "a" * 31,
}


def test_ids_are_32_of_32_characters_and_never_the_same():
    made = {ids.make_id() for _ in range(2000)}
    assert len(made) == 2000
    assert all(re.fullmatch("[0-9a-v]{32}", sid) and ids.is_id(sid) for sid in made)


def test_every_character_of_an_id_is_random():
    made = [ids.make_id() for _ in range(4000)]
    assert all(len({sid[place] for sid in made}) == 32 for place in range(ids.ID_LENGTH))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_ids_of_another_form_are_invalid(text):
    assert not ids.is_id(text)
    with pytest.raises(InvalidSessionError, match="malformed"):
        ids.check_id(text)


@pytest.mark.parametrize("value", [None, b"a" * 32, 5, ["a" * 32]])
def test_ids_that_are_no_text_are_type_errors(value):
    assert not ids.is_id(value)
    with pytest.raises(TypeError, match="must be str"):
        ids.check_id(value)
