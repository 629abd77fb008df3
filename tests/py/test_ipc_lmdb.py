# SPDX-License-Identifier: MIT
"""The shared dict in a file: who empties it, what survives a kill, forks, a full map, expiry, private folders."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from smisk.ipc import SharedDictError, SharedDictFullError
from smisk.ipc.life import identity, server_identity
from smisk.ipc.lmdb import LMDBDict, shared_dict
from smisk.ipc.names import default_folder

from lib.sharers import race, sharers

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"name": "test", "folder": str(tmp_path / "test.ipc")}


@pytest.fixture
def shared(options: dict[str, Any]) -> Iterator[LMDBDict]:
    shared = shared_dict(**options)
    yield shared
    shared.close()


def entries(shared: LMDBDict) -> int:
    """Records in the file, ended ones included."""
    return int(shared._store.run(False, lambda transaction, items, _: transaction.stat(items)["entries"]))


# --- whose life it has (B37) ---


def test_dict_of_an_ended_server_is_emptied_by_one_of_many_processes(options: dict[str, Any]) -> None:
    assert race(options, ["shared['old'] = 1"]) == [None]
    code = "result = [shared.incr('n'), 'old' in shared]; import sys; print('done', flush=True); sys.stdin.readline()"
    with sharers({**options, "open": False}, [code] * 6) as started:
        for sharer in started:
            sharer.begin()
        for sharer in started:
            assert sharer.line() == "done"
        for sharer in started:
            sharer.begin()
        results = [sharer.result() for sharer in started]
    assert sorted(results) == [[number, False] for number in range(1, 7)]


def test_dict_in_use_is_not_emptied_by_those_who_come_later(options: dict[str, Any]) -> None:
    with sharers(options, ["shared['a'] = 1; print('done', flush=True); input()"]) as (user,):
        user.begin()
        assert user.line() == "done"
        assert race(options, ["result = shared['a']", "result = shared['a']"]) == [1, 1]


def test_dict_that_its_maker_closed_is_there_again_while_the_maker_lives(options: dict[str, Any]) -> None:
    shared = shared_dict(**options)
    shared["a"] = 1
    shared.close()
    assert race(options, ["result = shared['a']"]) == [1]
    again = shared_dict(**options)
    assert again["a"] == 1
    again.close()


def test_dict_of_a_living_process_outlives_the_one_that_opened_it_first(options: dict[str, Any]) -> None:
    shared = None
    with sharers(options, ["shared['a'] = 1; print('done', flush=True); input()"]) as (maker,):
        maker.begin()
        assert maker.line() == "done"
        shared = shared_dict(**options)
        assert shared["a"] == 1
        shared.close()
    assert race(options, ["result = shared['a']"]) == [1]


def test_server_below_smiskd_is_the_parent_only_if_it_is_smiskd_too(monkeypatch: pytest.MonkeyPatch) -> None:
    own, parent = identity(os.getpid()), identity(os.getppid())
    assert len({own, parent, ""}) == 3
    assert server_identity() == own
    monkeypatch.setattr("sys.builtin_module_names", (*sys.builtin_module_names, "_smisk"))
    monkeypatch.setattr("os.path.samefile", lambda *_: False)
    assert server_identity() == own
    monkeypatch.setattr("os.path.samefile", lambda *_: True)
    assert server_identity() == parent

    def refuse(*_: str) -> bool:
        raise PermissionError

    monkeypatch.setattr("os.path.samefile", refuse)
    assert server_identity() == parent


def test_identity_of_no_process_is_empty() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert identity(child.pid) == ""


def test_dict_whose_maker_was_killed_is_emptied(options: dict[str, Any]) -> None:
    with sharers(options, ["shared['a'] = 1; print('done', flush=True); input()"]) as (maker,):
        maker.begin()
        assert maker.line() == "done"
        maker.kill()
    assert race(options, ["result = len(shared)"]) == [0]


def test_damaged_file_of_an_ended_server_does_no_harm(options: dict[str, Any]) -> None:
    race(options, ["shared['a'] = 1"])
    Path(options["folder"], "dict.mdb").write_bytes(b"\xff" * 100000)
    assert race(options, ["shared['b'] = 2; result = list(shared)"]) == [["b"]]


def test_persistent_dict_is_kept(options: dict[str, Any]) -> None:
    options["persistent"] = True
    race(options, ["shared['a'] = 1"])
    assert race(options, ["result = shared['a']"]) == [1]


def test_persistent_file_that_is_damaged_is_an_error(options: dict[str, Any]) -> None:
    os.mkdir(options["folder"])
    Path(options["folder"], "dict.mdb").write_bytes(b"\xff" * 100000)
    shared = shared_dict(**options, persistent=True)
    with pytest.raises(SharedDictError, match=r"dict\.mdb"):
        shared["a"] = 1
    shared.close()


# --- processes that die in the middle ---

INSIDE = """
def hang(transaction, items, expiry):
    for key in (b"ka", b"kb"):
        {action}
    print("inside", flush=True)
    input()
