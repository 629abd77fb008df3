# SPDX-License-Identifier: MIT
"""What a session costs a request: found by its cookie, read, changed, saved, or only read; in one process.

Beside the life of a session in Smisk stand the same stores used bare (a read and a write of known data), and the signed
cookies of Flask and Starlette, called as these frameworks call them. A request is made anew each time. Told is CPU
time, user and system, with what it would be in requests a second on one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from load import take_turn
from report import DIM, GREEN, RED, Report, say

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
DATA = {"user": "bob", "roles": ["editor", "reader"], "visits": 0, "seen": 1795353604.25}
SECRET = "a secret that everybody knows"
TARGET = ("files, changed", 10_000)  # requests a second

Step = Callable[[], None]


def smisk_steps(folder: str) -> Iterator[tuple[str, Step]]:
    """The life of a session with each store that needs no server, and the stores bare."""
    from smisk.session.cookie import CookieSessionStore
    from smisk.session.files import FileSessionStore
    from smisk.session.ids import make_id

    files = FileSessionStore(f"{folder}/files/")
    signed = CookieSessionStore(SECRET)
    stores = {"files": files, "signed cookie": signed}
    sid = make_id()
    values = {"signed cookie": signed.seal(sid, DATA)}
    try:
        from smisk.session.sql import SQLSessionStore
    except ImportError as error:
        say(f"skipped: {error}")
    else:
        stores["SQLite"] = SQLSessionStore(f"sqlite:///{folder}/sessions.db")
    for title, store in stores.items():
        if store.kept:
            store.write(sid, DATA)
            yield f"{title} bare, read and written", bare(store, sid)
        cookie = b"SID=" + values.get(title, sid).encode()
        yield f"{title}, read", life(store, cookie, change=False)
        yield f"{title}, changed", life(store, cookie, change=True)


def bare(store: Any, sid: str) -> Step:
    """A read and a write, with neither a request nor a comparison."""

    def step() -> None:
        store.read(sid)
        store.write(sid, DATA)

    return step


def life(store: Any, cookie: bytes, change: bool) -> Step:
    """One request that reads its session, and perhaps changes it in place."""
    from _smisk import _make_request
    from smisk.session.life import begin

    head = [(b"Host", b"example.org"), (b"Cookie", cookie)]

    def step() -> None:
        session = begin(_make_request("http", head), store)
        session.data["user"]
        if change:
            session.data["visits"] += 1
        session.cookie()
        session.finish()

    return step


def flask_step() -> Step:
    """Flask's own interface: opens the session of a request, changes it, saves it into a response."""
    import flask
    from werkzeug.test import EnvironBuilder

    app = flask.Flask("bench")
    app.secret_key = SECRET
    signer = app.session_interface.get_signing_serializer(app)
    environ = EnvironBuilder(headers={"Cookie": f"session={signer.dumps(DATA)}"}).get_environ()

    def step() -> None:
        session = app.session_interface.open_session(app, flask.Request(environ))
        session["visits"] += 1
        app.session_interface.save_session(app, session, flask.Response())

    return step


def starlette_step() -> Step:
    """Starlette's middleware around an application that changes the session."""
    import base64

    import itsdangerous
    from starlette.middleware.sessions import SessionMiddleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["visits"] += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    value = itsdangerous.TimestampSigner(SECRET).sign(base64.b64encode(json.dumps(DATA).encode()))
    middleware = SessionMiddleware(app, SECRET)
    fields = [(b"host", b"example.org"), (b"cookie", b"session=" + value)]

    def step() -> None:
        sent.clear()
        run(middleware({"type": "http", "path": "/", "headers": fields}, None, send))

    return step


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """To its end, without a loop: it never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waits")


def steps(folder: str) -> Iterator[tuple[str, Step]]:
    """Everything that is measured, by its title."""
    yield from smisk_steps(folder)
    for title, make in (
        ("Flask, signed cookie, changed", flask_step),
        ("Starlette, signed cookie, changed", starlette_step),
    ):
        try:
            yield title, make()
        except ImportError as error:
            say(f"skipped: {title}: {error}")


def measure(step: Step, seconds: float) -> float:
    """CPU µs of one step."""
    step()
    count, started, ends = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        for _ in range(20):
            step()
        count += 20
    return (time.process_time() - started) / count * 1e6


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench sessions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--folder", help="where files and the database are made; the temporary folder unless told")
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder for the Markdown and JSON files"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when the target was kept, 1 when not."""
    options = parse(arguments)
    turn = take_turn()
    report = Report("sessions", "What a session costs a request")
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measured = list(steps(folder))
        for number in range(1, options.rounds + 1):
            for title, step in measured:
                figures.setdefault(title, []).append(measure(step, options.seconds))
            say(f"round {number}/{options.rounds}")
    rows = [("", "CPU µs", "least–most", "requests/s on one core")]
    colours: list[tuple[str, ...]] = []
    kept = False
    for title, series in figures.items():
        median = statistics.median(series)
        rows.append((title, f"{median:.1f}", f"{min(series):.1f}–{max(series):.1f}", f"{1e6 / median:,.0f}"))
        if title == TARGET[0]:
            kept = 1e6 / median >= TARGET[1]
        colours.append((GREEN if kept else RED,) if title == TARGET[0] else ())
    report.table(f"Median of {options.rounds} rounds (target: {TARGET[0]}, {TARGET[1]:,} requests/s)", rows, colours)
    report.line("")
    report.line(f"- data: {len(json.dumps(DATA))} bytes of JSON", DIM)
    report.data["cpu_us"] = figures
    report.write(options.results)
    turn.close()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
