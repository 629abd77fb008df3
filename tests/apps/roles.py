# SPDX-License-Identifier: MIT
"""One application for all FastCGI roles."""

from typing import Any


def handle(request: Any) -> object:
    if request.role == "authorizer":
        allowed = request.env.get("HTTP_X_KEY") == "sesame"
        return "", 200 if allowed else 401, {"Variable-AUTH_METHOD": "key"}
    if request.role == "filter":
        return {
            "data": request.data.read().decode(),
            "length": request.data_length,
            "time": request.data_time,
            "body": request.body.decode(),
        }
    return {"role": request.role, "body": request.body.decode()}
