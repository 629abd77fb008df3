# SPDX-License-Identifier: MIT
"""Leaves threads behind: one that waits for ever, one that works for ever, and an exit handler."""

import atexit
import sys
import threading
from typing import Any


def wait_for_ever() -> None:
    threading.Event().wait()


def work_for_ever() -> None:
    pause = threading.Event()
    while not pause.wait(0.001):
        sum(range(1000))


for target in (wait_for_ever, work_for_ever):
    threading.Thread(target=target, daemon=True).start()
atexit.register(lambda: print("exit handler ran", file=sys.stderr, flush=True))


def handle(request: Any) -> str:
    return ",".join(sorted(thread.name for thread in threading.enumerate()))
