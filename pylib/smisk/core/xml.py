# SPDX-License-Identifier: MIT
"""The four characters that markup cannot have as they are, turned into entities and back. It is written in C."""

from _smisk import xml_escape as escape
from _smisk import xml_unescape as unescape

__all__ = ["escape", "unescape"]
