# SPDX-License-Identifier: MIT
"""Where everything is."""

from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

import shared
from django_site import views

mounted = ([path("<path:rest>", views.mounted, name="rest")], "mounted")

urlpatterns = [
    path("", views.home),
    path("items/<int:number>", views.Item.as_view(), name="item"),
    path("paths/<path:rest>", views.rest_of_path),
    path("redirect", views.leave),
    path("where", views.where),
    path("page", views.page),
    path("headers", views.fields),
    path("form", views.form),
    path("write", views.Write.as_view()),
    path("upload", views.upload),
    path("cookies", views.cookies),
    path("cookies/set", views.set_cookies),
    path("cookies/delete", views.delete_cookies),
    path("session/login", views.log_in),
    path("session", views.show_session),
    path("session/logout", views.log_out),
    path("json", views.receive_json),
    path("authors", views.authors),
    path("authors/async", views.authors_async),
    path("echo", views.echo),
    path("stream/<int:count>", views.stream),
    path("broken", views.broken_stream),
    path("big", views.big),
    path("sse", views.sse),
    path("endless", views.endless),
    path("notes/<str:kind>", views.read_notes),
    path("background", views.background),
    path("file", views.file),
    path("download", views.download),
    path("error", views.error),
    path("denied", views.denied),
    path("mounted/", include(mounted)),
    path("static/<path:path>", serve, {"document_root": shared.STATIC}),
    path("admin/", admin.site.urls),
]
