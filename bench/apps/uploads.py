# SPDX-License-Identifier: MIT
"""Takes large bodies, native interface: /raw reads the body as a file, /form its uploads; both tell the bytes."""

from __future__ import annotations

from typing import Any

__all__ = ["handle"]

CHUNK = 64 * 1024


def handle(request: Any) -> str:
    """Answer with how many bytes came: of the body, or of the upload that is named `file`."""
    if request.path == "/form":
        return str(request.files["file"].size)
    size = 0
    while chunk := request.input.read(CHUNK):
        size += len(chunk)
    return str(size)
