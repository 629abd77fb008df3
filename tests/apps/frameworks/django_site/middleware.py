# SPDX-License-Identifier: MIT
"""A middleware of the site's own, for both interfaces."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


def with_field(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.headers["X-Site"] = f"django for {request.headers.get('X-Caller', 'nobody')}"
    return response


@sync_and_async_middleware
def field_middleware(get_response: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponse:
            return with_field(request, await get_response(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponse:
        return with_field(request, get_response(request))

    return synchronous
