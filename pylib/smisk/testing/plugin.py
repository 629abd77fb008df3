# SPDX-License-Identifier: MIT
"""The pytest plugin `smisk`: fixtures that make clients and servers, and end them after the test.

pytest loads it in every project that has Smisk installed, so nothing is imported before a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client import Client
    from .server import Server

    ClientFactory = Callable[..., Client]
    ServerFactory = Callable[..., Server]

__all__ = ["smisk_client", "smisk_module_server", "smisk_server"]


@pytest.fixture
def smisk_client() -> Iterator[ClientFactory]:
    """Makes clients: `client = smisk_client("shop:app")`, with the arguments of `smisk.testing.Client`.

    The application's hooks and lifespan run around the test.
    """
    with ExitStack() as stack:

        def make(application: object, *arguments: Any, **more: Any) -> Client:
            from .client import Client

            return stack.enter_context(Client(application, *arguments, **more))

        yield make


def _servers() -> Iterator[ServerFactory]:
    started: list[Server] = []
    with ExitStack() as stack:

        def start(*arguments: Any, **more: Any) -> Server:
            from .server import Server

            server = stack.enter_context(Server(*arguments, **more))
            started.append(server)
            return server

        yield start
    for server in started:  # pytest shows it where the test, or this, failed
        print(server.log)


@pytest.fixture
def smisk_server() -> Iterator[ServerFactory]:
    """Starts servers: `server = smisk_server("shop:app")`, with the arguments of `smisk.testing.Server`."""
    yield from _servers()


@pytest.fixture(scope="module")
def smisk_module_server() -> Iterator[ServerFactory]:
    """Like `smisk_server`, for all tests of a module: use it in a fixture of that scope."""
    yield from _servers()
