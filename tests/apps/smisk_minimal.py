# SPDX-License-Identifier: MIT
"""The smallest Application: a class, which smiskd finds and makes."""

from smisk.core import Application

__all__ = ["MyApp"]


class MyApp(Application):
    def service(self) -> None:
        self.response.headers = ["Content-Type: text/plain"]
        self.response("Hello World!")
