# SPDX-License-Identifier: MIT
"""Measures: the samples of one workload, round after round, and their summary."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from environment import SkipError
from load import Figures, Load, LoadError
from report import say
from server import Server

__all__ = ["Sample", "Series", "heads", "measure_all", "ratios", "reference_of"]

WARM_UP_SECONDS = 0.5


@dataclass(frozen=True)
class Sample:
    """One server's part in one turn: CPU microseconds a request, share of its core that it used, the load's view."""

    cpu_us: float
    busy: float
    figures: Figures


@dataclass
class Series:
    """All turns of one server in one workload, by round and turn."""

    server: Server
    samples: dict[str, Sample] = field(default_factory=dict)
    failure: str = ""
    is_skipped: bool = False  # what it needs cannot be installed here, which is no failure of its own

    def median(self, value: str) -> float:
        """Median over all turns of a Sample's or its Figures' attribute."""
        samples = self.samples.values()
        values = [getattr(sample if hasattr(sample, value) else sample.figures, value) for sample in samples]
        return float(statistics.median(values))

    def summary(self, reference: Series | None) -> dict[str, Any]:
        """The series as plain data for the JSON file."""
        if not self.samples:
            return {"server": self.server.title, "failure": self.failure}
        over = ratios(self, reference)
        return {
            "server": self.server.title,
            "failure": self.failure,
            "cpu_us": round(self.median("cpu_us"), 3),
            "ratio": round(statistics.median(over), 3) if over else None,
            "ratios": [round(ratio, 3) for ratio in over],
            "requests_per_second": round(self.median("requests_per_second")),
            "requests_per_cpu_second": round(1e6 / self.median("cpu_us")),
            "p50_us": self.median("p50_us"),
            "p99_us": self.median("p99_us"),
            "busy": round(self.median("busy"), 3),
            "errors": sum(sample.figures.errors for sample in self.samples.values()),
        }

    def row(self, reference: Series | None) -> list[str]:
        """The series as cells of the table with heads()."""
        values = self.summary(reference)
        if not self.samples:
            return [self.server.title, *["–"] * (len(heads("", "")) - 1)]
        over = values["ratios"]
        return [
            self.server.title,
            f"{values['cpu_us']:.2f}",
            f"{values['ratio']:.2f}" if over else "–",
            "{:.2f}–{:.2f}".format(*middle_half(over)) if over else "–",
            f"{least(self, reference):.2f}" if over else "–",
            f"{values['requests_per_second']:,}",
            f"{values['requests_per_cpu_second']:,}",
            f"{values['p99_us']:,.0f}",
            f"{values['busy']:.0%}",
            str(values["errors"]),
        ]


def heads(reference: str, unit: str) -> list[str]:
    """Heads of a workload's table."""
    cost = f"CPU µs/{unit}"
    rates = [f"{unit}s/s", f"{unit}s/CPU s"]
    return ["server", cost, f"× {reference}", "middle half", "least", *rates, "p99 µs", "busy", "errors"]


def ratios(series: Series, reference: Series | None) -> list[float]:
    """The cost of `series` over that of `reference`, for each turn that has both."""
    if reference is None:
        return []
    both = [turn for turn in series.samples if turn in reference.samples]
    return [series.samples[turn].cpu_us / reference.samples[turn].cpu_us for turn in both]


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """The bounds of the half of `values` that lies around their median."""
    in_order = sorted(values)
    return in_order[len(in_order) // 4], in_order[-1 - len(in_order) // 4]


def least(series: Series, reference: Series | None) -> float:
    """The cost of `series` over that of `reference`, each in the turn in which it cost least.

    What else a machine does can only add to a cost: this is nearest to what a quiet machine would show.
    """
    low, its_low = (min(one.cpu_us for one in each.samples.values()) for each in (series, reference or series))
    return low / its_low


def reference_of(all_series: Sequence[Series], name: str) -> Series | None:
    """The series of the server `name`; None when it was not measured."""
    return next((series for series in all_series if series.server.name == name and series.samples), None)


class Running:
    """A server that was started and warmed up, to be loaded turn by turn."""

    def __init__(self, server: Server, load: Load, cores: tuple[int, ...], stack: ExitStack) -> None:
        """Start it; `stack` stops it. Raises LoadError or SkipError."""
        running = server.start(load.workload, cores)
        stack.callback(running.process.stop)
        self._process = running.process
        self._run = stack.enter_context(load.session(running.address))
        self._run(WARM_UP_SECONDS)

    def sample(self, seconds: float) -> Sample:
        """Load it for `seconds`; raises LoadError."""
        before, began = self._process.cpu_seconds(), time.monotonic()
        figures = self._run(seconds)
        used, elapsed = self._process.cpu_seconds() - before, time.monotonic() - began
        if used == 0:
            raise LoadError("used no CPU time that the system's clock ticks show: measure longer")
        return Sample(cpu_us=used * 1e6 / figures.requests, busy=used / elapsed, figures=figures)


def measure_round(
    all_series: Sequence[Series], load: Load, cores: tuple[int, ...], name: str, turns: int, seconds: float
) -> None:
    """Start the servers that have not failed, then load one after the other, `turns` times over.

    What else the machine does changes from second to second: the reference's turn is close to each other one's.
    """
    with ExitStack() as stack:
        alive: dict[str, Running] = {}
        for turn in range(turns + 1):
            for series in all_series:
                if series.failure:
                    continue
                title = f"{load.workload.name} {name} {series.server.title}"
                try:
                    if turn == 0:
                        alive[series.server.name] = Running(series.server, load, cores, stack)
                    else:
                        series.samples[f"{name}.{turn}"] = alive[series.server.name].sample(seconds)
                except (LoadError, SkipError) as error:
                    series.failure, series.is_skipped = str(error), isinstance(error, SkipError)
                    say(f"{title}: {error}")
        for series in all_series:
            if not series.failure:
                say(f"{load.workload.name} {name} {series.server.title}: {of_round(series, all_series, load, name)}")


def of_round(series: Series, all_series: Sequence[Series], load: Load, name: str) -> str:
    """What a round gave: the median of its turns."""
    part = Series(series.server, {key: one for key, one in series.samples.items() if key.startswith(f"{name}.")})
    over = ratios(part, reference_of(all_series, load.workload.reference))
    ratio = f", {statistics.median(over):.2f} × {load.workload.reference}" if over else ""
    return f"{part.median('cpu_us'):.2f} µs{ratio}"


def measure_all(
    servers: Sequence[Server], load: Load, cores: tuple[int, ...], rounds: int, turns: int, seconds: float
) -> list[Series]:
    """All rounds of one workload; a server that fails is left out from then on."""
    all_series = [Series(server) for server in servers]
    for number in range(1, rounds + 1):
        measure_round(all_series, load, cores, f"round {number}/{rounds}", turns, seconds)
    return all_series
