# SPDX-License-Identifier: MIT
"""A request that waits until the test lets it go on: it says so on stderr, then reads the FIFO in QUERY_STRING."""

import os
import sys
from typing import Any


def handle(request: Any) -> object:
    if request.path == "/pid":
        return str(os.getpid())
    if request.path == "/wait":
        print("request in flight", file=sys.stderr, flush=True)
        with open(request.query) as fifo:
            return "finished: " + fifo.read()
    return "Hello, world!\n"
