# SPDX-License-Identifier: MIT
"""Server CPU time a request, as a ratio to the fixed-answer C loop (bench/limit) or to a peer.

The server has one core and the load another. In each round all servers are started, then loaded by turns; each cost
is divided by the reference's of that turn, and the median of these ratios counts. Costs of different runs, or from a
machine that does other things, do not compare; the ratios nearly do.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import SkipError
from load import Load, take_turn
from peers import PEERS, peer_server
from process import raise_file_limit, usable_cores
from report import BOLD, DIM, GREEN, RED, Report
from series import Series, heads, measure_all, ratios, reference_of
from server import SMISKD_VARIANTS, Server, limit_server, smiskd_server
from targets import Verdict, verdicts
from workload import WORKLOADS, Workload

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
NATIVE = {"native", "async"}


def colour_of(series: Series, given: Sequence[Verdict]) -> tuple[str, ...]:
    """smiskd's row is green when it keeps its targets and red when it misses one; failures are dim."""
    if not series.samples:
        return (DIM,)
    kept = [verdict.is_kept for verdict in given if verdict.server == series.server.name]
    if False in kept:
        return (RED,)
    return (GREEN,) if True in kept else ()


def verdict_line(verdict: Verdict) -> str:
    word = {True: "kept", False: "MISSED", None: "open"}[verdict.is_kept]
    return f"- {word}: {verdict.server}: {verdict.text}"


def report_workload(report: Report, workload: Workload, all_series: Sequence[Series]) -> list[Verdict]:
    """Add one workload's table, failures and targets; returns the verdicts."""
    given = verdicts(workload, all_series)
    reference = reference_of(all_series, workload.reference)

    def rank(series: Series) -> float:
        cost = series.median("cpu_us") if series.samples else 1e9
        over = ratios(series, reference)
        return statistics.median(over) if over else cost

    ranked = sorted(all_series, key=rank)
    rows = [heads(workload.reference, workload.unit), *(series.row(reference) for series in ranked)]
    report.table(workload.title, rows, [colour_of(series, given) for series in ranked])
    report.line("")
    for series in ranked:
        if series.failure:
            report.line(f"- {series.server.title}: {series.failure}", DIM)
    for verdict in given:
        report.line(verdict_line(verdict), *((RED,) if verdict.is_kept is False else ()))
    report.data.setdefault("workloads", {})[workload.name] = {
        "reference": workload.reference,
        "servers": [series.summary(reference) for series in ranked],
        "targets": [vars(verdict) for verdict in given],
    }
    return given


def chosen(text: str, known: Sequence[str]) -> list[str]:
    """The names in a comma list, in the order of `known`; "all" and "none" as one would think.

    A name also stands for all those that it begins, up to a hyphen: "granian" for granian-wsgi and granian-asgi.
    """
    if text in ("all", "none"):
        return list(known) if text == "all" else []
    found = set()
    for name in filter(None, map(str.strip, text.split(","))):
        matching = {name} if name in known else {one for one in known if one.startswith(f"{name}-")}
        if not matching:
            raise SystemExit(f"unknown: {name}; known: {', '.join(known)}")
        found |= matching
    return [name for name in known if name in found]


def installed_peers(
    names: Sequence[str], interfaces: set[str], workloads: Sequence[Workload], report: Report
) -> list[Server]:
    """The peers that take part in a workload and could be installed; the others are reported as skipped."""
    servers = []
    for name in names:
        peer = PEERS[name]
        if interfaces.isdisjoint(NATIVE | {peer.interface}):
            continue
        if not any(work.protocol in peer.protocols and peer.interface in work.interfaces for work in workloads):
            continue
        try:
            servers.append(peer_server(name))
        except SkipError as error:
            report.line(f"- skipped: {name}: {error}", DIM)
            report.data.setdefault("skipped", {})[name] = str(error)
    return servers


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="NAMES: a comma list, all, or none. Exit status: 0 every target that was measured is kept, 1 not.",
    )
    parser.add_argument("--smiskd", type=Path, help="release build of smiskd to measure")
    parser.add_argument(
        "--smiskd-option", action="append", default=[], metavar="OPTION", help="passed on; may repeat"
    )
    parser.add_argument("--only", default="all", metavar="NAMES", help=f"workloads: {', '.join(WORKLOADS)}")
    parser.add_argument(
        "--interfaces",
        default="all",
        metavar="NAMES",
        help=f"smiskd's: {', '.join(SMISKD_VARIANTS)}; peers of other interfaces rest, unless native or async is asked for",
    )
    parser.add_argument("--peers", default="all", metavar="NAMES", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=5, help="how often the servers are started anew")
    parser.add_argument("--turns", type=int, default=16, help="of each server in each round")
    parser.add_argument("--seconds", type=float, default=0.25, help="of each turn")
    parser.add_argument("--connections", type=int, help="at once; the workload's own number unless told")
    parser.add_argument("--server-core", type=int, default=usable_cores()[0])
    parser.add_argument("--load-core", type=int, default=usable_cores()[-1])
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def all_servers(options: argparse.Namespace, workloads: Sequence[Workload], report: Report) -> list[Server]:
    """The limit, smiskd's variants and the peers that were asked for, in the order of their turns."""
    variants = chosen(options.interfaces, list(SMISKD_VARIANTS))
    servers = [limit_server()]
    if options.smiskd is not None:
        servers += [smiskd_server(options.smiskd, *options.smiskd_option, variant=name) for name in variants]
    interfaces = {SMISKD_VARIANTS[name][0] for name in variants}
    return servers + installed_peers(chosen(options.peers, list(PEERS)), interfaces, workloads, report)


def measure_workload(workload: Workload, servers: Sequence[Server], options: argparse.Namespace) -> list[Series]:
    """All rounds of one workload, by the servers that serve it."""
    load = Load(workload, options.connections or workload.connections, (options.load_core,))
    these = [server for server in servers if server.serves(workload)]
    return measure_all(these, load, (options.server_core,), options.rounds, options.turns, options.seconds)


def smiskd_failed(series: Series) -> bool:
    return series.server.package == "smiskd" and bool(series.failure) and not series.is_skipped


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when smiskd kept its targets or was not asked for, 1 when it missed one or failed."""
    options = parse(arguments)
    workloads = [WORKLOADS[name] for name in chosen(options.only, list(WORKLOADS))]
    turn = take_turn()
    raise_file_limit(65536)
    report = Report("table", "Servers' CPU time a request")
    report.line(
        f"- {options.rounds} rounds of {options.turns} turns of {options.seconds:g} s, server on core {options.server_core}, "
        f"load on core {options.load_core}",
        DIM,
    )
    servers = all_servers(options, workloads, report)
    given: list[Verdict] = []
    has_failed = False
    for workload in workloads:
        all_series = measure_workload(workload, servers, options)
        given += report_workload(report, workload, all_series)
        has_failed = has_failed or any(smiskd_failed(series) for series in all_series)
    counts = [sum(verdict.is_kept is kept for verdict in given) for kept in (True, False, None)]
    report.line("")
    report.line("Targets: {} kept, {} missed, {} not measured.".format(*counts), BOLD)
    report.write(options.results)
    turn.close()
    return 1 if has_failed or counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
