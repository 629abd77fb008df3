# SPDX-License-Identifier: MIT
"""What an ASGI application meets when its client has gone."""

from __future__ import annotations

__all__ = ["ClientDisconnected"]


class ClientDisconnected(ConnectionError):
    """send() after the client has left (ASGI HTTP 2.4: an OSError of the server's own)."""
