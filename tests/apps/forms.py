# SPDX-License-Identifier: MIT
"""Forms, uploads, cookies, queries."""

import hashlib
from typing import Any


def told(upload: Any) -> dict[str, object]:
    digest = hashlib.sha256(upload.read()).hexdigest()
    return {"filename": upload.filename, "type": upload.content_type, "size": upload.size, "sha256": digest}


def handle(request: Any) -> object:
    files = {
        name: [told(one) for one in (value if isinstance(value, list) else [value])]
        for name, value in request.files.items()
    }
    return {"get": request.get, "post": request.post, "files": files, "cookies": request.cookies}
