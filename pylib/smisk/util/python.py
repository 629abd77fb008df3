# SPDX-License-Identifier: MIT
"""Exceptions as text, and the modules of folders and classes."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
import warnings

from .string import strip_filename_extension
from .type import None2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType, TracebackType
    from typing import NoReturn

    Triple = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

__all__ = [
    "classmethods",
    "find_modules_for_classtree",
    "format_exc",
    "list_python_filenames_in_dir",
    "load_modules",
    "unique_sorted_modules_of_items",
    "wrap_exc_in_callable",
]


def format_exc(exc: Triple | BaseException | None = None, as_string: bool = False) -> list[str] | str:
    """The traceback of an exception, of a triple as `sys.exc_info()` gives it, or of what is being handled.

    A list of lines, or one text; the empty text without an exception.
    """
    kind, value, tb = sys.exc_info() if exc is None else _triple(exc)
    if kind is None:
        return ""
    lines = traceback.format_exception(kind, value, tb)
    return "".join(lines) if as_string else lines


def wrap_exc_in_callable(exc: BaseException | type[BaseException]) -> Callable[..., NoReturn]:
    """A function that takes anything and raises `exc`."""

    def exc_wrapper(*args: object, **kwargs: object) -> NoReturn:
        # Raised again and again, it would drag an ever longer traceback along.
        raise exc.with_traceback(None) if isinstance(exc, BaseException) else exc

    return exc_wrapper


def classmethods(cls: type) -> list[str]:
    """Names of the public class methods of a class, inherited ones too."""
    return [name for name in dir(cls) if name[0] != "_" and _is_classmethod(inspect.getattr_static(cls, name))]


def unique_sorted_modules_of_items(v: Iterable[object]) -> list[str]:
    """Names of the modules in which functions or classes were defined, each once, sorted."""
    return sorted({item.__module__ for item in v})


def list_python_filenames_in_dir(path: str | os.PathLike[str], only_py: bool = True) -> list[str]:
    """File names in a folder that end in `.py`, or in `.pyc` unless `only_py`; without that end, once, sorted."""
    ends = (".py",) if only_py else (".py", ".pyc")
    return sorted({name.rpartition(".")[0] for name in os.listdir(path) if name.endswith(ends)})


def find_modules_for_classtree(cls: type, exclude_root: bool = True, unique: bool = True) -> list[ModuleType]:
    """The modules in which the subclasses of a class are defined, and the class itself unless `exclude_root`."""
    modules = [] if exclude_root else [_module_of(cls)]
    subclasses: list[type] = type.__subclasses__(cls)
    for subclass in subclasses:
        modules += find_modules_for_classtree(subclass, False, False)
    return list(dict.fromkeys(modules)) if unique else modules


def find_closest_syspath(path: str, namebuf: list[str]) -> tuple[str, str] | tuple[None, None]:
    """(dotted name of a folder, the folder of `sys.path` that it lies in), or two None.

    `namebuf` takes the parts of the name, innermost first; give it an empty list.
    """
    while path not in sys.path:
        parent, name = os.path.split(path)
        namebuf.append(name)
        if len(parent) <= 1 or parent == path:
            return None2
        path = parent
    return ".".join(reversed(namebuf)), path


def load_modules(
    path: str,
    deep: bool = False,
    skip_first_init: bool = True,
    libdir: str | None = None,
    parent_name: str | None = None,
) -> dict[str, ModuleType]:
    """Imports every module in a folder, and those in packages below if `deep`. Returns them by name.

    Deprecated since 1.1.1: import what you need. The folder is imported as the package it is, seen from `sys.path`, or
    as `parent_name` below `libdir`. `skip_first_init` leaves the folder's own `__init__` out of the result. ImportError
    for a module whose name another file has taken.
    """
    warnings.warn("load_modules is deprecated: import the modules by name", DeprecationWarning, stacklevel=2)
    path = os.path.abspath(path)
    if libdir and parent_name:
        name, top = parent_name, os.path.abspath(libdir)
    else:
        found, where = find_closest_syspath(path, [])
        name, top = found or "", where or path
    sys.path.insert(0, top)
    try:
        importlib.invalidate_caches()
        return dict(_load_folder(path, name, deep, skip_first_init))
    finally:
        sys.path.remove(top)


def _load_folder(path: str, package: str, deep: bool, skip_init: bool) -> Iterable[tuple[str, ModuleType]]:
    if package and not skip_init:
        yield package, importlib.import_module(package)
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        stem = strip_filename_extension(entry.name)
        name = f"{package}.{stem}" if package else stem
        if entry.is_dir():
            if deep and os.path.isfile(os.path.join(entry.path, "__init__.py")):
                yield from _load_folder(entry.path, name, deep, False)
        elif entry.name.endswith(".py") and stem != "__init__":
            yield name, _load_file(name, entry.path)


def _load_file(name: str, path: str) -> ModuleType:
    module = importlib.import_module(name)
    origin = getattr(module, "__file__", None)
    if origin is None or not os.path.samefile(origin, path):
        raise ImportError(
            f"{path} cannot be imported as {name}: that is {origin or 'built in'}", name=name, path=path
        )
    return module


def _triple(exc: Triple | BaseException) -> Triple:
    return (type(exc), exc, exc.__traceback__) if isinstance(exc, BaseException) else exc


def _is_classmethod(attribute: object) -> bool:
    return isinstance(attribute, classmethod)


def _module_of(cls: type) -> ModuleType:
    return sys.modules.get(cls.__module__) or importlib.import_module(cls.__module__)
