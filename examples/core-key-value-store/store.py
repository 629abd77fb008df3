#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A key-value store that speaks JSON: GET, PUT, POST and DELETE of /key, and GET / for the keys.

The values lie in a dictionary that all processes share.
"""

import json
import os
from pathlib import Path

from smisk.core import Application
from smisk.ipc import shared_dict

FOLDER = os.environ.get("STORE_FOLDER") or str(Path(__file__).resolve().parent / "store")
MAX_BODY = 1024 * 1024  # bytes


class KeyValueStore(Application):
    def application_will_start(self):
        self.entries = shared_dict("store", folder=FOLDER, persistent=True)

    def service(self):
        key = self.request.path.strip("/")
        status, answer = self.of_key(key) if key else self.of_all()
        body = f"{json.dumps(answer)}\n".encode()
        self.response.headers = [
            f"Status: {status}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        self.response.write(body)

    def of_all(self):
        """The answer to /, as status and value."""
        if self.request.method != "GET":
            return "405 Method Not Allowed", {"status": "Method Not Allowed"}
        return "200 OK", {"keys": list(self.entries)}

    def of_key(self, key):
        """The answer to /key."""
        method = self.request.method
        if method in ("PUT", "POST"):
            return self.put(key)
        if method not in ("GET", "DELETE"):
            return "405 Method Not Allowed", {"status": "Method Not Allowed"}
        try:
            if method == "GET":
                return "200 OK", self.entries[key]
            del self.entries[key]
        except KeyError:
            return "404 Not Found", {"status": f"No such key {key!r}"}
        return "200 OK", {"status": "OK"}

    def put(self, key):
        """Takes the value that the body holds."""
        body = self.request.input.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            return "413 Content Too Large", {"status": f"A value has at most {MAX_BODY} bytes"}
        try:
            self.entries[key] = json.loads(body)
        except ValueError as error:
            return "400 Bad Request", {"status": f"No JSON: {error}"}
        return "200 OK", {"status": "OK"}


if __name__ == "__main__":
    from smisk.util.main import main

    main(KeyValueStore)
