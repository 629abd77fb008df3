# SPDX-License-Identifier: MIT
"""The life of a session in a request: the table of Smisk 1.1, with sessions made only by writing, and what came new."""

import copy
import random

import pytest
from smisk.core.sessions import SessionDataError, SessionStoreError
from smisk.session.files import FileSessionStore
from smisk.session.ids import is_id
from smisk.session.life import begin

pytest.importorskip("_smisk")

from lib.sessions import MemoryStore, request_with

SID = "0123456789abcdefghijklmnopqrstuv"
NEW = "v" * 32
EXPIRED = "SID=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
TOO_LATE_TO_SEND = r"^Output already started - too late to send session id with response$"
TOO_LATE_TO_SET = r"^Output already started - too late to set session id$"


class CopyingStore(MemoryStore):
    """Gives copies away, as a store does that keeps bytes."""

    def read(self, sid):
        return copy.deepcopy(super().read(sid))

    def write(self, sid, data):
        super().write(sid, copy.deepcopy(data))


@pytest.fixture
def store():
    store = CopyingStore()
    store.kept_data[SID] = {"a": 1, "list": [1]}
    return store


def life_of(store, *cookies, **named):
    return begin(request_with(*cookies, **named), store)


def end(life):
    field = life.cookie()
    life.finish()
    return field


def id_in(field):
    """The id that a Set-Cookie field sends, its attributes checked."""
    value, _, attributes = field.partition("; ")
    assert attributes == "Path=/; HttpOnly; SameSite=Lax"
    name, _, sid = value.partition("=")
    assert name == "SID"
    assert is_id(sid)
    return sid


# --- the table ---


def test_untouched_session_asks_nothing_and_sends_nothing(store):
    assert end(life_of(store, f"SID={SID}")) is None
    assert store.calls == []


def test_reading_without_a_cookie_makes_no_session(store):
    life = life_of(store)
    assert life.data is None
    assert end(life) is None
    assert store.calls == []


def test_setting_without_a_cookie_makes_a_session(store):
    life = life_of(store)
    life.data = {"b": 2}
    sid = id_in(end(life))
    assert store.calls == [("write", sid)]
    assert store.kept_data[sid] == {"b": 2}


def test_reading_a_session_refreshes_it(store):
    life = life_of(store, f"SID={SID}")
    assert life.data == {"a": 1, "list": [1]}
    assert end(life) is None
    assert store.calls == [("read", SID), ("refresh", SID)]


def test_asking_for_the_id_of_a_session_refreshes_it(store):
    life = life_of(store, f"SID={SID}")
    assert life.id == SID
    assert end(life) is None
    assert store.calls == [("read", SID), ("refresh", SID)]


@pytest.mark.parametrize("change", [lambda data: data.update(a=2), lambda data: data["list"].append(2)])
def test_changing_in_place_writes(store, change):
    life = life_of(store, f"SID={SID}")
    change(life.data)
    expected = copy.deepcopy(life.data)
    assert end(life) is None
    assert store.kept_data == {SID: expected}
    assert ("refresh", SID) not in store.calls


@pytest.mark.parametrize("value", [{"a": 1}, {"a": True, "list": [1]}, 0, "", False, [], {}])
def test_setting_replaces_and_only_none_is_no_session(store, value):
    life = life_of(store, f"SID={SID}")
    life.data = value
    assert end(life) is None
    assert store.kept_data == {SID: value}
    assert type(life_of(store, f"SID={SID}").data) is type(value)


def test_setting_none_destroys_at_once_and_expires_the_cookie(store):
    life = life_of(store, f"SID={SID}")
    life.data = None
    assert store.calls == [("read", SID), ("destroy", SID)]
    assert life.data is None
    assert end(life) == EXPIRED
    assert store.calls == [("read", SID), ("destroy", SID)]
    assert store.kept_data == {}


def test_setting_none_without_a_session_does_nothing(store):
    life = life_of(store)
    life.data = None
    assert end(life) is None
    assert store.calls == []


def test_setting_an_id_moves_the_session(store):
    life = life_of(store, f"SID={SID}")
    life.id = NEW
    assert life.id == NEW
    assert id_in(end(life)) == NEW
    assert store.kept_data == {NEW: {"a": 1, "list": [1]}}
    assert store.calls.index(("write", NEW)) < store.calls.index(("destroy", SID))


