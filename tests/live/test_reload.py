# SPDX-License-Identifier: MIT
"""--reload: a real smiskd, real files that change, and what clients see meanwhile."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib import process
from lib.daemon import Smiskd, run_smiskd
from lib.fcgi import FastCGI, cgi_env
from lib.http import Answer, RawHTTP, get
from lib.wait import until
from lib.websocket import TEXT, frame, open_websocket

HTTP = ("--http", "127.0.0.1:0")
PERSON = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
RELOADED = "reloaded: all workers run the new code"
FAILED = "reload failed"
Develop = Callable[..., Smiskd]

BROKEN = "def handle(request:\n"
STREAM = """
import os
def handle(request):
    if request.path != "/stream":
        return "{version}"
    def pieces():
        while True:
            yield b"x" * 1000
    return pieces()
"""


def answers(text: str) -> str:
    """A module that answers this."""
    return f"def handle(request):\n    return {text!r}\n"


def write(path: Path, text: str) -> None:
    """Writes as careful editors do: into another file that takes the place of the old one."""
    other = path.with_name(f".{path.name}.new")
    other.write_text(text)
    other.rename(path)


def ask(daemon: Smiskd, *fields: str, path: str = "/") -> Answer:
    """One answer, on a connection of its own."""
    with RawHTTP(daemon.http) as raw:
        return raw.request(get(path, *fields))


def change_until_seen(daemon: Smiskd, path: Path, text: str) -> None:
    """Writes a file whose import the watcher may not have seen yet, which nothing tells."""

    def change() -> bool:
        write(path, text)
        return daemon.log.find(rf"reload: {path.name} changed") is not None

    until(change, lambda: str(daemon.log), 10.0)


class Site:
    """A folder with an application, and the smiskd that develops it."""

    def __init__(self, folder: Path, start: Develop) -> None:
        self.folder = folder
        self._start = start
        self.daemons: list[Smiskd] = []

    def serve(self, *arguments: str, errors: bool = False, **more: object) -> Smiskd:
        """Starts smiskd in the folder; with `errors` the log may have any."""
        daemon = self._start("--reload", *HTTP, *arguments, cwd=self.folder, **more)
        self.daemons.append(daemon)
        if errors:
            daemon.allow_log(".")
        return daemon

    def change(self, daemon: Smiskd, name: str, text: str, until: str = RELOADED) -> None:
        """Writes a file and waits for what comes of it."""
        since = daemon.log.mark()
        write(self.folder / name, text)
        daemon.wait_log(until, since)
        self.settle(daemon)

    def settle(self, daemon: Smiskd) -> None:
        """Waits for the end of the workers that were replaced."""
        until(lambda: len(daemon.workers()) == 1, "one worker is left", 10.0)
        daemon.rebase(1)


@pytest.fixture
def site(tmp_path: Path, smiskd: Develop) -> Iterator[Site]:
    site = Site(tmp_path, smiskd)
    yield site
    for daemon in site.daemons:
        daemon.baseline = {}  # watchfiles opens and closes descriptors in a thread, as modules are imported


# --- what is watched ---


def test_changed_module_is_served_and_log_names_it(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app")
    daemon.wait_log("for development only")
    assert ask(daemon).body == b"one"
    site.change(daemon, "app.py", answers("two"))
    daemon.wait_log(r"reload: app\.py changed")
    assert ask(daemon).body == b"two"
    (site.folder / "app.py").write_text(answers("three"))
    until(lambda: ask(daemon).body == b"three", "the file written in its place", 10.0)
    site.settle(daemon)


def test_changed_module_is_served_where_watchfiles_is_not_installed(site: Site) -> None:
    write(site.folder / "watchfiles.py", "raise ImportError(__name__)\n")
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app")
    site.change(daemon, "app.py", answers("two"))
    assert ask(daemon).body == b"two"


def test_changed_submodule_of_a_package_is_served(site: Site) -> None:
    (site.folder / "shop/parts").mkdir(parents=True)
    write(site.folder / "shop/__init__.py", "from .parts.text import TEXT\ndef handle(request):\n    return TEXT\n")
    (site.folder / "shop/parts/__init__.py").touch()
    write(site.folder / "shop/parts/text.py", "TEXT = 'one'\n")
    daemon = site.serve("shop")
    site.change(daemon, "shop/parts/text.py", "TEXT = 'two'\n")
    assert ask(daemon).body == b"two"


def test_module_imported_by_a_handler_is_watched(site: Site) -> None:
    write(site.folder / "late.py", "TEXT = 'one'\n")
    write(site.folder / "app.py", "def handle(request):\n    import late\n    return late.TEXT\n")
    daemon = site.serve("app")
    assert ask(daemon).body == b"one"
    change_until_seen(daemon, site.folder / "late.py", "TEXT = 'two'\n")
    until(lambda: ask(daemon).body == b"two", lambda: str(daemon.log), 10.0)
    since = daemon.log.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(RELOADED, since)
    site.settle(daemon)


def test_template_changed_or_added_reloads(site: Site) -> None:
    (site.folder / "templates").mkdir()
    write(site.folder / "templates/a.html", "one")
    write(site.folder / "app.py", "TEXT = open('templates/a.html').read()\ndef handle(request):\n    return TEXT\n")
    daemon = site.serve("app")
    site.change(daemon, "templates/a.html", "two")
    assert ask(daemon).body == b"two"
    site.change(daemon, "templates/b.html", "new")


def test_named_path_reloads(site: Site) -> None:
    (site.folder / "data").mkdir()
    write(site.folder / "data/a.json", "1")
    write(site.folder / "app.py", "TEXT = open('data/a.json').read()\ndef handle(request):\n    return TEXT\n")
    daemon = site.serve("--set", "autoreload_paths=['data']", "app")
    site.change(daemon, "data/a.json", "2")
    assert ask(daemon).body == b"2"


def test_configuration_and_what_it_includes_reload(site: Site) -> None:
    write(site.folder / "app.py", answers("one") + "def other(request):\n    return 'two'\n")
    write(site.folder / "inner.conf", "max_headers: 50")
    write(site.folder / "smisk.conf", "@include 'inner.conf', app: 'app'")
    daemon = site.serve("-c", str(site.folder / "smisk.conf"))
    assert ask(daemon).body == b"one"
    site.change(daemon, "smisk.conf", "@include 'inner.conf', app: 'app:other'")
    assert ask(daemon).body == b"two"
    site.change(daemon, "inner.conf", "max_headers: 3")
    assert ask(daemon, *[f"X-{i}: 1" for i in range(5)]).status == 431


# --- code that does not run ---


def test_broken_code_is_shown_to_people_and_old_code_serves_the_rest(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app", errors=True)
    site.change(daemon, "app.py", BROKEN, FAILED)
    page = ask(daemon, PERSON)
    assert (page.status, page.get("content-type")) == (500, "text/html; charset=utf-8")
    assert page.get("cache-control") == "no-store"
    assert b"SyntaxError" in page.body and b"app.py" in page.body and b"def handle(request:" in page.body
    for fields in ([], ["Accept: */*"], [PERSON, "Sec-Fetch-Dest: empty"], ["Accept: application/json"]):
        assert ask(daemon, *fields).body == b"one", fields
    assert ask(daemon, "Sec-Fetch-Dest: document").status == 500
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/", PERSON, "Content-Length: 0", method="POST"))
        assert raw.read_answer().body == b"one"
    site.change(daemon, "app.py", answers("two"))
    assert ask(daemon, PERSON).body == b"two"


def test_page_can_ask_whether_its_error_still_holds(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app", errors=True)

    def stamp() -> str | None:
        answer = ask(daemon, "Smisk-Reload: 1")
        assert (answer.status, answer.body) == (204, b"")
        return answer.get("smisk-reload")

    assert stamp() == "0"
    site.change(daemon, "app.py", BROKEN, FAILED)
    first = stamp()
    assert first not in ("0", None)
    assert f'"Smisk-Reload": "{first}"'.encode() in ask(daemon, PERSON).body
    site.change(daemon, "app.py", BROKEN + "#", FAILED)
    assert stamp() not in ("0", first, None)
    site.change(daemon, "app.py", answers("two"))
    assert stamp() == "0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import nowhere\n", b"No module named"),
        ("x = 1 / 0\n", b"ZeroDivisionError"),
        (answers("x") + "def application_will_start():\n    raise ValueError('no <b> luck')\n", b"no &lt;b&gt; luck"),
        ("import sys\nsys.exit(3)\n", b"SystemExit"),
        ("import os\nos._exit(3)\n", b"exited with status 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", b"killed by signal 9"),
        ("y = 1\n", b"app"),
    ],
)
def test_each_way_not_to_start_is_shown_and_mended(site: Site, text: str, shown: bytes) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app", errors=True)
    site.change(daemon, "app.py", text, FAILED)
    page = ask(daemon, PERSON)
    assert page.status == 500
    assert shown in page.body
    assert ask(daemon).body == b"one"
    site.change(daemon, "app.py", answers("two"))
    assert ask(daemon, PERSON).body == b"two"


def test_broken_module_that_the_old_code_does_not_know_is_mended(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app", errors=True)
    write(site.folder / "fresh.py", "(")
    site.change(daemon, "app.py", "from fresh import TEXT\ndef handle(request):\n    return TEXT\n", FAILED)
    assert b"fresh.py" in ask(daemon, PERSON).body
    site.change(daemon, "fresh.py", "TEXT = 'two'\n")
    assert ask(daemon, PERSON).body == b"two"


def test_broken_configuration_is_shown_and_mended(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    write(site.folder / "smisk.conf", "app: 'app'")
    daemon = site.serve("-c", str(site.folder / "smisk.conf"), errors=True)
    site.change(daemon, "smisk.conf", "app: 'app',\nwrkers: 2", "reload refused")
    page = ask(daemon, PERSON)
    assert page.status == 500
    assert b"smisk.conf:2: unknown key &quot;wrkers&quot;" in page.body
    assert ask(daemon).body == b"one"
    site.change(daemon, "smisk.conf", "app: 'app'")
    assert ask(daemon, PERSON).body == b"one"


def test_over_fastcgi_broken_code_is_shown_too(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("--fastcgi", "127.0.0.1:0", "app", errors=True)
    site.change(daemon, "app.py", BROKEN, FAILED)
    with FastCGI(daemon.fastcgi) as front:
        reply = front.ask(env=cgi_env(HTTP_ACCEPT="text/html"))
    assert reply.header("status") == "500 Internal Server Error"
    assert b"SyntaxError" in reply.stdout


# --- a first start that fails ---


def test_first_start_that_fails_shows_the_error_and_recovers(site: Site) -> None:
    write(site.folder / "app.py", BROKEN)
    daemon = site.serve("app", errors=True)
    page = ask(daemon, PERSON)
    assert (page.status, page.get("content-type")) == (500, "text/html; charset=utf-8")
    assert b"SyntaxError" in page.body
    plain = ask(daemon)
    assert (plain.status, plain.get("content-type")) == (500, "text/plain; charset=utf-8")
    assert b"SyntaxError" in plain.body
    site.change(daemon, "app.py", BROKEN + "#", FAILED)
    assert ask(daemon).status == 500
    site.change(daemon, "app.py", answers("one"))
    assert ask(daemon, PERSON).body == b"one"


def test_first_start_without_its_module_recovers_when_it_comes(site: Site) -> None:
    daemon = site.serve("comes", errors=True)
    assert b"comes" in ask(daemon).body
    site.change(daemon, "comes.py", answers("here"))
    assert ask(daemon).body == b"here"


def test_first_start_that_hangs_in_its_import_is_given_up_when_mended(site: Site) -> None:
    write(site.folder / "app.py", "print('hanging', flush=True)\nimport time\ntime.sleep(1000)\n")
    daemon = site.serve("app", ready=False)
    daemon.wait_log("hanging")
    change_until_seen(daemon, site.folder / "app.py", answers("one"))
    daemon.wait_ready()
    assert ask(daemon).body == b"one"


def test_without_reload_a_first_start_that_fails_is_the_end(tmp_path: Path) -> None:
    write(tmp_path / "app.py", BROKEN)
    done = run_smiskd(*HTTP, "app", cwd=tmp_path)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr


# --- reloads that meet ---


def test_replacement_that_hangs_is_given_up_for_newer_code(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    daemon = site.serve("app")
    site_log = daemon.log.mark()
    write(site.folder / "app.py", "print('hanging', flush=True)\nimport time\ntime.sleep(1000)\n")
    daemon.wait_log("hanging", site_log)
    assert ask(daemon).body == b"one"
    site.change(daemon, "app.py", answers("two"))
    assert ask(daemon).body == b"two"


def test_hup_during_a_replacement_reloads_again(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    os.mkfifo(site.folder / "gate")
    daemon = site.serve("app")
    since = daemon.log.mark()
    write(site.folder / "app.py", "print('waiting', flush=True)\nopen('gate').read()\n" + answers("two"))
    daemon.wait_log("waiting", since)
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloading as soon as", since)
    (site.folder / "gate").write_text("go")
    daemon.wait_log("waiting", since, times=2)
    (site.folder / "gate").write_text("go")
    daemon.wait_log(RELOADED, since, times=2)
    site.settle(daemon)
    assert ask(daemon).body == b"two"


def test_several_workers_are_all_replaced(site: Site) -> None:
    write(site.folder / "app.py", "import os\ndef handle(request):\n    return f'one {os.getpid()}'\n")
    daemon = site.serve("--workers", "3", "app")
    old = set(daemon.workers())
    since = daemon.log.mark()
    write(site.folder / "app.py", "import os\ndef handle(request):\n    return f'two {os.getpid()}'\n")
    daemon.wait_log(RELOADED, since)
    until(lambda: len(daemon.workers()) == 3 and not old & set(daemon.workers()), "three new workers", 10.0)
    daemon.rebase(3)
    assert ask(daemon).body.startswith(b"two ")
    assert daemon.log.count(RELOADED, since) == 1


# --- what is open meanwhile ---


def test_open_stream_does_not_hold_the_old_code(site: Site) -> None:
    write(site.folder / "app.py", STREAM.format(version="one"))
    daemon = site.serve("app")
    old = daemon.workers()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/stream"))
        assert raw.read_head().status == 200
        since = daemon.log.mark()
        write(site.folder / "app.py", STREAM.format(version="two"))
        daemon.wait_log(RELOADED, since)
        until(lambda: not set(old) & set(daemon.workers()), "the old worker has left", 10.0)
        assert ask(daemon).body == b"two"
    site.settle(daemon)


ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        {startup}
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    while scope["path"] == "/stream":
        await send({{"type": "http.response.body", "body": b"x" * 1000, "more_body": True}})
    await send({{"type": "http.response.body", "body": b"{version}"}})
"""


