# SPDX-License-Identifier: MIT
"""The measured application for the WSGI peers: the same 13 bytes and header fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["application"]

FIELDS = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "13")]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer every request with the same text (PEP 3333)."""
    start_response("200 OK", list(FIELDS))
    return [b"Hello, world!"]
