# SPDX-License-Identifier: MIT
"""What a callable takes, what an object has, and short texts of both."""

from __future__ import annotations

import inspect
import reprlib
from functools import update_wrapper
from inspect import Parameter
from types import FunctionType, MethodType
from weakref import WeakKeyDictionary

from .frozen import frozendict
from .type import Undefined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    Spec = tuple[bool, list[str], str | None, str | None, tuple[Any, ...] | None]

__all__ = ["introspect", "repr2"]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class introspect:
    """A name space, not to be instantiated. Functions, methods, classes, instances and built-ins are all callables here.

    A built-in that does not say what it takes is a ValueError. What is asked is the callable itself, also where a
    decorator says that it wraps another.
    """

    VARARGS = 4
    KWARGS = 8

    _repr = reprlib.Repr()
    _repr.maxlong = 100
    _repr.maxstring = 200
    _repr.maxother = 200

    # By function, then by whether it is bound: one function may be called both ways.
    _info_cache: ClassVar[WeakKeyDictionary[FunctionType, dict[bool, frozendict]]] = WeakKeyDictionary()

    @classmethod
    def callable_info(cls, f: Any) -> frozendict | None:
        """What is known of a callable, None of anything else. Found out once for each function.

        `name`, `args` (pairs of name and default, `Undefined` without one; never `self`), `kwonly` (the same for those
        that are taken by keyword only), `varargs` and `varkw` (whether it takes `*args` and `**kw`), `method`.
        """
        if not callable(f):
            return None
        wrapped_info: frozendict | None = getattr(f, "info", None) if hasattr(f, "wrapped_func") else None
        if wrapped_info is not None:
            return wrapped_info
        function = f.__func__ if isinstance(f, MethodType) else f
        if not isinstance(function, FunctionType):
            return _describe(f)
        known = cls._info_cache.setdefault(function, {})
        bound = isinstance(f, MethodType)
        if bound not in known:
            known[bound] = _describe(f)
        return known[bound]

    @classmethod
    def getargspec(cls, f: Callable[..., Any]) -> Spec:
        """(is_method, names of args, name of `*args` or None, name of `**kw` or None, defaults or None)."""
        parameters = _parameters(f)
        args = [p for p in parameters if p.kind in _POSITIONAL]
        defaults = tuple(p.default for p in args if p.default is not Parameter.empty)
        varargs = next((p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL), None)
        varkw = next((p.name for p in parameters if p.kind is Parameter.VAR_KEYWORD), None)
        return _is_method(f), [p.name for p in args], varargs, varkw, defaults or None

    @classmethod
    def ensure_va_kwa(cls, f: Callable[..., Any], parent: object = None) -> Callable[..., Any]:
        """Returns `f` if it takes `*args` and `**kw`, else a function that does and calls `f` with what `f` takes.

        Surplus positional arguments and unknown keywords are dropped. The wrapper has the public attributes of `f`, and
        `wrapped_func`, `im_func` (both are `f`) and, of a method, `im_class`. With `parent` it takes the place of the
        attribute of that name there.
        """
        parameters = _parameters(f)
        kinds = {p.kind for p in parameters}
        if kinds >= {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}:
            return f
        count = sum(p.kind in _POSITIONAL for p in parameters)
        limit = None if Parameter.VAR_POSITIONAL in kinds else count
        names = frozenset(p.name for p in parameters if p.kind in _BY_NAME)
        takes_all = Parameter.VAR_KEYWORD in kinds

        def va_kwa_wrapper(*args: Any, **kwargs: Any) -> Any:
            if not takes_all:
                kwargs = {name: value for name, value in kwargs.items() if name in names}
            return f(*args[:limit], **kwargs)

        _dress(va_kwa_wrapper, f)
        if parent is not None:
            setattr(parent, va_kwa_wrapper.__name__, va_kwa_wrapper)
        return va_kwa_wrapper

    @classmethod
    def format_members(cls, o: object, colorize: bool = False) -> str:
        """One `name = repr` line for each attribute, aligned; with `colorize`, one terminal colour for each type."""
        names = dir(o)
        width = max(map(len, names), default=0)
        types: dict[type, int] = {}
        lines = []
        for name in names:
            try:
                value = getattr(o, name)
            except Exception as error:
                value = error
            text = cls._repr.repr(value)
            if colorize:
                color = 31 + types.setdefault(type(value), len(types)) % 5
                lines.append(f"\033[1;{color}m{name:<{width}}\033[m = \033[1;{color}m{text}\033[m")
            else:
                lines.append(f"{name:<{width}} = {text}")
        return "\n".join(lines)


def repr2(obj: object) -> str:
    """A short repr: at most 6 items of a list and 200 characters of a text."""
    return introspect._repr.repr(obj)


def _parameters(f: Callable[..., Any]) -> list[Parameter]:
    return list(inspect.signature(f, follow_wrapped=False).parameters.values())


def _is_method(f: object) -> bool:
    """Whether `self` was taken off: a bound method, or an instance with `__call__`."""
    return isinstance(f, MethodType) or isinstance(getattr(f, "__call__", None), MethodType)  # noqa: B004


def _describe(f: Callable[..., Any]) -> frozendict:
    parameters = _parameters(f)
    kinds = {p.kind for p in parameters}
    return frozendict(
        name=getattr(f, "__name__", type(f).__name__),
        args=tuple(_pair(p) for p in parameters if p.kind in _POSITIONAL),
        kwonly=tuple(_pair(p) for p in parameters if p.kind is Parameter.KEYWORD_ONLY),
        varargs=Parameter.VAR_POSITIONAL in kinds,
        varkw=Parameter.VAR_KEYWORD in kinds,
        method=_is_method(f),
    )


def _pair(parameter: Parameter) -> tuple[str, Any]:
    return parameter.name, Undefined if parameter.default is Parameter.empty else parameter.default


def _dress(wrapper: Any, f: Any) -> None:
    """Gives a wrapper of `ensure_va_kwa` what its function has."""
    update_wrapper(wrapper, f, updated=())
    # It takes more than what it wraps, and inspect is to say so.
    del wrapper.__wrapped__
    for name in dir(f):
        if not name.startswith("_"):
            setattr(wrapper, name, getattr(f, name))
    info = introspect.callable_info(f) or frozendict()
    wrapper.__name__ = info["name"]
    wrapper.info = frozendict(info.update(varargs=True, varkw=True))
    wrapper.wrapped_func = wrapper.im_func = f
    if isinstance(f, MethodType):
        wrapper.im_class = f.__self__ if isinstance(f.__self__, type) else type(f.__self__)
