#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers "Hello World!" to every request."""

from smisk.core import Application


class MyApp(Application):
    def service(self):
        self.response.write("Hello World!")


if __name__ == "__main__":
    MyApp().run()
