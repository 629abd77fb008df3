# SPDX-License-Identifier: MIT
"""URLs: a parsed URL with settable parts, and the percent-encoding of text (RFC 3986). It is written in C.

Text is str throughout; percent-encoding is UTF-8.
"""

from _smisk import URL

__all__ = ["URL"]
