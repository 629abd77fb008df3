# SPDX-License-Identifier: MIT
"""Generators that say on stderr how far they were pulled and whether they were closed."""

import sys
from collections.abc import Iterator
from typing import Any

BLOCK = bytes(65536)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def blocks(count: int) -> Iterator[bytes]:
    pulled = 0
    try:
        for _ in range(count):
            pulled += 1
            yield BLOCK
    finally:
        say(f"generator over after {pulled} of {count}")


def failing() -> Iterator[bytes]:
    yield b"so far so good"
    raise LookupError("nothing more to say")


def handle(request: Any) -> object:
    if request.path == "/failing":
        return failing()
    if request.path == "/early":
        raise LookupError("before the first byte")
    return blocks(int(request.get["blocks"]))
