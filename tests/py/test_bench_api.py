# SPDX-License-Identifier: MIT
"""scripts/bench api: both sides of each comparison run, and where both give text they give the same. Nothing is timed."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from lib.walls.source import ROOT

BENCH = ROOT / "bench"


@pytest.fixture(scope="module")
def api() -> Iterator[ModuleType]:
    """bench/api.py, whose modules import each other by their plain names."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        import api

        yield api
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCH)):
            del sys.modules[name]


def test_bench_api_sides_do_the_same(api: Any) -> None:
    compared = 0
    for case in api.CASES:
        ours, theirs = (eval(statement, case.names()) for statement in (case.ours, case.theirs))
        if isinstance(ours, str):
            compared += 1
            assert ours == theirs, case.title
    assert compared > 10


def test_bench_api_timers_run_their_statement(api: Any) -> None:
    calls: list[int] = []
    api.timer("f(s)", {"f": calls.append, "s": 7}).timeit(3)
    assert calls == [7, 7, 7]


def test_bench_api_ratio_is_how_many_times_as_fast(api: Any) -> None:
    assert api.ratios([1.0, 2.0], [5.0, 4.0]) == [5.0, 2.0]