def test_regenerate_moves_the_session_with_its_changes(store):
    life = life_of(store, f"SID={SID}")
    sid = life.regenerate()
    life.data["user"] = "bob"
    assert id_in(end(life)) == sid != SID
    assert store.kept_data == {sid: {"a": 1, "list": [1], "user": "bob"}}


def test_setting_the_id_that_it_has_is_nothing(store):
    life = life_of(store, f"SID={SID}")
    life.id = SID
    assert end(life) is None
    assert store.calls == [("read", SID), ("refresh", SID)]


def test_setting_an_id_without_a_session_waits_for_data(store):
    life = life_of(store)
    life.id = NEW
    assert end(life) is None
    assert store.calls == []
    life = life_of(store)
    life.id = NEW
    life.data = 1
    assert id_in(end(life)) == NEW
    assert store.kept_data[NEW] == 1


def test_unknown_id_is_never_taken_over(store):
    life = life_of(store, f"SID={NEW}")
    assert life.data is None
    life.data = {"b": 2}
    assert id_in(end(life)) not in (NEW, SID)
    assert NEW not in store.kept_data


@pytest.mark.parametrize(
    "cookie", ["SID=../etc/passwd", "SID=zzzz", "SID=", "SID", "SID=%00", f"SID={SID}%0A", "SID=\xe5", f"SID={SID}v"]
)
def test_malformed_id_is_not_read(store, cookie):
    life = life_of(store, cookie)
    assert life.data is None
    assert end(life) is None
    assert store.calls == []


def test_repeated_cookie_is_none(store):
    life = life_of(store, f"SID={SID}", f"SID={NEW}")
    assert life.data is None
    assert store.calls == []


def test_other_cookies_are_none_of_its_business(store):
    store.name = "MINE"
    life = life_of(store, f"SID={NEW}", f"MINE={SID}")
    assert life.data == {"a": 1, "list": [1]}
    life.data = None
    assert life.cookie().startswith("MINE=; ")


def test_cookie_is_secure_under_https(store):
    life = life_of(store, https=True)
    life.data = 1
    assert life.cookie().endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_store_that_has_none_for_data_has_no_session(store):
    store.kept_data[SID] = None
    life = life_of(store, f"SID={SID}")
    assert life.data is None
    life.data = 1
    assert id_in(end(life)) != SID


# --- ids ---


def test_id_without_a_session_is_the_one_that_it_gets(store):
    life = life_of(store)
    sid = life.id
    assert is_id(sid)
    assert life.id == sid
    life.data = 1
    assert id_in(end(life)) == sid


@pytest.mark.parametrize("bad", ["abc", "", "A" * 32, "../" + "a" * 29, SID + "\n"])
def test_id_of_another_form_is_refused(store, bad):
    life = life_of(store, f"SID={SID}")
    with pytest.raises(ValueError, match="malformed session id"):
        life.id = bad
    with pytest.raises(TypeError):
        life.id = 5
    assert end(life) is None
    assert list(store.kept_data) == [SID]


def test_data_after_destruction_are_a_new_session_with_a_new_id(store):
    life = life_of(store, f"SID={SID}")
    life.data = None
    life.data = {"b": 2}
    sid = id_in(end(life))
    assert sid != SID
    assert store.kept_data == {sid: {"b": 2}}


def test_session_that_was_regenerated_and_destroyed_is_gone(store):
    life = life_of(store, f"SID={SID}")
    life.regenerate()
    life.data = None
    assert end(life) == EXPIRED
    assert store.kept_data == {}


# --- before and after the head ---


def test_changes_are_there_before_the_head_leaves(store):
    life = life_of(store, f"SID={SID}")
    life.data["b"] = 2
    life.cookie()
    assert store.kept_data[SID]["b"] == 2
    store.calls.clear()
    life.finish()
    assert store.calls == []


def test_changes_after_the_head_are_saved_at_the_end(store):
    life = life_of(store, f"SID={SID}")
    life.data["b"] = 2
    assert life.cookie() is None
    life.data["c"] = 3
    store.update(SID, lambda held: {**held, "other": 1})
    life.finish()
    assert store.kept_data[SID] == {"a": 1, "list": [1], "b": 2, "c": 3, "other": 1}


def test_new_session_can_be_changed_after_the_head(store):
    life = life_of(store)
    life.data = {"b": 2}
    sid = id_in(life.cookie())
    life.data["c"] = 3
    life.finish()
    assert store.kept_data[sid] == {"b": 2, "c": 3}
    life = life_of(store, f"SID={sid}")
    assert life.cookie() is None
    life.data = 5
    life.finish()
    assert store.kept_data[sid] == 5


