# SPDX-License-Identifier: MIT
"""One large multipart body, sent again and again: read by the handler as it is, and parsed as a form."""

from __future__ import annotations

import argparse
import os
import socket
import time

from load import LoadError, cache_folder, free_port, wait_for_port
from process import Process
from report import say
from server import APPS

__all__ = ["MIN_SHARE", "measure_uploads"]

MIN_SHARE = 0.6
MIB = 1 << 20
BOUNDARY = "smisk-bench-boundary-7f3a"
OPENING = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
CLOSING = f"\r\n--{BOUNDARY}--\r\n".encode()
TYPES = {"/raw": "application/octet-stream", "/form": f"multipart/form-data; boundary={BOUNDARY}"}


def send(address: tuple[str, int], path: str, mib: int, block: bytes) -> float:
    """Send the body and read the answer; the seconds that took. LoadError for a wrong answer."""
    length = len(OPENING) + mib * MIB + len(CLOSING)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {TYPES[path]}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(address, timeout=600) as client:
        began = time.perf_counter()
        client.sendall(head.encode() + OPENING)
        for _ in range(mib):
            client.sendall(block)
        client.sendall(CLOSING)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        seconds = time.perf_counter() - began
    wanted = length if path == "/raw" else mib * MIB
    if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(f"\r\n\r\n{wanted}".encode()):
        raise LoadError(f"{path}: wrong answer {answer[:300]!r}")
    return seconds


def measure_uploads(options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Seconds of one request for each round: raw, and as a form; the two by turns, on one server."""
    port = free_port()
    settings = ["max_body_size=64g", "body_timeout=10m", "log_level=warning"]
    if options.temp_dir is not None:
        settings.append(f"temp_dir={options.temp_dir.resolve()}")
    argv = [str(options.smiskd.resolve()), "uploads:handle", "--interface", "native", "--pythonpath", str(APPS)]
    argv += ["--workers", "1", "--http", f"127.0.0.1:{port}"]
    for setting in settings:
        argv += ["--set", setting]
    logs = cache_folder() / "log"
    logs.mkdir(exist_ok=True)
    process = Process(argv, cores=[options.server_core], log=logs / "uploads.log", cwd=APPS)
    block = os.urandom(MIB)
    times: dict[str, list[float]] = {path: [] for path in TYPES}
    try:
        wait_for_port(f"127.0.0.1:{port}", lambda: process.is_alive)
        for number in range(options.upload_rounds + 1):
            for path, seconds in times.items():
                taken = send(("127.0.0.1", port), path, options.upload_mib, block)
                say(f"upload {number}/{options.upload_rounds} {path}: {options.upload_mib / taken:,.0f} MiB/s")
                if number > 0:  # the first round warms up
                    seconds.append(taken)
    finally:
        process.stop()
    return times["/raw"], times["/form"]
