# SPDX-License-Identifier: MIT
"""What applications do wrong, one path each."""

from typing import Any

BAD: dict[str, Any] = {
    "/newline-value": ("x", 200, {"X-A": "1\r\nX-B: 2"}),
    "/lf-value": ("x", 200, {"X-A": "1\nX-B: 2"}),
    "/nul-value": ("x", 200, {"X-A": "1\0"}),
    "/newline-name": ("x", 200, {"X-A: 1\r\nX-B": "2"}),
    "/space-name": ("x", 200, {"X A": "1"}),
    "/empty-name": ("x", 200, {"": "1"}),
    "/location": ("", 302, {"Location": "/ok\r\nSet-Cookie: stolen=1"}),
    "/transfer": ("x", 200, {"Transfer-Encoding": "chunked"}),
    "/status-text": ("x", "200 OK\r\nX-B: 2"),
    "/status-low": ("x", 42),
    "/status-100": ("x", 100),
    "/status-high": ("x", 1000),
    "/length": ("four", 200, {"Content-Length": "5000"}),
    "/object": object(),
    "/int": 7,
    "/chunks": iter([1, 2]),
}


def handle(request: Any) -> object:
    if request.path == "/raise":
        raise ValueError("secret <b>detail</b>")
    if request.path == "/exit":
        raise SystemExit(3)
    if request.path == "/interrupt":
        raise KeyboardInterrupt
    if request.path == "/log":
        request.log_error("first\nforged 2026-01-01 error: line\x1b[31m")
        return "logged"
    if request.path == "/log-long":
        request.log_error("x" * 200_000)
        return "logged"
    if request.path == "/ok":
        return "fine"
    return BAD[request.path]
