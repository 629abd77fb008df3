# SPDX-License-Identifier: MIT
"""How fast the text functions of smisk.core are beside the standard library's, and an upload beside its bytes."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import timeit
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apicases import CASES, Case
from load import take_turn
from process import usable_cores
from report import DIM, GREEN, RED, Report, say
from uploads import MIN_SHARE, measure_uploads

__all__ = ["main", "ratios"]

HERE = Path(__file__).resolve().parent
MIN_RATIO = 5.0
SAMPLE_SECONDS = 0.02


def timer(statement: str, names: dict[str, Any]) -> timeit.Timer:
    """A timer of one statement; names are looked up once, as in a loop of an application."""
    setup = "; ".join(f"{name} = {name}_" for name in names) or "pass"
    return timeit.Timer(statement, setup, time.process_time, {f"{name}_": value for name, value in names.items()})


def loops(clock: timeit.Timer) -> int:
    """How many runs fill a sample."""
    count = 1
    while (seconds := clock.timeit(count)) < SAMPLE_SECONDS / 4:
        count *= 4
    return max(1, int(count * SAMPLE_SECONDS / seconds))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """How many times as fast ours was, for each round."""
    return [their / our for our, their in zip(ours, theirs, strict=True)]


def measure(case: Case, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of one call, ours and the standard library's, for each round; the two by turns."""
    names = case.names()
    clocks = [timer(case.ours, names), timer(case.theirs, names)]
    counts = [loops(clock) for clock in clocks]
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for clock, count, times in zip(clocks, counts, samples, strict=True):
            times.append(clock.timeit(count) / count)
    return samples


def compare_functions(report: Report, options: argparse.Namespace) -> bool:
    """Table of all functions; whether each keeps the target."""
    rows = [["function", "ns", "standard library", "ns", "× as fast", "lowest–highest"]]
    colours: list[tuple[str, ...]] = []
    kept = []
    for case in CASES:
        ours, theirs = measure(case, options.rounds)
        over = ratios(ours, theirs)
        ratio = statistics.median(over)
        say(f"{case.title}: {ratio:.1f} × {case.beside}")
        rows.append(
            [
                case.title,
                f"{statistics.median(ours) * 1e9:,.0f}",
                case.beside,
                f"{statistics.median(theirs) * 1e9:,.0f}",
                f"{ratio:.1f}",
                f"{min(over):.1f}–{max(over):.1f}",
            ]
        )
        is_kept = ratio >= MIN_RATIO
        kept.append(is_kept)
        colours.append((GREEN,) if is_kept else (RED,))
        report.data.setdefault("functions", []).append(
            {"function": case.title, "beside": case.beside, "ratio": ratio, "ratios": over}
        )
    report.table(f"Functions (target: {MIN_RATIO:g} × as fast)", rows, colours)
    return all(kept)


def compare_uploads(report: Report, options: argparse.Namespace) -> bool:
    """Table of one body, read raw and parsed as a form; whether the target is kept."""
    raw, form = measure_uploads(options)
    shares = ratios(form, raw)
    share = statistics.median(shares)
    size = options.upload_mib
    rows = [["body", "MiB/s", "share", "lowest–highest"]]
    rows.append(["read from request.input", f"{size / statistics.median(raw):,.0f}", "1.00", ""])
    rows.append(
        [
            "request.files of a form",
            f"{size / statistics.median(form):,.0f}",
            f"{share:.2f}",
            f"{min(shares):.2f}–{max(shares):.2f}",
        ]
    )
    is_kept = share >= MIN_SHARE
    report.table(
        f"Upload of {size:,} MiB (target: {MIN_SHARE:.0%} of raw)", rows, [(), (GREEN,) if is_kept else (RED,)]
    )
    report.data["upload"] = {"mib": size, "raw_seconds": raw, "form_seconds": form, "share": share}
    return is_kept


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    parser.add_argument("--smiskd", type=Path, help="release build of smiskd; without it, no upload is measured")
    parser.add_argument("--upload-mib", type=int, default=1024, help="size of the upload")
    parser.add_argument("--upload-rounds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--temp-dir", type=Path, help="where smiskd keeps large bodies; its own default unless told")
    parser.add_argument("--server-core", type=int, default=usable_cores()[0], help="the functions run on it too")
    parser.add_argument("--load-core", type=int, default=usable_cores()[-1])
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when every target was kept, 1 when not."""
    options = parse(arguments)
    turn = take_turn()
    report = Report("api", "The text functions of smisk.core")
    report.line(f"- median of {options.rounds} rounds, each function beside the other by turns", DIM)
    os.sched_setaffinity(0, [options.server_core])
    kept = [compare_functions(report, options)]
    if options.smiskd is not None:
        os.sched_setaffinity(0, [options.load_core])
        kept.append(compare_uploads(report, options))
    report.write(options.results)
    turn.close()
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
