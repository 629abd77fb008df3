# SPDX-License-Identifier: MIT
"""The protocol of session stores, as `smisk.core` and `smisk.session` name it."""

import subprocess
import sys
import threading

import pytest
import smisk.session
from smisk.core import sessions
from smisk.core.sessions import FileSessionStore, InvalidSessionError, SessionStore, default_store

from lib.sessions import MemoryStore

SID = "0123456789abcdefghijklmnopqrstuv"


def test_base_store_is_that_of_smisk_1():
    store = SessionStore()
    assert (store.ttl, store.name) == (900, "SID")
    assert issubclass(InvalidSessionError, ValueError)
    assert smisk.session.Store is SessionStore


@pytest.mark.parametrize(("method", "more"), [("read", ()), ("write", (1,)), ("refresh", ()), ("destroy", ())])
def test_base_store_names_what_is_not_implemented(method, more):
    with pytest.raises(NotImplementedError, match=method):
        getattr(SessionStore(), method)(SID, *more)


def test_settings_may_be_those_of_the_class_of_the_object_or_given():
    class Mine(FileSessionStore):
        ttl = 60
        name = "MINE"

    store = Mine(ttl=5)
    assert (store.ttl, store.name, Mine().ttl) == (5, "MINE", 60)


@pytest.mark.parametrize("name", ["ttl", "max_size"])
def test_settings_that_cannot_be_are_refused(name):
    for value in (0, -1):
        with pytest.raises(ValueError, match=f"{name} must be above zero"):
            SessionStore(**{name: value})
    with pytest.raises(TypeError, match=f"{name} must be a number"):
        SessionStore(**{name: "900"})


def test_update_of_a_simple_store_reads_writes_and_destroys():
    store = MemoryStore()
    assert store.update(SID, lambda held: {"was": held}) == {"was": None}
    assert store.update(SID, lambda held: {**held, "b": 2}) == {"was": None, "b": 2}
    assert store.kept_data == {SID: {"was": None, "b": 2}}
    assert store.update(SID, lambda held: None) is None
    assert store.kept_data == {}
    store.calls.clear()
    store.update(SID, lambda held: None)
    assert store.calls == [("read", SID)]


def test_update_of_a_simple_store_keeps_threads_apart():
    store = MemoryStore()
    store.write(SID, {})

    def work(name):
        for number in range(200):
            store.update(SID, lambda held: {**held, f"{name}{number}": 1})  # noqa: B023

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.kept_data[SID]) == 800


def test_default_store_is_one_file_store(monkeypatch):
    monkeypatch.setattr(sessions, "_default", None)
    assert type(default_store()) is FileSessionStore
    assert default_store() is default_store()


@pytest.mark.parametrize("name", smisk.session.__all__)
def test_every_exported_name_is_there(name):
    if name == "SQLSessionStore":
        pytest.importorskip("sqlalchemy")
    assert getattr(smisk.session, name).__name__ == ("SessionStore" if name == "Store" else name)
    assert name in dir(smisk.session)


def test_unknown_names_are_attribute_errors():
    for module in (smisk.session, sessions):
        with pytest.raises(AttributeError, match="nothing"):
            module.nothing  # noqa: B018


def test_import_brings_no_store_along():
    code = (
        "import sys; before = set(sys.modules); import smisk.core.sessions, smisk.session\n"
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['smisk', 'smisk.core', 'smisk.core.sessions', 'smisk.session']"
