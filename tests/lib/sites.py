# SPDX-License-Identifier: MIT
"""The framework sites of tests/apps/frameworks, and the servers that people run them on today.

A reference is uvicorn for ASGI, gunicorn for WSGI. Owns: the reference's process, ended by its id.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib import process
from lib.daemon import APPS, environment
from lib.log import Log
from lib.servers import free_port
from lib.wait import until

__all__ = ["FOLDER", "HOST", "SITES", "Reference", "Site", "prepare", "site_environment"]

FOLDER = APPS / "frameworks"
HOST = "site.example"  # what clients say in Host, so that absolute URLs are the same from every server
START_SECONDS = 30.0


@dataclass(frozen=True)
class Site:
    """One application. `modules`: without them it cannot be imported; `lacks`: flows that the framework has no part for."""

    name: str
    app: str
    interface: str
    framework: str
    modules: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    @property
    def version(self) -> str:
        """Name and version of the framework, for tables."""
        return f"{self.framework} {importlib.metadata.version(self.framework)}"

    @property
    def has_websockets(self) -> bool:
        """Whether the site has those of lib.sockets; Django itself has none."""
        return self.interface == "ASGI" and self.framework != "Django"

    @property
    def notes_leaving(self) -> bool:
        """Whether its handler learns how a client left; Quart's is cancelled."""
        return self.framework != "Quart"

    def missing(self) -> list[str]:
        """What this Python lacks for the site."""
        wanted = (self.framework.lower(), *self.modules, "uvicorn" if self.interface == "ASGI" else "gunicorn")
        return [name for name in wanted if importlib.util.find_spec(name) is None]


JINJA = ("jinja2",)
DATA = frozenset({"orm", "admin"})  # Django has them
MIDDLEWARE = frozenset({"compression", "cors"})
SITES = [
    Site("flask", "flask_site:app", "WSGI", "Flask", ("pydantic",), DATA | MIDDLEWARE),
    Site(
        "django-wsgi",
        "django_site.wsgi:application",
        "WSGI",
        "Django",
        (),
        frozenset({"injection", "cors", "chunked"}),
    ),
    Site(
        "falcon-wsgi", "falcon_wsgi_site:app", "WSGI", "falcon", (), DATA | {"sessions", "templates", "compression"}
    ),
    Site(
        "bottle",
        "bottle_site:app",
        "WSGI",
        "bottle",
        (),
        DATA | MIDDLEWARE | {"sessions", "injection", "templates", "fields", "chunked"},
    ),
    Site("django-asgi", "django_site.asgi:application", "ASGI", "Django", (), frozenset({"injection", "cors"})),
    Site("starlette", "starlette_site:app", "ASGI", "starlette", (*JINJA, "python_multipart", "itsdangerous"), DATA),
    Site("fastapi", "fastapi_site:app", "ASGI", "fastapi", (*JINJA, "python_multipart", "itsdangerous"), DATA),
    Site("litestar", "litestar_site:app", "ASGI", "litestar", JINJA, DATA),
    Site(
        "falcon-asgi",
        "falcon_asgi_site:app",
        "ASGI",
        "falcon",
        (),
        DATA | {"sessions", "templates", "compression", "files"},
    ),
    Site("quart", "quart_site:app", "ASGI", "Quart", (), DATA | MIDDLEWARE | {"injection", "fields"}),
]


def site_environment(folder: Path) -> dict[str, str]:
    """What the sites read from the environment."""
    return {"SITE_FOLDER": str(folder)}


def prepare(site: Site, folder: Path, database: Path) -> Path:
    """Makes the folder that one server of this site keeps its state in. `database`: Django's, made once, then copied."""
    folder.mkdir(parents=True)
    if site.framework != "Django":
        return folder
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        env = environment(site_environment(database.parent)) | {"PYTHONPATH": str(FOLDER)}
        subprocess.run([sys.executable, "-m", "django_site.prepare"], env=env, check=True, timeout=60)
        (database.parent / "site.sqlite3").rename(database)
    shutil.copy(database, folder / "site.sqlite3")
    return folder


class Reference:
    """A site on uvicorn or gunicorn, at `port` of 127.0.0.1."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.port = free_port()
        where = f"127.0.0.1:{self.port}"
        if site.interface == "ASGI":
            # h11 and asyncio: the ones written in Python, which uvicorn's other parts are measured by.
            options = ["--port", str(self.port), "--http", "h11", "--loop", "asyncio", "--no-proxy-headers"]
            command = ["uvicorn", *options, "--timeout-keep-alive", "60", "--log-level", "warning"]
        else:
            # Threads: its only kind of worker that keeps connections and streams to several clients.
            command = [
                "gunicorn",
                "--bind",
                where,
                "--worker-class",
                "gthread",
                "--threads",
                "4",
                "--log-level",
                "warning",
            ]
            command += ["--worker-tmp-dir", str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, site.app],
            cwd=folder,
            env=environment(site_environment(folder)) | {"PYTHONPATH": str(FOLDER)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self.process.stderr is None:
            raise TypeError("the reference was started without a pipe")
        self.log = Log(self.process.stderr)
        try:
            until(self._accepts, f"{command[0]} accepts connections", START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def _accepts(self) -> bool:
        assert self.process.poll() is None, f"the reference ended at its start:\n{self.log}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Ends it with all its processes."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10.0)
        for pid in process.in_session(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10.0)
        self.log.join()


def skip_without(site: Site) -> None:
    """Skips the test where the site cannot run."""
    missing = site.missing()
    if missing:
        pytest.skip(f"{site.name}: not importable in this Python: {', '.join(missing)}")
