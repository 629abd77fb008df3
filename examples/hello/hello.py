# SPDX-License-Identifier: MIT
"""A page that shows the request it was asked with, and a form that sends one back."""

from html import escape

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello from Smisk</title>
<style>
  body {{ margin: 12vh auto; max-width: 34rem; padding: 0 1.5rem; color: #223; background: #f6f7f9;
         font: 1.05rem/1.6 system-ui, sans-serif }}
  h1 {{ font-size: 2.4rem; line-height: 1.2; margin: 0 }}
  dl {{ display: grid; grid-template-columns: 8rem 1fr; gap: .4rem 1rem; margin: 2rem 0; padding: 1.5rem;
       background: #fff; border-radius: .6rem; box-shadow: 0 1px 4px #0002 }}
  dt {{ color: #778 }}
  dd {{ margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace }}
  input, button {{ font: inherit; padding: .45rem .9rem; border: 1px solid #ccd; border-radius: .4rem }}
  button {{ color: #fff; background: #2459c4; border-color: #2459c4; cursor: pointer }}
</style>
<h1>Hello, {name}!</h1>
<p>Smisk called <code>handle(request)</code> in <code>examples/hello/hello.py</code>, and this is what it got.</p>
<dl>{rows}</dl>
<form method="post"><input name="name" placeholder="Your name" autofocus> <button>Say hello</button></form>
"""


def handle(request):
    """Answers every request with the page."""
    seen = {"method": request.method, "path": request.path, "query": request.query, "protocol": request.protocol}
    seen.update((f"form: {key}", value) for key, value in request.post.items())
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in seen.items())
    return PAGE.format(name=escape(str(request.post.get("name") or "world")), rows=rows)
