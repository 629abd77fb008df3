# SPDX-License-Identifier: MIT
"""A Quart site: blueprint, converters, forms, uploads, cookies, signed sessions, JSON, templates, streams, send_file, static
files, error handlers, hooks around serving and around requests, background tasks, WebSockets."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from quart import (
    Blueprint,
    Quart,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    session,
    url_for,
    websocket,
)

import shared

app = Quart("quart_site", static_folder=str(shared.STATIC), template_folder=str(shared.TEMPLATES))
app.secret_key = shared.SECRET


@app.before_serving
async def start() -> None:
    app.config["STARTED"] = "before serving"


@app.before_request
async def remember_caller() -> None:
    g.caller = request.headers.get("X-Caller", "nobody")


@app.after_request
async def add_field(response: Response) -> Response:
    response.headers["X-Site"] = f"quart for {g.caller}"
    return response


async def encoded(pieces: Iterator[str]) -> AsyncIterator[bytes]:
    try:
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece.encode()
    finally:
        pieces.close()  # type: ignore[attr-defined]


# --- routing ---


@app.get("/")
async def home() -> Response:
    return Response("home of quart\n", mimetype="text/plain")


@app.route("/items/<int:number>", methods=["GET", "PUT"])
async def item(number: int) -> dict[str, Any]:
    return {"id": number, "q": request.args.get("q"), "method": request.method}


@app.delete("/items/<int:number>")
async def drop(number: int) -> tuple[str, int]:
    return "", 204


@app.get("/paths/<path:rest>")
async def rest_of_path(rest: str) -> dict[str, str]:
    return {"rest": rest}


@app.get("/redirect")
async def leave() -> Any:
    return redirect(url_for("item", number=7, q="moved"))


@app.get("/where")
async def where() -> dict[str, Any]:
    return {
        "url": request.url,
        "root": request.root_url,
        "scheme": request.scheme,
        "host": request.host,
        "client": request.remote_addr,
        "path": request.path,
        "query": request.query_string.decode(),
        "many": shared.listed(request.headers.getlist("X-Many")),
        "started": current_app.config["STARTED"],
    }


@app.get("/page")
async def page() -> str:
    return await render_template("page.html", title="Grüße & more", items=["one", "<two>"])


# --- forms, uploads, cookies, sessions, JSON ---


@app.post("/form")
async def form() -> dict[str, Any]:
    sent = await request.form
    return {key: sent.getlist(key) for key in sent}


@app.post("/upload")
async def upload() -> dict[str, Any]:
    sent = await request.files
    files = {
        field: [shared.described(f.filename or "", f.content_type or "", f.read()) for f in sent.getlist(field)]
        for field in sent
    }
    return {"files": files, "fields": (await request.form).to_dict()}


@app.get("/cookies")
async def cookies() -> dict[str, str]:
    return dict(request.cookies)


@app.get("/cookies/set")
async def set_cookies() -> Any:
    response = await make_response("set\n")
    response.set_cookie("theme", "dark", path="/")
    response.set_cookie("lang", "de", path="/", max_age=3600, httponly=True, samesite="Lax")
    return response


@app.get("/cookies/delete")
async def delete_cookies() -> Any:
    response = await make_response("deleted\n")
    response.delete_cookie("theme")
    return response


@app.post("/session/login")
async def log_in() -> Any:
    session["name"] = (await request.form)["name"]
    session["visits"] = 0
    return redirect(url_for("show_session"), 303)


@app.get("/session")
async def show_session() -> dict[str, Any]:
    if "name" in session:
        session["visits"] += 1
    return dict(session)


@app.post("/session/logout")
async def log_out() -> tuple[str, int]:
    session.clear()
    return "", 204


@app.post("/json")
async def receive_json() -> Any:
    person = await request.get_json()
    if not isinstance(person.get("age"), int):
        return jsonify(error="age must be a number"), 422
    return person


# --- bodies that come and go in pieces ---


@app.post("/echo")
async def echo() -> dict[str, Any]:
    digest = hashlib.sha256()
    length = 0
    async for piece in request.body:
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@app.get("/stream/<int:count>")
async def stream(count: int) -> Response:
    return Response(encoded(shared.lines(count)), mimetype="text/plain")


@app.get("/broken")
async def broken_stream() -> Response:
    return Response(encoded(shared.broken_lines()), mimetype="text/plain")


@app.get("/big")
async def big() -> Response:
    return Response(shared.BIG, mimetype="application/octet-stream")


@app.get("/sse")
async def sse() -> Any:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    response = await make_response(encoded(shared.events(5)), 200, headers)
    response.mimetype = "text/event-stream"
    response.timeout = None
    return response


@app.get("/endless")
async def endless() -> Response:
    return Response(encoded(shared.endless()), mimetype="text/plain")


@app.get("/notes/<kind>")
async def read_notes(kind: str) -> Any:
    return jsonify(shared.notes(kind))


@app.post("/background")
async def background() -> tuple[str, int]:
    app.add_background_task(shared.note, "background", request.args["note"])
    return "accepted\n", 202


# --- files and errors ---


@app.get("/file")
async def file() -> Response:
    return await send_file(shared.PAGE, mimetype="text/plain", conditional=True, cache_timeout=60)


@app.get("/error")
async def error() -> str:
    raise RuntimeError("broken on purpose")


@app.get("/teapot")
async def teapot() -> None:
    abort(418)


@app.errorhandler(404)
async def not_found(_error: Exception) -> tuple[str, int]:
    return await render_template("page.html", title="Nothing here", items=[request.path]), 404


@app.errorhandler(500)
async def failed(_error: Exception) -> tuple[dict[str, str], int]:
    return {"error": "we are sorry"}, 500


# --- WebSockets ---


@app.websocket("/ws/echo")
async def ws_echo() -> None:
    await websocket.accept(headers={"x-accepted": "yes"})
    while True:
        await websocket.send(await websocket.receive())


@app.websocket("/ws/json")
async def ws_json() -> None:
    protocols = websocket.requested_subprotocols
    await websocket.accept(subprotocol="chat" if "chat" in protocols else None)
    sent = await websocket.receive_json()
    seen = {"sent": sent, "protocols": list(protocols), "cookie": websocket.cookies.get("theme")}
    await websocket.send_json(
        seen | {"path": websocket.path, "q": websocket.args.get("q"), "scheme": websocket.scheme}
    )
    await websocket.close(4001, "enough")


@app.websocket("/ws/denied")
async def ws_denied() -> tuple[str, int, dict[str, str]]:
    return "not you\n", 401, {"X-Denied": "yes"}


# --- mounted ---

blue = Blueprint("blue", __name__, url_prefix="/mounted")


@blue.get("/<path:rest>")
async def mounted(rest: str) -> str:
    return f"{request.blueprint}|{rest}\n"


app.register_blueprint(blue)
