# SPDX-License-Identifier: MIT
"""What every test shares: the matrix of frameworks and the summary by kind, printed above pytest's closing line."""

import os
from collections import Counter
from collections.abc import Iterable

import pytest

OUTCOMES = ("passed", "failed", "error", "skipped")


def count_by_folder(reports: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    """Counts (node id, outcome) pairs by the folder below tests/ that the test lies in."""
    kinds: dict[str, Counter[str]] = {}
    for node, outcome in reports:
        kind = "/".join(node.split("::")[0].split("/")[:2])
        kinds.setdefault(kind, Counter())[outcome] += 1
    return kinds


def matrix_of(reports: Iterable[tuple[str, pytest.TestReport]]) -> list[str]:
    """A Markdown table of what test_frameworks.py recorded: framework, interface and protocol by feature.

    In a cell: how many requests were answered as by the reference, `FAILED`, `-` where the framework has no such part.
    """
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    features: dict[str, None] = {}
    for outcome, report in reports:
        for framework, interface, way, feature, steps in (v for k, v in report.user_properties if k == "matrix"):
            features[feature] = None
            cell = str(steps) if outcome == "passed" else outcome.upper()
            rows.setdefault((framework, interface, way), {})[feature] = cell
    if not rows:
        return []
    heading = ["framework", "interface", "protocol", *features]
    lines = [heading, ["---"] * len(heading)]
    lines += [[*row, *(cells.get(feature, "-") for feature in features)] for row, cells in sorted(rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["| " + " | ".join(f"{text:<{w}}" for text, w in zip(line, widths, strict=True)) + " |" for line in lines]


def write_matrix(terminalreporter: pytest.TerminalReporter) -> None:
    """The matrix, when its tests were among those that ran."""
    stats = terminalreporter.stats
    reports = [
        (outcome, report)
        for outcome in ("passed", "failed")
        for report in stats.get(outcome, ())
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    if lines := matrix_of(sorted(reports, key=lambda pair: pair[1].start)):
        terminalreporter.section("frameworks: requests answered as by uvicorn or gunicorn")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The matrix; one line for each kind of test, scripts/test hands over the kinds that pytest does not run."""
    write_matrix(terminalreporter)
    other = os.environ.get("SMISK_OTHER_KINDS", "")
    if not other:
        return
    terminalreporter.section("by kind")
    for line in other.split(";"):
        name, _, result = line.partition("=")
        terminalreporter.line(f"{name:<14} {result}")
    stats = terminalreporter.stats
    reports = ((report.nodeid, outcome) for outcome in OUTCOMES for report in stats.get(outcome, ()))
    for kind, counts in sorted(count_by_folder(reports).items()):
        result = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
        terminalreporter.line(f"{kind:<14} {result}")
