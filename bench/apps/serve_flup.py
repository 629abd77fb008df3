# SPDX-License-Identifier: MIT
"""Runs the module argv[1] under flup's threaded FastCGI server on 127.0.0.1, port argv[2]; it has no command line."""

import importlib
import sys

from flup.server.fcgi import WSGIServer  # type: ignore[import-not-found,unused-ignore]

application = importlib.import_module(sys.argv[1]).application
WSGIServer(application, bindAddress=("127.0.0.1", int(sys.argv[2]))).run()
