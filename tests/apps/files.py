# SPDX-License-Identifier: MIT
"""The request body as a binary file: every way of reading it, one path each."""

import hashlib
from typing import Any


def handle(request: Any) -> object:
    body = request.input
    if request.path == "/read":
        return [body.read(3).decode(), body.read(0).decode(), body.read().decode(), body.read().decode()]
    if request.path == "/readline":
        return [body.readline().decode(), body.readline(2).decode(), body.readline().decode()]
    if request.path == "/readlines":
        return [line.decode() for line in body.readlines()]
    if request.path == "/lines":
        return [line.decode() for line in body]
    if request.path == "/readinto":
        target = bytearray(4)
        return [body.readinto(target), target.decode(), body.readinto(target)]
    if request.path == "/seek":
        first = body.read().decode()
        body.seek(0)
        return [first, body.read().decode(), body.tell(), body.seekable(), body.readable()]
    if request.path == "/digest":
        known = hashlib.sha256()
        while piece := body.read(100_000):
            known.update(piece)
        return {"sha256": known.hexdigest()}
    if request.path == "/both":
        return [request.body.decode(), body.read().decode(), len(request.body)]
    return {"json": request.json()}
