# SPDX-License-Identifier: MIT
"""A real `smiskd` for the time of a test: on a port of its own, ready when `start()` returns, gone with the test.

It takes what the test's own process can import and runs in the same virtual environment. Ports are the kernel's choice
and come from the line with which smiskd says that it is ready.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType

from .keeper import Kept
from .program import application_name, find_smiskd, own_folders, virtual_environment
from .serverlog import ServerLog

__all__ = ["Server", "ServerError"]

Address = tuple[str, int] | str
READY = re.compile(r"ready: (?P<listeners>.*) \(\d+ workers?\)")
ANY_PORT = "127.0.0.1:0"
# What is said on the command line, over a configuration that is meant for production.
FIXED = {"daemonize": "false", "autoreload": "false", "error_log": "stderr", "shutdown_timeout": "5s"}


class ServerError(RuntimeError):
    """smiskd did not start, or did not end well. The message has its log; `log` and `status` (None: killed) too."""

    def __init__(self, message: str, log: str, status: int | None) -> None:
        super().__init__(f"{message}\n{log or '(its log is empty)'}")
        self.log = log
        self.status = status


class Server:
    """Runs smiskd; use it as a context manager, or with `start()` and `stop()`.

    `app`: a name as smiskd takes it, or a function or class of a module, named by its file; None: that of `config`.
    `interface` as in smisk.conf. `http`, `fastcgi`: whether it listens for that protocol: True for a free port on
    127.0.0.1, "unix" for a socket in a folder of its own, or an address. `config`: a smisk.conf or TOML file;
    `settings`: over it, keys and values as for `smiskd --set`. Unless they say otherwise: `daemonize` and `autoreload`
    are off, `shutdown_timeout` is 5s, `log_level` info, and the log is this object's. `workers`: processes. `env`:
    variables over those of this process, None to remove one. `pythonpath`: folders to import from; None: those that
    this process imports from. `cwd`: the folder to start in. `smiskd`: the program. `start_timeout`, `stop_timeout`:
    seconds.
    """

    def __init__(
        self,
        app: object = None,
        interface: str = "auto",
        *,
        http: bool | str = True,
        fastcgi: bool | str = False,
        config: str | os.PathLike[str] | None = None,
        settings: Mapping[str, object] | None = None,
        workers: int = 1,
        env: Mapping[str, str | None] | None = None,
        pythonpath: Iterable[str | os.PathLike[str]] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        smiskd: str | os.PathLike[str] | None = None,
        start_timeout: float = 30.0,
        stop_timeout: float = 30.0,
    ) -> None:
        if app is None and config is None:
            raise TypeError("name an application, or a configuration with one")
        if not (http or fastcgi):
            raise TypeError("it has to listen for http or fastcgi")
        self._program = find_smiskd(smiskd)
        self._app = None if app is None else application_name(app)
        self._interface = interface
        self._listen = {"http": http, "fastcgi": fastcgi}
        self._config = None if config is None else os.path.abspath(config)
        self._settings = {**FIXED, "log_level": "info", "workers": workers, **(settings or {})}
        self._env = dict(env or {})
        self._pythonpath = [os.path.abspath(each) for each in (own_folders() if pythonpath is None else pythonpath)]
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._timeouts = (start_timeout, stop_timeout)
        self._lock = threading.Lock()
        self._kept: Kept | None = None
        self._log: ServerLog | None = None
        self._folder = ""
        self._addresses: list[tuple[str, Address]] = []

    # --- life ---

    def start(self) -> Server:
        """Starts smiskd and returns when it serves. Raises ServerError with its log if it does not."""
        if self._kept is not None:
            raise RuntimeError("the server has been started already")
        self._folder = tempfile.mkdtemp(prefix="smisk-")
        try:
            self._kept = Kept(self._command(), self._environment(), self._cwd, self._folder)
            self._log = ServerLog(self._kept.log)
            self._wait_ready(self._log)
        except BaseException:
            with contextlib.suppress(ServerError):
                self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends smiskd, which finishes what it is doing, and removes its folder; once more is fine.

        ServerError if it had died, ends with another status than 0, or has to be killed after `stop_timeout`.
        """
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is None:
            self._remove_folder()
            return
        status = kept.end(self._timeouts[1])
        if self._log is not None:
            self._log.join(self._timeouts[1])
        self._remove_folder()
        if status != 0:
            how = f"had to be killed after {self._timeouts[1]} s" if status is None else f"ended with status {status}"
            raise ServerError(f"smiskd {how}; its log:", self.log, status)

    def _remove_folder(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except ServerError:
            if kind is None:  # what the test failed of comes first
                raise

    def __repr__(self) -> str:
        state = f"serves {', '.join(map(str, self._addresses))}" if self._kept else "stopped"
        return f"<Server of {self._app or self._config}, {state}>"

    # --- starting ---

    def _command(self) -> list[str]:
        command = [self._program]
        if self._config is not None:
            command += ["-c", self._config]
        for protocol, wanted in self._listen.items():
            if wanted:
                command += [f"--{protocol}", self._address(protocol, wanted)]
        if self._interface != "auto":
            command += ["--interface", self._interface]
        venv = virtual_environment()
        if venv is not None and "venv" not in self._settings:
            command += ["--venv", venv]
        for folder in self._pythonpath:
            command += ["--pythonpath", folder]
        command += ["--set", f"pidfile={self._folder}/pid"]
        for key, value in self._settings.items():
            command += ["--set", f"{key}={_written(value)}"]
        return [*command, *([self._app] if self._app is not None else [])]

    def _address(self, protocol: str, wanted: bool | str) -> str:
        if wanted is True:
            return ANY_PORT
        return f"unix:{self._folder}/{protocol}.sock" if wanted == "unix" else str(wanted)

    def _environment(self) -> dict[str, str]:
        env = {**os.environ, **self._env}
        for name in ("PYTHONHOME", "FCGI_WEB_SERVER_ADDRS"):
            if name not in self._env:
                env.pop(name, None)
        return {name: value for name, value in env.items() if value is not None}

    def _wait_ready(self, log: ServerLog) -> None:
        match = log.wait(READY.pattern, self._timeouts[0])
        if match is None:
            ended = log.is_ended
            kept, self._kept = self._kept, None
            status = kept.end(self._timeouts[1] if ended else 0.0) if kept is not None else None
            log.join(self._timeouts[1])
            how = f"ended with status {status}" if ended else f"was not ready within {self._timeouts[0]} s"
            raise ServerError(f"smiskd did not start: it {how}; its log:", self.log, status)
        self._addresses = [_parse(text) for text in match["listeners"].split(", ")]

    # --- what is asked of it ---

    @property
    def pid(self) -> int:
        """The process id of the master. RuntimeError while it does not run."""
        if self._kept is None:
            raise RuntimeError("the server does not run")
        return self._kept.pid

    @property
    def log(self) -> str:
        """What smiskd and the application have written to the log so far, the last 4 MiB of it."""
        return self._log.text if self._log is not None else ""

    def wait_log(self, pattern: str, within: float = 10.0) -> re.Match[str]:
        """Waits for a line of the log with the pattern (a regular expression) in it; the match.

        TimeoutError with the log after `within` seconds, or when smiskd has ended without it.
        """
        match = self._log.wait(pattern, within) if self._log is not None else None
        if match is None:
            raise TimeoutError(f"no line with {pattern!r} in the log:\n{self.log}")
        return match

    def address(self, protocol: str = "http") -> Address:
        """Where it listens for "http" or "fastcgi": (host, port), or the path of a unix socket. LookupError: nowhere."""
        for spoken, address in self._addresses:
            if spoken == protocol:
                return address
        raise LookupError(f"the server does not listen for {protocol}")

    @property
    def port(self) -> int:
        """The TCP port of HTTP, or of FastCGI where HTTP has none. LookupError where it listens on sockets alone."""
        for _, address in sorted(self._addresses, key=lambda pair: pair[0] != "http"):
            if not isinstance(address, str):
                return address[1]
        raise LookupError("the server listens on no TCP port")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, to which a path is added. LookupError where it does not listen for HTTP over TCP."""
        address = self.address("http")
        if isinstance(address, str):
            raise LookupError(f"it listens on the socket {address}, which has no URL")
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"http://{host}:{address[1]}"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _parse(text: str) -> tuple[str, Address]:
    """("http", ("127.0.0.1", 8080)) of "http://127.0.0.1:8080", ("fastcgi", "/s") of "fastcgi+unix:/s"."""
    scheme, _, rest = text.partition(":")
    protocol, plus, _ = scheme.partition("+")
    if plus:
        return protocol, rest.removeprefix("//")
    host, _, port = rest.removeprefix("//").rpartition(":")
    return protocol, (host.strip("[]"), int(port))
