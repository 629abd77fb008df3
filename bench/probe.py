# SPDX-License-Identifier: MIT
"""Checks one answer of a server before it is measured: a fast wrong answer is worth nothing."""

from __future__ import annotations

import http.client
import subprocess

from load import LoadError, fcgiload_figures, program, websocket_argv, wsload_figures
from workload import Workload

__all__ = ["probe"]

TIMEOUT_SECONDS = 20


def http_probe(workload: Workload, address: str) -> None:
    """Check the answer's status and body."""
    host, _, port = address.rpartition(":")
    client = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_SECONDS)
    fields = {"Content-Type": workload.content_type} if workload.body else {}
    try:
        client.request("POST" if workload.body else "GET", workload.path, workload.body or None, fields)
        answer = client.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise LoadError(f"no answer: {error!r}") from error
    finally:
        client.close()
    if answer.status != 200 or not workload.is_answered_by(body):
        raise LoadError(f"wrong answer: {answer.status}, {len(body)} bytes: {body[:100]!r}")


def fcgi_probe(address: str) -> None:
    """Check three answers' records, status and length."""
    argv = [str(program("fcgiload")), "--json", "-c", "1", "-n", "3", "--timeout", str(TIMEOUT_SECONDS), address]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=2 * TIMEOUT_SECONDS, check=False)
    figures = fcgiload_figures(done.stdout or done.stderr)
    if figures.errors or not figures.requests:
        raise LoadError(f"wrong answers: {done.stdout.strip()}")


def websocket_probe(workload: Workload, address: str) -> None:
    """Check the echoes of a moment, and that the connection is closed as it should be."""
    argv = websocket_argv(workload, address, 1, "-d", "0.05", "--timeout", str(TIMEOUT_SECONDS))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=2 * TIMEOUT_SECONDS, check=False)
    figures = wsload_figures(done.stdout or done.stderr)
    if done.returncode != 0 or figures.errors or not figures.requests:
        raise LoadError(f"wrong echoes: {done.stdout.strip()}")


def probe(workload: Workload, address: str) -> None:
    """Ask the server at `address` (HOST:PORT) for the workload's answer; raises LoadError or OSError."""
    if workload.protocol == "http":
        http_probe(workload, address)
    elif workload.protocol == "websocket":
        websocket_probe(workload, address)
    else:
        fcgi_probe(address)
