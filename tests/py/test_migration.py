# SPDX-License-Identifier: MIT
"""Every public name of Smisk 1.1 exists, and docs/migrating-from-1.1.md says of each whether it is the same.

docs/names-1.1.conf lists them. `python tests/py/test_migration.py` writes the tables into the page.
"""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from smisk.config.parser import parse

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = DOCS / "names-1.1.conf"
PAGE = DOCS / "migrating-from-1.1.md"
TABLES = re.compile(
    r"(?<=<!-- names: python tests/py/test_migration.py -->\n)(.*?)(?=<!-- end of names -->)", re.DOTALL
)

Names = dict[str, dict[str, str | None]]


def read_names() -> Names:
    """By module, then by name: None where it is the same, else what is different."""
    return parse(NAMES.read_text(encoding="utf-8"), NAMES.name)[0]  # type: ignore[return-value]


# Modules that have the name of what is in them too: what is listed is the thing, never the module.
MODULES = {("smisk.core", "xml")}


def missing(module: str, names: dict[str, str | None]) -> Iterator[str]:
    """Those of the names that a module lacks."""
    found = importlib.import_module(module)
    for name in names:
        holder, _, member = name.partition(".")
        thing = getattr(found, holder, None)
        is_there = thing is not None and (not member or has_member(thing, member))
        if not is_there or isinstance(thing, ModuleType) != ((module, name) in MODULES):
            yield name


def has_member(thing: object, member: str) -> bool:
    """Whether a class, or its instances, have an attribute: set on the class, annotated, or assigned to `self`."""
    if hasattr(thing, member):
        return True
    for cls in inspect.getmro(thing) if isinstance(thing, type) else (type(thing),):
        if member in getattr(cls, "__annotations__", ()):
            return True
        if cls.__module__ != "builtins" and re.search(rf"\bself\.{member}\b", source_of(cls)):
            return True
    return False


def source_of(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return ""


@pytest.mark.parametrize("module", read_names())
def test_names_of_a_module_are_all_there(module: str) -> None:
    assert list(missing(module, read_names()[module])) == []


def test_names_are_there_whatever_was_imported_before() -> None:
    names = read_names()
    parts = [
        f"smisk.core.{part.name}" for part in pkgutil.iter_modules(importlib.import_module("smisk.core").__path__)
    ]
    for module in (*names, *parts):
        importlib.import_module(module)
    assert {module: found for module in names if (found := list(missing(module, names[module])))} == {}


class Holder:
    annotated: int

    def __init__(self) -> None:
        self.assigned = 1

    def method(self) -> None:
        pass


def test_missing_names_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("of_this_test")
    module.Holder = Holder  # type: ignore[attr-defined]
    module.re = re  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "of_this_test", module)
    members = ("annotated", "assigned", "method", "gone")
    names = dict.fromkeys(["Holder", "Gone", "re", *(f"Holder.{member}" for member in members)])
    assert list(missing("of_this_test", names)) == ["Gone", "re", "Holder.gone"]


def test_every_difference_has_its_reason() -> None:
    entries = [(name, why) for names in read_names().values() for name, why in names.items()]
    assert len(entries) > 280
    assert [name for name, why in entries if why is not None and not why.strip()] == []


def test_page_has_the_tables_of_today() -> None:
    assert TABLES.findall(PAGE.read_text(encoding="utf-8")) == [tables()], "run: python tests/py/test_migration.py"


def tables() -> str:
    """A row for each module, then what is different in each."""
    names = read_names()
    lines = ["", "| module | names | the same | different | missing |", "|---|---|---|---|---|"]
    for module, entries in names.items():
        changed = sum(why is not None for why in entries.values())
        # That nothing is missing is what the tests above are for.
        lines.append(f"| `{module}` | {len(entries)} | {len(entries) - changed} | {changed} | 0 |")
    for module, entries in names.items():
        lines += ["", f"### {module}", ""]
        same = ", ".join(f"`{name}`" for name, why in entries.items() if why is None)
        lines += [f"The same: {same}.", ""] if same else []
        different = [f"| `{name}` | {why} |" for name, why in entries.items() if why is not None]
        lines += ["| different | how, and why |", "|---|---|", *different] if different else []
        if lines[-1] == "":
            lines.pop()
    return "\n".join([*lines, "", ""])


def update() -> None:
    """Writes the tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLES.sub(lambda _: tables(), text), encoding="utf-8")


if __name__ == "__main__":
    update()
