# SPDX-License-Identifier: MIT
"""What a shared dict promises, asked of every backend, the servers being real ones."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from smisk.ipc import CodecError, SharedDict, SharedDictError, shared_dict

from lib.wait import until

Make = Callable[..., SharedDict]
BACKENDS = ("lmdb", "redis", "memcached")
LISTING = ("lmdb", "redis")
LONG = "ключ " * 200
KEYS = ["a", "", " ", "two words", "a\nb", "ünï/çode?%#", "\x00", "\udce4", "x" * 250, "x" * 480, "x" * 481, LONG]
VALUES: list[Any] = [
    None,
    False,
    0,
    0.0,
    "",
    [],
    {},
    True,
    -1,
    1 << 62,
    1.5,
    "ü\ud800",
    [1, [None]],
    {"a": {"b": []}},
]
names = count()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes dicts of the backend; one name gives one dict, and every test has names of its own."""
    made: list[SharedDict] = []
    prefix = f"contract{next(names)}"

    def make_one(name: str = "x", **options: Any) -> SharedDict:
        if backend == "lmdb":
            options["folder"] = str(tmp_path / name)
        else:
            address = request.getfixturevalue(f"{backend}_server").address
            options |= {"url": address} if backend == "redis" else {"nodes": [address]}
        made.append(shared_dict(f"{prefix}:{name}", backend, **options))
        return made[-1]

    yield make_one
    for shared in made:
        shared.close()


@pytest.fixture
def shared(make: Make) -> SharedDict:
    return make()


def listing(backend: str) -> None:
    if backend not in LISTING:
        pytest.skip(f"{backend} cannot list its keys")


# --- keys and values ---


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_key_of_any_text_is_kept_apart_from_others(shared: SharedDict, key: str) -> None:
    shared[key + "!"] = "other"
    assert key not in shared
    shared[key] = "value"
    assert shared[key] == "value"
    assert key in shared
    del shared[key]
    assert key not in shared
    assert shared[key + "!"] == "other"


@pytest.mark.parametrize("value", VALUES, ids=ascii)
@pytest.mark.parametrize("codec", ["json", "msgpack", "pickle"])
def test_value_comes_back_as_it_was(make: Make, codec: str, value: Any) -> None:
    if codec == "msgpack" and value == "ü\ud800":
        value = "ü"
    shared = make(codec=codec)
    shared["key"] = value
    assert shared["key"] == value
    assert type(shared["key"]) is type(value)
    assert "key" in shared
    assert shared.get("key", "default") == value


def test_pickle_keeps_what_json_refuses(make: Make) -> None:
    shared = make(codec="pickle")
    shared["key"] = (b"bytes", {1, 2})
    assert shared["key"] == (b"bytes", {1, 2})


def test_value_that_json_cannot_hold_is_type_error_and_nothing_changes(shared: SharedDict) -> None:
    shared["key"] = "before"
    for change in (
        lambda: shared.set("key", b"bytes"),
        lambda: shared.setdefault("other", b"bytes"),
        lambda: shared.compare_and_set("key", "before", {1}),
    ):
        with pytest.raises(TypeError, match="json"):
            change()
    assert shared["key"] == "before"
    assert "other" not in shared


def test_value_of_another_codec_is_refused_and_never_unpickled(make: Make) -> None:
    pickling = make(codec="pickle")
    pickling["key"] = ["x"]
    pickling["number"] = 3
    pickling.close()
    shared = make()
    with pytest.raises(CodecError, match="pickle"):
        shared["key"]
    assert shared["number"] == 3
    shared["key"] = ["y"]
    shared.close()
    with pytest.raises(CodecError, match="json"):
        make(codec="pickle")["key"]


@pytest.mark.parametrize("key", [b"bytes", 1, None])
def test_key_that_is_no_str_is_type_error(shared: SharedDict, key: Any) -> None:
    for call in (shared.__getitem__, shared.get, shared.pop, shared.incr, shared.setdefault, shared.__delitem__):
        with pytest.raises(TypeError, match="must be str"):
            call(key)
    with pytest.raises(TypeError, match="must be str"):
        shared[key] = 1
    assert key not in shared


def test_key_beyond_the_limit_is_value_error(shared: SharedDict) -> None:
    with pytest.raises(ValueError, match="65536"):
        shared["x" * 65537] = 1
    shared["x" * 65536] = 1
    assert shared["x" * 65536] == 1


