# SPDX-License-Identifier: MIT
"""A Falcon site over WSGI: resources, converters, middleware, hooks, media handlers and their errors, forms, multipart,
cookies, streams, range and conditional requests, static route, sink, CORS, error handlers."""

import hashlib
import threading
from typing import Any

import falcon
from falcon import Request, Response

import shared

app = falcon.App(cors_enable=True)
app.add_static_route("/static", shared.STATIC)


class FieldMiddleware:
    def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:
        resp.set_header("X-Site", f"falcon for {req.get_header('X-Caller') or 'nobody'}")


def known(req: Request, _resp: Response, _resource: object, params: dict[str, Any]) -> None:
    """A hook that lets in who has the word, and hands over who it is."""
    if req.get_param("token") != "sesame":
        raise falcon.HTTPUnauthorized(title="who are you?", challenges=["Bearer"])
    params["user"] = "Ali"


class Home:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.text = "home of falcon\n"
        resp.content_type = falcon.MEDIA_TEXT


class Item:
    def on_get(self, req: Request, resp: Response, number: int) -> None:
        resp.media = {"id": number, "q": req.get_param("q"), "method": req.method}

    on_put = on_get

    def on_delete(self, _req: Request, resp: Response, number: int) -> None:
        resp.status = falcon.HTTP_204


class Paths:
    def on_get(self, _req: Request, resp: Response, rest: str) -> None:
        resp.media = {"rest": rest}


class Leave:
    def on_get(self, _req: Request, _resp: Response) -> None:
        raise falcon.HTTPFound("/items/7?q=moved")


class Where:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {
            "url": req.url,
            "prefix": req.prefix,
            "forwarded": req.forwarded_uri,
            "client": req.remote_addr,
            "path": req.path,
            "app": req.app,
            "port": req.port,
            "query": req.query_string,
            "agent": req.user_agent,
            "many": shared.listed([req.get_header("X-Many") or ""]),
        }


class Fields:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.text = "fields\n"
        resp.append_link("/a", "next")
        resp.append_link("/b", "prev")
        resp.set_header("X-Empty", "")
        resp.vary = ["Accept", "Cookie"]


class Form:
    def on_post(self, req: Request, resp: Response) -> None:
        resp.media = req.get_media()


class Upload:
    def on_post(self, req: Request, resp: Response) -> None:
        files: dict[str, list[dict[str, object]]] = {}
        fields: dict[str, str] = {}
        for part in req.get_media():
            if part.filename:
                described = shared.described(part.filename, part.content_type, part.stream.read())
                files.setdefault(part.name, []).append(described)
            else:
                fields[part.name] = part.text
        resp.media = {"files": files, "fields": fields}


class Cookies:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.media = dict(req.cookies)

    def on_get_set(self, _req: Request, resp: Response) -> None:
        resp.set_cookie("theme", "dark", path="/", secure=False, http_only=False)
        resp.set_cookie("lang", "de", path="/", max_age=3600, secure=False, same_site="Lax")
        resp.text = "set\n"

    def on_get_delete(self, _req: Request, resp: Response) -> None:
        resp.unset_cookie("theme", path="/")
        resp.text = "deleted\n"


class Json:
    def on_post(self, req: Request, resp: Response) -> None:
        person = req.get_media()
        if not isinstance(person.get("age"), int):
            raise falcon.HTTPUnprocessableEntity(title="no such age", description="age must be a number")
        resp.media = person


class Injected:
    @falcon.before(known)
    def on_get(self, _req: Request, resp: Response, user: str) -> None:
        resp.media = {"user": user}


class Echo:
    def on_post(self, req: Request, resp: Response) -> None:
        digest = hashlib.sha256()
        length = 0
        while piece := req.bounded_stream.read(8192) if req.content_length else req.stream.read(8192):
            digest.update(piece)
            length += len(piece)
        resp.media = {"length": length, "sha256": digest.hexdigest()}


class Stream:
    def on_get(self, _req: Request, resp: Response, count: int) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = (line.encode() for line in shared.lines(count))


class Broken:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = (line.encode() for line in shared.broken_lines())


class Big:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.data = shared.BIG
        resp.content_type = "application/octet-stream"


class Sse:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = "text/event-stream"
        resp.cache_control = ["no-cache"]
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = (event.encode() for event in shared.events(5))


class Endless:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = (line.encode() for line in shared.endless())


class Notes:
    def on_get(self, _req: Request, resp: Response, kind: str) -> None:
        resp.media = shared.notes(kind)


class Background:
    def on_post(self, req: Request, resp: Response) -> None:
        threading.Thread(target=shared.note, args=("background", req.get_param("note"))).start()
        resp.status = falcon.HTTP_202
        resp.text = "accepted\n"


class File:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.last_modified = falcon.http_date_to_dt("Mon, 02 Jan 2023 03:04:05 GMT")
        resp.set_stream(shared.PAGE.open("rb"), shared.PAGE.stat().st_size)


class Download:
    def on_get(self, _req: Request, resp: Response) -> None:
        resp.downloadable_as = "grüße.txt"
        resp.content_type = falcon.MEDIA_TEXT
        resp.set_stream(shared.PAGE.open("rb"), shared.PAGE.stat().st_size)


class Error:
    def on_get(self, _req: Request, _resp: Response) -> None:
        raise RuntimeError("broken on purpose")


class Teapot:
    def on_get(self, _req: Request, _resp: Response) -> None:
        raise falcon.HTTPError("418 I'm a Teapot", title="short and stout", headers={"X-Pot": "tea"})


def failed(_req: Request, resp: Response, _error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_500
    resp.media = {"error": "we are sorry"}


def mounted(req: Request, resp: Response, rest: str) -> None:
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
app.add_route("/file", File())
app.add_route("/download", Download())
app.add_route("/error", Error())
app.add_route("/teapot", Teapot())
