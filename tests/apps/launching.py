# SPDX-License-Identifier: MIT
"""A program that becomes the smiskd that serves it; what it finds there is its answer.

The environment says what it does before: BIND an address, FORKS a number, HTTP an address, OPTIONS of smiskd, TRICK.
"""

import os
import sys

from smisk.core import launch, listen
from smisk.core.handover import is_hosted

SEEN = {}


def handle(request):
    if request.path == "/body":
        return str(len(request.body))
    return {
        **SEEN,
        "argv": sys.argv,
        "cwd": os.getcwd(),
        "listening": listen.listening(),
        "main": getattr(sys.modules["__main__"], "__file__", None),
        "name": __name__,
        "package": __package__,
        "path": sys.path,
        "pid": os.getpid(),
        "prefix": sys.prefix,
        "variables": [name for name in os.environ if name == "SMISK_HANDOVER"],
    }


def main():
    SEEN["started"] = os.getcwd()
    if "BIND" in os.environ:
        listen.bind(os.environ["BIND"])
    handle.forks = int(os.environ.get("FORKS", "0"))
    launch.plan.http += os.environ.get("HTTP", "").split()
    launch.plan.options += os.environ.get("OPTIONS", "").split()
    trick(os.environ.get("TRICK"))


def trick(name):
    if name == "swallow":
        try:
            launch.run_application(handle, interface="native")
        except:  # noqa: E722  as old programs do
            sys.exit(3)
    if name == "exit" and is_hosted():
        sys.exit("on purpose")
    if name == "raise" and is_hosted():
        raise ZeroDivisionError("on purpose")
    if name == "nothing" and is_hosted():
        return
    launch.run_application(handle, interface="native")
    SEEN["after"] = "run"


if __name__ == "__main__" or os.environ.get("TRICK") == "unguarded":
    main()
