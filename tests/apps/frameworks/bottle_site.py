# SPDX-License-Identifier: MIT
"""A Bottle site: filters in routes, hooks, forms, uploads, plain and signed cookies, JSON, generators, static_file with
ranges, error pages, a mounted Bottle."""

import hashlib
import threading
from typing import Any

from bottle import Bottle, HTTPError, HTTPResponse, redirect, request, response, static_file

import shared

app = Bottle()


@app.hook("after_request")
def add_field() -> None:
    response.set_header("X-Site", f"bottle for {request.get_header('X-Caller', 'nobody')}")


@app.get("/")
def home() -> str:
    response.content_type = "text/plain; charset=utf-8"
    return "home of bottle\n"


@app.route("/items/<number:int>", method=["GET", "PUT"])
def item(number: int) -> dict[str, Any]:
    return {"id": number, "q": request.query.getunicode("q"), "method": request.method}


@app.delete("/items/<number:int>")
def drop(number: int) -> HTTPResponse:
    return HTTPResponse(status=204)


@app.get("/paths/<rest:path>")
def rest_of_path(rest: str) -> dict[str, str]:
    return {"rest": rest}


@app.get("/redirect")
def leave() -> None:
    redirect("/items/7?q=moved")


@app.get("/where")
def where() -> dict[str, Any]:
    return {
        "url": request.url,
        "client": request.remote_addr,
        "route": request.remote_route,
        "path": request.path,
        "script": request.script_name,
        "query": request.query_string,
        "many": shared.listed([request.get_header("X-Many", "")]),
    }


@app.post("/form")
def form() -> dict[str, Any]:
    request.forms.recode_unicode = False
    sent = request.forms.decode()
    return {key: sent.getall(key) for key in sent}


@app.post("/upload")
def upload() -> dict[str, Any]:
    files = {
        key: [shared.described(f.raw_filename, f.content_type, f.file.read()) for f in request.files.getall(key)]
        for key in request.files
    }
    return {"files": files, "fields": dict(request.forms)}


@app.get("/cookies")
def cookies() -> dict[str, str]:
    return dict(request.cookies)


@app.get("/cookies/set")
def set_cookies() -> str:
    response.set_cookie("theme", "dark", path="/")
    response.set_cookie("lang", "de", path="/", max_age=3600, httponly=True, samesite="lax")
    return "set\n"


@app.get("/cookies/delete")
def delete_cookies() -> str:
    response.delete_cookie("theme", path="/")
    return "deleted\n"


@app.post("/json")
def receive_json() -> Any:
    person = request.json
    if not isinstance(person.get("age"), int):
        return HTTPResponse({"error": "age must be a number"}, status=422)
    return person


@app.post("/echo")
def echo() -> dict[str, Any]:
    digest = hashlib.sha256()
    length = 0
    body = request.body
    while piece := body.read(8192):
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@app.get("/stream/<count:int>")
def stream(count: int) -> Any:
    response.content_type = "text/plain; charset=utf-8"
    return shared.lines(count)


@app.get("/broken")
def broken_stream() -> Any:
    response.content_type = "text/plain; charset=utf-8"
    return shared.broken_lines()


@app.get("/big")
def big() -> bytes:
    response.content_type = "application/octet-stream"
    return shared.BIG


@app.get("/sse")
def sse() -> Any:
    response.content_type = "text/event-stream"
    response.set_header("Cache-Control", "no-cache")
    response.set_header("X-Accel-Buffering", "no")
    return shared.events(5)


@app.get("/endless")
def endless() -> Any:
    response.content_type = "text/plain; charset=utf-8"
    return shared.endless()


@app.get("/notes/<kind>")
def read_notes(kind: str) -> HTTPResponse:
    return HTTPResponse("\n".join(shared.notes(kind)), content_type="text/plain")


@app.post("/background")
def background() -> HTTPResponse:
    threading.Thread(target=shared.note, args=("background", request.query["note"])).start()
    return HTTPResponse("accepted\n", status=202)


@app.get("/file")
def file() -> Any:
    return static_file(shared.PAGE.name, root=shared.STATIC, mimetype="text/plain")


@app.get("/static/<name:path>")
def static(name: str) -> Any:
    return static_file(name, root=shared.STATIC)


@app.get("/error")
def error() -> None:
    raise RuntimeError("broken on purpose")


@app.get("/teapot")
def teapot() -> None:
    raise HTTPError(418, "short and stout", X_Pot="tea")


@app.error(404)
def not_found(_error: HTTPError) -> str:
    return f"Nothing at {request.path}\n"


@app.error(500)
def failed(_error: HTTPError) -> str:
    response.content_type = "application/json"
    return '{"error": "we are sorry"}'


inner = Bottle()


@inner.get("/<rest:path>")
def mounted(rest: str) -> str:
    return f"{request.script_name}|{rest}\n"


app.mount("/mounted/", inner)