def test_missing_key_is_key_error_or_default(shared: SharedDict) -> None:
    for call in (shared.__getitem__, shared.__delitem__, shared.pop):
        with pytest.raises(KeyError, match="nowhere"):
            call("nowhere")
    assert shared.get("nowhere") is None
    assert shared.get("nowhere", 5) == 5
    assert shared.pop("nowhere", 5) == 5
    assert not shared.discard("nowhere")


def test_pop_and_discard_remove(shared: SharedDict) -> None:
    shared["a"] = None
    shared["b"] = 2
    assert shared.pop("a") is None
    assert shared.discard("b")
    assert "a" not in shared
    assert "b" not in shared
    shared["a"] = 3
    assert shared["a"] == 3


def test_update_takes_pairs(shared: SharedDict) -> None:
    shared.update({"a": 1}, b=2)
    assert (shared["a"], shared["b"]) == (1, 2)


def test_dicts_of_other_names_share_nothing(make: Make) -> None:
    one, other = make("a"), make("a:b")
    one["b:c"] = 1
    other["c"] = 2
    assert (one["b:c"], other["c"]) == (1, 2)
    assert "c" not in one


# --- what is atomic ---


def test_setdefault_stores_once(shared: SharedDict) -> None:
    assert shared.setdefault("key", [1]) == [1]
    assert shared.setdefault("key", [2]) == [1]
    assert shared.setdefault("nothing") is None
    assert "nothing" in shared
    assert shared.setdefault("nothing", 1) is None


def test_incr_counts_from_initial(shared: SharedDict) -> None:
    assert shared.incr("a") == 1
    assert shared.incr("a", 5) == 6
    assert shared.incr("a", -10) == -4
    assert shared.incr("b", 2, initial=10) == 12
    assert shared.incr("b", 2, initial=10) == 14
    shared["c"] = 7
    assert shared.incr("c") == 8
    assert shared["c"] == 8


@pytest.mark.parametrize("codec", ["json", "msgpack", "pickle"])
def test_incr_works_with_every_codec(make: Make, codec: str) -> None:
    shared = make(codec=codec)
    shared["n"] = 41
    assert shared.incr("n") == 42


@pytest.mark.parametrize("value", ["5", 1.5, True, None, [1]])
def test_incr_of_no_integer_is_type_error_and_keeps_it(shared: SharedDict, value: Any) -> None:
    shared["key"] = value
    with pytest.raises(TypeError, match="must be an int"):
        shared.incr("key")
    assert shared["key"] == value


@pytest.mark.parametrize(("by", "initial"), [(1.0, 0), ("1", 0), (True, 0), (1, None), (1, 0.5)])
def test_incr_by_no_integer_is_type_error(shared: SharedDict, by: Any, initial: Any) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        shared.incr("key", by, initial)
    assert "key" not in shared


def test_incr_beyond_64_bits_is_overflow_error_and_keeps_the_number(shared: SharedDict) -> None:
    largest = (1 << 63) - 1
    shared["key"] = largest
    with pytest.raises(OverflowError):
        shared.incr("key")
    assert shared["key"] == largest
    with pytest.raises(OverflowError):
        shared.incr("new", 1, initial=largest)
    assert "new" not in shared
    shared["huge"] = 1 << 64
    with pytest.raises(OverflowError):
        shared.incr("huge")
    assert shared["huge"] == 1 << 64


def test_compare_and_set_replaces_only_what_is_equal(shared: SharedDict) -> None:
    assert not shared.compare_and_set("key", None, 1)
    assert "key" not in shared
    shared["key"] = {"a": [1]}
    assert not shared.compare_and_set("key", {"a": [2]}, "new")
    assert shared["key"] == {"a": [1]}
    assert shared.compare_and_set("key", {"a": [1]}, "new")
    assert shared["key"] == "new"
    assert shared.compare_and_set("key", "new", None)
    assert shared.compare_and_set("key", None, 0)
    assert shared["key"] == 0


# --- time to live ---


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e12])
def test_ttl_that_is_no_time_is_value_error(shared: SharedDict, ttl: float) -> None:
    for call in (
        lambda: shared.set("key", 1, ttl),
        lambda: shared.setdefault("key", 1, ttl),
        lambda: shared.incr("key", ttl=ttl),
    ):
        with pytest.raises(ValueError, match="ttl"):
            call()
    assert "key" not in shared


@pytest.mark.parametrize("ttl", ["1", True])
def test_ttl_that_is_no_number_is_type_error(shared: SharedDict, ttl: Any) -> None:
    with pytest.raises(TypeError, match="ttl"):
        shared.set("key", 1, ttl)


