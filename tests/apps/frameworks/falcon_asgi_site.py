# SPDX-License-Identifier: MIT
"""A Falcon site over ASGI: asynchronous resources, middleware with lifespan events, hooks, media, forms, multipart, cookies,
streams, server-sent events by emitters, background callbacks, WebSockets, static route, sink, error handlers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import falcon
import falcon.asgi
from falcon.asgi import Request, Response, SSEvent, WebSocket

import shared

app = falcon.asgi.App(cors_enable=True)
app.add_static_route("/static", shared.STATIC)


class FieldMiddleware:
    def __init__(self) -> None:
        self.name = "not started"

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        self.name = "falcon"

    async def process_shutdown(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        shared.note("lifespan", "stopped")

    async def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:
        resp.set_header("X-Site", f"{self.name} for {req.get_header('X-Caller') or 'nobody'}")


async def known(req: Request, _resp: Response, _resource: object, params: dict[str, Any]) -> None:
    """A hook that lets in who has the word, and hands over who it is."""
    if req.get_param("token") != "sesame":
        raise falcon.HTTPUnauthorized(title="who are you?", challenges=["Bearer"])
    params["user"] = "Ali"


async def encoded(pieces: Iterator[str]) -> AsyncIterator[bytes]:
    try:
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece.encode()
    finally:
        pieces.close()  # type: ignore[attr-defined]


class Home:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.text = "home of falcon\n"
        resp.content_type = falcon.MEDIA_TEXT


class Item:
    async def on_get(self, req: Request, resp: Response, number: int) -> None:
        resp.media = {"id": number, "q": req.get_param("q"), "method": req.method}

    on_put = on_get

    async def on_delete(self, _req: Request, resp: Response, number: int) -> None:
        resp.status = falcon.HTTP_204


class Paths:
    async def on_get(self, _req: Request, resp: Response, rest: str) -> None:
        resp.media = {"rest": rest}


class Leave:
    async def on_get(self, _req: Request, _resp: Response) -> None:
        raise falcon.HTTPFound("/items/7?q=moved")


class Where:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {
            "url": req.url,
            "prefix": req.prefix,
            "forwarded": req.forwarded_uri,
            "client": req.remote_addr,
            "path": req.path,
            "query": req.query_string,
            "agent": req.user_agent,
            "many": shared.listed([req.get_header("X-Many") or ""]),
        }


class Fields:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.text = "fields\n"
        resp.append_link("/a", "next")
        resp.append_link("/b", "prev")
        resp.set_header("X-Empty", "")
        resp.vary = ["Accept", "Cookie"]


class Form:
    async def on_post(self, req: Request, resp: Response) -> None:
        resp.media = await req.get_media()


class Upload:
    async def on_post(self, req: Request, resp: Response) -> None:
        files: dict[str, list[dict[str, object]]] = {}
        fields: dict[str, str] = {}
        async for part in await req.get_media():
            if part.filename:
                described = shared.described(part.filename, part.content_type, await part.stream.read())
                files.setdefault(part.name, []).append(described)
            else:
                fields[part.name] = await part.text
        resp.media = {"files": files, "fields": fields}


class Cookies:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = dict(req.cookies)

    async def on_get_set(self, _req: Request, resp: Response) -> None:
        resp.set_cookie("theme", "dark", path="/", secure=False, http_only=False)
        resp.set_cookie("lang", "de", path="/", max_age=3600, secure=False, same_site="Lax")
        resp.text = "set\n"

    async def on_get_delete(self, _req: Request, resp: Response) -> None:
        resp.unset_cookie("theme", path="/")
        resp.text = "deleted\n"


class Json:
    async def on_post(self, req: Request, resp: Response) -> None:
        person = await req.get_media()
        if not isinstance(person.get("age"), int):
            raise falcon.HTTPUnprocessableEntity(title="no such age", description="age must be a number")
        resp.media = person


class Injected:
    @falcon.before(known)
    async def on_get(self, _req: Request, resp: Response, user: str) -> None:
        resp.media = {"user": user}


class Echo:
    async def on_post(self, req: Request, resp: Response) -> None:
        digest = hashlib.sha256()
        length = 0
        async for piece in req.stream:
            digest.update(piece)
            length += len(piece)
        resp.media = {"length": length, "sha256": digest.hexdigest()}


class Stream:
    async def on_get(self, _req: Request, resp: Response, count: int) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = encoded(shared.lines(count))


class Broken:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = encoded(shared.broken_lines())


class Big:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.data = shared.BIG
        resp.content_type = "application/octet-stream"


class Sse:
    async def on_get(self, _req: Request, resp: Response) -> None:
        async def emit() -> AsyncIterator[SSEvent]:
            for number in range(5):
                yield SSEvent(text=str(number), event="tick", event_id=str(number))

        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = emit()


class Endless:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = encoded(shared.endless())


class Notes:
    async def on_get(self, _req: Request, resp: Response, kind: str) -> None:
        resp.media = shared.notes(kind)


class Background:
    async def on_post(self, req: Request, resp: Response) -> None:
        note = req.get_param("note")

        async def later() -> None:
            shared.note("background", note)

        resp.schedule(later)
        resp.status = falcon.HTTP_202
        resp.text = "accepted\n"


class Download:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.downloadable_as = "grüße.txt"
        resp.content_type = falcon.MEDIA_TEXT
        resp.data = shared.PAGE.read_bytes()


class Error:
    async def on_get(self, _req: Request, _resp: Response) -> None:
        raise RuntimeError("broken on purpose")


class Teapot:
    async def on_get(self, _req: Request, _resp: Response) -> None:
        raise falcon.HTTPError("418 I'm a Teapot", title="short and stout", headers={"X-Pot": "tea"})


class WsEcho:
    async def on_websocket(self, req: Request, ws: WebSocket) -> None:
        await ws.accept(headers=[("x-accepted", "yes")])
        try:
            while True:
                if req.get_param_as_bool("binary"):
                    await ws.send_data(await ws.receive_data())
                else:
                    await ws.send_text(await ws.receive_text())
        except falcon.WebSocketDisconnected as left:
            shared.note("websocket", f"left {left.code}")


class WsJson:
    async def on_websocket(self, req: Request, ws: WebSocket) -> None:
        await ws.accept("chat" if "chat" in ws.subprotocols else None)
        sent = await ws.receive_media()
        seen = {"sent": sent, "protocols": list(ws.subprotocols), "cookie": req.cookies.get("theme")}
        await ws.send_media(seen | {"path": req.path, "q": req.get_param("q"), "scheme": req.scheme})
        await ws.close(4001, "enough")


class WsRefused:
    async def on_websocket(self, _req: Request, ws: WebSocket) -> None:
        await ws.close(4003)


class WsDenied:
    async def on_websocket(self, _req: Request, _ws: WebSocket) -> None:
        raise falcon.HTTPForbidden


class WsBroken:
    async def on_websocket(self, _req: Request, ws: WebSocket) -> None:
        await ws.accept()
        raise ValueError("broken on purpose")


async def failed(_req: Request, resp: Response, _error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_500
    resp.media = {"error": "we are sorry"}


async def mounted(req: Request, resp: Response, rest: str) -> None:
    """A sink: everything below /mounted."""
    resp.text = f"{req.relative_uri}|{rest}\n"


app.add_middleware(FieldMiddleware())
app.add_error_handler(RuntimeError, failed)
app.add_sink(mounted, r"/mounted/(?P<rest>.*)")
cookies = Cookies()
app.add_route("/", Home())
app.add_route("/items/{number:int}", Item())
app.add_route("/paths/{rest:path}", Paths())
app.add_route("/redirect", Leave())
app.add_route("/where", Where())
app.add_route("/headers", Fields())
app.add_route("/form", Form())
app.add_route("/upload", Upload())
app.add_route("/cookies", cookies)
app.add_route("/cookies/set", cookies, suffix="set")
app.add_route("/cookies/delete", cookies, suffix="delete")
app.add_route("/json", Json())
app.add_route("/injected", Injected())
app.add_route("/echo", Echo())
app.add_route("/stream/{count:int}", Stream())
app.add_route("/broken", Broken())
app.add_route("/big", Big())
app.add_route("/sse", Sse())
app.add_route("/endless", Endless())
app.add_route("/notes/{kind}", Notes())
app.add_route("/background", Background())
app.add_route("/download", Download())
app.add_route("/error", Error())
app.add_route("/teapot", Teapot())
app.add_route("/ws/echo", WsEcho())
app.add_route("/ws/json", WsJson())
app.add_route("/ws/refused", WsRefused())
app.add_route("/ws/denied", WsDenied())
app.add_route("/ws/broken", WsBroken())
