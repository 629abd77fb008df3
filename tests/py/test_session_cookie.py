# SPDX-License-Identifier: MIT
"""CookieSessionStore: what was not signed here, for this cookie and this time, is no session."""

import random
import time

import pytest
from smisk.core.sessions import InvalidSessionError, SessionDataError
from smisk.session import cookie
from smisk.session.cookie import CookieSessionStore

SID = "0123456789abcdefghijklmnopqrstuv"
OLD, NEW = "old secret of 16 bytes", b"new secret of 16 bytes"
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."


@pytest.fixture
def store():
    return CookieSessionStore(OLD)


def test_cookie_has_id_data_and_expiry(store):
    before = int(time.time())
    opened = store.open(store.seal(SID, {"user": "å", "n": [1]}))
    assert opened[:2] == (SID, {"user": "å", "n": [1]})
    assert before + 900 <= opened.expires <= time.time() + 900
    assert store.find(store.seal(SID, 0)) == (SID, 0)
    assert store.read(store.seal(SID, 0)) == 0


def test_cookie_needs_no_encoding(store):
    assert set(store.seal(SID, {"text": "".join(map(chr, range(0x180)))})) <= set(ALPHABET)


def test_cookie_with_any_character_changed_is_invalid(store):
    value = store.seal(SID, {"user": "bob"})
    for place, was in enumerate(value):
        for char in set(ALPHABET + "å \0=") - {was}:
            with pytest.raises(InvalidSessionError):
                store.read(value[:place] + char + value[place + 1 :])


def test_cookie_that_is_cut_off_or_longer_is_invalid(store):
    value = store.seal(SID, {"user": "bob"})
    for place in range(len(value)):
        with pytest.raises(InvalidSessionError):
            store.read(value[:place])
        with pytest.raises(InvalidSessionError):
            store.read(value[place + 1 :])
    for more in ("=", ".", "A", " ", "\n"):
        with pytest.raises(InvalidSessionError):
            store.read(value + more)


def test_any_text_never_raises_anything_else(store):
    random.seed(3)
    for _ in range(1000):
        text = "".join(random.choices(ALPHABET + "å=\0%", k=random.randrange(60)))
        with pytest.raises(InvalidSessionError):
            store.read(text)
    for text in ("", ".", "...", f"{SID}.7fffffff.e30.", "é" * 100, "a" * 5_000_000):
        with pytest.raises(InvalidSessionError):
            store.read(text)


def test_expired_cookie_is_too_old_and_its_time_cannot_be_moved(store, monkeypatch):
    value = store.seal(SID, 1)
    now = time.time()
    monkeypatch.setattr(cookie.time, "time", lambda: now + 890)
    assert store.read(value) == 1
    monkeypatch.setattr(cookie.time, "time", lambda: now + 901)
    with pytest.raises(InvalidSessionError, match="data too old"):
        store.read(value)
    sid, expires, rest = value.split(".", 2)
    with pytest.raises(InvalidSessionError, match="no valid signature"):
        store.read(f"{sid}.{int(expires, 16) + 900:x}.{rest}")


def test_cookie_of_another_secret_is_invalid(store):
    with pytest.raises(InvalidSessionError, match="no valid signature"):
        CookieSessionStore(NEW).read(store.seal(SID, 1))


def test_secrets_rotate(store):
    both = CookieSessionStore([NEW, OLD])
    assert both.read(store.seal(SID, 1)) == 1
    value = both.seal(SID, 2)
    assert CookieSessionStore(NEW).read(value) == 2
    with pytest.raises(InvalidSessionError):
        store.read(value)


def test_cookie_of_another_name_or_codec_is_invalid(store):
    pytest.importorskip("msgpack")
    value = store.seal(SID, 1)
    for other in (CookieSessionStore(OLD, name="OTHER"), CookieSessionStore(OLD, codec="msgpack")):
        with pytest.raises(InvalidSessionError, match="no valid signature"):
            other.read(value)


def test_data_that_do_not_fit_in_a_cookie_are_refused_with_both_sizes(store):
    fits = max(size for size in range(2500, 3100) if _fits(store, size))
    assert len(f"SID={store.seal(SID, 'x' * fits)}") in range(3990, 4001)
    with pytest.raises(SessionDataError, match=r"would be 400\d bytes, max_size is 4000"):
        store.seal(SID, "x" * (fits + 3))


def _fits(store, size):
    try:
        store.seal(SID, "x" * size)
    except SessionDataError:
        return False
    return True


def test_data_that_would_not_come_back_are_refused(store):
    for data in ({"a": {1}}, {1: "a"}):
        with pytest.raises(SessionDataError):
            store.seal(SID, data)


@pytest.mark.parametrize("secret", ["", "short", b"15 bytes it is.", []])
def test_short_secret_is_refused(secret):
    with pytest.raises(ValueError, match="secret"):
        CookieSessionStore(secret)
    with pytest.raises(ValueError, match="secret"):
        CookieSessionStore([OLD, secret]) if secret != [] else CookieSessionStore(())


def test_secret_that_is_no_text_is_a_type_error():
    with pytest.raises(TypeError, match="must be str or bytes"):
        CookieSessionStore([OLD, None])


def test_pickles_are_refused():
    with pytest.raises(ValueError, match="does not take pickles"):
        CookieSessionStore(OLD, codec="pickle")


@pytest.mark.parametrize(("method", "more"), [("write", (1,)), ("refresh", ()), ("destroy", ())])
def test_what_a_cookie_cannot_do_is_said(store, method, more):
    with pytest.raises(NotImplementedError, match="keeps nothing"):
        getattr(store, method)(SID, *more)
