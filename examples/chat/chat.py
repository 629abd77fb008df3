# SPDX-License-Identifier: MIT
"""A chat room over WebSockets: whoever connects hears what the others say. smiskd chat:app"""

people = set()  # the send() of everybody in the room


async def tell(text):
    for send in list(people):
        try:
            await send({"type": "websocket.send", "text": text})
        except OSError:  # has left; their own receive() notices too
            people.discard(send)


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError("only WebSockets are served here")
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    people.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await tell(message.get("text") or "")
    finally:
        people.discard(send)
