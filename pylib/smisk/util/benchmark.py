# SPDX-License-Identifier: MIT
"""The simplest benchmark: a loop that measures itself."""

from __future__ import annotations

import gc
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["benchmark"]

_RULE = "-" * 35


def benchmark(
    name: str = "benchmark", iterations: int = 1000000, outfp: TextIO | None = None, it_subtractor: float = 0.0
) -> Iterator[None]:
    """To be looped over: `for _ in benchmark("decode", 10000): decode(data)`.

    Prints calls a second, the average call and the times of the whole to `outfp` (default: standard error), garbage
    collection off meanwhile. `it_subtractor` is the time, in seconds, that the loop itself takes for one iteration; it
    is subtracted. What is thrown in is raised again after printing; leaving the loop by `break` prints nothing.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    done = 0
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    try:
        while done < iterations:
            yield
            done += 1
    except Exception:
        _report(outfp or sys.stderr, name, done, time.perf_counter() - began - it_subtractor * done, before)
        raise
    finally:
        if was_collecting:
            gc.enable()
    _report(outfp or sys.stderr, name, done, time.perf_counter() - began - it_subtractor * done, before)


def _report(out: TextIO, name: str, done: int, real: float, before: resource.struct_rusage) -> None:
    after = resource.getrusage(resource.RUSAGE_SELF)
    rate = done / real if real > 0 else 0.0
    lines = [
        f"\n{name}:  {rate:6.1f} calls/sec",
        _RULE,
        f"avg. call  {_spelled(real / done if done else 0.0)}",
        _RULE,
        f"real       {_spelled(real)}",
        f"user       {_spelled(after.ru_utime - before.ru_utime)}",
        f"system     {_spelled(after.ru_stime - before.ru_stime)}",
    ]
    out.write("\n".join(lines) + "\n")
    out.flush()


def _spelled(seconds: float) -> str:
    milliseconds, microseconds = divmod(round(seconds * 1e6), 1000)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{whole:3} sec  {milliseconds:3} ms  {microseconds:4} us"
