# SPDX-License-Identifier: MIT
"""An ASGI application without a framework: a clock that the server sets, by server-sent events."""

import asyncio
import time

PAGE = b"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Clock</title>
<h1 id="time"></h1>
<script>
  const show = event => { document.getElementById("time").textContent = event.data };
  new EventSource("events").onmessage = show;
</script>
"""


async def app(scope, receive, send):
    """GET /events: the time, again and again. Anything else: the page that shows it."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # no lifespan
    if scope["path"].endswith("/events"):
        await stream_time(receive, send)
    else:
        await begin(send, b"text/html; charset=utf-8")
        await send({"type": "http.response.body", "body": PAGE})


async def begin(send, kind):
    headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def stream_time(receive, send):
    """An event each second, until the client leaves."""
    gone = asyncio.create_task(wait_until_gone(receive))
    await begin(send, b"text/event-stream")
    while not gone.done():
        event = f"data: {time.strftime('%H:%M:%S')}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await asyncio.wait({gone}, timeout=1)
    # Returning ends the response; what is sent from here on would raise an OSError.


async def wait_until_gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass
