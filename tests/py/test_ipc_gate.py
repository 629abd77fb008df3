# SPDX-License-Identifier: MIT
"""The gate of transactions: many inside, or one alone, and no wait without an end."""

import threading

from smisk.ipc.gate import Gate

from lib.wait import until

NOT_LONG = 0.01


def test_gate_lets_many_in_at_once() -> None:
    gate = Gate()
    assert gate.enter(0)
    assert gate.enter(0)
    gate.leave()
    gate.leave()
    assert gate.shut(0)


def test_gate_with_somebody_inside_is_not_shut_and_stays_open() -> None:
    gate = Gate()
    assert gate.enter(0)
    assert not gate.shut(NOT_LONG)
    assert gate.enter(0)


def test_shut_gate_lets_nobody_in_until_it_is_reopened() -> None:
    gate = Gate()
    assert gate.shut(0)
    assert not gate.enter(NOT_LONG)
    assert not gate.shut(NOT_LONG)
    gate.reopen()
    assert gate.enter(0)


def test_gate_that_waits_to_be_shut_is_shut_when_the_last_one_leaves() -> None:
    gate = Gate()
    assert gate.enter(0)
    results: list[bool] = []
    closer = threading.Thread(target=lambda: results.append(gate.shut(60)))
    closer.start()
    until(lambda: gate._is_shut, "the closer waits")
    late = threading.Thread(target=lambda: results.append(gate.enter(60)))
    late.start()
    assert results == []
    gate.leave()
    closer.join()
    assert results == [True]
    gate.reopen()
    late.join()
    assert results == [True, True]
