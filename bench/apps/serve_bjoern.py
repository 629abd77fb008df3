# SPDX-License-Identifier: MIT
"""Runs hello_wsgi under bjoern on 127.0.0.1, port argv[1]; it has no command line."""

import sys

import bjoern  # type: ignore[import-not-found,unused-ignore]
from hello_wsgi import application

bjoern.run(application, "127.0.0.1", int(sys.argv[1]))
