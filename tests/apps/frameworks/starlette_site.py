# SPDX-License-Identifier: MIT
"""A Starlette site: routes with converters, forms, uploads, cookies, SessionMiddleware, GZipMiddleware, CORSMiddleware, a
middleware of its own, templates, streams, FileResponse, background tasks, WebSockets, a mounted application, StaticFiles,
exception handlers and lifespan state."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket, WebSocketDisconnect

import shared

templates = Jinja2Templates(directory=shared.TEMPLATES)


# --- routing ---


async def home(_request: Request) -> Response:
    return PlainTextResponse("home of starlette\n")


async def item(request: Request) -> Response:
    if request.method == "DELETE":
        return Response(status_code=204)
    number = request.path_params["number"]
    return JSONResponse({"id": number, "q": request.query_params.get("q"), "method": request.method})


async def rest_of_path(request: Request) -> Response:
    return JSONResponse({"rest": request.path_params["rest"]})


async def leave(request: Request) -> Response:
    return RedirectResponse(request.url_for("item", number=7).include_query_params(q="moved"), 302)


async def where(request: Request) -> Response:
    return JSONResponse(
        {
            "url": str(request.url),
            "root": str(request.base_url),
            "scheme": request.url.scheme,
            "host": request.url.hostname,
            "client": request.client.host if request.client else None,
            "path": request.scope["path"],
            "raw_path": request.scope["raw_path"].decode("latin-1"),
            "root_path": request.scope["root_path"],
            "query": request.scope["query_string"].decode(),
            "agent": request.headers.get("User-Agent"),
            "many": shared.listed(request.headers.getlist("X-Many")),
            "state": request.state.name,
        }
    )


async def page(request: Request) -> Response:
    return templates.TemplateResponse(request, "page.html", {"title": "Grüße & more", "items": ["one", "<two>"]})


async def fields(_request: Request) -> Response:
    response = PlainTextResponse("fields\n", headers={"X-Latin": "caf\xe9", "X-Empty": ""})
    response.headers.append("Link", "</a>; rel=next")
    response.headers.append("Link", "</b>; rel=prev")
    return response


# --- forms, uploads, cookies, sessions ---


async def form(request: Request) -> Response:
    async with request.form() as sent:
        return JSONResponse({key: sent.getlist(key) for key in sent})


async def upload(request: Request) -> Response:
    files: dict[str, list[dict[str, object]]] = {}
    fields: dict[str, str] = {}
    async with request.form() as sent:
        for key, value in sent.multi_items():
            if isinstance(value, str):
                fields[key] = value
            else:
                described = shared.described(value.filename or "", value.content_type or "", await value.read())
                files.setdefault(key, []).append(described)
    return JSONResponse({"files": files, "fields": fields})


async def cookies(request: Request) -> Response:
    return JSONResponse(request.cookies)


async def set_cookies(_request: Request) -> Response:
    response = PlainTextResponse("set\n")
    response.set_cookie("theme", "dark")
    response.set_cookie("lang", "de", max_age=3600, httponly=True, samesite="lax")
    return response


async def delete_cookies(_request: Request) -> Response:
    response = PlainTextResponse("deleted\n")
    response.delete_cookie("theme")
    return response


async def log_in(request: Request) -> Response:
    async with request.form() as sent:
        request.session.update(name=sent["name"], visits=0)
    return RedirectResponse("/session", 303)


async def show_session(request: Request) -> Response:
    if "name" in request.session:
        request.session["visits"] += 1
    return JSONResponse(request.session)


async def log_out(request: Request) -> Response:
    request.session.clear()
    return Response(status_code=204)


# --- JSON, dependencies ---


class Person(BaseModel):
    name: str = Field(min_length=1)
    age: int = Field(ge=0)
    tags: list[str] = []


async def receive_json(request: Request) -> Response:
    try:
        return JSONResponse(Person.model_validate_json(await request.body()).model_dump())
    except ValidationError as error:
        return JSONResponse({"errors": error.errors(include_url=False, include_input=False)}, 422)


class Tokens(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        if conn.query_params.get("token") != "sesame":
            return None
        return AuthCredentials(["authenticated"]), SimpleUser("Ali")


@requires("authenticated", status_code=401)
async def injected(request: Request) -> Response:
    return JSONResponse({"user": request.user.display_name})


# --- bodies that come and go in pieces ---


async def echo(request: Request) -> Response:
    digest = hashlib.sha256()
    length = 0
    async for piece in request.stream():
        digest.update(piece)
        length += len(piece)
    return JSONResponse({"length": length, "sha256": digest.hexdigest()})


async def slowly(pieces: Any) -> AsyncIterator[str]:
    with contextlib.closing(pieces):
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece


async def stream(request: Request) -> Response:
    return StreamingResponse(slowly(shared.lines(request.path_params["count"])), media_type="text/plain")


async def broken_stream(_request: Request) -> Response:
    return StreamingResponse(slowly(shared.broken_lines()), media_type="text/plain")


async def big(_request: Request) -> Response:
    return Response(shared.BIG, media_type="application/octet-stream")


async def sse(_request: Request) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(slowly(shared.events(5)), media_type="text/event-stream", headers=headers)


async def endless(_request: Request) -> Response:
    return StreamingResponse(slowly(shared.endless()), media_type="text/plain")


async def read_notes(request: Request) -> Response:
    return JSONResponse(shared.notes(request.path_params["kind"]))


async def background(request: Request) -> Response:
    task = BackgroundTask(shared.note, "background", request.query_params["note"])
    return PlainTextResponse("accepted\n", 202, background=task)


# --- files and errors ---


async def file(_request: Request) -> Response:
    return FileResponse(shared.PAGE, media_type="text/plain", headers={"Cache-Control": "max-age=60"})


async def download(_request: Request) -> Response:
    return FileResponse(shared.PAGE, filename="grüße.txt")


async def error(_request: Request) -> Response:
    raise RuntimeError("broken on purpose")


async def teapot(_request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"X-Pot": "tea"})


async def not_found(request: Request, _error: Exception) -> Response:
    context = {"title": "Nothing here", "items": [request.url.path]}
    return templates.TemplateResponse(request, "page.html", context, status_code=404)


async def failed(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "we are sorry"}, 500)


# --- WebSockets ---


async def ws_echo(socket: WebSocket) -> None:
    await socket.accept(headers=[(b"x-accepted", b"yes")])
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect as left:
        shared.note("websocket", f"left {left.code}")


async def ws_json(socket: WebSocket) -> None:
    await socket.accept("chat" if "chat" in socket.scope["subprotocols"] else None)
    sent = await socket.receive_json()
    seen = {"sent": sent, "protocols": socket.scope["subprotocols"], "cookie": socket.cookies.get("theme")}
    await socket.send_json(
        seen | {"path": socket.url.path, "q": socket.query_params.get("q"), "scheme": socket.url.scheme}
    )
    await socket.close(4001, "enough")


async def ws_refused(socket: WebSocket) -> None:
    await socket.close(1008)


async def ws_denied(socket: WebSocket) -> None:
    await socket.send_denial_response(PlainTextResponse("not you\n", 401, headers={"X-Denied": "yes"}))


async def ws_broken(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("broken on purpose")


# --- mounted ---


async def mounted(request: Request) -> Response:
    return PlainTextResponse(f"{request.scope['root_path']}|{request.url.path}\n")


class FieldMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["X-Site"] = f"starlette for {request.headers.get('X-Caller', 'nobody')}"
        return response


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
    yield {"name": "from lifespan"}


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/items/{number:int}", item, methods=["GET", "PUT", "DELETE"]),
        Route("/paths/{rest:path}", rest_of_path),
        Route("/redirect", leave),
        Route("/where", where),
        Route("/page", page),
        Route("/headers", fields),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/cookies", cookies),
        Route("/cookies/set", set_cookies),
        Route("/cookies/delete", delete_cookies),
        Route("/session/login", log_in, methods=["POST"]),
        Route("/session", show_session),
        Route("/session/logout", log_out, methods=["POST"]),
        Route("/json", receive_json, methods=["POST"]),
        Route("/injected", injected),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream/{count:int}", stream),
        Route("/broken", broken_stream),
        Route("/big", big),
        Route("/sse", sse),
        Route("/endless", endless),
        Route("/notes/{kind}", read_notes),
        Route("/background", background, methods=["POST"]),
        Route("/file", file),
        Route("/download", download),
        Route("/error", error),
        Route("/teapot", teapot),
        WebSocketRoute("/ws/echo", ws_echo),
        WebSocketRoute("/ws/json", ws_json),
        WebSocketRoute("/ws/refused", ws_refused),
        WebSocketRoute("/ws/denied", ws_denied),
        WebSocketRoute("/ws/broken", ws_broken),
        Mount("/mounted", Starlette(routes=[Route("/{rest:path}", mounted)])),
        Mount("/static", StaticFiles(directory=shared.STATIC)),
    ],
    middleware=[
        Middleware(FieldMiddleware),
        Middleware(CORSMiddleware, allow_origins=["http://other.example"], allow_methods=["PUT"], max_age=60),
        Middleware(GZipMiddleware, minimum_size=1000),
        Middleware(SessionMiddleware, secret_key=shared.SECRET),
        Middleware(AuthenticationMiddleware, backend=Tokens()),
    ],
    exception_handlers={404: not_found, 500: failed},
)
