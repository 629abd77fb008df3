# SPDX-License-Identifier: MIT
"""Requests as a table, and the answers of two servers compared: status, fields, body.

A flow is a list of steps that one client does in order, keeping cookies. What is random by nature is replaced, by name, in
both answers; what may differ otherwise is a Difference with its reason.
"""

import dataclasses
import functools
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import httpx

from lib.sites import HOST

__all__ = ["Answer", "Difference", "Step", "allowed", "compare", "run_flow"]

TIMEOUT = 30.0
# Of the connection and not of the answer (RFC 9110 section 7.6.1), or of the server: each says its own.
NOT_COMPARED = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date"})
RANDOM_COOKIES = ("session", "sessionid", "csrftoken", "messages")
RANDOM_TEXT = [
    (re.compile(rb'(name="csrfmiddlewaretoken" value=")\w+'), rb"\1TOKEN"),
    (re.compile(rb'(<span class="(?:mini quiet|timezonewarning)">)[^<]*'), rb"\1WHEN"),
]
HTTP_DATE = re.compile(r"\w{3}, \d\d[ -]\w{3}[ -]\d{4} \d\d:\d\d:\d\d GMT")


@dataclass(frozen=True, eq=False)
class Step:
    """One request and what must be true of its answer on every server.

    `status`: the frameworks' answers to choose from. `holds`: text in the body. `form`, `json`, `files`, `data`: the body,
    one of them. `take`: request fields filled from fields of the answer before; `fill`: form values found in its body by a
    pattern. `upto`: leave after so many bytes. `again`: repeat until `holds` is there. `fails`: whether the answer
    breaks off, None for either. `not_for`: names of sites; `only`: the one way that it can be asked.
    """

    method: str
    path: str
    status: int | tuple[int, ...] = 200
    holds: str = ""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    form: Mapping[str, str | list[str]] | None = None
    json: object = None
    files: Sequence[tuple[str, tuple[str, bytes, str]]] | None = None
    data: bytes | Callable[[], Iterator[bytes]] | None = None
    take: Mapping[str, str] = field(default_factory=dict)
    fill: Mapping[str, str] = field(default_factory=dict)
    upto: int = 0
    again: bool = False
    fails: bool | None = False
    not_for: frozenset[str] = frozenset()
    only: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What a client saw. `fields` in order of arrival, names in lower case; `body` as it came, not decompressed."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    broken: bool = False

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.fields if key == name]

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        if not self.is_compressed:
            return self.body
        plain, rest = b"", self.body
        while rest:  # members: Django makes one of each piece
            member = zlib.decompressobj(wbits=31)
            plain += member.decompress(rest)
            rest = member.unused_data
        return plain

    @property
    def is_compressed(self) -> bool:
        """Whether the body came as gzip."""
        return self.all("content-encoding") == ["gzip"]


@dataclass(frozen=True)
class Difference:
    """A field, or the whole answer ("*"), that may differ, and why. Patterns of fnmatch; `way`: http or fastcgi."""

    site: str
    way: str
    step: str
    name: str
    reason: str


# --- asking ---


def _request(client: httpx.Client, step: Step, before: Answer | None) -> httpx.Request:
    headers = list(step.headers.items() if isinstance(step.headers, Mapping) else step.headers)
    for name, source in step.take.items():
        assert before is not None and before.all(source), f"{step}: no {source} in the answer before"
        headers.append((name, before.all(source)[0]))
    form = dict(step.form) if step.form is not None else None
    for name, pattern in step.fill.items():
        found = re.search(pattern, before.content.decode() if before else "")
        assert found, f"{step}: no {pattern!r} in the page before"
        form = (form or {}) | {name: found[1]}
    content = step.data() if callable(step.data) else step.data
    if not any(name == "Accept-Encoding" for name, _ in headers):
        headers.append(("Accept-Encoding", "identity"))
    return client.build_request(
        step.method,
        step.path,
        headers=[(name, value.encode()) for name, value in (*headers, ("Host", HOST))],
        data=form,
        json=step.json,
        files=step.files,  # type: ignore[arg-type]
        content=content,
    )


def _ask(client: httpx.Client, step: Step, before: Answer | None) -> Answer:
    response = client.send(_request(client, step, before), stream=True)
    body, broken = b"", False
    try:
        for piece in response.iter_raw():
            body += piece
            if step.upto and len(body) >= step.upto:
                body = body[: step.upto]
                break
    except httpx.RemoteProtocolError:
        broken = True
    finally:
        response.close()
    fields = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw)
    return Answer(response.status_code, fields, body, broken)


