# SPDX-License-Identifier: MIT
"""What is asked of the servers: each workload is one table of the report."""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = ["INTERFACES", "WORKLOADS", "Workload"]

INTERFACES = ("native", "async", "smisk", "wsgi", "asgi")
PATTERN = b"Hello, world!"


@dataclass(frozen=True)
class Workload:
    """A request, its right answer, and the application that gives it; see WORKLOADS.

    `protocol` is http, fcgi-keep, fcgi-close or websocket. The application's module in apps/ is named `application`
    for the native interface and has the interface's name behind it for the others. Costs are told as ratios to the
    server `reference`: the limit, started with `limit_options`, or a peer.
    """

    name: str
    title: str
    protocol: str
    application: str
    interfaces: tuple[str, ...]
    reference: str = "limit"
    limit_options: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    path: str = "/"
    body: bytes = b""
    content_type: str = ""
    answer: bytes = PATTERN
    is_json: bool = False
    connections: int = 64
    unit: str = "request"

    def module(self, interface: str) -> str:
        """Name of the application's module for an interface."""
        return self.application if interface == "native" else f"{self.application}_{interface}"

    def is_answered_by(self, body: bytes) -> bool:
        """Whether this is the right body; in JSON, white space is free."""
        if not self.is_json:
            return body == self.answer
        try:
            return bool(json.loads(body) == json.loads(self.answer))
        except ValueError:
            return False


def hello(name: str, title: str) -> Workload:
    return Workload(name, title, protocol=name, application="hello", interfaces=INTERFACES)


def sized(name: str, title: str, size: int) -> Workload:
    return Workload(
        name,
        title,
        protocol="http",
        application="sizes",
        interfaces=("native", "wsgi", "asgi"),
        limit_options=("--answer", str(size)),
        path=f"/{name.removeprefix('http-')}",
        answer=(PATTERN * (size // len(PATTERN) + 1))[:size],
    )


def echo(name: str, title: str, size: int) -> Workload:
    body = b"x" * size
    return Workload(
        name,
        title,
        protocol="http",
        application="sizes",
        interfaces=("native", "wsgi", "asgi"),
        limit_options=("--echo", str(size)),
        path="/echo",
        body=body,
        content_type="application/octet-stream",
        answer=body,
    )


def orders(name: str, title: str, interface: str, reference: str) -> Workload:
    item = {"name": "teapot", "price": 12.5, "quantity": 3, "tags": ["kitchen", "tea"]}
    order = {"name": "teapot", "total": 37.5, "tags": ["kitchen", "tea"]}
    return Workload(
        name,
        title,
        protocol="http",
        application=name,
        interfaces=(interface,),
        reference=reference,
        requirements=(name,),
        path="/orders",
        body=json.dumps(item).encode(),
        content_type="application/json",
        answer=json.dumps(order).encode(),
        is_json=True,
    )


def websockets(name: str, title: str, connections: int) -> Workload:
    return Workload(
        name,
        title,
        protocol="websocket",
        application="echo",
        interfaces=("asgi",),
        reference="uvicorn",
        requirements=("wsproto",),
        answer=b"",
        connections=connections,
        unit="message",
    )


WORKLOADS = {
    workload.name: workload
    for workload in (
        hello("http", "HTTP, kept alive"),
        hello("fcgi-keep", "FastCGI, kept alive"),
        hello("fcgi-close", "FastCGI, one connection a request"),
        sized("http-10k", "HTTP, answer of 10 KB", 10 << 10),
        sized("http-1m", "HTTP, answer of 1 MB", 1 << 20),
        echo("http-echo", "HTTP, POST of 10 KB sent back", 10 << 10),
        orders("fastapi", "FastAPI, a JSON route with pydantic models", "asgi", "uvicorn"),
        orders("flask", "Flask, a JSON view", "wsgi", "bjoern"),
        orders("django", "Django, a JSON view", "wsgi", "bjoern"),
        websockets("websocket", "1,000 WebSockets, echo of 64 bytes of text", 1000),
    )
}
