# SPDX-License-Identifier: MIT
"""What a test gets back for a request."""

from __future__ import annotations

import json
from typing import Any

from smisk.core.headers import Headers
from smisk.core.pairs import decode_text

from .jar import read_set_cookie
from .parts import Parts

__all__ = ["Answer"]


class Answer:
    """An application's answer, as its client sees it.

    `status`: int; `headers`: a mapping without regard to case, `getlist()` for what repeats; `body`: bytes;
    `cookies`: those that this answer sets, name to value; `error`: the exception behind a 500, where the Client was
    told not to raise.
    """

    def __init__(self, parts: Parts, decode_cookie: Any, error: BaseException | None = None) -> None:
        self.status = parts.status
        self.headers = Headers([(decode_text(name), decode_text(value)) for name, value in parts.fields])
        self.body = parts.body
        self.error = error
        found = (read_set_cookie(line) for line in self.headers.getlist("Set-Cookie"))
        self.cookies: dict[str, str] = {cookie.name: decode_cookie(cookie.value) for cookie in found if cookie}

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" where there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text: by the charset of its Content-Type, else as UTF-8; what does not fit becomes U+FFFD."""
        for parameter in self.headers.get("Content-Type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                try:
                    return self.body.decode(value.strip().strip('"'), "replace")
                except LookupError:
                    break
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body read as JSON. ValueError where it is none."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {self.content_type or 'no type'}, {len(self.body)} bytes>"
