# SPDX-License-Identifier: MIT
"""Putting the changes of two requests together, against a model that applies them one after the other."""

import copy
import random

import pytest
from smisk.session.codec import get_codec
from smisk.session.merge import merge

JSON = get_codec("json")


@pytest.mark.parametrize(
    ("base", "mine", "held", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, {"a": 1, "c": 3}, {"a": 1, "c": 3, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({"a": 1}, {"a": 1}, {"a": 3}, {"a": 3}),
        ({"a": 1, "b": 2}, {"b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": 1}, {"a": 1, "b": 2}, {}, {"b": 2}),
        ({"a": 1}, {}, {}, {}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1], "b": 1}, {"a": [1, 2], "b": 1}),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
        (5, 6, 7, 6),
        ({"a": 1}, [1], {"a": 2}, [1]),
        ([1], {"a": 1}, {"b": 1}, {"a": 1}),
        ({"a": 1}, {"b": 1}, "text", {"b": 1}),
        (None, {"a": 1}, {"b": 1}, {"a": 1}),
    ],
)
def test_merge_takes_what_was_changed(base, mine, held, expected):
    before = copy.deepcopy((base, mine, held))
    merged = merge(JSON, base, mine, held)
    assert merged == expected
    assert repr(merged) == repr(expected)
    assert (base, mine, held) == before


def test_no_update_of_either_is_lost_that_they_did_not_both_make():
    random.seed(11)
    for _ in range(2000):
        keys = "abcdef"
        base = {key: random.randrange(3) for key in keys if random.random() < 0.6}
        mine, held = (
            {key: random.choice([base.get(key, 9), 1, [2]]) for key in keys if random.random() < 0.7}
            for _ in range(2)
        )
        merged = merge(JSON, base, mine, held)
        for key in keys:
            was, one, other = (data.get(key, "absent") for data in (base, mine, held))
            assert merged.get(key, "absent") == (other if JSON.same(one, was) else one)
