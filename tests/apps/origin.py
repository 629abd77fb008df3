# SPDX-License-Identifier: MIT
"""Says where a request comes from, as the application sees it; also of one that was kept after its answer."""

from typing import Any

NAMES = (
    "REMOTE_ADDR", "REMOTE_PORT", "REQUEST_SCHEME", "HTTPS", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT",
    "HTTP_X_FORWARDED_FOR",
)  # fmt: skip
kept: list[Any] = []


def origin(request: Any) -> dict[str, object]:
    """What the tests look at."""
    url = request.url
    return {
        "remote_addr": request.remote_addr,
        "url": [url.scheme, url.host, url.port],
        "host_field": request.headers.get("Host"),
        "env": {name: request.env[name] for name in NAMES if name in request.env},
    }


def handle(request: Any) -> object:
    if request.path == "/keep":
        kept[:] = [request]
        return "kept"
    return origin(kept[0] if request.path == "/kept" else request)