@pytest.mark.parametrize("how", ["cookie was asked for", "host says so"])
def test_what_needs_a_cookie_after_the_head_is_too_late(store, how):
    def late(*cookies):
        life = begin(request_with(*cookies), store, (lambda: True) if how == "host says so" else None)
        if how == "cookie was asked for":
            life.cookie()
        return life

    with pytest.raises(OSError, match=TOO_LATE_TO_SEND):
        late().data = 1
    with pytest.raises(OSError, match=TOO_LATE_TO_SEND):
        late().id  # noqa: B018
    with pytest.raises(OSError, match=TOO_LATE_TO_SEND):
        late(f"SID={NEW}").data = 1
    with pytest.raises(OSError, match=TOO_LATE_TO_SET):
        late(f"SID={SID}").id = NEW
    with pytest.raises(OSError, match=TOO_LATE_TO_SET):
        late(f"SID={SID}").regenerate()
    assert store.kept_data == {SID: {"a": 1, "list": [1]}}


def test_what_needs_no_cookie_after_the_head_is_fine(store):
    life = life_of(store, f"SID={SID}")
    life.cookie()
    assert life.data["a"] == 1
    assert life.id == SID
    life.data = 2
    life.finish()
    assert store.kept_data == {SID: 2}
    late = life_of(store)
    late.cookie()
    assert late.data is None
    late.data = None
    late.finish()


def test_session_is_destroyed_also_after_the_head(store):
    life = life_of(store, f"SID={SID}")
    life.cookie()
    life.data = None
    life.finish()
    assert store.kept_data == {}


def test_session_that_nobody_was_told_of_is_not_kept(store):
    life = life_of(store)
    life.data = 1
    life.finish()
    life = life_of(store, f"SID={SID}")
    life.regenerate()
    life.data["secret"] = 1
    life.finish()
    assert store.kept_data == {SID: {"a": 1, "list": [1]}}


def test_session_is_saved_though_no_head_was_made(store):
    life = life_of(store, f"SID={SID}")
    life.data["b"] = 2
    life.finish()
    assert store.kept_data[SID] == {"a": 1, "list": [1], "b": 2}


def test_end_comes_once(store):
    life = life_of(store, f"SID={SID}")
    life.data["b"] = 2
    end(life)
    store.calls.clear()
    life.finish()
    assert life.cookie() is None
    assert store.calls == []


# --- others ---


