# SPDX-License-Identifier: MIT
"""Session data as bytes and back: what comes back as something else is refused, what was damaged is not decoded."""

import datetime
import json
import pickle

import pytest
from smisk.core.sessions import InvalidSessionError, SessionDataError
from smisk.session.codec import JSONCodec, get_codec, seal, unseal, unseal_both

PLAIN = [
    {"user": "å€😀", "n": 1, "f": 0.5, "t": True, "none": None, "list": [1, [2, {}]]},
    [],
    {},
    0,
    "",
    False,
    "\udc80 from bytes that were no UTF-8",
    2**62,
    -(2**63),
]


class Unpicklable:
    def __reduce__(self):
        raise RuntimeError("not this one")


class Bomb:
    """Runs code when a pickle of it is read."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


@pytest.fixture(params=["json", "msgpack", "pickle"])
def codec(request):
    if request.param == "msgpack":
        pytest.importorskip("msgpack")
    return get_codec(request.param)


@pytest.mark.parametrize("data", PLAIN, ids=repr)
def test_plain_data_come_back(codec, data):
    back = unseal(seal(data, codec, 1000), codec)
    assert back == data
    assert type(back) is type(data)


def test_json_gives_lists_for_tuples():
    assert unseal(seal({"a": (1, 2)}, "json", 100), "json") == {"a": [1, 2]}


def test_msgpack_keeps_bytes_numbers_as_keys_and_dates():
    pytest.importorskip("msgpack")
    date = datetime.datetime(2026, 11, 22, 13, 20, 4, tzinfo=datetime.timezone.utc)
    data = {1: b"\xff\0", b"k": date, 0.5: [None]}
    assert unseal(seal(data, "msgpack", 100), "msgpack") == data


def test_pickle_keeps_any_object():
    data = {"set": {1, 2}, "date": datetime.date(2026, 11, 22), ("a", 1): (1, 2)}
    assert unseal(seal(data, "pickle", 1000), "pickle") == data


def circle():
    data = []
    data.append(data)
    return data


def nested(depth):
    data = []
    for _ in range(depth):
        data = [data]
    return data


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("json", {"a": {1, 2}}, "set is not JSON serializable"),
        ("json", {"a": b"x"}, "bytes is not JSON serializable"),
        ("json", {"a": [{1: "x"}]}, "the key 1 of a dict is int"),
        ("json", {None: "x"}, "the key None of a dict is NoneType"),
        ("json", float("nan"), "not JSON compliant"),
        ("json", float("-inf"), "not JSON compliant"),
        ("json", circle(), "Circular"),
        ("json", nested(201), "nested deeper than 200"),
        ("json", nested(100_000), "session data cannot be kept as json"),
        ("msgpack", {"a": {1, 2}}, "set"),
        ("msgpack", {("a",): 1}, "the key .* of a dict is tuple"),
        ("msgpack", {"a": datetime.datetime(2026, 11, 22)}, "datetime"),
        ("msgpack", 2**64, "cannot be kept as msgpack"),
        ("msgpack", nested(300), "cannot be kept as msgpack"),
        ("pickle", Unpicklable(), "not this one"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_data_that_would_not_come_back_are_refused(name, data, said):
    if name == "msgpack":
        pytest.importorskip("msgpack")
    with pytest.raises(SessionDataError, match=said):
        seal(data, name, 1 << 20)


def test_largest_depth_comes_back(codec):
    assert unseal(seal(nested(199), codec, 10_000), codec) == nested(199)


def test_data_over_the_limit_are_refused_with_both_sizes():
    assert unseal(seal("a" * 98, "json", 100), "json") == "a" * 98
    with pytest.raises(SessionDataError, match="101 bytes, max_size is 100"):
        seal("a" * 99, "json", 100)


def test_every_damage_is_found(codec):
    sealed = seal({"user": "bob", "n": 7}, codec, 100)
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 0x20
        with pytest.raises(InvalidSessionError):
            unseal(bytes(damaged), codec)
        with pytest.raises(InvalidSessionError):
            unseal(sealed[:place], codec)
    with pytest.raises(InvalidSessionError):
        unseal(sealed + b" ", codec)


def test_pickles_are_not_read_unless_asked_for():
    evil = seal(Bomb(), "pickle", 1000)
    assert pickle.dumps(Bomb(), 4) in evil
    with pytest.raises(InvalidSessionError):
        unseal(evil, "json")


def test_pickle_of_a_class_that_is_gone_is_invalid(monkeypatch):
    monkeypatch.setattr(Bomb, "__reduce__", lambda self: (getattr, ("no", "attribute")))
    with pytest.raises(InvalidSessionError, match="invalid session data"):
        unseal(seal(Bomb(), "pickle", 1000), "pickle")


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ([1], [True])])
def test_values_that_only_compare_equal_are_not_the_same(one, other):
    assert not get_codec("json").same(one, other)
    assert get_codec("json").same(one, one)


def test_equal_objects_are_the_same_however_they_pickle():
    text = "".join(["a", "b"])
    assert pickle.dumps([text, text], 4) != pickle.dumps(["".join("ab"), "".join("ab")], 4)
    assert get_codec("pickle").same([text, text], ["".join("ab"), "".join("ab")])


def test_unknown_codec_is_named():
    with pytest.raises(ValueError, match="unknown session codec 'yaml': json, msgpack, pickle"):
        get_codec("yaml")


def test_codec_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "msgpack", None)
    monkeypatch.setattr("smisk.session.codec._made", {})
    with pytest.raises(ImportError, match=r"smisk\[msgpack\]"):
        get_codec("msgpack")


@pytest.mark.parametrize(
    "data", [None, "x\u00e9\ud800", 0, -1.5, 1e300, [], {}, {"a": [1, {"b": None}], "\u20ac": True}, (1, 2)]
)
def test_json_is_the_same_without_the_encoder_in_c(data: object) -> None:
    quick, plain = JSONCodec(), JSONCodec()
    plain._pieces = None
    assert quick._pieces is not None
    assert quick.encode(data) == plain.encode(data) == json.dumps(data, separators=(",", ":")).encode()


def test_what_was_stored_is_what_a_stable_codec_encodes_again(codec):
    data = {"b": 1, "a": [1.5, "\u20ac", None]}
    back, encoded = unseal_both(seal(data, codec, 1000), codec)
    assert back == data
    assert encoded == (None if codec.name == "pickle" else codec.encode(data))
