# SPDX-License-Identifier: MIT
"""The views: functions, classes, and some that are asynchronous."""

import asyncio
import gc
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from django.views.generic.edit import FormView

import shared
from django_site.models import Author, Note


def pieces_for(request: HttpRequest, pieces: Iterator[str]) -> Any:
    """An asynchronous iterator for ASGI, as Django wants it, the plain one for WSGI."""
    return slowly(pieces) if isinstance(request, ASGIRequest) else pieces


async def slowly(pieces: Iterator[str]) -> AsyncIterator[str]:
    # The pieces end with this frame. Closing them here too would meet a collection that ends them in another thread.
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


# --- routing ---


@require_GET
def home(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("home of django\n", content_type="text/plain")


@method_decorator(csrf_exempt, name="dispatch")
class Item(View):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return JsonResponse({"id": number, "q": request.GET.get("q"), "method": request.method})

    put = get

    def delete(self, _request: HttpRequest, number: int) -> HttpResponse:
        return HttpResponse(status=204)


async def rest_of_path(_request: HttpRequest, rest: str) -> HttpResponse:
    return JsonResponse({"rest": rest})


def leave(_request: HttpRequest) -> HttpResponse:
    return redirect(reverse("item", kwargs={"number": 7}) + "?q=moved")


def where(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "url": request.build_absolute_uri(),
            "full": request.get_full_path(),
            "scheme": request.scheme,
            "secure": request.is_secure(),
            "host": request.get_host(),
            "client": request.META["REMOTE_ADDR"],
            "path": request.path,
            "info": request.path_info,
            "script": request.META["SCRIPT_NAME"],
            "query": request.META["QUERY_STRING"],
            "many": shared.listed([request.headers.get("X-Many", "")]),
        }
    )


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html", {"title": "Grüße & more", "items": ["one", "<two>"]})


def fields(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("fields\n", headers={"Link": "</a>; rel=next", "X-Latin": "caf\xe9", "X-Empty": ""})


# --- forms, uploads, cookies, sessions ---


@csrf_exempt
def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({key: request.POST.getlist(key) for key in request.POST})


class NoteForm(forms.Form):
    title = forms.CharField(max_length=20)
    amount = forms.IntegerField(min_value=1)


class Write(FormView):
    """A form with a CSRF token, and its errors."""

    template_name = "form.html"
    form_class = NoteForm
    success_url = "/page"


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    files = {
        field: [shared.described(f.name, f.content_type, f.read()) for f in request.FILES.getlist(field)]
        for field in request.FILES
    }
    return JsonResponse({"files": files, "fields": request.POST.dict()})


async def cookies(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.COOKIES)


def set_cookies(_request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set\n")
    response.set_cookie("theme", "dark")
    response.set_cookie("lang", "de", max_age=3600, httponly=True, samesite="Lax")
    return response


def delete_cookies(_request: HttpRequest) -> HttpResponse:
    response = HttpResponse("deleted\n")
    response.delete_cookie("theme")
    return response


@csrf_exempt
@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    request.session["name"] = request.POST["name"]
    request.session["visits"] = 0
    response = redirect("/session")
    response.status_code = 303
    return response


def show_session(request: HttpRequest) -> HttpResponse:
    if "name" in request.session:
        request.session["visits"] += 1
    return JsonResponse(dict(request.session))


@csrf_exempt
def log_out(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse(status=204)


@csrf_exempt
def receive_json(request: HttpRequest) -> HttpResponse:
    try:
        person = json.loads(request.body)
    except ValueError:
        return JsonResponse({"error": "no JSON"}, status=400)
    if not isinstance(person.get("age"), int):
        return JsonResponse({"error": "age must be a number"}, status=422)
    return JsonResponse(person)


# --- the ORM ---


@csrf_exempt
def authors(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        with transaction.atomic():
            author, created = Author.objects.get_or_create(name=request.POST["name"])
            Note.objects.create(author=author, title=request.POST["title"], text=request.POST.get("text", ""))
        return JsonResponse({"created": created}, status=201)
    if request.method == "DELETE":
        _, by_model = Author.objects.filter(name=request.GET["name"]).delete()
        return JsonResponse(by_model)
    found = Author.objects.prefetch_related("notes").order_by("name")
    return JsonResponse({author.name: [note.title for note in author.notes.order_by("pk")] for author in found})


async def authors_async(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"names": [author.name async for author in Author.objects.order_by("name")]})


# --- bodies that come and go in pieces ---


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    digest = hashlib.sha256()
    length = 0
    while piece := request.read(8192):
        digest.update(piece)
        length += len(piece)
    return JsonResponse({"length": length, "sha256": digest.hexdigest()})


def stream(request: HttpRequest, count: int) -> HttpResponse:
    return StreamingHttpResponse(pieces_for(request, shared.lines(count)), content_type="text/plain")


def broken_stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(pieces_for(request, shared.broken_lines()), content_type="text/plain")


def big(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(shared.BIG, content_type="application/octet-stream")


def sse(request: HttpRequest) -> HttpResponse:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    events = pieces_for(request, shared.events(5))
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


def endless(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(pieces_for(request, shared.endless()), content_type="text/plain")


def read_notes(_request: HttpRequest, kind: str) -> HttpResponse:
    # A stream whose send() raised is not closed by Django: it is part of a circle, with the task and its exception.
    gc.collect()
    return JsonResponse(shared.notes(kind), safe=False)


@csrf_exempt
def background(request: HttpRequest) -> HttpResponse:
    threading.Thread(target=shared.note, args=("background", request.GET["note"])).start()
    return HttpResponse("accepted\n", status=202)


# --- files and errors ---


def file(_request: HttpRequest) -> HttpResponse:
    return FileResponse(shared.PAGE.open("rb"), content_type="text/plain")


def download(_request: HttpRequest) -> HttpResponse:
    return FileResponse(shared.PAGE.open("rb"), as_attachment=True, filename="grüße.txt")


def error(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


def denied(_request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("not you")


# --- included ---


def mounted(request: HttpRequest, rest: str) -> HttpResponse:
    name = request.resolver_match.view_name if request.resolver_match else None
    return HttpResponse(f"{name}|{rest}\n")
