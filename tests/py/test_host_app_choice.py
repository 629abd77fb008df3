# SPDX-License-Identifier: MIT
"""Which interface a callable speaks, and what is said when it speaks none. The host itself is asked in
tests/live/test_loading.py; here are the forms that are too many to start it for."""

import asyncio
import functools
import importlib
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from smisk.host_app.choice import choose

Handler = Callable[..., Any]


def native(request):
    return request


async def anative(request):
    return request


async def streaming(request):
    yield request


def wsgi(environ, start_response):
    return []


async def asgi(scope, receive, send):
    return None


def passing(function: Handler) -> Handler:
    """A decorator that takes anything and says what it wraps."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def silent(function: Handler) -> Handler:
    """A decorator that does not say what it wraps."""

    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def giving(function: Handler) -> Handler:
    """A decorator that gives one more argument than it takes."""

    @functools.wraps(function)
    def wrapper(request):
        return function(request, "database")

    return wrapper


def awaiting(function: Handler) -> Handler:
    """A decorator that makes an async def out of an ordinary function."""

    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def blocking(function: Handler) -> Handler:
    """A decorator that makes an ordinary function out of an async def."""

    @functools.wraps(function)
    def wrapper(request):
        return asyncio.run(function(request))

    return wrapper


class Native:
    def __call__(self, request):
        return request

    def method(self, request):
        return request

    @passing
    def decorated(self, environ, start_response):
        return []

    @classmethod
    async def of_class(cls, scope, receive, send):
        return cls

    @staticmethod
    def static(environ, start_response):
        return []


class AsyncNative:
    async def __call__(self, request):
        return request


class Asgi:
    async def __call__(self, scope, receive, send):
        return None


class DecoratedCall:
    @passing
    def __call__(self, scope, receive, send):
        return None


class WsgiClass:
    def __init__(self, environ, start_response):
        pass

    def __iter__(self):
        return iter([])


class AsgiClass:
    def __init__(self, scope, receive, send):
        pass

    def __await__(self):
        return iter([])


@passing
@giving
def layered(request, database):
    return database


KINDS = {
    "function of one": (native, "native"),
    "async def of one": (anative, "async"),
    "async generator of one": (streaming, "async"),
    "function of two": (wsgi, "wsgi"),
    "async def of three": (asgi, "asgi"),
    "function of three": (lambda scope, receive, send: asgi(scope, receive, send), "asgi"),
    "function of three with other names": (lambda a, b, c: None, "asgi"),
    "instance of one": (Native(), "native"),
    "async instance of one": (AsyncNative(), "async"),
    "async instance of three": (Asgi(), "asgi"),
    "instance with decorated call": (DecoratedCall(), "asgi"),
    "bound method": (Native().method, "native"),
    "decorated bound method": (Native().decorated, "wsgi"),
    "class method": (Native.of_class, "asgi"),
    "static method": (Native.static, "wsgi"),
    "partial": (functools.partial(lambda config, environ, start_response: [], 1), "wsgi"),
    "partial of async def": (functools.partial(asgi), "asgi"),
    "partial that binds a keyword": (functools.partial(wsgi, start_response=None), "native"),
    "optional second": (lambda request, database=None: None, "native"),
    "optional start_response": (lambda environ, start_response=None: None, "wsgi"),
    "all optional with names of ASGI": (lambda scope=None, receive=None, send=None: None, "asgi"),
    "optional request": (lambda request=None: None, "native"),
    "optional third": (lambda environ, start_response, exc_info=None: None, "wsgi"),
    "one and anything": (lambda request, *args: None, "native"),
    "two and anything": (lambda a, b, *args: None, "wsgi"),
    "optional keyword": (lambda request, *, database=None: None, "native"),
    "decorated native": (passing(native), "native"),
    "decorated WSGI": (passing(passing(wsgi)), "wsgi"),
    "decorated ASGI": (passing(asgi), "asgi"),
    "decorator that gives an argument": (giving(lambda request, database: None), "native"),
    "decorated decorator that gives an argument": (layered, "native"),
    "decorator that makes it async": (awaiting(native), "async"),
    "decorator that makes it sync": (blocking(anative), "native"),
    "decorator of method by partial": (functools.partial(passing(asgi)), "asgi"),
    "silent decorator": (silent(native), "wsgi"),
    "silent async decorator": (awaiting(lambda *args: None), "asgi"),
    "C function of one": (len, "native"),
    "C function without signature": (min, "native"),
    "class that is a WSGI application": (WsgiClass, "wsgi"),
    "class that is an ASGI application": (AsgiClass, "asgi"),
    "mock": (Mock(), "wsgi"),
}


@pytest.mark.parametrize("form", KINDS)
def test_kind_is_found(form: str) -> None:
    handler, kind = KINDS[form]
    assert choose(handler, "shop:app", "auto", False)[0] == kind


@pytest.mark.parametrize(("handler", "kind"), [(silent(native), "native"), (awaiting(lambda *args: None), "async")])
def test_silent_decorator_of_handle_is_native(handler: Handler, kind: str) -> None:
    assert choose(handler, "shop:handle", "auto", False)[0] == kind


def test_what_could_be_both_is_told() -> None:
    line = "app: shop:app is served as a WSGI application (found by its signature; set interface to override)"
    assert choose(passing(wsgi), "shop:app", "auto", False) == ("wsgi", line)
    assert choose(lambda *args: None, "shop:app", "auto", False) == ("wsgi", line)


@pytest.mark.parametrize("handler", [Asgi(), native, wsgi, asgi, functools.partial(wsgi)])
def test_what_is_plain_is_not_told(handler: Handler) -> None:
    assert choose(handler, "shop:app", "auto", False)[1] == ""


# --- factories ---


def test_callable_of_nothing_is_a_factory() -> None:
    line = "app: shop:build needs no arguments: it is called as a factory, shop:build()"
    assert choose(lambda: wsgi, "shop:build", "auto", False) == ("factory", line)


@pytest.mark.parametrize("interface", ["auto", "native", "wsgi", "asgi"])
@pytest.mark.parametrize("name", ["create_app", "make_app", "site.create_app"])
def test_name_of_a_factory_decides_when_it_needs_nothing(interface: str, name: str) -> None:
    kind, line = choose(lambda config=None, debug=False, *rest: wsgi, f"shop:{name}", interface, False)
    assert kind == "factory"
    assert f"shop:{name}()" in line


def test_interface_decides_about_what_is_made() -> None:
    assert choose(wsgi, "shop:create_app()", "wsgi", True) == ("wsgi", "")


# --- refusals ---


async def async_factory():
    return wsgi


class Asgi2:
    def __init__(self, scope):
        pass

    async def __call__(self, receive, send):
        pass


class Configured:
    def __init__(self, config, debug=False):
        pass

    def __call__(self, environ, start_response):
        return []


class Plain:
    pass


async def generator_of_three(scope, receive, send):
    yield 1


async def async_of_two(environ, start_response):
    return []


def asgi_2(scope):
    return asgi


def secret(a, b, c, d, password="x y z"):
    return None


REFUSED = {
    "of four": (
        lambda a, b, c, d: None,
        "app",
        ["takes (a, b, c, d)", "fits no interface", "(environ, start_response)"],
    ),
    "keyword": (lambda request, *, database: None, "app", ["takes (request, *, database)", "fits no interface"]),
    "default is not shown": (secret, "app", ["takes (a, b, c, d, password=…)"]),
    "async of two": (async_of_two, "app", ["async def", "a WSGI application cannot be asynchronous"]),
    "generator of three": (generator_of_three, "app", ["has a yield in it"]),
    "ASGI 2": (asgi_2, "app", ["ASGI 2", "asgiref.compatibility.guarantee_single_callable()"]),
    "class of ASGI 2": (Asgi2, "app", ["ASGI 2", "asgiref.compatibility.guarantee_single_callable()"]),
    "class": (Asgi, "App", ["is a class", "name it as shop:App()"]),
    "class with arguments": (Configured, "App", ["takes (config, debug=…)", "shop:App(…)"]),
    "class that cannot be called": (Plain, "App", ["is a class, and its instances cannot be called"]),
    "factory with arguments": (lambda config: wsgi, "create_app", ["takes (config)", "shop:create_app(…)"]),
    "async factory": (async_factory, "build", ["async def", "must be an ordinary function"]),
    "optional argument": (lambda config=None: wsgi, "build", ["leaves open what it is", "shop:build()"]),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_served_is_refused_with_advice(form: str) -> None:
    handler, name, words = REFUSED[form]
    kind, line = choose(handler, f"shop:{name}", "auto", False)
    assert kind == ""
    assert line.startswith(f"app: shop:{name} ")
    assert [word for word in words if word not in line] == []


def test_factory_of_a_factory_is_refused() -> None:
    kind, line = choose(lambda: wsgi, "shop:build()", "auto", True)
    assert kind == ""
    assert "app: shop:build() is not an application: it takes ()" in line


# --- what is configured ---

BELIEVED = [
    (lambda *args: None, "native", "native"),
    (lambda *args: None, "asgi", "asgi"),
    (passing(native), "wsgi", "wsgi"),
    (lambda a, b=None, c=None: None, "asgi", "asgi"),
    (lambda a, b=None, c=None: None, "wsgi", "wsgi"),
    (lambda scope: None, "native", "native"),
    (anative, "native", "async"),
    (lambda config: wsgi, "native", "native"),
    (min, "wsgi", "wsgi"),
    (WsgiClass, "wsgi", "wsgi"),
]


@pytest.mark.parametrize(("handler", "interface", "kind"), BELIEVED)
def test_configured_interface_is_believed(handler: Handler, interface: str, kind: str) -> None:
    assert choose(handler, "shop:app", interface, False) == (kind, "")


NEVER = [
    (asgi, "wsgi", ["is an async def that takes (scope, receive, send)", "looks like an ASGI", "interface to asgi"]),
    (asgi, "native", ["looks like an ASGI application", "set interface to asgi or auto"]),
    (wsgi, "asgi", ["takes (environ, start_response)", "looks like a WSGI", "set interface to wsgi or auto"]),
    (native, "wsgi", ["looks like a native handler", "set interface to native or auto"]),
    (anative, "asgi", ["looks like an asynchronous native handler", "set interface to native or auto"]),
    (awaiting(lambda *args: None), "wsgi", ["is an async def that takes (*args, **kwargs)"]),
    (generator_of_three, "asgi", ["can never be called as an ASGI application"]),
    (WsgiClass, "native", ["is a class", "set interface to wsgi or auto"]),
    (lambda a, b, c, d: None, "wsgi", ["takes (a, b, c, d)", "an ASGI application (scope, receive, send)"]),
]


@pytest.mark.parametrize(("handler", "interface", "words"), NEVER)
def test_configured_interface_that_can_never_work_is_refused(
    handler: Handler, interface: str, words: list[str]
) -> None:
    kind, line = choose(handler, "shop:app", interface, False)
    assert kind == ""
    assert [word for word in words if word not in line] == []


# --- other people's ---


def test_decorator_of_werkzeug_is_wsgi() -> None:
    wrappers = pytest.importorskip("werkzeug.wrappers")
    assert choose(wrappers.Request.application(native), "shop:app", "auto", False)[0] == "wsgi"


def test_decorator_of_webob_is_wsgi() -> None:
    dec = pytest.importorskip("webob.dec")
    assert choose(dec.wsgify(native), "shop:app", "auto", False)[0] == "wsgi"


@pytest.mark.parametrize(("module", "name"), [("aiohttp.web", "aiohttp"), ("tornado.web", "Tornado")])
def test_application_with_its_own_server_is_refused_by_name(module: str, name: str) -> None:
    pytest.importorskip(module.partition(".")[0])
    application = importlib.import_module(module).Application()
    kind, line = choose(application, "shop:app", "auto", False)
    assert kind == ""
    assert f"{name} application, which is neither WSGI nor ASGI" in line
