# SPDX-License-Identifier: MIT
"""Which interface an application speaks, where its signature is not plain; and the words when it speaks none.

The host decides by itself about functions that take exactly one, two or three arguments (host/py/kind.c).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

from .shape import Shape, shape_as_called, shape_as_written

__all__ = ["choose"]

Handler = Callable[..., object]

SAYS = {
    "native": "a native handler",
    "async": "an asynchronous native handler",
    "wsgi": "a WSGI application",
    "asgi": "an ASGI application",
}
COUNTS = {"native": 1, "wsgi": 2, "asgi": 3}
INTERFACES = (
    "a native handler takes (request), a WSGI application (environ, start_response), "
    "an ASGI application (scope, receive, send)"
)
FITS_NOTHING = f"which fits no interface: {INTERFACES}; write it, or wrap it, as one of these"
FACTORY_NAMES = ("create_app", "make_app")

# Where the signature misleads: by the module that made the callable.
KNOWN = {"werkzeug.wrappers.request": "wsgi", "webob.dec": "wsgi"}
OWN_SERVER = {"aiohttp.web_app": "an aiohttp application", "tornado.web": "a Tornado application"}


class Refusal(Exception):
    """Why it cannot be served; the message continues "app: LABEL "."""


class Subject:
    """The callable that is looked at, and what is known about it."""

    def __init__(self, handler: Handler, label: str, is_made: bool) -> None:
        self.handler = handler
        self.label = label
        self.is_made = is_made
        self.attribute = label.rpartition(":")[2].rpartition(".")[2]
        self.is_class = isinstance(handler, type)
        self.is_coroutine = not self.is_class and _is(inspect.iscoroutinefunction, handler)
        self.is_async_generator = not self.is_class and _is(inspect.isasyncgenfunction, handler)

    @property
    def is_async(self) -> bool:
        """Whether calling it gives something to await or to iterate asynchronously."""
        return self.is_coroutine or self.is_async_generator

    def describe(self, shape: Shape) -> str:
        """ "is an async def that takes (a, b)"."""
        return f"is an async def that takes {shape}" if self.is_async else f"takes {shape}"


def _is(check: Callable[[object], bool], handler: Handler) -> bool:
    call = getattr(handler, "__call__", None)  # noqa: B004  the method, not whether there is one
    return check(handler) or check(call) or (check is inspect.iscoroutinefunction and _is_marked(handler, call))


def _is_marked(*callables: object) -> bool:
    """Whether asyncio's own mark, of compiled functions and before Python 3.12, says that it is a coroutine function."""
    coroutines = sys.modules.get("asyncio.coroutines")
    mark = getattr(coroutines, "_is_coroutine", None)
    return mark is not None and any(getattr(each, "_is_coroutine", None) is mark for each in callables)


# --- choosing ---


def choose(handler: Handler, label: str, interface: str, is_made: bool) -> tuple[str, str]:
    """Returns what `handler` is and a line for the log, which may be empty.

    "native", "async", "wsgi" or "asgi"; "factory": to be called without arguments for what to serve; "": not to be
    served, the line says why. `interface`: what is configured. `is_made`: `handler` is what a factory returned.
    """
    subject = Subject(handler, label, is_made)
    try:
        if interface != "auto":
            return _check(subject, interface)
        kind, is_certain = _find(subject)
    except Refusal as refusal:
        return "", f"app: {label} {refusal}"
    if kind == "factory":
        return kind, _called(subject)
    if is_certain:
        return kind, ""
    return kind, f"app: {label} is served as {SAYS[kind]} (found by its signature; set interface to override)"


def _called(subject: Subject) -> str:
    return f"app: {subject.label} needs no arguments: it is called as a factory, {subject.label}()"


def _kind(name: str, subject: Subject) -> str:
    return "async" if name == "native" and subject.is_async else name


def _find(subject: Subject) -> tuple[str, bool]:
    """The kind, and whether nothing else was possible."""
    if subject.is_class:
        return _find_class(subject)
    _refuse_own_server(subject)
    known = KNOWN.get(_origin(subject.handler))
    if known is not None:
        return known, False
    shape = shape_as_written(subject.handler)
    if shape is None:
        return _kind("native", subject), False
    if shape.demands:
        raise Refusal(f"{subject.describe(shape)}, {FITS_NOTHING}")
    name = _by_names(shape) or _by_count(subject, shape)
    if name == "factory":
        return _factory(subject, shape), False
    _refuse_impossible(subject, shape, name)
    return _kind(name, subject), shape.is_exact and not _is_behind(subject.handler)


def _is_behind(handler: Handler) -> bool:
    """Whether the signature that was found is not the one that will be called."""
    shape = shape_as_called(handler)
    return shape is None or shape.is_open


def _origin(handler: Handler) -> str:
    function = getattr(handler, "__func__", handler)
    if inspect.isfunction(function):
        return str(function.__globals__.get("__name__", ""))
    return _origin_of_class(type(handler), KNOWN)


def _origin_of_class(cls: type, among: dict[str, str]) -> str:
    return next((base.__module__ for base in cls.__mro__ if base.__module__ in among), "")


def _refuse_own_server(subject: Subject) -> None:
    name = OWN_SERVER.get(_origin_of_class(type(subject.handler), OWN_SERVER))
    if name is not None:
        raise Refusal(f"is {name}, which is neither WSGI nor ASGI: it runs only in the server that it brings along")


