# SPDX-License-Identifier: MIT
"""From an application, or its name as `smiskd` takes it, to what is called and how.

Names and interfaces are understood as by the host (host/py/target.c, load.c, kind.c); which interface a callable
speaks is decided by the same `smisk.host_app.choice`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from smisk.host_app.call import CallError, read_arguments
from smisk.host_app.choice import choose

from . import smisk_app

__all__ = ["LoadError", "Loaded", "load"]

USUAL_NAMES = ("application", "app", "handle")
# What stands behind the colon: an attribute, dotted, and perhaps the arguments of a factory.
ATTRIBUTE = re.compile(r"([\w.]+)(\(.*\))?", re.DOTALL)


class LoadError(Exception):
    """There is no such application, or it cannot be served; the message is the one of `smiskd`."""


class Loaded:
    """An application that can be called.

    `handler`: the callable, or the `smisk.core.Application`; `kind`: "native", "async", "wsgi", "asgi" or "smisk";
    `label`: its name for messages; `module`: where its hooks are looked for, or None.
    """

    def __init__(self, handler: Any, kind: str, label: str, module: ModuleType | None) -> None:
        self.handler = handler
        self.kind = kind
        self.label = label
        self.module = module

    def __repr__(self) -> str:
        return f"<{self.label}, {self.kind}>"


def load(application: object, interface: str = "auto") -> Loaded:
    """Finds what to call. `application`: a callable, an Application or its class, or a name such as `shop:app`,
    `shop:create_app("test")`, `src/shop.py`.

    Raises LoadError; what a module or factory raises comes through.
    """
    if isinstance(application, str):
        return _load_name(application, interface)
    label = str(getattr(application, "__qualname__", None) or f"an instance of {type(application).__qualname__}")
    module_name = getattr(application, "__module__", None) if hasattr(application, "__qualname__") else None
    module = sys.modules.get(module_name) if isinstance(module_name, str) else None
    return _judge(application, interface, label, module, is_made=False)


# --- names ---


def _load_name(name: str, interface: str) -> Loaded:
    place, attribute, arguments = _split(name)
    module = _import_file(place) if place.endswith(".py") else _import(place)
    if attribute:
        label = f"{module.__name__}:{attribute}"
        handler = _attribute(module, attribute)
    else:
        usual = _usual_name(module)
        label, handler = f"{module.__name__}:{usual}", getattr(module, usual)
    if not arguments:
        return _judge(handler, interface, label, module, is_made=False)
    shown = label + ("()" if arguments == "()" else "(…)")
    return _judge(_make(handler, shown, arguments), interface, shown, module, is_made=True)


def _split(name: str) -> tuple[str, str, str]:
    """Module or file, attribute, arguments. A colon or parenthesis may stand in a folder's name."""
    start = name.find(":")
    while start >= 0:
        match = ATTRIBUTE.fullmatch(name, start + 1)
        if match is not None and start > 0:
            return name[:start], match[1], match[2] or ""
        start = name.find(":", start + 1)
    if not name or ":" in name:
        raise LoadError(f'app: "{name}" is not of the form module, module:attribute or path/to/file.py')
    return name, "", ""


def _import(name: str) -> ModuleType:
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # the working folder is searched, as by smiskd
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise LoadError(f'app: there is no module "{name}"; looked in {sys.path}') from None
    except (TypeError, ValueError):
        if name.strip(".") == name:
            raise
        raise LoadError(f'app: "{name}" is no module') from None


def _import_file(path: str) -> ModuleType:
    real = os.path.realpath(path)
    if not os.path.isfile(real):
        raise LoadError(f"app: {path} is not a file")
    folder, name = os.path.split(real)
    sys.path.insert(0, folder)
    module = import_module(name.removesuffix(".py"))
    found = getattr(module, "__file__", None)
    if found is None or os.path.realpath(found) != real:
        raise LoadError(
            f'app: {real} cannot be imported: another module is called "{module.__name__}" ({found or "built in"})'
        )
    return module


def _attribute(module: ModuleType, path: str) -> Any:
    value: Any = module
    label = module.__name__
    for name in path.split("."):
        if not hasattr(value, name):
            raise LoadError(f'app: module "{label}" has no attribute "{name}"{_near(name, value)}')
        value = getattr(value, name)
        label = f"{label}.{name}"
    return value


def _near(name: str, holder: object) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [each for each in dir(holder) if not each.startswith("_")], 1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _usual_name(module: ModuleType) -> str:
    for name in USUAL_NAMES:
        value = getattr(module, name, None)
        if callable(value) or smisk_app.is_application(value):
            return name
    own = smisk_app.only_application(module)
    if own is not None:
        return own
    raise LoadError(
        f'app: module "{module.__name__}" has none of application, app, handle: name what to serve as '
        f"{module.__name__}:NAME"
    )


# --- what it is ---


def _make(factory: Any, label: str, arguments: str) -> Any:
    """Calls a factory. What it was given may be secret, so no message shows it."""
    try:
        positional, named = read_arguments(arguments)
    except CallError as error:
        raise LoadError(f"app: {label} cannot be called with these arguments: {error}") from None
    return _call_factory(factory, label, positional, named)


def _call_factory(
    factory: Callable[..., Any], label: str, positional: tuple[object, ...], named: dict[str, object]
) -> Any:
    if not callable(factory):
        raise LoadError(f"app: {label} is no factory: {type(factory).__name__} cannot be called")
    made = factory(*positional, **named)
    if made is None:
        raise LoadError(f"app: {label} returned None, not an application; does it end with `return app`?")
    return made


def _judge(handler: Any, interface: str, label: str, module: ModuleType | None, is_made: bool) -> Loaded:
    if interface in ("auto", "smisk") and smisk_app.is_application(handler):
        return Loaded(smisk_app.instance(handler), "smisk", label, module)
    if interface == "smisk":
        raise LoadError(f"app: {label} is {type(handler).__name__}, not a smisk.core.Application")
    if not callable(handler):
        raise LoadError(f"app: {label} is {type(handler).__name__}, which cannot be called and so is no application")
    if interface not in ("auto", "native", "wsgi", "asgi"):
        raise ValueError(f'interface is "auto", "native", "wsgi", "asgi" or "smisk", not {interface!r}')
    kind, line = choose(handler, label, interface, is_made)
    if not kind:
        raise LoadError(line)
    if kind == "factory":
        made = _call_factory(handler, f"{label}()", (), {})
        return _judge(made, interface, f"{label}()", module, is_made=True)
    return Loaded(handler, kind, label, module)
