# SPDX-License-Identifier: MIT
"""Larger answers and an echo, WSGI: the paths of sizes.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sizes import BODIES

__all__ = ["application"]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with the body of the path, or with the request's own (PEP 3333)."""
    body = BODIES.get(environ["PATH_INFO"])
    if body is None:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
