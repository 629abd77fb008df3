# SPDX-License-Identifier: MIT
"""Sites of the frameworks on smiskd, over HTTP and behind nginx over FastCGI, against uvicorn and gunicorn.

Each flow of lib.flows and each conversation of lib.sockets is done once at the reference and once at smiskd. The answers
must be the same, field by field, but for what lib.steps names as random, and for DIFFERENCES. Every server of a site begins
with a folder of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("httpx")
pytest.importorskip("websockets")

from lib.daemon import Smiskd
from lib.flows import FLOWS
from lib.servers import Front, start_front
from lib.sites import FOLDER, SITES, Reference, Site, prepare, site_environment, skip_without
from lib.sockets import CONVERSATIONS, Conversation, converse
from lib.steps import Answer, Difference, Step, allowed, compare, run_flow

WAYS = ("http", "fastcgi")
ON_PURPOSE = r"broken on purpose"
DIFFERENCES = [
    Difference("*", "fastcgi", "*", "x-accel-buffering", "nginx takes it for itself"),
    Difference("django-*", "*", "GET /write", "etag", "a digest of the page with its CSRF token"),
    *(
        Difference(
            site, "*", f"GET /{path}", "vary", "sent by http.response.pathsend, which GZipMiddleware passes by"
        )
        for site in ("starlette", "fastapi")
        for path in ("file", "download")
    ),
    Difference(
        "falcon-asgi",
        "*",
        "GET /notes/endless",
        "*",
        "send() of uvicorn swallows what comes after the client has gone",
    ),
]
# Expected of the reference, and what smiskd says: 1011 where the application failed (RFC 6455 7.4.1), as uvicorn only
# hangs up.
TALKS_MAY_DIFFER: dict[object, object] = {("closed", 1006, ""): ("closed", 1011, "")}


@dataclass
class Original:
    """A site at its reference server; flows are done when first asked for, and what came is kept."""

    site: Site
    server: Reference
    answers: dict[str, dict[Step, Answer]] = field(default_factory=dict)
    transcripts: dict[str, dict[Conversation, list[object]]] = field(default_factory=dict)

    def flow(self, name: str) -> dict[Step, Answer]:
        if name not in self.answers:
            steps = steps_of(self.site, name)
            self.answers[name] = dict(zip(steps, run_flow(self.server.port, steps), strict=True))
        return self.answers[name]

    def talk(self, name: str) -> dict[Conversation, list[object]]:
        if name not in self.transcripts:
            self.transcripts[name] = {each: converse(self.server.port, each) for each in talks_of(self.site, name)}
        return self.transcripts[name]


@dataclass
class Subject:
    """A site on smiskd, reached one way: directly, or through the front server."""

    site: Site
    way: str
    daemon: Smiskd
    front: Front | None

    @property
    def port(self) -> int:
        return self.front.port if self.front else self.daemon.port


def steps_of(site: Site, flow: str) -> list[Step]:
    return [step for step in FLOWS[flow] if site.name not in step.not_for]


def along(way: str, steps: list[Step]) -> list[Step]:
    """Those of the steps that can be gone this way."""
    return [step for step in steps if step.only in ("", way)]


def talks_of(site: Site, flow: str) -> list[Conversation]:
    return [each for each in CONVERSATIONS[flow] if site.name not in each.not_for]


def can(site: Site, way: str, flow: str) -> bool:
    if flow in CONVERSATIONS:
        return site.has_websockets and way == "http"
    # nginx cannot be told that a FastCGI answer broke off: it ends the client's answer as if it were whole.
    return flow not in site.lacks and not (way == "fastcgi" and flow == "broken")


ENDS = "end"  # the last of each place: nothing is left behind
CASES = [
    pytest.param((site, way), flow, id=f"{site}-{way}-{flow}")
    for site in SITES
    for way in WAYS
    for flow in (*FLOWS, *CONVERSATIONS, ENDS)
    if can(site, way, flow)
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database lies that Django's sites begin with; made when first needed."""
    return tmp_path_factory.mktemp("database") / "begin.sqlite3"