shared._store.run({is_write}, hang)
"""


def test_writer_killed_inside_a_transaction_leaves_everything_as_it_was(
    options: dict[str, Any], shared: LMDBDict
) -> None:
    shared["a"] = "before"
    code = INSIDE.format(action="transaction.put(key, bytes(8) + b'5', db=items)", is_write=True)
    for number in range(3):
        with sharers(options, [code]) as (writer,):
            writer.begin()
            assert writer.line() == "inside"
            writer.kill()
        assert shared["a"] == "before"
        assert "b" not in shared
        assert shared.incr("n") == number + 1


def test_writers_killed_at_any_moment_leave_what_they_had_finished(options: dict[str, Any], shared: LMDBDict) -> None:
    code = """
while True:
    n = shared.incr("n")
    shared["last"] = [n, "x" * (n % 5000)]
    print(n, flush=True)
"""
    shared["mine"] = 0
    for _ in range(5):
        with sharers(options, [code, code]) as started:
            for sharer in started:
                sharer.begin()
            said = max(int(sharer.line()) for sharer in started for _ in range(20))
            for sharer in started:
                sharer.kill()
        assert shared["n"] >= said
        number, text = shared["last"]
        assert len(text) == number % 5000
        assert shared.incr("mine") > 0


def test_reader_killed_inside_a_transaction_does_not_fill_the_map(options: dict[str, Any]) -> None:
    shared = shared_dict(**options, map_size=MIB, max_size=MIB)
    shared["a"] = 0
    with sharers(options, [INSIDE.format(action="transaction.get(key, db=items)", is_write=False)]) as (reader,):
        reader.begin()
        assert reader.line() == "inside"
        reader.kill()
    for number in range(100):
        shared["a"] = [number, "x" * 100000]
    assert shared["a"][0] == 99
    shared.close()


# --- forks and threads ---

FORKS = """
import os, threading
shared["n"] = 0
ends = threading.Event()
def use():
    while not ends.is_set():
        shared["n"]
        shared.incr("thread")
threads = [threading.Thread(target=use) for _ in range(3)]
for thread in threads:
    thread.start()
pids = []
for _ in range(10):
    pid = os.fork()
    if not pid:
        try:
            for _ in range(20):
                shared.incr("n")
        finally:
            os._exit(0 if shared["n"] >= 20 else 1)
    pids.append(pid)
    shared.incr("n")
statuses = [os.waitpid(pid, 0)[1] for pid in pids]
ends.set()
for thread in threads:
    thread.join()
result = [statuses, shared["n"], shared["thread"] > 0]
"""


def test_handle_made_before_a_fork_works_in_parent_child_and_threads(options: dict[str, Any]) -> None:
    assert race(options, [FORKS]) == [[[0] * 10, 210, True]]


GRANDCHILD = """
import os
shared["n"] = 1
if not os.fork():
    if not os.fork():
        shared.incr("n")
        os._exit(0)
    os._exit(os.wait()[1] >> 8)
result = [os.wait()[1], shared["n"]]
"""


def test_handle_works_in_a_grandchild_whose_parent_did_not_use_it(options: dict[str, Any]) -> None:
    assert race(options, [GRANDCHILD]) == [[0, 2]]


STUCK = """
import os, threading
inside, ends = threading.Event(), threading.Event()
def hang(transaction, items, expiry):
    inside.set()
    ends.wait()
