# SPDX-License-Identifier: MIT
"""Runs hello_wsgi under flup's threaded FastCGI server on 127.0.0.1, port argv[1]; it has no command line."""

import sys

from flup.server.fcgi import WSGIServer  # type: ignore[import-not-found,unused-ignore]
from hello_wsgi import application

WSGIServer(application, bindAddress=("127.0.0.1", int(sys.argv[1]))).run()
