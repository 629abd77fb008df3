# SPDX-License-Identifier: MIT
"""What a callable takes when it is called with positional arguments, and whether it is an `async def`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import MethodType

__all__ = ["Shape", "shape_as_called", "shape_as_written"]

MAX_LAYERS = 100  # of decorators


class Shape:
    """A callable's positional parameters.

    `names`: of all that have one; `required` and `most`: how many it needs and takes; `is_open`: it takes any number
    through *args; `demands`: keywords that it cannot do without, so that no interface can call it.
    """

    def __init__(self, signature: inspect.Signature) -> None:
        self.names: list[str] = []
        self.demands: list[str] = []
        self.required = 0
        self.is_open = False
        for parameter in signature.parameters.values():
            is_optional = parameter.default is not parameter.empty
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                self.names.append(parameter.name)
                self.required += not is_optional
            elif parameter.kind is parameter.VAR_POSITIONAL:
                self.is_open = True
            elif parameter.kind is parameter.KEYWORD_ONLY and not is_optional:
                self.demands.append(parameter.name)
        self.most = sys.maxsize if self.is_open else len(self.names)
        self._text = _describe(signature)

    @property
    def is_exact(self) -> bool:
        """Whether only one number of arguments is possible."""
        return self.required == self.most

    def takes(self, count: int) -> bool:
        """Whether it can be called with `count` positional arguments and nothing else."""
        return not self.demands and self.required <= count <= self.most

    def __str__(self) -> str:
        return self._text


def _describe(signature: inspect.Signature) -> str:
    """Names only: annotations are long, and a default value may be a secret."""
    bare = [
        parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty if parameter.default is parameter.empty else Ellipsis,
        )
        for parameter in signature.parameters.values()
    ]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return text.replace("=Ellipsis", "=…")


def _shape(handler: Callable[..., object], follow_wrapped: bool) -> Shape | None:
    try:
        return Shape(inspect.signature(handler, follow_wrapped=follow_wrapped))
    except (ValueError, TypeError):
        return None


def shape_as_called(handler: Callable[..., object]) -> Shape | None:
    """The shape that a call meets first, whatever is behind it; None where a callable has no signature (some in C)."""
    return _shape(handler, False)


def _layers(handler: Callable[..., object]) -> Iterator[Callable[..., object]]:
    """The callables that functools.wraps() has put around each other, outermost first."""
    layer: Callable[..., object] | None = handler
    if not (inspect.isroutine(layer) or inspect.isclass(layer) or hasattr(layer, "__wrapped__")):
        layer = getattr(layer, "__call__", None)  # noqa: B004  the method, not whether there is one
    for _ in range(MAX_LAYERS):
        if layer is None:
            return
        yield layer
        if inspect.ismethod(layer):
            function = getattr(layer.__func__, "__wrapped__", None)
            layer = None if function is None else MethodType(function, layer.__self__)
        else:
            layer = getattr(layer, "__wrapped__", None)


def shape_as_written(handler: Callable[..., object]) -> Shape | None:
    """The shape that its author meant: of the outermost layer that does not take just anything.

    A decorator's (*args, **kwargs) says nothing, so what it wraps is looked at; a decorator that takes fixed arguments
    is called with those, whatever it passes on.
    """
    first = shape_as_called(handler)
    if first is None or not first.is_open:
        return first
    for layer in _layers(handler):
        shape = shape_as_called(layer)
        if shape is not None and not shape.is_open:
            return shape
    return _shape(handler, True) or first  # it also looks behind a partial
