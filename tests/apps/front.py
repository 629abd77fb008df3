# SPDX-License-Identifier: MIT
"""What a browser does to a site behind a front server: pages, forms, uploads, downloads, cookies, leaving early."""

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

BLOCK = bytes(range(256)) * 256  # 64 KiB


def download(blocks: int) -> Iterator[bytes]:
    """`blocks` times 64 KiB; says on stderr when it was closed before its end."""
    try:
        for _ in range(blocks):
            yield BLOCK
    except GeneratorExit:
        print("download closed early", file=sys.stderr, flush=True)
        raise


def digest(stream: Any) -> dict[str, object]:
    """Length and SHA-256 of a body, read in pieces."""
    known, length = hashlib.sha256(), 0
    while piece := stream.read(262144):
        known.update(piece)
        length += len(piece)
    return {"length": length, "sha256": known.hexdigest()}


def handle(request: Any) -> object:
    if request.path == "/hello":
        return f"Hello over {request.protocol}\n"
    if request.path == "/echo":
        return {**digest(request.input), "method": request.method}
    if request.path == "/env":
        return {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "remote_addr": request.remote_addr,
            "role": str(request.role),
        }
    if request.path == "/redirect":
        return "", 302, [("Location", "/hello?from=redirect")]
    if request.path == "/cookies":
        fields = [("Set-Cookie", "one=1; Path=/"), ("Set-Cookie", "two=2; Path=/; HttpOnly")]
        return dict(request.cookies), 200, fields
    if request.path == "/download":
        blocks = int(request.get["mb"]) * 16
        return download(blocks), 200, [("Content-Type", "application/octet-stream")]
    return f"nothing at {request.path}\n", 404, [("Content-Type", "text/plain; charset=utf-8")]
