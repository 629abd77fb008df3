# SPDX-License-Identifier: MIT
"""What callables take, and calling them with more than that."""

import functools

import pytest
from smisk.util.frozen import frozendict
from smisk.util.introspect import introspect, repr2
from smisk.util.objectproxy import ObjectProxy
from smisk.util.type import Undefined


def plain(a, b=2, *, c, d=4):
    return a, b, c, d


def everything(a, *args, **kw):
    return a, args, kw


class Thing:
    def __init__(self, size, color="red"):
        self.size = size

    def method(self, a, b=None):
        return self, a, b

    @classmethod
    def make(cls, a):
        return cls, a

    def __call__(self, x):
        return x


def test_callable_info_tells_what_a_function_takes():
    info = introspect.callable_info(plain)
    assert info == {
        "name": "plain",
        "args": (("a", Undefined), ("b", 2)),
        "kwonly": (("c", Undefined), ("d", 4)),
        "varargs": False,
        "varkw": False,
        "method": False,
    }
    assert type(info) is frozendict and introspect.callable_info(plain) is info


@pytest.mark.parametrize(
    ("f", "name", "args", "method"),
    [
        (Thing(1).method, "method", (("a", Undefined), ("b", None)), True),
        (Thing.make, "make", (("a", Undefined),), True),
        (Thing.method, "method", (("self", Undefined), ("a", Undefined), ("b", None)), False),
        (Thing(1), "Thing", (("x", Undefined),), True),
        (Thing, "Thing", (("size", Undefined), ("color", "red")), False),
        (functools.partial(plain, 1), "partial", (("b", 2),), False),
    ],
)
def test_callable_info_leaves_self_out(f, name, args, method):
    info = introspect.callable_info(f)
    assert (info["name"], info["args"], info["method"]) == (name, args, method)


def test_callable_info_of_a_built_in_is_what_it_says():
    assert introspect.callable_info(len)["args"] == (("obj", Undefined),)
    with pytest.raises(ValueError, match="signature"):
        introspect.callable_info(iter)


@pytest.mark.parametrize("thing", [None, 1, "text"])
def test_callable_info_of_what_cannot_be_called_is_none(thing):
    assert introspect.callable_info(thing) is None


def test_callable_info_forgets_functions_that_are_gone():
    before = len(introspect._info_cache)
    introspect.callable_info(lambda: None)
    assert len(introspect._info_cache) == before


def test_getargspec_gives_names_and_defaults():
    assert introspect.getargspec(plain) == (False, ["a", "b"], None, None, (2,))
    assert introspect.getargspec(everything) == (False, ["a"], "args", "kw", None)
    assert introspect.getargspec(Thing(1).method) == (True, ["a", "b"], None, None, (None,))


def none():
    return ()


def one(a):
    return (a,)


def only_args(*args):
    return args


def only_kw(a, **kw):
    return a, kw


def positional_only(a, /, b):
    return a, b


@pytest.mark.parametrize(
    ("f", "args", "kwargs", "result"),
    [
        (none, (1, 2), {"x": 5}, ()),
        (one, (1, 2, 3), {"x": 5}, (1,)),
        (one, (), {"a": 1, "x": 5}, (1,)),
        (only_args, (1, 2), {"x": 5}, (1, 2)),
        (only_kw, (1, 2), {"x": 5}, (1, {"x": 5})),
        (plain, (1, 2, 3), {"c": 3, "x": 5}, (1, 2, 3, 4)),
        (positional_only, (1,), {"a": 9, "b": 2}, (1, 2)),
        (Thing, (1, "red", 3), {"x": 5}, Thing),
        (Thing(1), (1, 2), {"y": 3}, 1),
    ],
)
def test_ensure_va_kwa_drops_what_is_not_taken(f, args, kwargs, result):
    got = introspect.ensure_va_kwa(f)(*args, **kwargs)
    assert got == result or type(got) is result


def test_ensure_va_kwa_returns_what_takes_everything():
    assert introspect.ensure_va_kwa(everything) is everything


