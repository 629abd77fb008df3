# SPDX-License-Identifier: MIT
"""Says in JSON what it was asked, so that a test sees the request as an application does."""

from typing import Any


def handle(request: Any) -> object:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "url": str(request.url),
        "host": request.url.host,
        "headers": [list(pair) for pair in request.headers.pairs],
        "remote_addr": request.remote_addr,
        "protocol": request.protocol,
        "role": request.role,
        "get": request.get,
        "cookies": request.cookies,
        "body": request.body.decode("latin-1"),
        "content_length": request.content_length,
    }