@pytest.mark.parametrize("ttl", [3600, 40 * 86400.0, 100 * 365 * 86400.0])
def test_key_with_ttl_is_there_before(shared: SharedDict, ttl: float) -> None:
    shared.set("key", 1, ttl)
    assert shared["key"] == 1


def test_key_is_gone_after_its_ttl(shared: SharedDict) -> None:
    shared.set("a", 1, ttl=0.02)
    shared.setdefault("b", 1, ttl=0.02)
    shared.incr("c", ttl=0.02)
    for key in "abc":
        until(lambda key=key: key not in shared, f"{key} ends")
        assert shared.get(key) is None
        assert not shared.discard(key)
    assert shared.incr("c", 1) == 1
    assert shared.setdefault("b", 2) == 2


def test_incr_and_compare_and_set_keep_the_ttl(shared: SharedDict) -> None:
    shared.set("a", 1, ttl=0.05)
    shared.set("b", 1, ttl=0.05)
    shared.incr("a", ttl=3600)
    shared.compare_and_set("b", 1, 2)
    until(lambda: "a" not in shared and "b" not in shared, "both end")


def test_set_without_ttl_makes_a_key_stay(shared: SharedDict) -> None:
    shared.set("key", 1, ttl=0.02)
    shared.set("other", 1, ttl=0.02)
    shared["key"] = 2
    until(lambda: "other" not in shared, "the other ends")
    assert shared["key"] == 2


# --- all keys ---


def test_keys_values_items_and_len_tell_all(backend: str, shared: SharedDict) -> None:
    listing(backend)
    pairs = {f"key {i}": i for i in range(1200)} | {LONG: -1, "": -2}
    for key, value in pairs.items():
        shared[key] = value
    assert len(shared) == len(pairs)
    assert sorted(shared) == sorted(pairs)
    assert sorted(shared.keys()) == sorted(pairs)
    assert sorted(shared.values()) == sorted(pairs.values())
    assert dict(shared.items()) == pairs
    assert shared == pairs
    assert ("key 5", 5) in shared.items()
    assert 1199 in shared.values()


def test_ended_keys_are_not_listed(backend: str, shared: SharedDict) -> None:
    listing(backend)
    shared["stays"] = 1
    shared.set("ends", 1, ttl=0.02)
    until(lambda: "ends" not in shared, "it ends")
    assert list(shared) == ["stays"]
    assert list(shared.items()) == [("stays", 1)]
    assert len(shared) == 1


def test_keys_removed_while_listing_are_left_out(backend: str, shared: SharedDict) -> None:
    listing(backend)
    for i in range(2000):
        shared[f"{i}"] = i
    seen = set()
    for key, value in shared.items():
        seen.add(key)
        for gone in (value + 1, value + 1000):
            shared.discard(f"{gone}")
    assert len(seen) < 2000
    assert set(shared) <= seen


def test_clear_removes_the_keys_of_this_dict_only(backend: str, make: Make) -> None:
    listing(backend)
    shared, other = make("x"), make("xy")
    other["a"] = 1
    for i in range(1100):
        shared[f"{i}"] = i
    shared.clear()
    assert len(shared) == 0
    assert not shared
    assert list(other.items()) == [("a", 1)]


def test_popitem_takes_each_pair_once(backend: str, shared: SharedDict) -> None:
    listing(backend)
    shared.update({"a": 1, "b": 2})
    assert sorted([shared.popitem(), shared.popitem()]) == [("a", 1), ("b", 2)]
    with pytest.raises(KeyError):
        shared.popitem()


# --- the handle ---


def test_same_name_is_the_same_object(make: Make) -> None:
    assert make("x") is make("x")
    assert make("x") is not make("y")


def test_same_name_with_other_options_is_value_error(make: Make) -> None:
    make("x")
    with pytest.raises(ValueError, match="codec='json', not 'pickle'"):
        make("x", codec="pickle")


def test_closed_dict_says_so_and_a_new_one_has_the_content(make: Make) -> None:
    shared = make("x")
    shared["key"] = 1
    shared.sync()
    shared.close()
    for call in (lambda: shared["key"], lambda: shared.set("key", 2), lambda: "key" in shared):
        with pytest.raises(SharedDictError, match="closed"):
            call()
    assert make("x") is not shared
    assert make("x")["key"] == 1


def test_unknown_codec_is_value_error(make: Make) -> None:
    with pytest.raises(ValueError, match="no codec 'yaml'"):
        make("x", codec="yaml")


def test_unknown_backend_is_value_error() -> None:
    with pytest.raises(ValueError, match="no backend 'disk'; there are lmdb, redis, memcached"):
        shared_dict("x", "disk")
