# SPDX-License-Identifier: MIT
"""Which floor may include which: base <- net, base <- proto, both <- engine <- py <- main."""

import re

from lib.walls.source import identifiers, without_comments

__all__ = ["BELOW", "interface_names", "wrong_includes"]

BELOW = {
    "base": {"base"},
    "net": {"base", "net"},
    "proto": {"base", "proto"},
    "engine": {"base", "net", "proto", "engine"},
    "py": {"base", "net", "proto", "engine", "py"},
    "main.c": {"base", "net", "proto", "engine", "py"},
}
PYTHON_HEADERS = re.compile(
    r"(Python|structmember|datetime|frameobject|marshal|pythread)\.h|cpython/.*|internal/pycore_.*"
)
GENERATED = ("config.h", "build_id.h")

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
_INTERFACE = re.compile(r"wsgi|asgi|python|^smpy_|^Py[A-Z_]", re.IGNORECASE)
# What the engine passes on without knowing what it means: a setting, an exit status, a version to print.
_PASSED_ON = {"pythonpath", "SM_EXIT_PYTHON", "SMISK_PYTHON_VERSION"}


def wrong_includes(path: str, text: str) -> list[str]:
    """Includes in host/<floor>/… that go up or sideways, name no floor, or bring Python in below host/py."""
    floor = path.split("/")[1]
    wrong = []
    for found in _INCLUDE.finditer(without_comments(text)):
        own, system = found.groups()
        if PYTHON_HEADERS.fullmatch(own or system):
            if floor != "py":
                wrong.append(f"{path}: {own or system} outside host/py")
        elif own and own not in GENERATED:
            target = own.split("/")[0] if "/" in own else ""
            if target not in BELOW[floor]:
                wrong.append(f"{path}: {floor} must not include {own}")
    return wrong


def interface_names(path: str, text: str) -> list[str]:
    """Identifiers of the engine that name an interface or Python."""
    return [
        f"{path}:{line}: {name}"
        for line, name in identifiers(text)
        if _INTERFACE.search(name) and name not in _PASSED_ON
    ]
