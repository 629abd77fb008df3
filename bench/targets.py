# SPDX-License-Identifier: MIT
"""What smiskd is held to: bounds on its cost over the limit's, and leads over the peers of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from series import Series, ratios
from workload import Workload

__all__ = ["Verdict", "verdicts"]

# (workload, variant of smiskd): CPU time a request, at most so many times the limit's.
BOUNDS = {
    ("http", "native"): 1.15,
    ("http", "wsgi"): 1.30,
    ("http", "asgi"): 1.40,
    ("fcgi-keep", "native"): 1.20,
    ("fcgi-keep", "wsgi"): 1.40,
    ("fcgi-close", "native"): 1.10,
}
# (workload, variant): at most so many times the cost of smiskd's native handler.
NATIVE_BOUNDS = {
    ("http", "smisk"): 1.15,
    ("fcgi-keep", "smisk"): 1.15,
}
# Workload: a peer's package, and how many times its requests a CPU second smiskd answers at least.
LEADS = {
    "fastapi": {"uvicorn": 1.2},
    "flask": {"bjoern": 1.0, "granian": 1.6, "gunicorn": 1.6, "uwsgi": 1.6},
    "django": {"bjoern": 1.0, "granian": 1.6, "gunicorn": 1.6, "uwsgi": 1.6},
}
# Workloads in which smiskd is to be no worse than any peer of the same interface; native handlers have them all.
NO_WORSE_THAN_ANY = ("http-10k", "http-1m", "http-echo", "websocket")


@dataclass(frozen=True)
class Verdict:
    """One target of one server: what was wanted and found, and whether it was kept (None: not measured)."""

    server: str
    text: str
    is_kept: bool | None


def found(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def bound_verdict(bound: float, reference: Series | None, name: str, smiskd: Series) -> Verdict:
    """Judge the cost over a reference's, which is called `name`; one without figures is missed, unless it was skipped."""
    values = ratios(smiskd, reference) if reference is not None else []
    wanted = f"wanted ≤ {bound:.2f} × {name}"
    if not values:
        return Verdict(smiskd.server.name, f"{wanted}; not measured", None if smiskd.is_skipped else False)
    return Verdict(smiskd.server.name, f"{wanted}; is {found(values)}", statistics.median(values) <= bound)


def lead_verdict(factor: float, peers: Sequence[Series], smiskd: Series) -> Verdict:
    """Judge the requests a CPU second over those of the peer that comes nearest; peers without figures judge nothing."""
    measured = [(statistics.median(values), peer, values) for peer in peers if (values := ratios(peer, smiskd))]
    missing = [peer.server.name for peer in peers if not ratios(peer, smiskd)]
    wanted = f"wanted ≥ {factor:.2f} × the requests a CPU second of {', '.join(peer.server.name for peer in peers)}"
    if not measured:
        return Verdict(smiskd.server.name, f"{wanted}; not measured", None if has_excuse(smiskd) else False)
    median, nearest, values = min(measured, key=lambda one: one[0])
    besides = f"; not measured: {', '.join(missing)}" if missing else ""
    text = f"{wanted}; is {found(values)} × {nearest.server.name}'s{besides}"
    return Verdict(smiskd.server.name, text, median >= factor)


def has_excuse(smiskd: Series) -> bool:
    """Whether it is not smiskd's fault that there is nothing to judge."""
    return bool(smiskd.samples) or smiskd.is_skipped


def leads(workload: Workload, smiskd: Series, peers: Iterable[Series]) -> dict[float, list[Series]]:
    """The peers that smiskd is held to in this workload, by the factor."""
    held: dict[float, list[Series]] = {}
    is_native = "native" in smiskd.server.interfaces
    for peer in peers:
        factor = LEADS.get(workload.name, {}).get(peer.server.package)
        if workload.name in NO_WORSE_THAN_ANY and (is_native or smiskd.server.interfaces & peer.server.interfaces):
            factor = 1.0
        if factor is not None:
            held.setdefault(factor, []).append(peer)
    return held


def verdicts(workload: Workload, all_series: Sequence[Series]) -> list[Verdict]:
    """Judge every server of smiskd's in one workload's table."""
    limit = next((series for series in all_series if series.server.package == "limit"), None)
    native = next((series for series in all_series if series.server.name == "smiskd native"), None)
    peers = [series for series in all_series if series.server.package not in ("limit", "smiskd")]
    given = []
    for smiskd in (series for series in all_series if series.server.package == "smiskd"):
        variant = smiskd.server.name.removeprefix("smiskd ")
        bound = BOUNDS.get((workload.name, variant))
        if bound is not None:
            given.append(bound_verdict(bound, limit, "limit", smiskd))
        bound = NATIVE_BOUNDS.get((workload.name, variant))
        if bound is not None:
            given.append(bound_verdict(bound, native, "native", smiskd))
        if variant in workload.interfaces:
            held = leads(workload, smiskd, peers)
            given += [lead_verdict(factor, held[factor], smiskd) for factor in sorted(held)]
    return given
