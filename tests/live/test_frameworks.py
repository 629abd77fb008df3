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
from lib.servers import start_front
from lib.sites import FOLDER, SITES, Reference, Site, prepare, site_environment, skip_without
from lib.sockets import CONVERSATIONS, Conversation, converse
from lib.steps import Answer, Difference, Step, allowed, compare, run_flow

WAYS = ("http", "fastcgi")
ON_PURPOSE = r"broken on purpose"
DIFFERENCES = [
    Difference("*", "fastcgi", "*", "x-accel-buffering", "nginx takes it for itself"),
    Difference("django-*", "*", "GET /write", "etag", "a digest of the page with its CSRF token"),
]


@dataclass
class Original:
    """A site at its reference server; flows are done when first asked for, and what came is kept."""

    site: Site
    server: Reference
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    transcripts: dict[str, list[list[object]]] = field(default_factory=dict)

    def flow(self, name: str) -> list[Answer]:
        if name not in self.answers:
            self.answers[name] = run_flow(self.server.port, steps_of(self.site, name))
        return self.answers[name]

    def talk(self, name: str) -> list[list[object]]:
        if name not in self.transcripts:
            self.transcripts[name] = [converse(self.server.port, each) for each in talks_of(self.site, name)]
        return self.transcripts[name]


@dataclass
class Subject:
    """A site on smiskd, reached one way."""

    site: Site
    way: str
    port: int
    daemon: Smiskd


def steps_of(site: Site, flow: str) -> list[Step]:
    return [step for step in FLOWS[flow] if site.name not in step.not_for]


def talks_of(site: Site, flow: str) -> list[Conversation]:
    return [each for each in CONVERSATIONS[flow] if site.name not in each.not_for]


def can(site: Site, way: str, flow: str) -> bool:
    # nginx cannot be told that a FastCGI answer broke off: it ends the client's answer as if it were whole.
    return flow not in site.lacks and not (way == "fastcgi" and flow == "broken")


CASES = [
    pytest.param((site, way), flow, id=f"{site.name}-{way}-{flow}")
    for site in SITES
    for way in WAYS
    for flow in FLOWS
    if can(site, way, flow)
]
TALKS = [
    pytest.param((site, "http"), flow, id=f"{site.name}-{flow}")
    for site in SITES
    for flow in CONVERSATIONS
    if site.has_websockets
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database lies that Django's sites begin with; made when first needed."""
    return tmp_path_factory.mktemp("database") / "begin.sqlite3"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Callable[[Site], Original]]:
    """Gives the reference of a site; one runs at a time."""
    kept: list[Original] = []

    def give(site: Site) -> Original:
        if not kept or kept[-1].site is not site:
            end()
            folder = prepare(site, tmp_path_factory.mktemp(site.name) / "reference", database)
            kept.append(Original(site, Reference(site, folder)))
        return kept[-1]

    def end() -> None:
        while kept:
            ended = kept.pop()
            ended.server.stop()
            print(f"--- the reference of {ended.site}\n{ended.server.log}")

    yield give
    end()


def start_smiskd(site: Site, way: str, base: Path, database: Path) -> Smiskd:
    """smiskd with the site, all else by default: it finds the interface by itself."""
    folder = prepare(site, base / "state", database)
    listen = ("--http", "127.0.0.1:0") if way == "http" else ("--fastcgi", f"unix:{base}/site.sock")
    daemon = Smiskd("--pythonpath", str(FOLDER), "--workers", "1", *listen, site.app, env=site_environment(folder))
    daemon.allow_log(ON_PURPOSE)
    return daemon


@pytest.fixture(scope="module")
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database: Path
) -> Iterator[Subject]:
    """The site on a smiskd of its own, behind nginx for FastCGI."""
    site, way = request.param
    skip_without(site)
    base = tmp_path_factory.mktemp(f"{site.name}-{way}")
    daemon = start_smiskd(site, way, base, database)
    front = None
    try:
        if way == "http":
            yield Subject(site, way, daemon.port, daemon)
        else:
            front = start_front("nginx-keep", base / "nginx", daemon.fastcgi)
            yield Subject(site, way, front.port, daemon)
            front.stop()
        daemon.stop()
    finally:
        if front is not None:
            front.stop()
            print(front.everything())
        daemon.kill()
        print(f"--- smiskd with {site}\n{daemon.log}")


@pytest.mark.parametrize(("subject", "flow"), CASES, indirect=["subject"])
def test_flow_of_site_is_answered_as_by_its_reference(
    subject: Subject,
    flow: str,
    original: Callable[[Site], Original],
    record_property: Callable[[str, object], None],
) -> None:
    site = subject.site
    steps = steps_of(site, flow)
    record_property("matrix", (site.version, site.interface, subject.way, flow, len(steps)))
    reference = original(site).flow(flow)
    seen = run_flow(subject.port, steps)
    found = []
    for step, answer, expected in zip(steps, seen, reference, strict=True):
        ignored = allowed(DIFFERENCES, site.name, subject.way, step)
        found += [f"{step}: {line}" for line in compare(answer, expected, ignored)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("subject", "flow"), TALKS, indirect=["subject"])
def test_websocket_of_site_talks_as_at_its_reference(
    subject: Subject,
    flow: str,
    original: Callable[[Site], Original],
    record_property: Callable[[str, object], None],
) -> None:
    site = subject.site
    talks = talks_of(site, flow)
    record_property("matrix", (site.version, site.interface, "http", flow, len(talks)))
    reference = original(site).talk(flow)
    for wanted, expected in zip(talks, reference, strict=True):
        assert converse(subject.port, wanted) == expected, f"{wanted.path} of {site}"
        if wanted.left and site.notes_leaving:
            run_flow(subject.port, [Step("GET", "/notes/websocket", holds=wanted.left, again=True)])