def test_ensure_va_kwa_still_asks_for_what_is_needed():
    with pytest.raises(TypeError, match="missing 1 required"):
        introspect.ensure_va_kwa(one)(x=5)


def test_ensure_va_kwa_keeps_attributes():
    def leaf(a):
        """Answers."""

    leaf.slug = "a-leaf"
    wrapper = introspect.ensure_va_kwa(leaf)
    assert (wrapper.__name__, wrapper.__doc__, wrapper.slug) == ("leaf", "Answers.", "a-leaf")
    assert wrapper.wrapped_func is wrapper.im_func is leaf
    assert not hasattr(wrapper, "im_class")
    info = introspect.callable_info(wrapper)
    assert (info["args"], info["varargs"], info["varkw"]) == ((("a", Undefined),), True, True)
    assert not introspect.callable_info(leaf)["varargs"]
    assert introspect.ensure_va_kwa(wrapper) is wrapper


def test_ensure_va_kwa_of_a_method_names_its_class_and_replaces_it_in_its_parent():
    thing = Thing(1)
    wrapper = introspect.ensure_va_kwa(thing.method, parent=thing)
    assert (wrapper.im_class, thing.method) == (Thing, wrapper)
    assert thing.method(1, 2, 3, x=4) == (thing, 1, 2)


class Odd:
    def __dir__(self):
        return ["a", "broken", "text"]

    a = 1
    text = "t"

    @property
    def broken(self):
        raise KeyError("gone")


def test_format_members_aligns_names():
    assert introspect.format_members(Odd()) == "a      = 1\nbroken = KeyError('gone')\ntext   = 't'"


def test_format_members_colours_by_type():
    lines = introspect.format_members(Odd(), colorize=True).split("\n")
    assert lines[0] == "\033[1;31ma     \033[m = \033[1;31m1\033[m"
    assert lines[2].startswith("\033[1;33mtext")


def test_repr2_is_short():
    assert repr2(list(range(9))) == "[0, 1, 2, 3, 4, 5, ...]"
    assert len(repr2("x" * 1000)) == 200


# --- ObjectProxy ---


class Box:
    value = 1


def test_proxy_forwards_attributes():
    box = Box()
    proxy = ObjectProxy(box)
    proxy.value = 2
    assert (proxy.value, box.value, "value" in dir(proxy)) == (2, 2, True)
    del proxy.value
    assert box.value == 1
    assert proxy._object() is box


def test_proxy_forwards_items_iteration_and_length():
    proxy = ObjectProxy({})
    proxy["a"] = 1
    assert (proxy["a"], list(proxy), len(proxy), "a" in proxy, "b" in proxy) == (1, ["a"], 1, True, False)
    del proxy["a"]
    assert not proxy


def test_proxy_forwards_calls():
    assert ObjectProxy(plain)(1, c=3) == (1, 2, 3, 4)


def test_proxy_compares_as_its_object():
    five = ObjectProxy(5)
    assert five == 5 and five != 6 and five < 6 and five <= 5 and five > 4 and five >= 5
    assert [five != 5, five > 5, five >= 6, five < 5] == [False] * 4
    assert hash(five) == hash(5) and {5: "x"}[five] == "x"


def test_proxy_of_none_is_false_and_looks_like_it():
    proxy = ObjectProxy()
    assert (bool(proxy), repr(proxy), str(proxy)) == (False, "None", "None")
    with pytest.raises(AttributeError, match="NoneType"):
        _ = proxy.anything


def test_proxy_takes_another_object():
    proxy = ObjectProxy("one")
    proxy._set_object("other")
    assert (str(proxy), repr(proxy), proxy.upper()) == ("other", "'other'", "OTHER")


def test_proxy_subclass_decides_what_is_behind():
    numbers = iter([1, 2])

    class Counting(ObjectProxy):
        def _object(self):
            return next(numbers)

    proxy = Counting()
    assert [repr(proxy), repr(proxy)] == ["1", "2"]
