# SPDX-License-Identifier: MIT
"""What the configuration says, for those who must not be the first to load it."""

from __future__ import annotations

import sys

__all__ = ["configured"]


def configured(key: str, default: object = None) -> object:
    """Returns a value of `smisk.config.config`; `default` where it is not set, or nobody has made a configuration."""
    config = getattr(sys.modules.get("smisk.config"), "__dict__", {}).get("config")
    return config.get(key, default) if isinstance(config, dict) else default
