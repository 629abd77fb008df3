# SPDX-License-Identifier: MIT
"""Says where a request comes from, as an ASGI application sees it."""

import json
from typing import Any


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    said = {
        "client": scope["client"],
        "scheme": scope["scheme"],
        "host": [value.decode() for name, value in scope["headers"] if name == b"host"],
    }
    body = json.dumps(said).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
