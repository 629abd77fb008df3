# SPDX-License-Identifier: MIT
"""The schema for people: a list for the terminal and a table for the documentation."""

from __future__ import annotations

from .schema import SETTINGS, Setting

__all__ = ["markdown_table", "text_table"]


def text_table() -> str:
    """Returns all settings, two lines each: name, default and kind, then the meaning."""
    lines = []
    for setting in SETTINGS.values():
        lines.append(f"{setting.key:<20} {_default(setting):<27} {setting.kind.about}")
        lines.append(f"{'':<20} {setting.meaning}")
    return "\n".join(lines) + "\n"


def markdown_table() -> str:
    """Returns all settings as a Markdown table."""
    lines = ["| key | default | value | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS.values():
        default = "none" if setting.default is None else f"`{_default(setting)}`"
        lines.append(f"| `{setting.key}` | {default} | {setting.kind.about} | {setting.meaning} |")
    return "\n".join(lines) + "\n"


def _default(setting: Setting) -> str:
    default = setting.default
    if default is None:
        return "-"
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, list):
        return "[" + ", ".join(f'"{item}"' for item in default) + "]"
    return str(default)
