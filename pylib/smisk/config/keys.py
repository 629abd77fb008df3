# SPDX-License-Identifier: MIT
"""The keys below `smisk.` that Smisk's own parts read from an application's configuration.

They are flat names with dots in them. All other keys with a dot are the application's and never looked at; one that
begins with `smisk.` and is almost one of these is a slip of the pen. A part that reads a new key adds it here.
"""

from __future__ import annotations

__all__ = ["OWN_KEYS", "meant"]

_PREFIX = "smisk."
_ALIKE = 0.9

OWN_KEYS = (
    "smisk.autoreload",
    "smisk.autoreload.config",
    "smisk.autoreload.modules",
    "smisk.emergency_logfile",
    "smisk.mvc.etag",
    "smisk.mvc.model",
    "smisk.mvc.response.serializer",
    "smisk.mvc.routes",
    "smisk.mvc.show_traceback",
    "smisk.mvc.strict_tcn",
    "smisk.mvc.template.autoreload",
    "smisk.mvc.template.cache_limit",
    "smisk.mvc.template.cache_type",
    "smisk.mvc.template.default_filters",
    "smisk.mvc.template.errors",
    "smisk.mvc.template.format_exceptions",
    "smisk.mvc.template.input_encoding",
)


def meant(key: str) -> str | None:
    """Returns the key that was meant where `key` is a mistyped one of Smisk's own, else None."""
    if not key.startswith(_PREFIX) or key in OWN_KEYS:
        return None
    from difflib import get_close_matches

    near = get_close_matches(key.lower().replace("-", "_"), OWN_KEYS, 1, _ALIKE)
    return near[0] if near else None
