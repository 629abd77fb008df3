# SPDX-License-Identifier: MIT
"""What the embedded interpreter looks like from inside."""

import signal
import site
import sys
from typing import Any


def handle(request: Any) -> object:
    return {
        "argv": sys.argv,
        "path": sys.path,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "version": list(sys.version_info[:3]),
        "flags": list(sys.flags),
        "site": site.ENABLE_USER_SITE is not None,
        "stdout": sys.stdout.encoding,
        "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "main": sys.modules["__main__"].__name__,
        "orig_argv": sys.orig_argv,
        "filesystem": sys.getfilesystemencoding(),
    }
