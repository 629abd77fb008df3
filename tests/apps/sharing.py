# SPDX-License-Identifier: MIT
"""Counts its requests in a dict that all workers share."""

import os

from smisk.ipc import app_shared_key, shared_dict

counters = shared_dict()


def application_will_start() -> None:
    counters.setdefault("n", 0)


def handle(request):
    if request.path == "/key":
        return app_shared_key()
    return [counters.incr("n"), os.getpid()]
