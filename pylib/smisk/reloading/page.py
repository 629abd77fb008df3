# SPDX-License-Identifier: MIT
"""The page that people see while the newest code does not run: its error, until it is mended.

The page asks the server now and then, with a field of its own that no application gets to see, whether the error is
still the same, and loads itself again when it is not.
"""

from __future__ import annotations

from html import escape

from smisk.core.errorpage import document

__all__ = ["page"]

_IMPORTING = '  File "<frozen importlib'  # how Python came to the file tells nobody anything

_CONTENT = """<h1>The new code does not run</h1>
<pre class="message">{heading}</pre>
{details}
<footer class="dim">This page follows when a file changes. Until then the old code, where there is any, answers
scripts and other programs.</footer>
<noscript><meta http-equiv="refresh" content="1"></noscript>
<script>
(async () => {{
  for (;;) {{
    await new Promise(done => setTimeout(done, 400));
    if (document.hidden) continue;
    try {{
      const answer = await fetch(location.href,
        {{method: "HEAD", cache: "no-store", headers: {{"Smisk-Reload": "{stamp}"}}}});
      const now = answer.headers.get("Smisk-Reload");
      if (now === null ? answer.ok : now !== "{stamp}") return location.reload();
    }} catch {{}}
  }}
}})();
</script>"""


def page(text: bytes, stamp: int) -> bytes:
    """Returns the page. `text`: a line that says what failed, then its lines; `stamp`: a number of this failure."""
    heading, _, details = text.decode("utf-8", "replace").replace("\0", "\ufffd").partition("\n")
    details = "\n".join(line for line in details.split("\n") if not line.startswith(_IMPORTING))
    shown = f'<div class="frame"><pre class="source"><span>{escape(details)}</span></pre></div>'
    content = _CONTENT.format(heading=escape(heading), details=shown if details.strip() else "", stamp=int(stamp))
    return document("The new code does not run", content).encode("utf-8", "replace")
