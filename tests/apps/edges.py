# SPDX-License-Identifier: MIT
"""Answers, bodies and child processes at the edge of what the native interface takes, one path each."""

import io
import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from smisk import Response
from smisk.core.forms import FormError


class Zeros(io.RawIOBase):
    """An endless line of `size` zeros that remembers the largest piece it was asked for."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.largest = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.largest = max(self.largest, len(buffer))
        size = min(len(buffer), self.left)
        buffer[:size] = bytes(size)
        self.left -= size
        return size

    def __next__(self) -> bytes:
        raise AssertionError("a file is not to be read by lines")

    def close(self) -> None:
        if not self.closed:
            print(f"file closed, largest piece {self.largest}", file=sys.stderr, flush=True)
        super().close()


def closing(label: str) -> Iterator[bytes]:
    """Streams for ever; says how often it was closed."""
    try:
        for _ in itertools.count():
            yield bytes(65536)
    finally:
        print(f"closed {label}", file=sys.stderr, flush=True)


def terminate_child() -> dict[str, object]:
    """Starts a child that sleeps, ends it with TERM; its exit code."""
    started, say = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=sleep, args=(say,))
    child.start()
    started.recv()
    child.terminate()
    child.join(5)
    code = child.exitcode
    if code is None:
        child.kill()
        child.join()
    started.close()
    say.close()
    child.close()
    return {"exitcode": code, "pid": os.getpid()}


def sleep(say: Any) -> None:
    say.send("started")
    time.sleep(60)


def facts(request: Any) -> dict[str, object]:
    """What a request says, whoever asks and whenever."""
    return {
        "path": request.path,
        "body": request.body.decode(),
        "input": request.input.read().decode(),
        "headers": len(request.headers),
        "cookies": request.cookies,
        "is_aborted": request.is_aborted,
    }


def in_thread(request: Any) -> dict[str, object]:
    """The same, asked from another thread while the handler waits."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(facts, request).result()


SCRIPT = """
import os
paths = ["/proc/self/fd/" + name for name in os.listdir("/proc/self/fd") if int(name) > 2]
print(*[os.readlink(path) for path in paths if os.path.lexists(path)])
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith(("SigBlk", "SigCgt"))])
"""
KEPT: list[Any] = []

ANSWERS: dict[str, Any] = {
    "/set": {b"a", b"b"},
    "/mapping": MappingProxyType({"a": 1}),
    "/response-as-body": (Response("x"), 200),
    "/header-surrogate": ("x", 200, {"X-A": "\udc80"}),
    "/path": Path(__file__),
}


def handle(request: Any) -> object:
    if request.path == "/file":
        return Zeros(1_000_000)
    if request.path == "/text":
        return io.StringIO("zwölf\nBoxkämpfer")
    if request.path == "/upload":
        return request.files["file"]
    if request.path == "/closing":
        return closing(request.query)
    if request.path == "/child":
        return terminate_child()
    if request.path == "/keep":
        KEPT[:] = [request]
        return "kept"
    if request.path == "/kept":
        return facts(KEPT[0])
    if request.path == "/thread":
        return in_thread(request)
    if request.path == "/program":
        return subprocess.run([sys.executable, "-S", "-c", SCRIPT], stdout=subprocess.PIPE, close_fds=False).stdout
    if request.path == "/print":
        print("printed, no newline", end="")
        print(" …")
        os.write(1, b"written to descriptor 1\n")
        return "printed"
    if request.path == "/surrogate":
        raise LookupError("no file \udce9")
    if request.path == "/own":
        raise FormError("my own words", 422)
    if request.path == "/json":
        return {"json": request.json()}
    if request.path == "/fileno":
        try:
            request.input.fileno()
        except io.UnsupportedOperation:
            return "unsupported"
    return ANSWERS[request.path]
