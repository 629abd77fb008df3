# SPDX-License-Identifier: MIT
"""Runs the module argv[1] under bjoern on 127.0.0.1, port argv[2]; it has no command line."""

import importlib
import sys

import bjoern  # type: ignore[import-not-found,unused-ignore]

bjoern.run(importlib.import_module(sys.argv[1]).application, "127.0.0.1", int(sys.argv[2]))
