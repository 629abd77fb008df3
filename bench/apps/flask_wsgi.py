# SPDX-License-Identifier: MIT
"""A JSON view of Flask."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify, request  # type: ignore[import-not-found,unused-ignore]

__all__ = ["application"]

application = Flask(__name__)


@application.post("/orders")  # type: ignore[untyped-decorator,unused-ignore]
def order() -> Any:
    """Tell the total."""
    item = request.get_json()
    return jsonify(name=item["name"], total=item["price"] * item["quantity"], tags=item["tags"])
