# SPDX-License-Identifier: MIT
"""Fixtures of the live tests. Every smiskd that a test starts is inspected after the test, see lib.daemon.Smiskd.check."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.daemon import APPS, BINARY, Smiskd
from lib.servers import Front, start_front

Start = Callable[..., Smiskd]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a binary nothing here can run; say so instead of failing a thousand times."""
    if not BINARY.exists():
        reason = pytest.mark.skip(reason=f"no smiskd at {BINARY}; build it, or set SMISKD")
        for item in items:
            item.add_marker(reason)


def _starter(kept: list[Smiskd]) -> Start:
    def start(*arguments: str, **more: object) -> Smiskd:
        started = Smiskd("--pythonpath", str(APPS), *arguments, **more)  # type: ignore[arg-type]
        kept.append(started)
        return started

    return start


def _stop_all(kept: list[Smiskd]) -> None:
    failures: list[Exception] = []
    for daemon in reversed(kept):
        try:
            daemon.stop()
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def smiskd() -> Iterator[Start]:
    """Starts daemons for one test, with tests/apps on the path; ends and inspects them after it."""
    kept: list[Smiskd] = []
    yield _starter(kept)
    _stop_all(kept)


@pytest.fixture(scope="module")
def module_smiskd() -> Iterator[Start]:
    """Starts daemons for all tests of a module; use it through a fixture that calls `check()` after each test."""
    kept: list[Smiskd] = []
    yield _starter(kept)
    _stop_all(kept)


@pytest.fixture
def front(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Front]]:
    """Starts front servers, which end before the smiskd behind them; their logs are shown if the test failed."""
    kept: list[Front] = []

    def start(kind: str, upstream: object) -> Front:
        kept.append(start_front(kind, tmp_path / kind, upstream))  # type: ignore[arg-type]
        return kept[-1]

    yield start
    for started in kept:
        started.stop()
        print(started.everything())
