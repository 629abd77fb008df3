# SPDX-License-Identifier: MIT
"""A Flask site: blueprint, converters, forms, uploads, cookies, signed sessions, JSON with pydantic, templates, streams,
send_file with ranges, static files, error handlers, before_request and after_request, and a WSGI application mounted
with werkzeug's DispatcherMiddleware around `app.wsgi_app`."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from pydantic import BaseModel, Field, ValidationError
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import shared

app = Flask("flask_site", static_folder=str(shared.STATIC), template_folder=str(shared.TEMPLATES))
app.secret_key = shared.SECRET


# --- middleware ---


@app.before_request
def remember_caller() -> None:
    g.caller = request.headers.get("X-Caller", "nobody")


@app.after_request
def add_field(response: Response) -> Response:
    response.headers["X-Site"] = f"flask for {g.caller}"
    return response


# --- routing ---


@app.get("/")
def home() -> Response:
    return Response("home of flask\n", mimetype="text/plain")


@app.route("/items/<int:number>", methods=["GET", "PUT"])
def item(number: int) -> dict[str, Any]:
    return {"id": number, "q": request.args.get("q"), "method": request.method}


@app.delete("/items/<int:number>")
def drop(number: int) -> tuple[str, int]:
    return "", 204


@app.get("/paths/<path:rest>")
def rest_of_path(rest: str) -> dict[str, str]:
    return {"rest": rest}


@app.get("/redirect")
def leave() -> Any:
    return redirect(url_for("item", number=7, q="moved"))


@app.get("/where")
def where() -> dict[str, Any]:
    return {
        "url": request.url,
        "root": request.root_url,
        "scheme": request.scheme,
        "secure": request.is_secure,
        "host": request.host,
        "client": request.remote_addr,
        "path": request.path,
        "script": request.script_root,
        "query": request.query_string.decode(),
        "agent": request.headers.get("User-Agent"),
        "many": shared.listed(request.headers.getlist("X-Many")),
    }


@app.get("/page")
def page() -> str:
    return render_template("page.html", title="Grüße & more", items=["one", "<two>"])


@app.get("/headers")
def fields() -> Response:
    response = make_response("fields\n")
    response.headers.add("Link", "</a>; rel=next")
    response.headers.add("Link", "</b>; rel=prev")
    response.headers["X-Latin"] = "caf\xe9"
    response.headers["X-Empty"] = ""
    return response


# --- forms, uploads, cookies, sessions ---


@app.post("/form")
def form() -> dict[str, Any]:
    return {key: request.form.getlist(key) for key in request.form}


@app.post("/upload")
def upload() -> dict[str, Any]:
    files = {
        field: [
            shared.described(f.filename or "", f.content_type or "", f.read()) for f in request.files.getlist(field)
        ]
        for field in request.files
    }
    return {"files": files, "fields": request.form.to_dict()}


@app.get("/cookies")
def cookies() -> dict[str, str]:
    return dict(request.cookies)


@app.get("/cookies/set")
def set_cookies() -> Response:
    response = make_response("set\n")
    response.set_cookie("theme", "dark", path="/")
    response.set_cookie("lang", "de", path="/", max_age=3600, httponly=True, samesite="Lax")
    return response


@app.get("/cookies/delete")
def delete_cookies() -> Response:
    response = make_response("deleted\n")
    response.delete_cookie("theme")
    return response


@app.post("/session/login")
def log_in() -> Any:
    session["name"] = request.form["name"]
    session["visits"] = 0
    return redirect(url_for("show_session"), 303)


@app.get("/session")
def show_session() -> dict[str, Any]:
    if "name" in session:
        session["visits"] += 1
    return dict(session)


@app.post("/session/logout")
def log_out() -> tuple[str, int]:
    session.clear()
    return "", 204


# --- JSON, dependencies ---


class Person(BaseModel):
    name: str = Field(min_length=1)
    age: int = Field(ge=0)
    tags: list[str] = []


@app.post("/json")
def receive_json() -> Any:
    try:
        person = Person.model_validate(request.get_json())
    except ValidationError as error:
        return jsonify(errors=error.errors(include_url=False, include_context=False)), 422
    return person.model_dump()


def current_user() -> str:
    token = request.args.get("token")
    if token != "sesame":
        abort(401)
    return "Ali"


@app.get("/injected")
def injected() -> dict[str, str]:
    return {"user": current_user()}


# --- bodies that come and go in pieces ---


@app.post("/echo")
def echo() -> dict[str, Any]:
    digest = hashlib.sha256()
    length = 0
    while piece := request.stream.read(8192):
        digest.update(piece)
        length += len(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@app.get("/stream/<int:count>")
def stream(count: int) -> Response:
    return Response(stream_with_context(shared.lines(count)), mimetype="text/plain")


@app.get("/broken")
def broken_stream() -> Response:
    return Response(shared.broken_lines(), mimetype="text/plain")


@app.get("/big")
def big() -> Response:
    return Response(shared.BIG, mimetype="application/octet-stream")


@app.get("/sse")
def sse() -> Response:
    return Response(
        shared.events(5),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@app.get("/endless")
def endless() -> Response:
    return Response(shared.endless(), mimetype="text/plain")


@app.get("/notes/<kind>")
def read_notes(kind: str) -> Any:
    return jsonify(shared.notes(kind))


@app.post("/background")
def background() -> tuple[str, int]:
    threading.Thread(target=shared.note, args=("background", request.args["note"])).start()
    return "accepted\n", 202


# --- files and errors ---


@app.get("/file")
def file() -> Response:
    return send_file(shared.PAGE, mimetype="text/plain", max_age=60)


@app.get("/download")
def download() -> Response:
    return send_file(shared.PAGE, as_attachment=True, download_name="grüße.txt")


@app.get("/error")
def error() -> str:
    raise RuntimeError("broken on purpose")


@app.get("/teapot")
def teapot() -> None:
    abort(418)


@app.errorhandler(404)
def not_found(_error: Exception) -> tuple[str, int]:
    return render_template("page.html", title="Nothing here", items=[request.path]), 404


@app.errorhandler(500)
def failed(_error: Exception) -> tuple[dict[str, str], int]:
    return {"error": "we are sorry"}, 500


# --- mounted ---

admin = Blueprint("admin", __name__, url_prefix="/blue")


@admin.get("/where")
def blue() -> dict[str, str | None]:
    return {"endpoint": request.endpoint, "url": url_for(".blue")}


app.register_blueprint(admin)


def mounted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A bare WSGI application below /mounted."""
    body = f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/mounted": mounted})  # type: ignore[method-assign]
