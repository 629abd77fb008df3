# SPDX-License-Identifier: MIT
"""The measured application in the manner of Smisk 1.1: the same 13 bytes."""

from __future__ import annotations

from smisk.core import Application

__all__ = ["application"]


class Hello(Application):
    """Answers every request with the same text (text/html)."""

    def service(self) -> None:
        """Writes it."""
        self.response("Hello, world!")


application = Hello()
