# SPDX-License-Identifier: MIT
"""The smallest application."""


def handle(request: object) -> str:
    return "Hello, world!\n"
