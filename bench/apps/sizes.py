# SPDX-License-Identifier: MIT
"""Larger answers and an echo, native interface: /10k, /1m, and /echo for a request with a body."""

from __future__ import annotations

from typing import Any

__all__ = ["BODIES", "handle"]

PATTERN = b"Hello, world!"
BODIES = {
    "/10k": (PATTERN * 1000)[: 10 << 10],
    "/1m": (PATTERN * 100000)[: 1 << 20],
}
FIELDS = {"Content-Type": "text/html; charset=utf-8"}


def handle(request: Any) -> tuple[bytes, int, dict[str, str]]:
    """Answer with the body of the path, or with the request's own."""
    return BODIES.get(request.path) or request.body, 200, FIELDS
