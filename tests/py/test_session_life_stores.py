# SPDX-License-Identifier: MIT
"""The life of a session with stores of other kinds: files, objects that derive from nothing, the cookie itself."""

import time

import pytest
from smisk.core.cookies import parse_cookies
from smisk.core.sessions import InvalidSessionError, SessionDataError
from smisk.session.cookie import CookieSessionStore
from smisk.session.files import FileSessionStore
from smisk.session.life import begin

pytest.importorskip("_smisk")

from lib.sessions import request_with, sent_cookie

SID = "0123456789abcdefghijklmnopqrstuv"
EXPIRED = "SID=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
TOO_LATE_TO_SET = r"^Output already started - too late to set session id$"
TOO_LATE_FOR_DATA = r"^Output already started - too late to send session data with response$"


def life_of(store, *cookies):
    return begin(request_with(*cookies), store)


def end(life):
    field = life.cookie()
    life.finish()
    return field


class OldStore:
    """A store as Smisk 1.1 took it: any object with these names."""

    ttl = 60
    name = "OLD"

    def __init__(self):
        self.kept = {}

    def read(self, sid):
        if sid not in self.kept:
            raise InvalidSessionError("no data")
        return self.kept[sid]

    def write(self, sid, data):
        self.kept[sid] = data

    def refresh(self, sid):
        self.kept.setdefault("refreshed", sid)

    def destroy(self, sid):
        self.kept.pop(sid, None)


def test_store_that_derives_from_nothing_is_taken():
    store = OldStore()
    life = life_of(store)
    life.data = {"a": 1}
    cookie = sent_cookie(life)
    life.finish()
    assert cookie.startswith("OLD=")
    life = life_of(store, cookie)
    life.data = {**life.data, "b": 2}
    end(life)
    assert store.kept == {cookie[4:]: {"a": 1, "b": 2}}
    end_reading(life_of(store, cookie))
    assert store.kept.pop("refreshed") == cookie[4:]
    life = life_of(store, cookie)
    life.data = None
    assert store.kept == {}


def end_reading(life):
    assert life.data == {"a": 1, "b": 2}
    assert end(life) is None


def test_store_may_keep_objects_that_no_codec_knows():
    store = OldStore()
    thing = object()
    life = life_of(store)
    life.data = {"thing": thing}
    cookie = sent_cookie(life)
    life.finish()
    for key in ("b", "c"):
        life = life_of(store, cookie)
        life.data[key] = {1}
        end(life)
    assert store.kept == {cookie[4:]: {"thing": thing, "b": {1}, "c": {1}}}


def test_store_may_keep_keys_that_the_codec_would_change():
    store = OldStore()
    life = life_of(store)
    life.data = {1: "a", 2: "b"}
    cookie = sent_cookie(life)
    life.finish()
    life = life_of(store, cookie)
    life.data = {1: "a", 3: "c"}
    end(life)
    assert store.kept == {cookie[4:]: {1: "a", 3: "c"}}


def test_keys_that_would_change_are_refused_by_files_also_in_place(tmp_path):
    store = FileSessionStore(f"{tmp_path}/")
    store.write(SID, {"a": 1})
    life = life_of(store, f"SID={SID}")
    life.data[1] = "b"
    with pytest.raises(SessionDataError, match="the key 1 of a dict is int"):
        life.cookie()
    assert store.read(SID) == {"a": 1}


def test_files_carry_a_session_through_requests(tmp_path):
    store = FileSessionStore(f"{tmp_path}/", gc_probability=1)
    life = life_of(store)
    life.data = {"n": 0}
    cookie = sent_cookie(life)
    life.finish()
    for number in range(20):
        life = life_of(store, cookie)
        assert life.data == {"n": number}
        life.data["n"] += 1
        assert end(life) is None
    life = life_of(store, cookie)
    cookie, old = f"SID={life.regenerate()}", cookie
    end(life)
    assert life_of(store, cookie).data == {"n": 20}
    assert life_of(store, old).data is None


# --- the session in the cookie ---


@pytest.fixture
def signed():
    return CookieSessionStore("a secret of 16 bytes or more")


def cookie_of(store, data, sid=SID):
    return f"SID={store.seal(sid, data)}"


def opened(store, field):
    value = parse_cookies(field.partition(";")[0].encode())["SID"]
    return store.open(value)


def test_carried_session_goes_around(signed):
    life = life_of(signed)
    assert life.data is None
    life.data = {"n": 1}
    field = end(life)
    assert field.endswith("; Path=/; HttpOnly; SameSite=Lax")
    life = life_of(signed, field.partition(";")[0])
    assert life.data == {"n": 1}
    assert life.id == opened(signed, field).sid
    life.data["n"] += 1
    assert opened(signed, end(life))[:2] == (life.id, {"n": 2})


def test_carried_session_that_was_only_read_is_sent_anew_in_its_second_half(signed, monkeypatch):
    cookie = cookie_of(signed, {"n": 1})
    life = life_of(signed, cookie)
    assert life.data == {"n": 1}
    assert end(life) is None
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 500)
    life = life_of(signed, cookie)
    assert life.data == {"n": 1}
    assert opened(signed, end(life)) == (SID, {"n": 1}, int(now + 500 + 900))
    life = life_of(signed, cookie)
    assert end(life) is None


def test_carried_session_that_was_forged_or_is_old_is_none(signed, monkeypatch):
    cookie = cookie_of(signed, {"admin": False})
    assert life_of(signed, cookie[:-1] + "_").data is None
    assert life_of(signed, f"SID={SID}").data is None
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 1000)
    life = life_of(signed, cookie)
    assert life.data is None
    life.data = 1
    assert opened(signed, end(life)).sid != SID


def test_carried_session_is_destroyed_by_its_cookie(signed):
    life = life_of(signed, cookie_of(signed, 1))
    life.data = None
    assert life.data is None
    assert end(life) == EXPIRED


def test_carried_session_gets_another_id(signed):
    life = life_of(signed, cookie_of(signed, 1))
    sid = life.regenerate()
    assert opened(signed, end(life))[:2] == (sid, 1)


def test_carried_session_after_the_head_can_only_be_read(signed):
    life = life_of(signed, cookie_of(signed, {"a": 1}))
    life.cookie()
    assert life.data == {"a": 1}
    for value in (1, None):
        with pytest.raises(OSError, match=TOO_LATE_FOR_DATA):
            life.data = value
    with pytest.raises(OSError, match=TOO_LATE_TO_SET):
        life.regenerate()
    life.finish()


def test_carried_session_that_is_changed_in_place_after_the_head_is_told_at_the_end(signed):
    life = life_of(signed, cookie_of(signed, {"a": 1}))
    life.data["b"] = 2
    assert opened(signed, life.cookie()).data == {"a": 1, "b": 2}
    life.data["c"] = 3
    with pytest.raises(OSError, match=TOO_LATE_FOR_DATA):
        life.finish()
    life.finish()


def test_carried_session_that_is_too_large_is_told_before_the_head(signed):
    life = life_of(signed)
    life.data = "x" * 5000
    with pytest.raises(SessionDataError, match="max_size is 4000"):
        life.cookie()
    assert end(life) is None