class Places:
    """What runs: one reference, and one smiskd with the same site; asking for another site ends them."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._original: Original | None = None
        self._subject: Subject | None = None
        self._failed: dict[tuple[str, str], BaseException] = {}

    def original(self, site: Site) -> Original:
        """The reference of the site."""
        if self._original is None or self._original.site is not site:
            self._end_original()
            folder = prepare(site, self._base / f"{site}-reference", self._base / "begin.sqlite3")
            self._original = Original(site, Reference(site, folder))
        return self._original

    def subject(self, site: Site, way: str) -> Subject:
        """The site on smiskd; all else by default: it finds the interface by itself."""
        if self._subject is None or (self._subject.site, self._subject.way) != (site, way):
            self.end_subject()
            self._subject = self._start_once(site, way)
        return self._subject

    def _start_once(self, site: Site, way: str) -> Subject:
        """Starts what did not fail to start before."""
        if (site.name, way) in self._failed:
            pytest.fail(f"{site} did not start: {self._failed[site.name, way]}")
        try:
            return self._start(site, way)
        except BaseException as failure:
            self._failed[site.name, way] = failure
            raise

    def _start(self, site: Site, way: str) -> Subject:
        base = self._base / f"{site}-{way}"
        folder = prepare(site, base / "state", self._base / "begin.sqlite3")
        listen = ("--http", "127.0.0.1:0") if way == "http" else ("--fastcgi", f"unix:{base}/site.sock")
        options = ("--pythonpath", str(FOLDER), "--workers", "1", *listen)
        daemon = Smiskd(*options, site.app, env=site_environment(folder))
        daemon.allow_log(ON_PURPOSE)
        try:
            front = None if way == "http" else start_front("nginx-keep", base / "nginx", daemon.fastcgi)
        except BaseException:
            daemon.kill()
            raise
        return Subject(site, way, daemon, front)

    def end_subject(self) -> None:
        """Ends smiskd and inspects what it leaves: descriptors, zombies, log, exit status."""
        subject, self._subject = self._subject, None
        if subject is None:
            return
        try:
            if subject.front is not None:
                subject.front.stop()
                print(subject.front.everything())
            subject.daemon.stop()
        finally:
            subject.daemon.kill()
            print(f"--- smiskd with {subject.site}\n{subject.daemon.log}")

    def _end_original(self) -> None:
        original, self._original = self._original, None
        if original is not None:
            original.server.stop()
            print(f"--- the reference of {original.site}\n{original.server.log}")

    def end(self) -> None:
        """Ends everything."""
        try:
            self.end_subject()
        finally:
            self._end_original()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """What runs; the cases come in an order in which each server is started once."""
    running = Places(tmp_path_factory.mktemp("sites"))
    yield running
    running.end()


def different_answers(subject: Subject, original: Original, flow: str) -> list[str]:
    """What the answers of a flow differ in from the reference's."""
    reference = original.flow(flow)
    steps = along(subject.way, list(reference))
    found = []
    for step, answer in zip(steps, run_flow(subject.port, steps), strict=True):
        ignored = allowed(DIFFERENCES, subject.site.name, subject.way, step)
        found += [f"{step}: {line}" for line in compare(answer, reference[step], ignored)]
    return found


def same_talk(seen: list[object], expected: list[object]) -> bool:
    """Whether both are the same, but for what may differ."""
    return seen == expected or seen == [*expected[:-1], TALKS_MAY_DIFFER.get(expected[-1])]


def different_talks(subject: Subject, original: Original, flow: str) -> list[str]:
    """What the conversations of a flow differ in from the reference's."""
    found = []
    for wanted, expected in original.talk(flow).items():
        seen = converse(subject.port, wanted)
        if not same_talk(seen, expected):
            found.append(f"{wanted.path}: {str(seen)[:2000]}, reference {str(expected)[:2000]}")
        if wanted.left and subject.site.notes_leaving:
            run_flow(subject.port, [Step("GET", "/notes/websocket", holds=wanted.left, again=True)])
    return found


@pytest.mark.parametrize(("place", "flow"), CASES)
def test_site_on_smiskd_is_as_at_its_reference(
    places: Places, place: tuple[Site, str], flow: str, record_property: Callable[[str, object], None]
) -> None:
    site, way = place
    skip_without(site)
    subject = places.subject(site, way)
    if flow == ENDS:
        places.end_subject()
        return
    done = len(talks_of(site, flow)) if flow in CONVERSATIONS else len(along(way, steps_of(site, flow)))
    record_property("matrix", (site.version, site.interface, way, flow, done))
    differences = different_talks if flow in CONVERSATIONS else different_answers
    found = differences(subject, places.original(site), flow)
    assert not found, "\n".join(found)
