# SPDX-License-Identifier: MIT
"""What the framework sites share: the files that they serve, and a notebook that outlives a request.

Files are served from here, where every server finds the same path, size and time of change, so that entity tags agree.
The notebook lies in SITE_FOLDER: background tasks and closed streams write into it, and later requests read it.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
TEMPLATES = HERE / "templates"
PAGE = STATIC / "page.txt"
SITE_FOLDER = Path(os.environ.get("SITE_FOLDER", "."))
SECRET = "a secret of the tests only"
BIG = bytes(range(256)) * 4096  # 1 MiB
ENDLESS = 1000  # lines of /endless, far more than a client reads before it leaves
LINE = "x" * 16383 + "\n"


def note(kind: str, text: str) -> None:
    """Appends one line to the notebook of that kind."""
    with (SITE_FOLDER / f"{kind}.notes").open("a") as file:
        file.write(f"{text}\n")


def notes(kind: str) -> list[str]:
    """All lines of that notebook."""
    try:
        return (SITE_FOLDER / f"{kind}.notes").read_text().splitlines()
    except FileNotFoundError:
        return []


def described(name: str, content_type: str, content: bytes) -> dict[str, object]:
    """What the sites say of an uploaded file."""
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "type": content_type, "size": len(content), "sha256": digest}


def lines(count: int) -> Iterator[str]:
    """A stream of short lines."""
    for number in range(count):
        yield f"line {number}\n"


def broken_lines() -> Iterator[str]:
    """A stream that fails in its midst."""
    yield LINE
    yield LINE
    raise RuntimeError("broken on purpose")


def endless() -> Iterator[str]:
    """A long stream; notes how it ended: `closed` when the server did not want all of it."""
    end = "closed"
    try:
        for _ in range(ENDLESS):
            yield LINE
        end = "finished"
    finally:
        note("endless", end)


def events(count: int) -> Iterator[str]:
    """Server-sent events as text."""
    for number in range(count):
        yield f"id: {number}\nevent: tick\ndata: {number}\n\n"


def listed(values: list[str]) -> list[str]:
    """The members of a field that came in one line or several; servers join lines with a comma, or comma and space."""
    return [member.strip() for value in values for member in value.split(",")]
