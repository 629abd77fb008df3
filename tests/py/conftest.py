# SPDX-License-Identifier: MIT
"""What tests of several files share: the servers that hold shared dicts, each started when first asked for."""

from collections.abc import Iterator

import pytest

from lib import stores


@pytest.fixture(scope="session")
def redis_server() -> Iterator[stores.StoreServer]:
    server = stores.redis()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[stores.StoreServer]:
    server = stores.memcached()
    try:
        yield server.start()
    finally:
        server.remove()
