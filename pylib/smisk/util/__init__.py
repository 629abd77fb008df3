# SPDX-License-Identifier: MIT
"""Utilities of Smisk 1.1, one noun a module; each is imported by its own name, as ever, and none by this package."""

__all__: list[str] = []
