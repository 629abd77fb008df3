# SPDX-License-Identifier: MIT
"""The page that an Application answers an exception with: whole, or its inner part alone where output has begun.

Made of text that anybody may have sent, so every piece of it is escaped.
"""

from __future__ import annotations

import traceback
from html import escape

from .forms import FormError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["render_fragment", "render_page"]

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Service Error</title>
<style>
body {{ margin: 3rem auto; max-width: 60rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }}
.message {{ font-weight: bold; overflow-wrap: anywhere; }}
.traceback {{ overflow-x: auto; }}
hr {{ border: 0; border-top: 1px solid #999; }}
</style>
</head>
<body>
{fragment}
</body>
</html>
"""
_LOGGED = "Additional information has been logged."


def render_fragment(error: BaseException, env: Mapping[str, str], show_traceback: bool) -> str:
    """Returns the inner part of the page, HTML: what went wrong, and which server says so."""
    summary = "".join(traceback.format_exception_only(type(error), error)).strip().rpartition("\n")[2]
    # A message may hold what is nobody's business; that of a FormError is about what the client sent.
    is_told = show_traceback or isinstance(error, FormError)
    details = "".join(traceback.format_exception(error)) if show_traceback else _LOGGED
    lines = [
        "<h1>Service Error</h1>",
        f'<p class="message">{escape(summary if is_told else type(error).__name__)}</p>',
        f'<pre class="traceback">{escape(details)}</pre>',
        "<hr/>",
        f"<address>{escape(_address(env))}</address>",
    ]
    return "\n".join(lines)


def render_page(fragment: str) -> str:
    """Returns the whole page around its inner part."""
    return _PAGE.format(fragment=fragment)


def _address(env: Mapping[str, str]) -> str:
    host, _, port = env.get("SERVER_NAME", "").partition(":")
    software = env.get("SERVER_SOFTWARE", "")
    place = f"at {host or '?'} port {port or env.get('SERVER_PORT') or '?'}"
    return f"{software} {place}" if software else place