def test_asynchronous_application_is_reloaded_with_its_streams_open(site: Site) -> None:
    write(site.folder / "app.py", ASGI.format(startup="pass", version="one"))
    daemon = site.serve("app", errors=True)
    old = daemon.workers()
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/stream"))
        assert raw.read_head().status == 200
        since = daemon.log.mark()
        write(site.folder / "app.py", ASGI.format(startup="pass", version="two"))
        daemon.wait_log(RELOADED, since)
        until(lambda: not set(old) & set(daemon.workers()), "the old worker has left", 10.0)
        assert ask(daemon).body == b"two"
    site.settle(daemon)


SOCKETS = """
async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({{"type": "websocket.accept"}})
        while (await receive())["type"] != "websocket.disconnect":
            await send({{"type": "websocket.send", "text": "{version}"}})
    elif scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b"{version}"}})
"""


def test_open_websockets_do_not_hold_the_old_code(site: Site) -> None:
    pytest.importorskip("wsproto")
    write(site.folder / "app.py", SOCKETS.format(version="one"))
    daemon = site.serve("--interface", "asgi", "app:application")
    sockets = [open_websocket(daemon.http, "/") for _ in range(20)]
    sockets[0].send(frame(TEXT, "?"))
    assert sockets[0].read_frame().payload == b"one"
    site.change(daemon, "app.py", SOCKETS.format(version="two"))
    for socket in sockets:
        assert socket.read_close().code == 1012  # Service Restart
        socket.close()
    with open_websocket(daemon.http, "/") as fresh:
        fresh.send(frame(TEXT, "?"))
        assert fresh.read_frame().payload == b"two"
    assert ask(daemon).body == b"two"


