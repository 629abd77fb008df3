# SPDX-License-Identifier: MIT
"""How long files and functions are, in lines; a function counts from its first line to its last brace."""

import ast
import re
from collections.abc import Iterator

from lib.walls.source import without_literals, without_preprocessor

__all__ = ["FILE_LINES", "FUNCTION_LINES", "c_functions", "python_functions", "too_long"]

FILE_LINES = 600
FUNCTION_LINES = 60

_NAME = re.compile(r"(\w+)\s*\(")


def _top_level(code: str) -> Iterator[tuple[int, int, int]]:
    """(start of declaration, opening brace, closing brace) of every block at depth 0."""
    depth, start, opening = 0, 0, 0
    for index, character in enumerate(code):
        if character == "{":
            if depth == 0:
                opening = index
            depth += 1
        elif character == "}":
            depth -= 1
            if depth < 0:
                raise ValueError(f"unbalanced brace in line {code.count(chr(10), 0, index) + 1}")
            if depth == 0:
                yield start, opening, index
                start = index + 1
        elif character == ";" and depth == 0:
            start = index + 1
    if depth:
        raise ValueError("unbalanced brace at the end")


def c_functions(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, number of lines) of each function defined in C text."""
    code = without_preprocessor(without_literals(text))
    functions = []
    for start, opening, closing in _top_level(code):
        head = code[start:opening]
        found = _NAME.search(head)
        if not found or not head.rstrip().endswith(")"):
            continue
        first = start + len(head) - len(head.lstrip())
        line = code.count("\n", 0, first) + 1
        functions.append((found[1], line, code.count("\n", first, closing) + 1))
    return functions


def python_functions(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, number of lines) of each function in Python text, decorators left out."""
    return [
        (node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def too_long(path: str, text: str) -> list[str]:
    """What in this file is longer than the house allows."""
    functions = python_functions(text) if path.endswith(".py") else c_functions(text)
    wrong = [f"{path}:{line}: {name} has {n} lines" for name, line, n in functions if n > FUNCTION_LINES]
    lines = text.count("\n")
    if lines > FILE_LINES:
        wrong.append(f"{path}: {lines} lines")
    return wrong
