# SPDX-License-Identifier: MIT
"""A Litestar site: typed handlers, a Controller, Provide, msgspec models, a guard, forms, UploadFile, cookies, server-side
sessions, Stream, ServerSentEvent, File, background tasks, WebSocket handlers and a listener, an ASGI application mounted,
static files router, middleware, compression, CORS, exception handlers, lifespan, OpenAPI."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Controller, Litestar, Request, Response, WebSocket, asgi, delete, get, post, put, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.handlers import BaseRouteHandler, WebsocketListener
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import Body, Parameter
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import File, Redirect, ServerSentEvent, ServerSentEventMessage, Stream, Template
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

import shared

FORM = Body(media_type=RequestEncodingType.URL_ENCODED)


def field_middleware(app: ASGIApp) -> ASGIApp:
    """A plain ASGI middleware that adds a field to each answer."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        caller = dict(scope.get("headers", [])).get(b"x-caller", b"nobody")

        async def send_with_field(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-site", b"litestar for " + caller)]
            await send(message)

        await app(scope, receive, send_with_field)

    return outer


# --- routing ---


@get("/", media_type="text/plain", sync_to_thread=True)
def home() -> str:
    return "home of litestar\n"


class Items(Controller):
    path = "/items"

    @get("/{number:int}", name="item")
    async def show(self, number: int, q: Annotated[str | None, Parameter(max_length=10)] = None) -> dict[str, Any]:
        return {"id": number, "q": q, "method": "GET"}

    @put("/{number:int}")
    async def change(self, number: int) -> dict[str, Any]:
        return {"id": number, "q": None, "method": "PUT"}

    @delete("/{number:int}")
    async def drop(self, number: int) -> None:
        return None


@get("/paths/{rest:path}")
async def rest_of_path(rest: str) -> dict[str, str]:
    return {"rest": str(rest).removeprefix("/")}


@get("/redirect", status_code=302)
async def leave(request: Request[Any, Any, Any]) -> Redirect:
    return Redirect(request.url_for("item", number=7) + "?q=moved", status_code=302)


@get("/where")
async def where(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {
        "url": str(request.url),
        "root": str(request.base_url),
        "client": request.client.host if request.client else None,
        "path": request.scope["path"],
        "raw_path": request.scope["raw_path"].decode("latin-1"),
        "many": shared.listed(request.headers.getall("X-Many", [])),
        "name": request.app.state.name,
    }


@get("/page")
async def page() -> Template:
    return Template("page.html", context={"title": "Grüße & more", "items": ["one", "<two>"]})


@get("/headers", media_type="text/plain")
async def fields() -> Response[str]:
    return Response("fields\n", headers={"Link": "</a>; rel=next", "X-Latin": "caf\xe9", "X-Empty": ""})


# --- forms, uploads, cookies, sessions ---


@post("/form", status_code=200)
async def form(request: Request[Any, Any, Any]) -> dict[str, Any]:
    sent = await request.form()
    return {key: sent.getall(key) for key in sent}


@post("/upload", status_code=200)
async def upload(request: Request[Any, Any, Any]) -> dict[str, Any]:
    files: dict[str, list[dict[str, object]]] = {}
    fields: dict[str, str] = {}
    for key, value in (await request.form()).multi_items():
        if isinstance(value, UploadFile):
            described = shared.described(value.filename, value.content_type, await value.read())
            files.setdefault(key, []).append(described)
        else:
            fields[key] = value
    return {"files": dict(sorted(files.items())), "fields": fields}


@get("/cookies")
async def cookies(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {key: value for key, value in request.cookies.items() if key != "session"}


@get("/cookies/set", media_type="text/plain")
async def set_cookies() -> Response[str]:
    theme = Cookie("theme", value="dark")
    lang = Cookie("lang", value="de", max_age=3600, httponly=True, samesite="lax")
    return Response("set\n", cookies=[theme, lang])


@get("/cookies/delete", media_type="text/plain")
async def delete_cookies() -> Response[str]:
    response = Response("deleted\n")
    response.delete_cookie("theme")
    return response


class Login(msgspec.Struct):
    name: str


@post("/session/login", status_code=303)
async def log_in(request: Request[Any, Any, Any], data: Annotated[Login, FORM]) -> Redirect:
    request.set_session({"name": data.name, "visits": 0})
    return Redirect("/session", status_code=303)


@get("/session")
async def show_session(request: Request[Any, Any, Any]) -> dict[str, Any]:
    if "name" in request.session:
        request.set_session({**request.session, "visits": request.session["visits"] + 1})
    return dict(request.session)


@post("/session/logout", status_code=204)
async def log_out(request: Request[Any, Any, Any]) -> None:
    request.clear_session()


# --- JSON, dependencies ---


class Person(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    age: Annotated[int, msgspec.Meta(ge=0)]
    tags: list[str] = []


@post("/json", status_code=200)
async def receive_json(data: Person) -> Person:
    return data


async def current_user(token: str = "") -> str:
    return "Ali" if token == "sesame" else ""


def known(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A guard."""
    if connection.query_params.get("token") != "sesame":
        raise NotAuthorizedException("who are you?")


@get("/injected", guards=[known], dependencies={"user": Provide(current_user)})
async def injected(user: str) -> dict[str, str]:
    return {"user": user}


# --- bodies that come and go in pieces ---


@post("/echo", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> dict[str, Any]:
    digest = hashlib.sha256()
    length = 0
    async for piece in request.stream():
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@get("/stream/{count:int}", sync_to_thread=False)
def stream(count: int) -> Stream:
    return Stream(shared.lines(count), media_type="text/plain")


@get("/broken", sync_to_thread=False)
def broken_stream() -> Stream:
    return Stream(shared.broken_lines(), media_type="text/plain")


@get("/big", media_type="application/octet-stream")
async def big() -> bytes:
    return shared.BIG


@get("/sse")
async def sse() -> ServerSentEvent:
    async def events() -> AsyncIterator[ServerSentEventMessage]:
        for number in range(5):
            yield ServerSentEventMessage(data=str(number), event="tick", id=str(number))

    return ServerSentEvent(events(), headers={"X-Accel-Buffering": "no"})


async def slowly(pieces: Any) -> AsyncIterator[str]:
    with contextlib.closing(pieces):
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece


@get("/endless")
async def endless() -> Stream:
    return Stream(slowly(shared.endless()), media_type="text/plain")


@get("/notes/{kind:str}")
async def read_notes(kind: str) -> list[str]:
    return shared.notes(kind)


@post("/background", status_code=202, media_type="text/plain")
async def background(note: str) -> Response[str]:
    return Response("accepted\n", background=BackgroundTask(shared.note, "background", note))


# --- files and errors ---


@get("/file")
async def file() -> File:
    return File(
        shared.PAGE,
        media_type="text/plain",
        content_disposition_type="inline",
        headers={"Cache-Control": "max-age=60"},
    )


@get("/download")
async def download() -> File:
    return File(shared.PAGE, filename="grüße.txt")


@get("/error")
async def error() -> None:
    raise RuntimeError("broken on purpose")


@get("/teapot")
async def teapot() -> None:
    raise HTTPException(status_code=418, detail="short and stout", headers={"X-Pot": "tea"})


def not_found(request: Request[Any, Any, Any], _error: NotFoundException) -> Template:
    context = {"title": "Nothing here", "items": [request.url.path]}
    return Template("page.html", context=context, status_code=404)


def failed(_request: Request[Any, Any, Any], _error: RuntimeError) -> Response[dict[str, str]]:
    return Response({"error": "we are sorry"}, status_code=500)


# --- WebSockets ---


@websocket("/ws/echo")
async def ws_echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept(headers=[(b"x-accepted", b"yes")])
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            shared.note("websocket", f"left {message.get('code', 1006)}")
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


@websocket("/ws/json")
async def ws_json(socket: WebSocket[Any, Any, Any]) -> None:
    protocols = socket.scope["subprotocols"]
    await socket.accept(subprotocols="chat" if "chat" in protocols else None)
    sent = await socket.receive_json()
    seen = {"sent": sent, "protocols": protocols, "cookie": socket.cookies.get("theme")}
    await socket.send_json(
        seen | {"path": socket.url.path, "q": socket.query_params.get("q"), "scheme": socket.url.scheme}
    )
    await socket.close(4001, "enough")


@websocket("/ws/refused")
async def ws_refused(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.close(1008)


@websocket("/ws/broken")
async def ws_broken(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    raise RuntimeError("broken on purpose")


class Shout(WebsocketListener):
    path = "/ws/shout"

    async def on_receive(self, data: str) -> str:
        return data.upper()


# --- mounted ---


@asgi("/mounted", is_mount=True)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    body = f"{scope['root_path']}|{scope['path']}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def lifespan(site: Litestar) -> AsyncIterator[None]:
    site.state.name = "from lifespan"
    yield


app = Litestar(
    lifespan=[lifespan],
    route_handlers=[
        home,
        Items,
        rest_of_path,
        leave,
        where,
        page,
        fields,
        form,
        upload,
        cookies,
        set_cookies,
        delete_cookies,
        log_in,
        show_session,
        log_out,
        receive_json,
        injected,
        echo,
        stream,
        broken_stream,
        big,
        sse,
        endless,
        read_notes,
        background,
        file,
        download,
        error,
        teapot,
        ws_echo,
        ws_json,
        ws_refused,
        ws_broken,
        Shout,
        mounted,
        create_static_files_router("/static", directories=[shared.STATIC]),
    ],
    middleware=[field_middleware, ServerSideSessionConfig().middleware],
    compression_config=CompressionConfig(backend="gzip", minimum_size=1000),
    cors_config=CORSConfig(allow_origins=["http://other.example"], allow_methods=["PUT"], max_age=60),
    template_config=TemplateConfig(directory=shared.TEMPLATES, engine=JinjaTemplateEngine),
    exception_handlers={NotFoundException: not_found, RuntimeError: failed},
)
