# SPDX-License-Identifier: MIT
"""`python myapp.py`: the program becomes the `smiskd` that serves it.

`run_application()` is what `Application.run()` does. Outside of `smiskd` it replaces the process by it (execve), with
the socket of `bind()` as a descriptor. In a worker of that `smiskd` (`launched`), where the program runs again, it ends
the program and hands its application to the host. In any other `smiskd`, which has imported the program as a module,
it does nothing but say so.
"""

from __future__ import annotations

import os
import sys

from . import listen
from .handover import VARIABLE, Handover, is_hosted, received

__all__ = ["LaunchError", "Launched", "Plan", "find_smiskd", "plan", "run_application", "warn"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar, NoReturn

MESSAGE = "Application must be run in a FastCGI environment"
HINT = (
    "give an address with --bind, SMISK_BIND or bind(), serve HTTP with --http, or let spawn-fcgi start the program"
)


class LaunchError(OSError):
    """The program cannot become a `smiskd`, or is in no place to."""


class Launched(BaseException):
    """Ends the program in a worker: its application is `application`. No Exception, so that programs let it pass.

    `last`: the one that was made last, for programs with an `except:` that does not.
    """

    last: ClassVar[Launched | None] = None

    def __init__(self, application: object) -> None:
        super().__init__("the application goes to smiskd")
        self.application = application
        Launched.last = self


class Plan:
    """What the program has asked for besides its FastCGI listener, until it runs its application.

    `http`: addresses, as `smiskd --http` takes them. `options`: more for the command line of `smiskd`. `folder`: where
    the program was started, if that is no longer the working folder. `debug`, `child`: see Handover.
    """

    def __init__(self) -> None:
        self.http: list[str] = []
        self.options: list[str] = []
        self.folder: str | None = None
        self.debug = False
        self.child: tuple[int, str] | None = None


plan = Plan()


def run_application(app: object, *, interface: str = "smisk") -> None:
    """Serves `app`, whose attribute `forks` says how many processes there are beside the first.

    `interface`: as `smiskd --interface` takes it. Returns only within a `smiskd` that imported the program as a module,
    after a warning. Raises LaunchError, an OSError, where there is nothing to listen on, or no `smiskd`.
    """
    if received() is not None:
        raise Launched(app)
    if is_hosted():
        warn("run() does nothing while smiskd imports the module: put the call under if __name__ == '__main__'")
        return
    if not _has_listener() and _names_listener(sys.argv[1:]):
        from smisk.util.main import main

        main(app)
        return
    if not _has_listener():
        raise LaunchError(f"{MESSAGE}: {HINT}")
    _become_smiskd(app, interface)


def warn(message: str) -> None:
    """Warns of the line that called into Smisk, from wherever in it."""
    import warnings

    level = 2
    while level < 50 and sys._getframe(level - 1).f_globals.get("__name__", "").startswith("smisk."):
        level += 1
    warnings.warn(message, RuntimeWarning, level)


# --- where to listen ---


def _has_listener() -> bool:
    """Whether it is known where to listen. SMISK_BIND counts for those who do not go through `main()`, too."""
    if listen.listening() is None and not plan.http and os.environ.get("SMISK_BIND"):
        listen.bind(os.environ["SMISK_BIND"])
    return listen.listening() is not None or bool(plan.http) or _is_listening(0)


def _names_listener(arguments: list[str]) -> bool:
    """Whether the command line says where to listen, in a program that calls `run()` without `main()`."""
    names = ("-b", "--bind", "-H", "--http", "--http-addr", "--http-port")
    return any(argument.partition("=")[0] in names for argument in arguments)


def _is_listening(fd: int) -> bool:
    """Whether a descriptor is a listening socket, as FastCGI servers give to what they start."""
    import socket

    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


# --- smiskd ---


def find_smiskd(environ: Mapping[str, str] = os.environ) -> str:
    """Returns the path of the `smiskd` that belongs to this Python: `SMISKD`, beside it, or on PATH.

    Raises LaunchError.
    """
    import shutil
    import sysconfig

    named = environ.get("SMISKD")
    if named:
        found = shutil.which(named, path=environ.get("PATH"))
        if found is None:
            raise LaunchError(f"SMISKD is {named!r}, which is no program")
        return os.path.abspath(found)
    folders = [os.path.dirname(sys.executable or ""), sysconfig.get_path("scripts")]
    beside = [os.path.join(folder, "smiskd") for folder in folders if folder]
    found = next((path for path in beside if os.access(path, os.X_OK)), None)
    found = found or shutil.which("smiskd", path=environ.get("PATH"))
    if found is None:
        where = " or ".join(dict.fromkeys(os.path.dirname(path) for path in beside))
        raise LaunchError(
            f"there is no smiskd in {where}, nor on PATH: install smisk into this Python, or set SMISKD"
        )
    return found


def _become_smiskd(app: object, interface: str) -> NoReturn:
    smiskd = find_smiskd()
    arguments = _arguments(_own_name(), getattr(app, "forks", 0), interface)
    environ = {**os.environ, VARIABLE: _handover().dump()}
    if "--venv" not in arguments:
        environ.pop("VIRTUAL_ENV", None)  # it is not what this Python runs in
    _let_go()
    try:
        os.execve(smiskd, [smiskd, *arguments], environ)
    except OSError as error:
        raise LaunchError(error.errno, f"cannot start {smiskd}: {error.strerror}") from None


def _arguments(name: str, forks: int, interface: str) -> list[str]:
    """The command line of `smiskd`. One thread: an Application is called for one request at a time, as it always was."""
    # The folder of this very package, should smiskd have another.
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    arguments = ["--interface", interface, "--workers", str(forks + 1), "--threads", "1", "--pythonpath", package]
    if sys.prefix != sys.base_prefix:
        arguments += ["--venv", sys.prefix]
    fd = listen.descriptor()
    if fd is None and _is_listening(0):
        fd = 0
    if fd is not None:
        arguments += ["--fastcgi", f"fd:{fd}"]
    for address in plan.http:
        arguments += ["--http", address]
    return [*arguments, *plan.options, name]


def _own_name() -> str:
    """How `launched` finds the program that runs: by its module, if `python -m` started it, else by its file."""
    import json

    program = sys.modules["__main__"]
    spec = getattr(program, "__spec__", None)
    file = getattr(program, "__file__", None)
    if spec is not None and spec.name != "__main__":
        return f"smisk.core.launched:module({json.dumps(spec.name)})"
    if not file or not os.path.isfile(file):
        raise LaunchError(
            "the program that calls run() is neither a file nor a module, so that smiskd could not run it again: "
            "write it into a file"
        )
    return f"smisk.core.launched:script({json.dumps(os.path.abspath(file), ensure_ascii=False)})"


def _handover() -> Handover:
    return Handover(
        argv=sys.argv,
        path=[entry for entry in sys.path if isinstance(entry, str)],
        folder=plan.folder or os.getcwd(),
        python="{}.{}".format(*sys.version_info),
        listening=listen.listening(),
        debug=plan.debug,
        child=plan.child,
    )


def _let_go() -> None:
    """Makes the process fit to be another program: output written, the listener kept, signals as at its start."""
    import signal
    import threading

    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    fd = listen.descriptor()
    if fd is not None:
        os.set_inheritable(fd, True)
    if threading.current_thread() is threading.main_thread():
        # Python ignores these two, which what it becomes would inherit.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
