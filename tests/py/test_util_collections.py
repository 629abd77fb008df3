# SPDX-License-Identifier: MIT
"""Lists without duplicates, merged collections, frozen dictionaries, keys."""

import copy
import pickle
import subprocess
import sys

import pytest
from smisk.util import collections
from smisk.util.cache import app_shared_key, callable_cache_key
from smisk.util.collections import merge, merge_dict, merged, merged_dict, unique, unique_wild
from smisk.util.frozen import frozendict


def test_star_import_takes_only_two_names():
    assert sorted(collections.__all__) == ["unique", "unique_wild"]


def test_unique_wild_has_each_item_once():
    assert sorted(unique_wild("abcabc")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        ([3, 1, 3, 2, 1], [3, 1, 2]),
        (iter("abcab"), ["a", "b", "c"]),
        ([[1, 2], [2, 3], [1, 2]], [[1, 2], [2, 3]]),
        ([{1}, {2}, {1}, {2}], [{1}, {2}]),
        ([{"a": 1}, {"a": 1}], [{"a": 1}]),
        ([[1], "x", [1]], [[1], "x"]),
    ],
)
def test_unique_has_each_item_once(items, expected):
    assert unique(items) == expected


A = {"a": 1, "l": [1], "d": {"x": 1}}
B = {"a": 2, "l": [2], "d": {"y": 2}}
JOINED = {"a": 2, "l": [1, 2], "d": {"x": 1, "y": 2}}
REPLACED = {"a": 2, "l": [2], "d": {"x": 1, "y": 2}}


def test_merge_changes_its_first_argument():
    own = copy.deepcopy(A)
    assert merge(own, B) is own and own == JOINED
    items = [1]
    assert merge(items, [2]) is items and items == [1, 2]


def test_merge_dict_replaces_lists_if_told():
    own = copy.deepcopy(A)
    assert merge_dict(own, B, merge_lists=False) is own and own == REPLACED


def test_merged_leaves_its_arguments_alone_and_shares_nothing():
    a, b = copy.deepcopy(A), copy.deepcopy({**B, "new": [1]})
    out = merged(a, b)
    assert out == {**JOINED, "new": [1]} and (a, b) == (A, {**B, "new": [1]})
    out["l"].append(3)
    out["d"]["z"] = 3
    out["new"].append(3)
    assert (a, b) == (A, {**B, "new": [1]})
    assert merged_dict(a, B, merge_lists=False) == REPLACED


@pytest.mark.parametrize(("a", "b", "out"), [([1], [2], [1, 2]), ((1,), (2,), (1, 2)), ([1], (2,), [1, 2])])
def test_merged_joins_lists_and_tuples(a, b, out):
    assert merged(a, b) == out


@pytest.mark.parametrize("function", [merge, merged])
def test_merging_into_something_else_is_an_error(function):
    with pytest.raises(TypeError, match="first argument must be a list"):
        function("text", "text")


# --- frozendict ---


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.__ior__({"a": 2}),
        lambda d: d.clear(),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.setdefault("b", 2),
    ],
)
def test_frozendict_refuses_changes(change):
    frozen = frozendict(a=1)
    with pytest.raises(TypeError, match="frozendict object does not support item assignment"):
        change(frozen)
    assert frozen == {"a": 1}


def test_frozendict_gives_mutable_copies():
    frozen = frozendict({"a": 1})
    assert (type(frozen.copy()), frozen.copy()) == (dict, {"a": 1})
    updated = frozen.update({"b": 2}, c=3)
    assert (type(updated), updated, frozen) == (dict, {"a": 1, "b": 2, "c": 3}, {"a": 1})


def test_frozendict_is_a_key_by_its_items():
    assert hash(frozendict(a=1, b=2)) == hash(frozendict(b=2, a=1))
    assert {frozendict(): 0, frozendict(a=1): 1}[frozendict(a=1)] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(frozendict(a=[]))


def test_frozendict_survives_pickle_and_copies():
    frozen = frozendict(a=(1,))
    for again in (pickle.loads(pickle.dumps(frozen)), copy.copy(frozen), copy.deepcopy(frozen)):
        assert (type(again), again) == (frozendict, frozen)
    assert frozendict.fromkeys("ab", 1) == {"a": 1, "b": 1}


# --- keys ---


class Callable:
    def __call__(self):
        pass

    def method(self):
        pass


class Unhashable(Callable):
    __hash__ = None


def test_callable_cache_key_tells_callables_apart():
    one, other = Callable(), Callable()
    assert callable_cache_key(test_unique_has_each_item_once) is test_unique_has_each_item_once
    assert callable_cache_key(one.method) == callable_cache_key(one.method) != callable_cache_key(other.method)
    assert callable_cache_key(one) == hash(one)
    assert callable_cache_key(len) == hash(len)
    strange = Unhashable()
    assert callable_cache_key(strange) == callable_cache_key(strange)


def key_of(path, environment=None):
    command = [sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=path.parent, env=environment)
    return done.stdout.strip()


def test_app_shared_key_is_the_same_in_every_process(tmp_path, monkeypatch):
    program = "from smisk.util.cache import app_shared_key\nprint(app_shared_key())\n"
    monkeypatch.setenv("PYTHONPATH", sys.modules["smisk"].__path__[0] + "/..")
    keys = []
    for name in ("one.py", "other.py", "shop/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(program)
        keys.append(key_of(path))
        assert key_of(path) == keys[-1]
    assert [key.rpartition("_")[0] for key in keys] == ["one", "other", "shop"]
    assert len({key.rpartition("_")[2] for key in keys}) == 3
    assert all(len(key.rpartition("_")[2]) == 32 for key in keys)


def test_app_shared_key_without_a_main_file_is_that_of_the_module_that_is_served(monkeypatch):
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    monkeypatch.setattr(sys, "argv", ["smisk.util.cache:something"])
    assert app_shared_key().rpartition("_")[0] == "cache"


def test_app_shared_key_without_a_file_is_that_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    monkeypatch.setattr(sys, "argv", [""])
    monkeypatch.chdir(tmp_path)
    assert app_shared_key().rpartition("_")[0] == tmp_path.name