def test_asynchronous_application_whose_start_fails_is_shown_and_mended(site: Site) -> None:
    write(site.folder / "app.py", ASGI.format(startup="raise ValueError('no luck')", version="one"))
    daemon = site.serve("--set", "lifespan=on", "app", errors=True)
    assert ask(daemon, PERSON).status == 500
    assert b"no luck" in ask(daemon).body
    site.change(daemon, "app.py", ASGI.format(startup="pass", version="two"))
    assert ask(daemon, PERSON).body == b"two"
    site.change(daemon, "app.py", ASGI.format(startup="raise ValueError('again')", version="three"), FAILED)
    assert b"again" in ask(daemon, PERSON).body
    assert ask(daemon).body == b"two"


def test_child_of_the_application_survives_a_reload(site: Site) -> None:
    forks = "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\n"
    write(site.folder / "app.py", forks + answers("one"))
    daemon = site.serve("app")
    until(lambda: len(process.in_session(daemon.pid)) == 3, "master, worker and child")
    site.change(daemon, "app.py", answers("two"))
    assert ask(daemon).body == b"two"
    left = [pid for pid in process.in_session(daemon.pid) if pid not in (daemon.pid, *daemon.workers())]
    assert len(left) == 1
    os.kill(left[0], signal.SIGKILL)


