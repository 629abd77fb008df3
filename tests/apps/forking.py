# SPDX-License-Identifier: MIT
"""Forks a child that outlives the request, and says which process it is."""

import os
import time
from typing import Any


def handle(request: Any) -> str:
    print("printed for", request.path)
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    return str(pid)