def _expect(step: Step, answer: Answer) -> None:
    wanted = step.status if isinstance(step.status, tuple) else (step.status,)
    shown = f"{step}: {answer.status}\n{answer.content[:2000]!r}"
    assert answer.status in wanted, shown
    assert step.holds.encode() in answer.content, f"{shown}\nwithout {step.holds!r}"
    assert step.fails in (None, answer.broken), f"{shown}\nbroken off: {answer.broken}"


def run_flow(port: int, steps: Sequence[Step]) -> list[Answer]:
    """Does the steps at 127.0.0.1:`port` in order; AssertionError when an answer is not what its step says."""
    answers: list[Answer] = []
    client = _client(port)
    try:
        for step in steps:
            ask = functools.partial(_ask, client, step, answers[-1] if answers else None)
            answer = ask()
            deadline = time.monotonic() + TIMEOUT
            while step.again and step.holds.encode() not in answer.content and time.monotonic() < deadline:
                answer = ask()
            _expect(step, answer)
            answers.append(answer)
            if answer.status == 500 or step.fails is not False:  # uvicorn closes such a connection unannounced
                client.close()
                client = _client(port, client.cookies)
    finally:
        client.close()
    return answers


def _client(port: int, cookies: httpx.Cookies | None = None) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, trust_env=False, cookies=cookies)


# --- comparing ---


def _plain_cookie(value: str) -> str:
    name = value.partition("=")[0]
    if name in RANDOM_COOKIES:
        value = re.sub(r"^[^;]*", f"{name}=RANDOM", value)
    return HTTP_DATE.sub("WHEN", value)


def _plain(answer: Answer) -> Answer:
    """The answer without what is random by nature or not compared. Fields of different names have no order."""
    fields = []
    for name, value in answer.fields:
        if name == "set-cookie":
            value = _plain_cookie(value)
        elif name == "expires":
            value = HTTP_DATE.sub("WHEN", value)
        elif name == "allow":  # a set, in the order of the interpreter's hashes
            value = ", ".join(sorted(value.split(", ")))
        if name not in NOT_COMPARED:
            fields.append((name, value))
    body = answer.content
    for pattern, put in RANDOM_TEXT:
        body = pattern.sub(put, body)
    return dataclasses.replace(answer, fields=tuple(sorted(fields, key=lambda pair: pair[0])), body=body)


def _same_framing(one: Answer, other: Answer) -> tuple[list[str], list[str]]:
    """Content-Length of both, unless one was sent without: then the length that is there must be the body's.

    The length of a compressed body is random: Django pads it, against guessing.
    """
    if one.is_compressed and other.is_compressed:
        return [], []
    lengths = one.all("content-length"), other.all("content-length")
    for answer, given in zip((one, other), lengths, strict=True):
        if given and sum(map(bool, lengths)) == 1 and given == [str(len(answer.body))]:
            return [], []
    return lengths


def compare(seen: Answer, reference: Answer, may_differ: Set[str]) -> list[str]:
    """What is different, one line each; `may_differ`: names of fields, "*" for all and the body."""
    found = []
    if seen.status != reference.status:
        found.append(f"status {seen.status}, reference {reference.status}")
    one, other = _plain(seen), _plain(reference)
    names = dict.fromkeys(name for name, _ in (*one.fields, *other.fields))
    for name in names:
        values = _same_framing(seen, reference) if name == "content-length" else (one.all(name), other.all(name))
        if values[0] != values[1] and not may_differ.intersection((name, "*")):
            found.append(f"{name}: {values[0]}, reference {values[1]}")
    if one.body != other.body and "*" not in may_differ:
        found.append(f"body {one.body[:1500]!r}, reference {other.body[:1500]!r}")
    if seen.broken != reference.broken:
        found.append(f"broken off: {seen.broken}, reference {reference.broken}")
    return found


def allowed(differences: Sequence[Difference], site: str, way: str, step: Step) -> Set[str]:
    """Names of what may differ in this step."""
    return {
        each.name
        for each in differences
        if fnmatchcase(site, each.site) and fnmatchcase(way, each.way) and fnmatchcase(str(step), each.step)
    }