def test_requests_of_one_session_keep_each_others_changes(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    one.data["one"] = 1
    del one.data["list"]
    other.data["other"] = 2
    other.data["a"] = 3
    end(other)
    end(one)
    assert store.kept_data[SID] == {"a": 3, "one": 1, "other": 2}


def test_changes_do_not_bring_back_what_another_request_has_destroyed(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    one.data["one"] = 1
    other.data = None
    assert end(other) == EXPIRED
    assert end(one) is None
    assert store.kept_data == {}
    assert one.data is None


def test_data_that_were_assigned_are_a_new_session_where_the_old_is_destroyed(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    one.data = {"user": "bob"}
    other.data = None
    end(other)
    sid = id_in(end(one))
    assert sid != SID
    assert store.kept_data == {sid: {"user": "bob"}}


def test_data_that_were_assigned_after_the_head_stay_destroyed(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    one.cookie()
    one.data = {"user": "bob"}
    other.data = None
    end(other)
    one.finish()
    assert store.kept_data == {}


def test_regenerating_takes_along_what_another_request_has_changed(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    sid = one.regenerate()
    one.data["one"] = 1
    other.data["other"] = 2
    end(other)
    assert id_in(end(one)) == sid
    assert store.kept_data == {sid: {"a": 1, "list": [1], "one": 1, "other": 2}}


def test_change_under_an_id_that_was_given_up_is_dropped(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    sid = one.regenerate()
    other.data["other"] = 2
    end(one)
    assert end(other) is None
    assert store.kept_data == {sid: {"a": 1, "list": [1]}}


def test_regenerating_does_not_bring_back_what_another_request_has_destroyed(store):
    one, other = life_of(store, f"SID={SID}"), life_of(store, f"SID={SID}")
    one.regenerate()
    other.data = None
    end(other)
    assert end(one) is None
    assert store.kept_data == {}


def test_two_logins_at_once_are_two_sessions(store):
    ones = [life_of(store, f"SID={SID}") for _ in range(2)]
    for one in ones:
        one.data = {"user": "bob"}
        one.regenerate()
    sids = [id_in(end(one)) for one in ones]
    assert store.kept_data == {sid: {"user": "bob"} for sid in sids}


class Model:
    """One request as it should be: what it found, what it has, and what the two differ in."""

    def __init__(self, data):
        self.base = copy.deepcopy(data)
        self.mine = copy.deepcopy(data)

    def save(self, stored):
        """Puts each key that is other than it was found into what is stored."""
        for key in self.base.keys() | self.mine.keys():
            if key not in self.mine:
                stored.pop(key, None)
            elif self.mine[key] != self.base.get(key):
                stored[key] = copy.deepcopy(self.mine[key])
        self.base = copy.deepcopy(self.mine)


@pytest.mark.parametrize("seed", range(40))
def test_any_interleaving_of_requests_loses_nothing(store, seed):
    random.seed(seed)
    stored = {"a": 1, "list": [1]}
    requests = []
    for number in range(60):
        if len(requests) < 4:
            requests.append((life_of(store, f"SID={SID}"), Model(stored)))
            assert requests[-1][0].data == stored
        life, model = random.choice(requests)
        key = random.choice("abcdef")
        act = random.choice(["set", "set", "delete", "nest", "head", "end"])
        for data in (life.data, model.mine):
            if act == "set":
                data[key] = number
            elif act == "delete":
                data.pop(key, None)
            elif act == "nest":
                data.setdefault("list", []).append(number)
        if act == "head":
            assert life.cookie() is None
            model.save(stored)
        elif act == "end":
            life.finish()
            model.save(stored)
            requests.remove((life, model))
        assert store.kept_data == {SID: stored}


# --- errors ---


class FailingStore(CopyingStore):
    """Fails in the methods of `failing`."""

    failing = ()

    def read(self, sid):
        self.fail("read")
        return super().read(sid)

    def write(self, sid, data):
        self.fail("write")
        super().write(sid, data)

    def destroy(self, sid):
        self.fail("destroy")
        super().destroy(sid)

    def fail(self, name):
        if name in self.failing:
            raise SessionStoreError(f"{name} failed")


@pytest.fixture
def failing():
    store = FailingStore()
    store.kept_data[SID] = {"a": 1}
    return store


def test_error_of_reading_is_told_at_each_touch_until_it_is_gone(failing):
    failing.failing = ("read",)
    life = life_of(failing, f"SID={SID}")
    for _ in range(2):
        with pytest.raises(SessionStoreError, match="read failed"):
            life.data  # noqa: B018
    failing.failing = ()
    assert life.data == {"a": 1}
    assert end(life) is None


def test_session_that_could_not_be_read_is_left_alone(failing):
    failing.failing = ("read",)
    life = life_of(failing, f"SID={SID}")
    with pytest.raises(SessionStoreError):
        life.data = {"b": 1}
    assert end(life) is None
    assert failing.kept_data == {SID: {"a": 1}}


def test_error_of_saving_is_told_once_and_nothing_is_sent(failing):
    for cookies in ((), (f"SID={SID}",)):
        failing.failing = ("write",)
        life = life_of(failing, *cookies)
        life.data = {"b": 2}
        with pytest.raises(SessionStoreError, match="write failed"):
            life.cookie()
        failing.failing = ()
        assert end(life) is None
    assert failing.kept_data == {SID: {"a": 1}}


@pytest.mark.parametrize("method", ["write", "destroy"])
def test_regenerating_that_fails_leaves_the_old_session(failing, method):
    failing.failing = (method,)
    life = life_of(failing, f"SID={SID}")
    life.regenerate()
    life.data["b"] = 2
    with pytest.raises(SessionStoreError, match=f"{method} failed"):
        life.cookie()
    assert failing.kept_data[SID] == {"a": 1}


def test_destroying_that_fails_is_told_and_changes_nothing(failing):
    failing.failing = ("destroy",)
    life = life_of(failing, f"SID={SID}")
    with pytest.raises(SessionStoreError, match="destroy failed"):
        life.data = None
    assert life.data == {"a": 1}
    assert end(life) is None


def test_data_that_cannot_be_kept_are_told_before_the_head(tmp_path):
    store = FileSessionStore(f"{tmp_path}/")
    life = life_of(store)
    life.data = {"a": {1, 2}}
    with pytest.raises(SessionDataError, match="set is not JSON serializable"):
        life.cookie()
    assert life.cookie() is None
    life.finish()
