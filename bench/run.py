# SPDX-License-Identifier: MIT
"""Server CPU time a request, as a ratio to the fixed-answer C loop (bench/limit), for smiskd and its peers.

The server has one core and the load another. The servers take turns, round after round; in each round every server's
cost is divided by the limit's of that round, and the median of these ratios counts. Costs of different runs, or from
a machine that does other things, do not compare; the ratios nearly do.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load import MODES, Figures, Load, LoadError, take_turn
from process import raise_file_limit, usable_cores
from report import DIM, GREEN, RED, Report, say
from server import PEERS, Server, SkipError, limit_server, peer_server, smiskd_server

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
TARGETS = {"http": 1.15, "fcgi-keep": 1.20, "fcgi-close": 1.10}
WARM_UP_SECONDS = 0.5
HEADS = ("server", "CPU µs/request", "× limit", "lowest–highest", "requests/s", "p99 µs", "busy", "errors")


@dataclass(frozen=True)
class Sample:
    """One server's part in one round: CPU microseconds a request, share of its core that it used, the load's view."""

    cpu_us: float
    busy: float
    figures: Figures


@dataclass
class Series:
    """All rounds of one server in one mode; `ratios` is the cost over the limit's of the same round."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    failure: str = ""

    def median(self, value: str) -> float:
        """Median over the rounds of a Sample's or its Figures' attribute."""
        values = [getattr(sample if hasattr(sample, value) else sample.figures, value) for sample in self.samples]
        return float(statistics.median(values))

    def summary(self) -> dict[str, Any]:
        """The series as plain data for the JSON file."""
        if not self.samples:
            return {"server": self.name, "failure": self.failure}
        return {
            "server": self.name,
            "failure": self.failure,
            "cpu_us": round(self.median("cpu_us"), 3),
            "ratio": round(statistics.median(self.ratios), 3),
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "requests_per_second": round(self.median("requests_per_second")),
            "p50_us": self.median("p50_us"),
            "p99_us": self.median("p99_us"),
            "busy": round(self.median("busy"), 3),
            "errors": sum(sample.figures.errors for sample in self.samples),
        }

    def row(self) -> list[str]:
        """The series as cells of the table with HEADS."""
        values = self.summary()
        if not self.samples:
            return [self.name, *["–"] * (len(HEADS) - 1)]
        return [
            self.name,
            f"{values['cpu_us']:.2f}",
            f"{values['ratio']:.2f}",
            f"{min(self.ratios):.2f}–{max(self.ratios):.2f}",
            f"{values['requests_per_second']:,}",
            f"{values['p99_us']:,.0f}",
            f"{values['busy']:.0%}",
            str(values["errors"]),
        ]


def measure(server: Server, load: Load, cores: tuple[int, ...], seconds: float) -> Sample:
    """Start the server, warm it up, load it for `seconds`, stop it; raises LoadError."""
    running = server.start(load.mode, cores)
    try:
        load.run(running.address, WARM_UP_SECONDS)
        before, began = running.process.cpu_seconds(), time.monotonic()
        figures = load.run(running.address, seconds)
        used, elapsed = running.process.cpu_seconds() - before, time.monotonic() - began
    finally:
        running.process.stop()
    return Sample(cpu_us=used * 1e6 / figures.requests, busy=used / elapsed, figures=figures)


def measure_mode(
    servers: Sequence[Server], load: Load, cores: tuple[int, ...], options: argparse.Namespace
) -> list[Series]:
    """All rounds of one mode; servers[0] is the limit."""
    all_series = [Series(server.name) for server in servers]
    for number in range(1, options.rounds + 1):
        limit_us = 0.0
        for server, series in zip(servers, all_series, strict=True):
            if series.failure:
                continue
            try:
                sample = measure(server, load, cores, options.seconds)
            except LoadError as error:
                series.failure = str(error)
                say(f"{load.mode} {server.name}: {error}")
                if server is servers[0]:
                    return all_series
                continue
            limit_us = limit_us or sample.cpu_us
            series.samples.append(sample)
            series.ratios.append(sample.cpu_us / limit_us)
            say(
                f"{load.mode} round {number}/{options.rounds} {series.row()[0]}: {sample.cpu_us:.2f} µs, "
                f"{sample.cpu_us / limit_us:.2f} × limit"
            )
    return all_series


def colour_of(series: Series, mode: str) -> tuple[str, ...]:
    """smiskd's row is green when it keeps the mode's target and red when it does not; failures are dim."""
    if not series.samples:
        return (DIM,)
    if not series.name.startswith("smiskd"):
        return ()
    return (GREEN,) if statistics.median(series.ratios) <= TARGETS[mode] else (RED,)


def report_mode(report: Report, mode: str, all_series: Sequence[Series]) -> None:
    """Add one mode's table."""
    ranked = [all_series[0], *sorted(all_series[1:], key=lambda s: statistics.median(s.ratios or [1e9]))]
    colours = [colour_of(series, mode) for series in ranked]
    report.table(f"{MODES[mode]} (target ≤ {TARGETS[mode]:.2f})", [HEADS, *(s.row() for s in ranked)], colours)
    for series in ranked:
        if series.failure:
            report.line(f"- {series.name}: {series.failure}", DIM)
    report.data.setdefault("modes", {})[mode] = [series.summary() for series in ranked]


def chosen(text: str, known: Sequence[str]) -> list[str]:
    """The names in a comma list; "all" and "none" as one would think."""
    if text in ("all", "none"):
        return list(known) if text == "all" else []
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return names


def installed_peers(names: Sequence[str], modes: Sequence[str], report: Report) -> list[Server]:
    """The peers that serve one of the modes and could be installed; the others are reported as skipped."""
    servers = []
    for name in names:
        if PEERS[name].modes.isdisjoint(modes):
            continue
        try:
            servers.append(peer_server(name))
        except SkipError as error:
            report.line(f"- skipped: {name}: {error}", DIM)
            report.data.setdefault("skipped", {})[name] = str(error)
    return servers


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smiskd", type=Path, help="release build of smiskd to measure")
    parser.add_argument(
        "--smiskd-option", action="append", default=[], metavar="OPTION", help="passed on; may repeat"
    )
    parser.add_argument("--only", default="all", help=f"modes: {','.join(MODES)} or all")
    parser.add_argument("--peers", default="all", help=f"{','.join(PEERS)}, all or none")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each server in each round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--server-core", type=int, default=usable_cores()[0])
    parser.add_argument("--load-core", type=int, default=usable_cores()[-1])
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when smiskd kept its targets or was not asked for, 1 when it missed one or failed."""
    options = parse(arguments)
    turn = take_turn()
    raise_file_limit(65536)
    modes = chosen(options.only, list(MODES))
    report = Report("table", "Servers' CPU time a request")
    servers = [limit_server()]
    if options.smiskd is not None:
        servers.append(smiskd_server(options.smiskd, *options.smiskd_option))
    servers += installed_peers(chosen(options.peers, list(PEERS)), modes, report)
    report.line(
        f"- {options.connections} connections, {options.rounds} rounds of {options.seconds:g} s, "
        f"server on core {options.server_core}, load on core {options.load_core}",
        DIM,
    )
    missed = False
    for mode in modes:
        load = Load(mode, options.connections, (options.load_core,))
        these = [server for server in servers if mode in server.modes]
        all_series = measure_mode(these, load, (options.server_core,), options)
        report_mode(report, mode, all_series)
        missed = missed or any(
            series.name == "smiskd" and (series.failure or statistics.median(series.ratios) > TARGETS[mode])
            for series in all_series
        )
    report.write(options.results)
    turn.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
