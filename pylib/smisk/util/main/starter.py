# SPDX-License-Identifier: MIT
"""`main()`: from a command line to an application that is served.

The order of things: command line, application folder, configuration, application, log level; then daemons, or the
working folder, the umask and the application's `run()`. In a worker (`smisk.core.launched`) the same program goes the
same way again and leaves out what its process has inherited.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
from importlib import import_module

from smisk.core import listen
from smisk.core.handover import is_hosted, received
from smisk.core.launch import LaunchError, plan

from .binds import fork_binds, parse_bind_arg
from .cli import CommandLine, main_cli_filter
from .configured import configured
from .errors import handle_errors_wrapper
from .folders import setup_appdir
from .processes import control_process_runloop, daemonize

__all__ = ["Main", "absapp"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Protocol

    class Runnable(Protocol):
        """What of an Application is used here."""

        forks: int

        def run(self) -> object: ...


def _application_class() -> Any:
    return import_module("smisk.core").Application


def absapp(application: Any = None, default_app_type: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Returns an application: `application` itself, or an instance of it, if it is a class.

    None: the current application, or a new `default_app_type(*args, **kwargs)`; by default a `smisk.core.Application`.
    Raises ValueError for what is no application.
    """
    base = _application_class()
    if application is None:
        return base.current or (default_app_type or base)(*args, **kwargs)
    if isinstance(application, type) and issubclass(application, base):
        return application(*args, **kwargs)
    if isinstance(application, base):
        return application
    raise ValueError(f"{application!r} is neither an Application nor a subclass of it")


