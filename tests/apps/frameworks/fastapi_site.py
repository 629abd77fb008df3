# SPDX-License-Identifier: MIT
"""A FastAPI site: path and query validation, pydantic models in and out, Depends with yield, security, forms, UploadFile,
cookies, SessionMiddleware, streams, FileResponse, BackgroundTasks, WebSockets with dependencies, sync endpoints in threads,
http middleware, a mounted FastAPI, StaticFiles, exception handlers, OpenAPI."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, Field
from starlette.middleware.sessions import SessionMiddleware

import shared

templates = Jinja2Templates(directory=shared.TEMPLATES)


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"name": "from lifespan"}


app = FastAPI(title="Site", lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=1000)
app.add_middleware(SessionMiddleware, secret_key=shared.SECRET)
app.add_middleware(CORSMiddleware, allow_origins=["http://other.example"], allow_methods=["PUT"], max_age=60)


@app.middleware("http")
async def add_field(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["X-Site"] = f"fastapi for {request.headers.get('X-Caller', 'nobody')}"
    return response


# --- routing ---


@app.get("/", response_class=PlainTextResponse)
def home() -> str:
    return "home of fastapi\n"


@app.api_route("/items/{number}", methods=["GET", "PUT"])
async def item(
    number: int, request: Request, q: Annotated[str | None, Query(max_length=10)] = None
) -> dict[str, Any]:
    return {"id": number, "q": q, "method": request.method}


@app.delete("/items/{number}", status_code=204)
async def drop(number: int) -> None:
    return None


@app.get("/paths/{rest:path}")
def rest_of_path(rest: str) -> dict[str, str]:
    return {"rest": rest}


@app.get("/redirect")
async def leave(request: Request) -> RedirectResponse:
    return RedirectResponse(request.url_for("item", number=7).include_query_params(q="moved"), 302)


@app.get("/where")
async def where(request: Request) -> dict[str, Any]:
    return {
        "url": str(request.url),
        "root": str(request.base_url),
        "client": request.client.host if request.client else None,
        "path": request.scope["path"],
        "raw_path": request.scope["raw_path"].decode("latin-1"),
        "root_path": request.scope["root_path"],
        "http_version": request.scope["http_version"],
        "many": shared.listed(request.headers.getlist("X-Many")),
        "state": request.state.name,
    }


@app.get("/page")
def page(request: Request) -> Response:
    return templates.TemplateResponse(request, "page.html", {"title": "Grüße & more", "items": ["one", "<two>"]})


@app.get("/headers")
async def fields() -> Response:
    response = PlainTextResponse("fields\n", headers={"X-Latin": "caf\xe9", "X-Empty": ""})
    response.headers.append("Link", "</a>; rel=next")
    response.headers.append("Link", "</b>; rel=prev")
    return response


# --- forms, uploads, cookies, sessions ---


class Address(BaseModel):
    name: str
    city: str = ""
    tag: list[str] = []


@app.post("/form")
async def form(sent: Annotated[Address, Form()]) -> Address:
    return sent


@app.post("/upload")
async def upload(
    document: Annotated[list[UploadFile], File()],
    title: Annotated[str, Form()] = "",
    picture: UploadFile | None = None,
) -> dict[str, Any]:
    files = {
        "document": [shared.described(f.filename or "", f.content_type or "", await f.read()) for f in document],
    }
    if picture is not None:
        described = shared.described(picture.filename or "", picture.content_type or "", await picture.read())
        files["picture"] = [described]
    return {"files": files, "fields": {"title": title}}


@app.get("/cookies")
def cookies(
    theme: Annotated[str | None, Cookie()] = None, lang: Annotated[str | None, Cookie()] = None
) -> dict[str, str]:
    return {key: value for key, value in (("theme", theme), ("lang", lang)) if value is not None}


@app.get("/cookies/set")
def set_cookies() -> Response:
    response = PlainTextResponse("set\n")
    response.set_cookie("theme", "dark")
    response.set_cookie("lang", "de", max_age=3600, httponly=True, samesite="lax")
    return response


@app.get("/cookies/delete")
def delete_cookies() -> Response:
    response = PlainTextResponse("deleted\n")
    response.delete_cookie("theme")
    return response


@app.post("/session/login")
async def log_in(request: Request, name: Annotated[str, Form()]) -> RedirectResponse:
    request.session.update(name=name, visits=0)
    return RedirectResponse("/session", 303)


@app.get("/session")
async def show_session(request: Request) -> dict[str, Any]:
    if "name" in request.session:
        request.session["visits"] += 1
    return request.session


@app.post("/session/logout", status_code=204)
async def log_out(request: Request) -> None:
    request.session.clear()


# --- JSON, dependencies ---


class Person(BaseModel):
    name: str = Field(min_length=1)
    age: int = Field(ge=0)
    tags: list[str] = []


@app.post("/json")
async def receive_json(person: Person) -> Person:
    return person


def connection() -> Iterator[str]:
    """A dependency that is set up before the request and torn down after it, in a thread."""
    yield "connection"
    shared.note("dependency", "closed")


def current_user(opened: Annotated[str, Depends(connection)], token: str = "") -> str:
    if token != "sesame":
        raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Bearer"})
    return f"Ali over {opened}"


@app.get("/injected")
async def injected(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
    return {"user": user}


# --- bodies that come and go in pieces ---


@app.post("/echo")
async def echo(request: Request) -> dict[str, Any]:
    digest = hashlib.sha256()
    length = 0
    async for piece in request.stream():
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@app.get("/stream/{count}")
def stream(count: int) -> StreamingResponse:
    return StreamingResponse(shared.lines(count), media_type="text/plain")


@app.get("/broken")
def broken_stream() -> StreamingResponse:
    return StreamingResponse(shared.broken_lines(), media_type="text/plain")


@app.get("/big")
async def big() -> Response:
    return Response(shared.BIG, media_type="application/octet-stream")


async def slowly(pieces: Any) -> AsyncIterator[str]:
    with contextlib.closing(pieces):
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece


@app.get("/sse")
async def sse() -> StreamingResponse:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(slowly(shared.events(5)), media_type="text/event-stream", headers=headers)


@app.get("/endless")
async def endless() -> StreamingResponse:
    return StreamingResponse(slowly(shared.endless()), media_type="text/plain")


@app.get("/notes/{kind}")
async def read_notes(kind: str) -> list[str]:
    return shared.notes(kind)


@app.post("/background", status_code=202)
async def background(note: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(shared.note, "background", note)
    return "accepted"


# --- files and errors ---


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(shared.PAGE, media_type="text/plain", headers={"Cache-Control": "max-age=60"})


@app.get("/download")
def download() -> FileResponse:
    return FileResponse(shared.PAGE, filename="grüße.txt")


@app.get("/error")
def error() -> None:
    raise RuntimeError("broken on purpose")


@app.get("/teapot")
def teapot() -> None:
    raise HTTPException(418, "short and stout", headers={"X-Pot": "tea"})


@app.exception_handler(404)
async def not_found(request: Request, _error: Exception) -> Response:
    context = {"title": "Nothing here", "items": [request.url.path]}
    return templates.TemplateResponse(request, "page.html", context, status_code=404)


@app.exception_handler(RuntimeError)
async def failed(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "we are sorry"}, 500)


# --- WebSockets ---

sockets = APIRouter(prefix="/ws")


@sockets.websocket("/echo")
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


@sockets.websocket("/json")
async def ws_json(
    socket: WebSocket, theme: Annotated[str | None, Cookie()] = None, q: Annotated[str | None, Query()] = None
) -> None:
    await socket.accept("chat" if "chat" in socket.scope["subprotocols"] else None)
    sent = await socket.receive_json()
    seen = {"sent": sent, "protocols": socket.scope["subprotocols"], "cookie": theme}
    await socket.send_json(seen | {"path": socket.url.path, "q": q, "scheme": socket.url.scheme})
    await socket.close(4001, "enough")


@sockets.websocket("/refused")
async def ws_refused(socket: WebSocket) -> None:
    await socket.close(1008)


@sockets.websocket("/denied")
async def ws_denied(socket: WebSocket, user: Annotated[str, Depends(current_user)]) -> None:
    raise RuntimeError(f"{user} should not come here")


@sockets.websocket("/broken")
async def ws_broken(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("broken on purpose")


app.include_router(sockets)

# --- mounted ---

inner = FastAPI(openapi_url=None)


@inner.get("/{rest:path}", response_class=PlainTextResponse)
def mounted(request: Request) -> str:
    return f"{request.scope['root_path']}|{request.url.path}\n"


app.mount("/mounted", inner)
app.mount("/static", StaticFiles(directory=shared.STATIC))