thread = threading.Thread(target=lambda: shared._store.run(False, hang))
thread.start()
inside.wait()
pid = os.fork()
if not pid:
    try:
        shared["a"]
    except Exception as error:
        os._exit(7 if "was in use while the process forked" in str(error) else 1)
    os._exit(2)
status = os.waitpid(pid, 0)[1] >> 8
shared["a"] = 1
ends.set()
thread.join()
result = [status, shared["a"]]
"""


def test_transaction_that_does_not_end_before_a_fork_costs_the_child_its_handle(options: dict[str, Any]) -> None:
    assert race({**options, "timeout": 0.05}, [STUCK]) == [[7, 1]]


def test_threads_count_each(shared: LMDBDict) -> None:
    threads = [threading.Thread(target=lambda: [shared.incr("n") for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared["n"] == 1600


def test_open_that_another_process_blocks_is_an_error_in_time(options: dict[str, Any]) -> None:
    code = """
with shared._store._life.locked():
    print("locked", flush=True)
    input()
"""
    with sharers({**options, "open": False}, [code]) as (holder,):
        os.makedirs(options["folder"], exist_ok=True)
        holder.begin()
        assert holder.line() == "locked"
        shared = shared_dict(**options, timeout=0.05)
        with pytest.raises(SharedDictError, match=r"is being opened by another process for more than 0\.05 s"):
            shared["a"] = 1
        holder.kill()
    shared["a"] = 1
    shared.close()


# --- size ---


def test_map_grows_up_to_its_limit_and_other_processes_follow(options: dict[str, Any]) -> None:
    sizes = {"map_size": 64 * KIB, "max_size": 16 * MIB}
    shared = shared_dict(**options, **sizes)
    shared["a"] = 1
    grow = "shared['b'] = 'x' * 3000000; result = [shared.incr('a'), len(shared['c'])]"
    with sharers({**options, **sizes}, [grow]) as (other,):
        shared["c"] = "y" * 1000000
        other.begin()
        assert other.result() == [2, 1000000]
    assert shared["a"] == 2
    assert len(shared["b"]) == 3000000
    shared.close()


def test_map_grows_while_threads_read_and_write(options: dict[str, Any]) -> None:
    shared = shared_dict(**options, map_size=64 * KIB, max_size=64 * MIB)
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            for i in range(60):
                shared[f"{number} {i}"] = "x" * 5000
                assert len(shared[f"{number} {i}"]) == 5000
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(shared) == 360
    shared.close()


def store_on(shared: LMDBDict, value: str) -> None:
    """Stores until something is in the way."""
    for number in count():
        shared[f"{number:05}"] = value


def fill(shared: LMDBDict, value: str) -> int:
    """Stores until it is full; how many fitted."""
    with pytest.raises(SharedDictFullError, match="max_size is 1048576 bytes"):
        store_on(shared, value)
    return len(shared)


@pytest.mark.parametrize("size", [50, 900, 5000, 100000])
def test_full_dict_keeps_what_it_has_and_takes_more_after_a_deletion(options: dict[str, Any], size: int) -> None:
    shared = shared_dict(**options, map_size=64 * KIB, max_size=MIB)
    value = "x" * size
    number = fill(shared, value)
    assert number * size < MIB
    assert len(shared) == number
    for turn in range(60):
        gone = list(shared)[: 1 + number // (1 + turn)]
        for key in gone:
            del shared[key]
        for key in gone[: 1 + len(gone) // 2]:
            shared[key] = value
        assert len(shared) == number - len(gone) + 1 + len(gone) // 2
        number = len(shared)
    assert set(shared.values()) == {value}
    shared.clear()
    assert len(shared) == 0
    shared["a"] = 1
    assert Path(shared.path).stat().st_size <= 2 * MIB
    shared.close()


def test_value_larger_than_the_limit_is_refused(options: dict[str, Any]) -> None:
    shared = shared_dict(**options, map_size=64 * KIB, max_size=MIB)
    with pytest.raises(SharedDictFullError):
        shared["a"] = "x" * (2 * MIB)
    shared["a"] = "x" * (MIB // 2)
    assert len(shared["a"]) == MIB // 2
    shared.close()


@pytest.mark.parametrize(
    "wrong", [{"map_size": 0}, {"map_size": 2 * MIB, "max_size": MIB}, {"max_readers": 0}, {"timeout": -1}]
)
def test_impossible_limits_are_value_errors(options: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        shared_dict(**options, **wrong)


# --- expiry ---


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(options: dict[str, Any], clock: Clock) -> Iterator[LMDBDict]:
    shared = shared_dict(**options, clock=clock)
    yield shared
    shared.close()


@pytest.mark.parametrize("key", ["a", "a" * 600])
def test_key_ends_at_its_deadline_and_not_before(timed: LMDBDict, clock: Clock, key: str) -> None:
    timed.set(key, 1, ttl=10)
    clock.now += 9.999
    assert timed[key] == 1
    assert list(timed.items()) == [(key, 1)]
    assert timed.incr(key) == 2
    assert timed.compare_and_set(key, 2, 3)
    clock.now += 0.001
    assert key not in timed
    assert timed.get(key) is None
    assert len(timed) == 0
    assert list(timed) == []
    assert not timed.compare_and_set(key, 3, 4)
    assert timed.pop(key, "none") == "none"
    assert timed.setdefault(key, 5, ttl=10) == 5
    clock.now += 10
    assert timed.incr(key, initial=100) == 101


def test_ended_keys_are_swept_by_writes_within_bounds(timed: LMDBDict, clock: Clock) -> None:
    for i in range(200):
        timed.set(f"{i}", i, ttl=10)
    timed["stays"] = 1
    timed.set("later", 1, ttl=100)
    clock.now += 10
    assert (len(timed), entries(timed)) == (2, 202)
    timed["stays"] = 2
    assert (len(timed), entries(timed)) == (2, 202 - 16)
    timed.discard("nowhere")
    assert entries(timed) == 202 - 32
    assert timed.sweep(limit=10) == 10
    assert timed.sweep() == 158
    assert timed.sweep() == 0
    assert entries(timed) == 2
    assert sorted(timed) == ["later", "stays"]


def test_deadline_that_was_replaced_does_not_end_the_key(timed: LMDBDict, clock: Clock) -> None:
    timed.set("a", 1, ttl=10)
    timed.set("a", 2, ttl=20)
    timed.set("b", 1, ttl=10)
    timed["b"] = 2
    clock.now += 15
    assert timed.sweep() == 0
    assert (timed["a"], timed["b"]) == (2, 2)
    clock.now += 5
    assert timed.sweep() == 1
    assert list(timed) == ["b"]


def test_full_dict_makes_room_by_sweeping(options: dict[str, Any], clock: Clock) -> None:
    shared = shared_dict(**options, map_size=MIB, max_size=MIB, clock=clock)
    for i in range(150):
        shared.set(f"{i}", "x" * 4000, ttl=10)
    clock.now += 10
    shared["a"] = "x" * (MIB // 2)
    assert list(shared) == ["a"]
    shared.close()


# --- places ---


def test_default_folder_and_files_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    shared = shared_dict("a name/with..%")
    shared["a"] = 1
    folder = tmp_path / "a%20name%2Fwith..%25.ipc"
    assert Path(shared.path).parent == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    shared.close()


def test_default_folder_that_others_could_enter_is_closed_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "x.ipc").mkdir(mode=0o755)
    shared_dict("x").close()
    assert stat.S_IMODE((tmp_path / "x.ipc").stat().st_mode) == 0o700


def test_default_folder_that_is_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x.ipc").symlink_to("elsewhere")
    with pytest.raises(SharedDictError, match=r"x\.ipc belongs to"):
        shared_dict("x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_default_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "x.ipc").mkdir(mode=0o700)
    os.chown(tmp_path / "x.ipc", 12345, 12345)
    with pytest.raises(SharedDictError, match="belongs to user 12345"):
        shared_dict("x")


def test_runtime_folder_of_somebody_else_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(mine))
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    assert default_folder("x") == str(mine / "x.ipc")


def test_service_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/other")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/other")
    assert default_folder("x") == str(tmp_path / "x.ipc")


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SharedDictError, match="cannot be made"):
        shared_dict("x", folder=str(tmp_path / "file" / "x"))
