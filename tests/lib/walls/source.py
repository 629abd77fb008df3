# SPDX-License-Identifier: MIT
"""C text without what the compiler does not see as code, with every line left in its place."""

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ROOT", "c_files", "identifiers", "without_comments", "without_literals", "without_preprocessor"]

ROOT = Path(__file__).resolve().parents[3]

_STRING = r'"(?:\\.|[^"\\\n])*"'
_CHARACTER = r"'(?:\\.|[^'\\\n])*'"
_COMMENT = r"//[^\n]*|/\*.*?\*/"
_TOKEN = re.compile(rf"(?P<comment>{_COMMENT})|{_STRING}|{_CHARACTER}", re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(text: str) -> str:
    return _TOKEN.sub(lambda found: _blank(found[0]) if found["comment"] else found[0], text)


def without_literals(text: str) -> str:
    """Without comments, and with nothing inside quotes; include lines keep their names."""

    def replace(found: re.Match[str]) -> str:
        if found["comment"]:
            return _blank(found[0])
        return found[0][0] + _blank(found[0][1:-1]) + found[0][-1]

    return _TOKEN.sub(replace, text)


def without_preprocessor(text: str) -> str:
    return _DIRECTIVE.sub(lambda found: _blank(found[0]), text)


def identifiers(text: str) -> Iterator[tuple[int, str]]:
    """(line, identifier) pairs of the code in `text`."""
    for number, line in enumerate(without_literals(text).splitlines(), 1):
        for found in re.finditer(r"[A-Za-z_]\w*", line):
            yield number, found[0]


def c_files(folder: str = "host") -> dict[str, str]:
    """Path relative to the checkout -> text, of the C files below `folder`."""
    files = sorted(path for path in (ROOT / folder).rglob("*.[ch]"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in files}