class Main:
    """Starts applications as programs. `default_app_type`: the class where none is named; None: Application."""

    default_app_type: Any = None

    def __init__(self) -> None:
        self._is_set_up = False
        self._pidfile: str | None = None

    def __call__(
        self,
        application: Any = None,
        appdir: str | None = None,
        bind: str | None = None,
        forks: int | None = None,
        handle_errors: bool = True,
        cli: bool = True,
        config: str | None = None,
        pidfile: str | None = None,
        chdir: str | None = None,
        umask: int | None = None,
        spawn: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Sets everything up and runs the application; further arguments are for its class.

        `application`, `config`, `args`, `kwargs`: as for `setup()`; all others are what the command line overrides,
        which is read unless `cli` is false. Returns what `run()` of the application returns, or with `spawn` the process
        ids. With `handle_errors` exceptions end the program, see `handle_errors_wrapper()`.
        """
        line = CommandLine(appdir, bind, forks, spawn, chdir, umask, pidfile=pidfile)
        if cli:
            line = main_cli_filter(*line)

        def start() -> Any:
            return self._start(line, application, config, *args, **kwargs)

        return handle_errors_wrapper(start) if handle_errors else start()

    def setup(
        self, application: Any = None, appdir: str | None = None, config: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Sets the application folder, loads the configuration named `config` from there, returns the application.

        `application`, `args`, `kwargs`: as for `absapp()`. Done once; then the current application is returned.
        """
        if self._is_set_up:
            return _application_class().current
        folder = setup_appdir(appdir)
        if config is not None:
            self._load(config, folder)
        found = absapp(application, self.default_app_type, *args, **kwargs)
        self._is_set_up = True
        return found

    def run(
        self, bind: str | None = None, application: Any = None, forks: int | None = None, handle_errors: bool = False
    ) -> Any:
        """Binds `bind`, or what SMISK_BIND says, and runs `application`, or the current one; returns what that returns.

        Raises what `bind()` raises, ValueError where there is no application.
        """
        if handle_errors:
            return handle_errors_wrapper(self.run, sys.exit, None, bind, application, forks)
        if bind is not None:
            os.environ["SMISK_BIND"] = bind
        if not is_hosted():
            self._prepare(os.environ.get("SMISK_BIND"))
        elif (handover := received()) is not None and handover.listening and listen.listening() is None:
            listen.bind(handover.listening)
        return self._run(application, forks)

    def run_deferred(
        self, signal_parent_after_exit: int = signal.SIGTERM, keepalive: bool = False, pause: float = 1.0, **how: Any
    ) -> int:
        """Runs the application in a child process and returns that one's id; `how`: as for `run()`.

        When it ends, the child sends its parent `signal_parent_after_exit`, unless that is 0. `keepalive`: it is run
        again and again, `pause` seconds after each end, until INT, QUIT or TERM comes; the child hands these on to it.
        """
        if is_hosted():
            self.run(**how)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._watch_over(parent, signal_parent_after_exit, pause if keepalive else None, how)
        return pid

    # --- the steps ---

    def _start(self, line: CommandLine, application: Any, config: str | None, *args: Any, **kwargs: Any) -> Any:
        folder = os.getcwd()
        found = self.setup(application, line.appdir, config, *args, **kwargs)
        if line.debug:
            plan.debug = True
            logging.getLogger().setLevel(logging.DEBUG)
        if is_hosted():
            return self.run(line.bind, found, line.forks)
        plan.folder = folder
        self._pidfile = line.pidfile and os.path.abspath(line.pidfile)
        if line.spawn is not None:
            return self._spawn(line, found)
        if line.umask is not None:
            os.umask(line.umask)
        if line.chdir is not None:
            os.chdir(line.chdir)
        if line.http_port is not None:
            plan.http.append(_http_address(line.http_addr or "", line.http_port))
        return self.run(line.bind, found, line.forks)

    @staticmethod
    def _load(config: str, folder: str) -> None:
        before = os.getcwd()
        os.chdir(folder)
        try:
            import_module("smisk.config").config(config)
        finally:
            os.chdir(before)

    def _prepare(self, bind: str | None) -> None:
        if bind:
            listen.bind(bind)
        if self._pidfile is not None:
            plan.options += ["--pidfile", self._pidfile]

    def _run(self, application: Any, forks: int | None) -> Any:
        found: Runnable = absapp(application, self.default_app_type)
        if configured("smisk.autoreload.modules", configured("smisk.autoreload")):
            plan.options.append("--reload")
        if forks is not None:
            found.forks = forks
        return found.run()

    # --- more than one process ---

    def _spawn(self, line: CommandLine, application: Any) -> list[int]:
        """Starts daemons, each with an address of its own; returns their process ids."""
        socket, port, address, _ = parse_bind_arg(line.bind or os.environ.get("SMISK_BIND") or [])
        files = [file if file is None else os.path.abspath(file) for file in (line.stdout, line.stderr)]
        if self._pidfile is not None:
            open(self._pidfile, "w").close()
        read_end, write_end = os.pipe()

        def serve(index: int, where: str) -> None:
            os.close(read_end)
            os.environ["SMISK_BIND"] = where
            listen.bind(where)
            daemonize(line.chdir or "/", line.umask, stdout=files[0] or os.devnull, stderr=files[1] or os.devnull)
            if self._pidfile is not None:
                with open(self._pidfile, "a") as file:
                    file.write(f"{os.getpid()}\n")
            # The pipe ends when all have become smiskd, or have failed.
            os.write(write_end, f"{os.getpid()} {where}\n".encode("utf-8", "surrogateescape"))
            self._run(application, line.forks)

        children = fork_binds(line.spawn or 0, serve, socket, port, address)
        os.close(write_end)
        with open(read_end, encoding="utf-8", errors="surrogateescape") as pipe:
            started = [text.rstrip("\n").split(" ", 1) for text in pipe]
        for pid in children:
            os.waitpid(pid, 0)
        for pid_text, where in started:
            print(f"server {pid_text} starting at {where}")
        if len(started) < len(children):
            raise LaunchError(f"{len(children) - len(started)} of {len(children)} servers did not start")
        return [int(pid_text) for pid_text, _ in started]

    def _watch_over(self, parent: int, signum: int, pause: float | None, how: dict[str, Any]) -> NoReturn:
        """In the child of `run_deferred()`: runs the application in a child of its own."""
        status = 1
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent may have blocked what is waited for here
        try:
            is_over = False
            while not is_over:
                is_over = self._run_once(how) or pause is None
                if pause is not None and not is_over:
                    time.sleep(pause)
            if signum != 0 and os.getppid() == parent:
                os.kill(parent, signum)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _run_once(self, how: dict[str, Any]) -> bool:
        """Runs the application to its end; whether it was told to end."""
        told: list[int] = []
        pid = os.fork()
        if pid == 0:
            try:
                self.run(**how)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        control_process_runloop([pid], cleanup=lambda signum, _: told.append(signum))
        return bool(told)


def _http_address(host: str, port: int) -> str:
    """As `smiskd` takes it. `localhost` is IPv4, as everywhere here."""
    if host == "localhost":
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
