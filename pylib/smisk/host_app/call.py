# SPDX-License-Identifier: MIT
"""The arguments of a factory as `app` names them: `shop:create_app("prod", debug=True)`. Read, never evaluated."""

from __future__ import annotations

import ast

__all__ = ["CallError", "read_arguments"]

Arguments = tuple[tuple[object, ...], dict[str, object]]


class CallError(ValueError):
    """The text is not a pair of parentheses with literals between them. The message continues a sentence."""


def _literal(node: ast.expr, what: str) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise CallError(f"{what} is not a literal: a string, number, True, False, None, or a list, tuple, dict or "
                        "set of them") from None  # fmt: skip


def _parse(text: str) -> ast.Call:
    try:
        call = ast.parse("f" + text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise CallError("they cannot be read as Python") from None
    # `()()` and `().x` are something else than one call.
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise CallError("one pair of parentheses ends the name")
    return call


def read_arguments(text: str) -> Arguments:
    """Returns positional and keyword arguments of `text`, such as `("prod", debug=True)`. Raises CallError."""
    call = _parse(text)
    named: dict[str, object] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise CallError("** is not possible here")
        if keyword.arg in named:
            raise CallError(f'"{keyword.arg}" is given twice')
        named[keyword.arg] = _literal(keyword.value, f'"{keyword.arg}"')
    positional = tuple(_literal(node, f"argument {number}") for number, node in enumerate(call.args, 1))
    return positional, named
