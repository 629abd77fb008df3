# SPDX-License-Identifier: MIT
"""In a worker: runs the program that became this `smiskd` again, up to the application that it runs.

`smiskd` calls `script()` or `module()` as the factory of the application. The program is `__main__`, as it was, so that
whatever it does before `run()`, to its application or otherwise, holds in every worker. What stands behind `run()` is
not executed.
"""

from __future__ import annotations

import os
import sys

from .handover import Handover, take
from .launch import Launched, LaunchError

__all__ = ["module", "script"]

# What watches files has seen the `__main__` that was there before.
ALIAS = "__smisk_main__"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType


def script(path: str) -> object:
    """Runs the program in the file `path`; returns its application. Raises LaunchError, and what the program raises."""
    handover = _prepare(path)
    program = _new_main()
    program.__file__ = path
    with open(path, "rb") as file:
        source = file.read()
    return _run(handover, path, program, compile(source, path, "exec"))


def module(name: str) -> object:
    """Runs the module `name` as `python -m` does; returns its application. Raises as `script()`."""
    from importlib.util import find_spec

    handover = _prepare(name)
    spec = find_spec(name)
    code = getattr(spec.loader, "get_code", lambda _: None)(name) if spec else None
    if spec is None or code is None:
        raise LaunchError(f"there is no module {name} that can be run")
    program = _new_main()
    program.__file__ = spec.origin
    program.__spec__ = spec
    program.__loader__ = spec.loader
    program.__package__ = spec.parent
    return _run(handover, name, program, code)


def _prepare(program: str) -> Handover:
    """Makes `sys` what it was for the program."""
    handover = take()
    own = "{}.{}".format(*sys.version_info)
    if own != handover.python:
        raise LaunchError(
            f"{program} was started by Python {handover.python}, but smiskd has Python {own}: install smisk for "
            f"Python {handover.python}, or name its smiskd with SMISKD"
        )
    sys.argv[:] = handover.argv
    sys.path[:] = handover.path
    return handover


def _new_main() -> ModuleType:
    import builtins
    from types import ModuleType

    program = ModuleType("__main__")
    program.__dict__["__builtins__"] = builtins
    return program


def _run(handover: Handover, name: str, program: ModuleType, code: CodeType) -> object:
    """Runs the program where it was started; afterwards the worker is where it was."""
    folder = os.getcwd()
    os.chdir(handover.folder)
    sys.modules["__main__"] = program
    how = "ended without running"
    try:
        exec(code, program.__dict__)
    except Launched:
        pass
    except SystemExit as exit:
        how = f"exited with {exit.code!r} before it ran"
    finally:
        os.chdir(folder)
    if Launched.last is None:
        raise LaunchError(f"{name} {how} its application")
    if handover.debug:
        _log_all()
    return Launched.last.application


def _log_all() -> None:
    import logging

    logging.getLogger().setLevel(logging.DEBUG)
