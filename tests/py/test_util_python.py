# SPDX-License-Identifier: MIT
"""Exceptions as text, modules of folders and classes, types, and threads that call again and again."""

import sys
import threading
import types
from collections.abc import MutableMapping as AbstractMapping
from pathlib import Path

import pytest
import smisk.util.type
from smisk.util import python
from smisk.util.python import find_closest_syspath, format_exc, load_modules, wrap_exc_in_callable
from smisk.util.threads import Monitor, PerpetualTimer
from smisk.util.type import MutableMapping, None2, RegexType, Symbol, Undefined


def raised():
    try:
        raise KeyError("gone")
    except KeyError as error:
        return error


def test_format_exc_gives_lines_or_text():
    error = raised()
    lines = format_exc(error)
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):\n", "KeyError: 'gone'\n")
    triple = (KeyError, error, error.__traceback__)
    assert format_exc(triple, as_string=True) == format_exc(error, True) == "".join(lines)


def test_format_exc_takes_what_is_being_handled():
    try:
        raise ValueError("now")
    except ValueError:
        assert format_exc()[-1] == "ValueError: now\n"


def test_format_exc_without_an_exception_is_empty():
    assert format_exc() == format_exc((None, None, None)) == format_exc(as_string=True) == ""


def test_wrapped_exception_is_raised_with_a_fresh_traceback():
    error = raised()
    raiser = wrap_exc_in_callable(error)
    depths = []
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            raiser(1, x=2)
        assert caught.value is error
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1


def test_wrapped_exception_may_be_a_class():
    with pytest.raises(KeyError):
        wrap_exc_in_callable(KeyError)()


class Base:
    @classmethod
    def make(cls):
        pass

    @classmethod
    def _hidden(cls):
        pass

    def method(self):
        pass


class Derived(Base):
    @classmethod
    def build(cls):
        pass

    @staticmethod
    def helper():
        pass


def test_classmethods_are_listed():
    assert python.classmethods(Derived) == ["build", "make"]


def test_modules_of_items_are_sorted_and_unique():
    assert python.unique_sorted_modules_of_items([Base, pytest.fixture, Derived, Path]) == sorted(
        {Base.__module__, pytest.fixture.__module__, Path.__module__}
    )


def test_python_files_of_a_folder_are_listed(tmp_path):
    for name in ("b.py", "a.py", "a.pyc", "c.pyc", "d.txt", "x.y.py"):
        (tmp_path / name).touch()
    assert python.list_python_filenames_in_dir(tmp_path) == ["a", "b", "x.y"]
    assert python.list_python_filenames_in_dir(str(tmp_path), only_py=False) == ["a", "b", "c", "x.y"]


def test_modules_of_a_class_tree_are_found():
    here = sys.modules.get(Base.__module__)
    if here is None:
        pytest.skip("pytest keeps this module out of sys.modules")
    assert python.find_modules_for_classtree(Base) == [here]
    assert python.find_modules_for_classtree(Derived) == []
    assert python.find_modules_for_classtree(Base, exclude_root=False) == [here]
    assert python.find_modules_for_classtree(Base, exclude_root=False, unique=False) == [here, here]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A package with a package in it, and a folder that is none."""
    for name in ("shop_of_test/__init__.py", "shop_of_test/cart.py", "shop_of_test/till/__init__.py",
                 "shop_of_test/till/coins.py", "shop_of_test/data/junk.py", "shop_of_test/readme.txt"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


def test_closest_folder_of_the_path_is_found(shop):
    sys.path.append(str(shop))
    assert find_closest_syspath(str(shop), []) == ("", str(shop))
    assert find_closest_syspath(str(shop / "shop_of_test" / "till"), []) == ("shop_of_test.till", str(shop))
    sys.path.remove(str(shop))
    assert find_closest_syspath(str(shop / "shop_of_test"), []) == (None, None)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"cart"}),
        ({"skip_first_init": False}, {"", "cart"}),
        ({"deep": True}, {"cart", "till", "till.coins"}),
    ],
)
def test_modules_of_a_folder_are_loaded(shop, options, names):
    sys.path.append(str(shop))
    with pytest.deprecated_call():
        loaded = load_modules(str(shop / "shop_of_test"), **options)
    assert set(loaded) == {f"shop_of_test.{name}".rstrip(".") for name in names}
    assert all(sys.modules[name] is module for name, module in loaded.items())


def test_modules_are_loaded_below_a_folder_that_is_given(shop):
    with pytest.deprecated_call():
        loaded = load_modules(str(shop / "shop_of_test"), libdir=str(shop), parent_name="shop_of_test")
    assert set(loaded) == {"shop_of_test.cart"} and str(shop) not in sys.path


def test_modules_of_a_folder_that_is_no_package_are_loaded_by_their_names(shop):
    with pytest.deprecated_call():
        assert set(load_modules(str(shop / "shop_of_test" / "data"))) == {"junk"}


def test_module_whose_name_is_taken_is_an_error(tmp_path):
    (tmp_path / "threading.py").write_text("")
    with pytest.deprecated_call(), pytest.raises(ImportError, match=r"threading\.py cannot be imported as threading"):
        load_modules(str(tmp_path))


# --- type ---


def test_types_are_all_there():
    assert all(getattr(smisk.util.type, name) is getattr(types, name) for name in types.__all__)
    assert {"Symbol", "FunctionType"} <= set(smisk.util.type.__all__)
    assert (None2, MutableMapping) == ((None, None), AbstractMapping)
    import re

    assert isinstance(re.compile("."), RegexType)


def test_symbol_is_its_name():
    assert (repr(Symbol("Here")), repr(Undefined), Symbol("x").name) == ("Here", "Undefined", "x")


# --- threads ---

PATIENCE = 10.0


def test_timer_calls_again_and_again_until_cancelled():
    calls, enough = [], threading.Event()

    def callback(one, two):
        calls.append((one, two, threading.current_thread()))
        if len(calls) == 3:
            enough.set()
            timer.cancel()

    timer = PerpetualTimer(0.001, callback, lambda: calls.append("setup"), [1], {"two": 2})
    assert timer.daemon
    timer.start()
    assert enough.wait(PATIENCE)
    timer.join(PATIENCE)
    assert not timer.is_alive()
    assert calls == ["setup", (1, 2, timer), (1, 2, timer)]


def test_timer_outlives_what_its_callback_raises(caplog):
    again = threading.Event()
    calls = []

    def callback():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("the first time")
        again.set()

    timer = PerpetualTimer(0.001, callback)
    timer.start()
    assert again.wait(PATIENCE)
    timer.cancel()
    timer.join(PATIENCE)
    assert "the first time" in caplog.text


def test_monitor_runs_between_start_and_stop():
    called = threading.Event()
    monitor = Monitor(called.set, frequency=0.001)
    monitor.start()
    thread = monitor.thread
    monitor.start()
    assert monitor.thread is thread and thread.name == "Monitor:Monitor"
    assert called.wait(PATIENCE)
    monitor.restart()
    assert not thread.is_alive() and monitor.thread is not thread
    monitor.stop()
    assert monitor.thread is None
    monitor.stop()


def test_monitor_may_be_stopped_by_its_own_callback():
    done = threading.Event()

    def callback():
        monitor.stop()
        done.set()

    monitor = Monitor(callback, frequency=0.001)
    monitor.start()
    thread = monitor.thread
    assert done.wait(PATIENCE)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("frequency", [0, -1])
def test_monitor_without_a_frequency_does_not_start(frequency):
    monitor = Monitor(lambda: None, frequency=frequency)
    monitor.start()
    assert monitor.thread is None
