# SPDX-License-Identifier: MIT
"""A JSON view of Django, behind the middleware of a new project that needs no database."""

from __future__ import annotations

import json
from typing import Any

import django  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.conf import settings  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.http import JsonResponse  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.urls import path  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-not-found,import-untyped,unused-ignore]
from django.views.decorators.http import require_POST  # type: ignore[import-not-found,import-untyped,unused-ignore]

__all__ = ["application"]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for measurements on this machine only",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()


@csrf_exempt  # type: ignore[untyped-decorator,unused-ignore]
@require_POST  # type: ignore[untyped-decorator,unused-ignore]
def order(request: Any) -> Any:
    """Tell the total."""
    item = json.loads(request.body)
    return JsonResponse({"name": item["name"], "total": item["price"] * item["quantity"], "tags": item["tags"]})


urlpatterns = [path("orders", order)]
application = get_wsgi_application()
