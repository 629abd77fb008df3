# SPDX-License-Identifier: MIT
"""The measured application, native interface, as a coroutine: the same 13 bytes."""

from __future__ import annotations

__all__ = ["handle"]


async def handle(request: object) -> str:
    """Answer every request with the same text (str: text/html)."""
    return "Hello, world!"
