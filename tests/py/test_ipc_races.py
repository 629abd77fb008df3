# SPDX-License-Identifier: MIT
"""Many processes at one shared dict: nothing is counted twice, lost or won by two."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from smisk.ipc import shared_dict

from lib.sharers import race

PROCESSES = 4
TIMES = 200
names = count()


@pytest.fixture(params=["lmdb", "redis", "memcached"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"name": f"race{next(names)}", "backend": request.param}
    if request.param == "lmdb":
        return options | {"folder": str(tmp_path)}
    address = request.getfixturevalue(f"{request.param}_server").address
    # Compare-and-swap tries until then; on a busy machine that is long.
    return options | ({"url": address} if request.param == "redis" else {"nodes": [address]}) | {"timeout": 30.0}


def test_incr_of_many_processes_counts_each(options: dict[str, Any]) -> None:
    shared = shared_dict(**options)
    shared["before"] = 1
    sums = race(options, [f"result = [shared.incr('n', 3) for _ in range({TIMES})]"] * PROCESSES)
    every = [each for process in sums for each in process]
    assert sorted(every) == list(range(3, 3 * PROCESSES * TIMES + 1, 3))
    assert shared["n"] == 3 * PROCESSES * TIMES
    shared.close()


def test_setdefault_of_many_processes_has_one_winner(options: dict[str, Any]) -> None:
    shared = shared_dict(**options)
    shared["before"] = 1
    codes = [
        f"result = [shared.setdefault(f'k{{i}}', {number}) for i in range({TIMES})]" for number in range(PROCESSES)
    ]
    seen = race(options, codes)
    assert all(process == seen[0] for process in seen)
    assert [shared[f"k{i}"] for i in range(TIMES)] == seen[0]
    shared.close()


COUNT_BY_COMPARING = f"""
result = 0
while result < {TIMES // 4}:
    there = shared["n"]
    result += shared.compare_and_set("n", there, [there[0] + 1])
"""


def test_compare_and_set_of_many_processes_loses_no_change(options: dict[str, Any]) -> None:
    shared = shared_dict(**options)
    shared["n"] = [0]
    assert race(options, [COUNT_BY_COMPARING] * PROCESSES) == [TIMES // 4] * PROCESSES
    assert shared["n"] == [PROCESSES * (TIMES // 4)]
    shared.close()


def test_pop_of_many_processes_gives_each_value_to_one(options: dict[str, Any]) -> None:
    shared = shared_dict(**options)
    for i in range(TIMES):
        shared[f"k{i}"] = i
    code = f"result = [v for v in (shared.pop(f'k{{i}}', None) for i in range({TIMES})) if v is not None]"
    taken = race(options, [code] * PROCESSES)
    assert sorted(each for process in taken for each in process) == list(range(TIMES))
    shared.close()
