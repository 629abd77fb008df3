# SPDX-License-Identifier: MIT
"""How several workers may share one address, compared on bench/limit: one listener that all watch (shared), one that
wakes a single worker (EPOLLEXCLUSIVE; "rotating": which then goes to the end of the line by registering it anew;
"balanced": and which stands back for a millisecond when it has four connections more than the mean), or a listener
for each worker (SO_REUSEPORT).

Told for each: what a request costs, how long it waits, how often workers wake and find nothing, in the kernel (sleeps
above those of "exclusive") or after it (empty wake-ups), and how evenly the workers are used. "blocking" makes every
hundredth request hold its worker, as a slow handler does: what then waits behind it is the difference between one
queue and several.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load import Figures, Load, take_turn
from process import raise_file_limit, usable_cores
from report import DIM, Report, say
from server import limit_server
from workload import WORKLOADS

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
STRATEGIES = {
    "shared": ("--shared", "--accept-batch", "1"),
    "exclusive": ("--exclusive", "--accept-batch", "1"),
    "exclusive, rotating": ("--exclusive", "--accept-batch", "1", "--rotate-every", "1"),
    "exclusive, rotating 1 in 16": ("--exclusive", "--accept-batch", "1", "--rotate-every", "16"),
    "exclusive, balanced": ("--exclusive", "--accept-batch", "1", "--rotate-every", "16", "--balance", "4"),
    "reuseport": ("--reuseport", "--accept-batch", "1"),
}
HEADS = (
    "strategy",
    "CPU µs/request",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "max µs",
    "sleeps/request",
    "empty wake-ups/1000 conn.",
    "share of requests, least–most",
    "idle workers",
)


@dataclass(frozen=True)
class Workload:
    """What is asked of the workers: the load (a key of WORKLOADS), connections at once, further options of bench/limit."""

    title: str
    mode: str
    connections: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One run of one strategy: CPU µs and sleeps a request, the load's view, the counters of each worker."""

    cpu_us: float
    sleeps: float
    figures: Figures
    workers: list[dict[str, int]]

    @property
    def empty_wakeups(self) -> float:
        """Wake-ups that found no connection, for a thousand connections taken."""
        accepts = sum(worker["accepts"] for worker in self.workers)
        return 1000 * sum(worker["empty_wakeups"] for worker in self.workers) / max(accepts, 1)

    @property
    def shares(self) -> list[float]:
        """Each worker's share of the requests, 1.0 being an equal one; ascending."""
        total = sum(worker["requests"] for worker in self.workers)
        return sorted(worker["requests"] * len(self.workers) / max(total, 1) for worker in self.workers)


def workloads(options: argparse.Namespace) -> list[Workload]:
    """The loads that the strategies are compared under."""
    block = ("--block-every", "100", "--block-ms", str(options.block_ms))
    return [
        Workload("FastCGI, one connection a request, 1 at once", "fcgi-close", 1),
        Workload("FastCGI, one connection a request, 4 at once", "fcgi-close", 4),
        Workload("FastCGI, one connection a request, 64 at once", "fcgi-close", 64),
        Workload(f"The same with every 100th request blocking {options.block_ms} ms", "fcgi-close", 64, block),
        Workload("HTTP, 64 kept connections", "http", 64),
        Workload(f"The same with every 100th request blocking {options.block_ms} ms", "http", 64, block),
    ]


def measure(strategy: str, workload: Workload, options: argparse.Namespace) -> Sample:
    """Start the workers, load them, read their counters."""
    limit = limit_server("--workers", str(options.workers), *STRATEGIES[strategy], *workload.options)
    running = limit.start(WORKLOADS[workload.mode], options.server_cores)
    try:
        before, slept = running.process.cpu_seconds(), running.process.sleeps()
        load = Load(WORKLOADS[workload.mode], workload.connections, tuple(options.load_cores))
        figures = load.run(running.address, options.seconds)
        used, slept = running.process.cpu_seconds() - before, running.process.sleeps() - slept
    finally:
        running.process.stop()
    counters = json.loads(running.process.log_text().splitlines()[-1])
    return Sample(used * 1e6 / figures.requests, slept / figures.requests, figures, counters["workers"])


def row(strategy: str, samples: Sequence[Sample]) -> list[str]:
    """Medians over the rounds as cells of the table with HEADS."""

    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    least = median([sample.shares[0] for sample in samples])
    most = median([sample.shares[-1] for sample in samples])
    idle = median([sum(share < 0.01 for share in sample.shares) for sample in samples])
    return [
        strategy,
        f"{median([sample.cpu_us for sample in samples]):.2f}",
        f"{median([sample.figures.requests_per_second for sample in samples]):,.0f}",
        f"{median([sample.figures.p50_us for sample in samples]):,.0f}",
        f"{median([sample.figures.p99_us for sample in samples]):,.0f}",
        f"{median([sample.figures.max_us for sample in samples]):,.0f}",
        f"{median([sample.sleeps for sample in samples]):.2f}",
        f"{median([sample.empty_wakeups for sample in samples]):,.1f}",
        f"{least:.2f}–{most:.2f}",
        f"{idle:g}",
    ]


def compare(report: Report, workload: Workload, options: argparse.Namespace) -> None:
    """One workload's table: the strategies by turns, round after round."""
    samples: dict[str, list[Sample]] = {strategy: [] for strategy in STRATEGIES}
    for number in range(1, options.rounds + 1):
        for strategy, series in samples.items():
            series.append(measure(strategy, workload, options))
            say(f"{workload.title}: round {number}/{options.rounds} {strategy}: {row(strategy, series[-1:])[1:]}")
    rows = [row(strategy, series) for strategy, series in samples.items()]
    report.table(workload.title, [HEADS, *rows])
    report.data.setdefault("workloads", []).append(
        {"title": workload.title, "rows": [dict(zip(HEADS, cells, strict=True)) for cells in rows]}
    )


def cores(text: str) -> list[int]:
    """A comma list of core numbers."""
    return [int(part) for part in text.split(",")]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    usable = usable_cores()
    parser = argparse.ArgumentParser(prog="scripts/bench sharing", description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--block-ms", type=int, default=20)
    parser.add_argument("--server-cores", type=cores, default=usable, help="comma list; all usable ones unless told")
    parser.add_argument("--load-cores", type=cores, default=usable[-1:], help="comma list; the last one unless told")
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    options = parse(arguments)
    turn = take_turn()
    raise_file_limit(65536)
    report = Report("sharing", "Workers that share one address")
    report.line(
        f"- {options.workers} workers on cores {options.server_cores}, load on cores {options.load_cores}, "
        f"median of {options.rounds} rounds of {options.seconds:g} s",
        DIM,
    )
    report.line(
        "- a share of 1.00 is what each worker gets when all get the same; an idle worker got less than 0.01", DIM
    )
    for workload in workloads(options):
        compare(report, workload, options)
    report.write(options.results)
    turn.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