def test_error_of_a_handler_shows_its_traceback(site: Site) -> None:
    write(site.folder / "app.py", "def handle(request):\n    raise ValueError('shown')\n")
    daemon = site.serve("app", errors=True)
    assert b"shown" in ask(daemon).body
    quiet = site.serve("--set", "show_traceback=false", "app", errors=True)
    assert b"shown" not in ask(quiet).body


def body_of(where: str) -> bytes:
    with RawHTTP(where) as raw:
        return raw.request(get()).body


def test_reload_in_the_background(site: Site) -> None:
    write(site.folder / "app.py", answers("one"))
    log, pidfile, sock = site.folder / "log", site.folder / "pid", site.folder / "s"
    done = run_smiskd(
        *("--reload", "--daemonize", "--pidfile", str(pidfile), "--set", f"error_log={log}"),
        *("--http", f"unix:{sock}", "app"),
        cwd=site.folder,
    )
    assert done.returncode == 0, done.stderr
    master = int(pidfile.read_text())
    try:
        write(site.folder / "app.py", answers("two"))
        until(lambda: RELOADED in log.read_text(), lambda: log.read_text(), 20.0)
        until(lambda: body_of(str(sock)) == b"two", "the old worker, told to leave, accepts no more")
        assert "for development only" in log.read_text()
    finally:
        os.kill(master, signal.SIGTERM)
        until(lambda: not process.alive(master), "the end of the master", 10.0)
