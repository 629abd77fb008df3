# SPDX-License-Identifier: MIT
"""What every test shares: the summary by kind, printed above pytest's closing line."""

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each kind of test; scripts/test hands over the kinds that pytest does not run."""
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
