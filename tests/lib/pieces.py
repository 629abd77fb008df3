# SPDX-License-Identifier: MIT
"""Sending so that the server reads exactly the pieces that the test means.

Over a unix socket the kernel tells how many bytes the other side has not read yet (SIOCOUTQ), so each piece is known to
have been read alone before the next is sent. TCP has no such answer: use a unix listener where the split matters.
"""

import array
import fcntl
import itertools
import os
import socket
import termios
import time

__all__ = ["send_pieces", "unread"]

WAIT_SECONDS = 10.0


def unread(sock: socket.socket) -> int:
    """Bytes that were sent on a unix socket and that its other end has not read."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, count)
    return count[0]


def send_pieces(sock: socket.socket, data: bytes, *cuts: int) -> None:
    """Sends `data` cut at the given offsets (in rising order); each piece is read before the next leaves."""
    assert sock.family == socket.AF_UNIX, "only a unix socket tells what was read"
    edges = [0, *cuts, len(data)]
    for start, end in itertools.pairwise(edges):
        sock.sendall(data[start:end])
        deadline = time.monotonic() + WAIT_SECONDS
        while end < len(data) and unread(sock):
            assert time.monotonic() < deadline, f"the server does not read on after {start} bytes"
            os.sched_yield()
