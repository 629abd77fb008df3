# SPDX-License-Identifier: MIT
"""scripts/bench: which targets a run has, and what it says about them. No figure here was measured."""

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lib.walls.source import ROOT

BENCH = ROOT / "bench"
FIGURES = SimpleNamespace(requests=1)


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    """The modules of bench/, which import each other by their plain names."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        import run
        import series
        import targets
        import workload

        yield SimpleNamespace(run=run, series=series, targets=targets, workload=workload)
    for name in set(sys.modules) - before:
        if is_of_bench(sys.modules[name]):
            del sys.modules[name]


def is_of_bench(module: ModuleType) -> bool:
    return (getattr(module, "__file__", None) or "").startswith(str(BENCH))


def measured(bench: Any, name: str, package: str, interface: str, *costs: float, **more: Any) -> Any:
    """A series of rounds that cost so many microseconds."""
    server = SimpleNamespace(name=name, title=name, package=package, interfaces=frozenset({interface}))
    samples = {number: bench.series.Sample(cost, 0.5, FIGURES) for number, cost in enumerate(costs, 1)}
    return bench.series.Series(server, samples, **more)


def kept(bench: Any, workload: str, *all_series: Any) -> list[bool | None]:
    return [one.is_kept for one in bench.targets.verdicts(bench.workload.WORKLOADS[workload], all_series)]


@pytest.mark.parametrize(("cost", "is_kept"), [(13.0, True), (13.1, False)])
def test_bound_is_kept_up_to_its_value(bench: Any, cost: float, is_kept: bool) -> None:
    limit = measured(bench, "limit", "limit", "", 10.0)
    assert kept(bench, "http", limit, measured(bench, "smiskd wsgi", "smiskd", "wsgi", cost)) == [is_kept]


def test_bound_takes_the_median_of_the_rounds_own_ratios(bench: Any) -> None:
    limit = measured(bench, "limit", "limit", "", 10.0, 20.0, 10.0)
    smiskd = measured(bench, "smiskd wsgi", "smiskd", "wsgi", 12.0, 24.0, 90.0)
    [verdict] = bench.targets.verdicts(bench.workload.WORKLOADS["http"], [limit, smiskd])
    assert verdict.is_kept and "1.20 (1.20–9.00)" in verdict.text


def test_bound_of_a_server_that_failed_is_missed(bench: Any) -> None:
    limit = measured(bench, "limit", "limit", "", 10.0)
    assert kept(bench, "http", limit, measured(bench, "smiskd asgi", "smiskd", "asgi", failure="no")) == [False]


@pytest.mark.parametrize(("cost", "is_kept"), [(11.5, True), (11.6, False)])
def test_application_is_held_to_the_native_handler(bench: Any, cost: float, is_kept: bool) -> None:
    native = measured(bench, "smiskd native", "smiskd", "native", 10.0)
    smisk = measured(bench, "smiskd smisk", "smiskd", "smisk", cost)
    given = bench.targets.verdicts(bench.workload.WORKLOADS["fcgi-keep"], [native, smisk])
    assert [one.is_kept for one in given if one.server == "smiskd smisk"] == [is_kept]


def test_variant_with_another_loop_has_no_target(bench: Any) -> None:
    limit = measured(bench, "limit", "limit", "", 10.0)
    assert kept(bench, "http", limit, measured(bench, "smiskd asgi-uvloop", "smiskd", "asgi", 99.0)) == []


@pytest.mark.parametrize(("cost", "is_kept"), [(100.0, True), (101.0, False)])
def test_lead_over_uvicorn_is_judged_by_requests_a_cpu_second(bench: Any, cost: float, is_kept: bool) -> None:
    uvicorn = measured(bench, "uvicorn", "uvicorn", "asgi", 120.0)
    granian = measured(bench, "granian-asgi", "granian", "asgi", 1.0)
    smiskd = measured(bench, "smiskd asgi", "smiskd", "asgi", cost)
    assert kept(bench, "fastapi", smiskd, uvicorn, granian) == [is_kept]


def test_lead_is_judged_by_the_nearest_peer(bench: Any) -> None:
    smiskd = measured(bench, "smiskd wsgi", "smiskd", "wsgi", 10.0)
    far = measured(bench, "gunicorn", "gunicorn", "wsgi", 90.0)
    near = measured(bench, "uwsgi-http", "uwsgi", "wsgi", 15.9)
    [verdict] = bench.targets.verdicts(bench.workload.WORKLOADS["flask"], [smiskd, far, near])
    assert verdict.is_kept is False and "uwsgi-http's" in verdict.text


def test_peer_of_another_interface_judges_only_native_handlers(bench: Any) -> None:
    limit = measured(bench, "limit", "limit", "", 5.0)
    bjoern = measured(bench, "bjoern", "bjoern", "wsgi", 9.0)
    native = measured(bench, "smiskd native", "smiskd", "native", 10.0)
    asgi = measured(bench, "smiskd asgi", "smiskd", "asgi", 10.0)
    assert kept(bench, "http-10k", limit, native, asgi, bjoern) == [False]


def test_peer_without_figures_leaves_the_target_open(bench: Any) -> None:
    smiskd = measured(bench, "smiskd wsgi", "smiskd", "wsgi", 10.0)
    assert kept(bench, "django", smiskd, measured(bench, "bjoern", "bjoern", "wsgi", failure="no")) == [None]


def test_workload_that_cannot_be_installed_is_no_failure(bench: Any) -> None:
    smiskd = measured(bench, "smiskd asgi", "smiskd", "asgi", failure="not installed", is_skipped=True)
    uvicorn = measured(bench, "uvicorn", "uvicorn", "asgi", failure="not installed", is_skipped=True)
    assert kept(bench, "fastapi", smiskd, uvicorn) == [None]
    assert not bench.run.smiskd_failed(smiskd)


def test_every_target_names_a_workload_and_a_server_that_exist(bench: Any) -> None:
    workloads, targets = bench.workload.WORKLOADS, bench.targets
    packages = {peer.package for peer in bench.run.PEERS.values()}
    assert {*targets.LEADS, *targets.NO_WORSE_THAN_ANY} <= workloads.keys()
    bounds = {**targets.BOUNDS, **targets.NATIVE_BOUNDS}
    assert all(variant in workloads[name].interfaces for name, variant in bounds)
    assert {package for factors in targets.LEADS.values() for package in factors} <= packages


def test_every_workload_has_its_applications(bench: Any) -> None:
    for workload in bench.workload.WORKLOADS.values():
        for interface in workload.interfaces:
            assert (BENCH / "apps" / f"{workload.module(interface)}.py").exists(), workload.name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ["granian-wsgi", "uvicorn", "uvicorn-wsproto"]),
        ("none", []),
        ("uvicorn, granian", ["granian-wsgi", "uvicorn"]),
        ("granian-wsgi", ["granian-wsgi"]),
    ],
)
def test_names_are_chosen_whole_or_by_their_beginning(bench: Any, text: str, names: list[str]) -> None:
    assert bench.run.chosen(text, ["granian-wsgi", "uvicorn", "uvicorn-wsproto"]) == names


def test_unknown_name_ends_the_run(bench: Any) -> None:
    with pytest.raises(SystemExit, match="unknown: gran; known: granian-wsgi"):
        bench.run.chosen("gran", ["granian-wsgi"])
