# SPDX-License-Identifier: MIT
"""An Authorizer: who has the key may pass, and passes with a variable for the resource."""

from typing import Any


def handle(request: Any) -> object:
    if request.headers.get("X-Key") == "sesame":
        return "", 200, [("Variable-AUTH_USER", "ali")]
    return "authorizer says no\n", 403, [("Content-Type", "text/plain")]