def _by_names(shape: Shape) -> str:
    """By the names that everybody uses; "" where they say nothing."""
    if shape.names[:3] == ["scope", "receive", "send"] and shape.takes(3):
        return "asgi"
    if shape.names[1:2] == ["start_response"] and shape.takes(2):
        return "wsgi"
    if shape.names[:1] == ["request"] and shape.takes(1):
        return "native"
    return ""


def _by_count(subject: Subject, shape: Shape) -> str:
    """By the arguments that it cannot do without; "factory" where there are none."""
    if shape.required == 0:
        return _by_nothing(subject, shape)
    if shape.required == 2 and subject.is_async and shape.takes(3):
        return "asgi"
    for name, count in COUNTS.items():
        if shape.required == count:
            return name
    raise Refusal(f"{subject.describe(shape)}, {FITS_NOTHING}")


def _by_nothing(subject: Subject, shape: Shape) -> str:
    if shape.most == 0 or _is_factory(subject, shape):
        return "factory"
    if shape.is_open and not shape.names:
        # What a decorator leaves that does not say what it wraps.
        return "native" if subject.attribute == "handle" else "asgi" if subject.is_async else "wsgi"
    advice = "" if subject.is_made else f", or name it as {subject.label}() if it makes the application"
    raise Refusal(f"{subject.describe(shape)}, which leaves open what it is: set interface{advice}")


def _is_factory(subject: Subject, shape: Shape) -> bool:
    """Whether it can only have been meant to be called for the application."""
    is_one = shape.most == 0 or subject.attribute in FACTORY_NAMES
    return is_one and shape.takes(0) and not (subject.is_made or subject.is_class)


def _factory(subject: Subject, shape: Shape) -> str:
    if subject.is_made:
        raise Refusal(f"is not an application: it {subject.describe(shape)}, {FITS_NOTHING}")
    if subject.is_async:
        raise Refusal(
            "is an async def that takes no arguments: a factory is called before there is an event loop, so it "
            "must be an ordinary function"
        )
    return "factory"


def _refuse_impossible(subject: Subject, shape: Shape, name: str) -> None:
    """What fits by its arguments, and yet is something else."""
    if name == "native" and shape.names[:1] == ["scope"]:
        raise Refusal(
            f"{subject.describe(shape)}, as ASGI 2 applications do; ASGI 3 is served: wrap it in "
            "asgiref.compatibility.guarantee_single_callable(), or set interface to native if it is a native handler"
        )
    if name == "native" and subject.attribute in FACTORY_NAMES and not subject.is_made:
        raise Refusal(
            f"{subject.describe(shape)} and is called as a factory would be: name it with its arguments, as "
            f"{subject.label}(…), or set interface to native if it is a handler"
        )
    if name == "wsgi" and subject.is_async:
        raise Refusal(f"{subject.describe(shape)}, and a WSGI application cannot be asynchronous: {INTERFACES}")
    if name == "asgi" and subject.is_async_generator:
        raise Refusal(f"{subject.describe(shape)} and has a yield in it: an ASGI application is awaited, and sends")


# --- classes ---


def _find_class(subject: Subject) -> tuple[str, bool]:
    """A class may be the application: calling it, as PEP 3333 allows, gives the iterable, or what is awaited."""
    cls = subject.handler
    shape = shape_as_called(cls)
    if shape is not None:
        if shape.required == 2 and shape.takes(2) and hasattr(cls, "__iter__"):
            return "wsgi", False
        if shape.required == 3 and shape.takes(3) and hasattr(cls, "__await__"):
            return "asgi", False
        if shape.takes(1) and shape.names[:1] == ["scope"]:
            raise Refusal(
                "is a class that takes (scope), as ASGI 2 applications do; ASGI 3 is served: wrap it in "
                "asgiref.compatibility.guarantee_single_callable()"
            )
    raise Refusal(_class_advice(subject, shape))


def _class_advice(subject: Subject, shape: Shape | None) -> str:
    if "__call__" not in dir(subject.handler):
        return "is a class, and its instances cannot be called: name something that can"
    if shape is not None and shape.takes(0):
        return f"is a class: to serve an instance of it, name it as {subject.label}()"
    return (
        f"is a class that takes {shape}: name it with its arguments, as {subject.label}(…), or make an instance in "
        "the module and name that"
    )


# --- what is configured ---


def _check(subject: Subject, interface: str) -> tuple[str, str]:
    """Believes what is configured, and refuses only what can never work."""
    shape = shape_as_called(subject.handler)
    if shape is not None and _is_factory(subject, shape):
        return _factory(subject, shape), _called(subject)
    fits = shape is None or shape.takes(COUNTS[interface])
    if interface == "wsgi":
        fits = fits and not subject.is_async
    elif interface == "asgi":
        fits = fits and not subject.is_async_generator
    else:
        fits = fits and not subject.is_class
    if fits:
        return _kind(interface, subject), ""
    raise Refusal(_mismatch(subject, interface, shape))


def _mismatch(subject: Subject, interface: str, shape: Shape | None) -> str:
    """What is configured, what it looks like, and what to set."""
    about = f"takes {shape}" if shape is not None else "has no signature"
    if subject.is_class:
        about = f"is a class that {about}"
    elif subject.is_async:
        about = f"is an async def that {about}"
    text = f"{about}, so it can never be called as {SAYS[interface]}, which interface asks for"
    try:
        looks_like = _find(subject)[0]
    except Refusal:
        looks_like = "factory"
    if looks_like == "factory":
        return f"{text}: {INTERFACES}"
    name = "native" if looks_like == "async" else looks_like
    return f"{text}; it looks like {SAYS[looks_like]}: set interface to {name} or auto"
