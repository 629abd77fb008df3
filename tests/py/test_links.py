# SPDX-License-Identifier: MIT
"""Links between the pages of the project lead somewhere."""

import re
from pathlib import Path

import pytest

from lib.walls.source import ROOT

PAGES = sorted(
    path
    for folder in (ROOT, *(ROOT / name for name in ("docs", "examples", "tests", "bench")))
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)


def dead_links(page: Path, text: str) -> list[str]:
    """Relative link targets of a Markdown text that are no file or folder."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [target for target in targets if ":" not in target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text()) == []


def test_dead_links_are_found() -> None:
    text = "[a](docs/nowhere.md) [b](README.md#try-it) [c](https://example.org/x) [d](docs/)"
    assert dead_links(ROOT / "x.md", text) == ["docs/nowhere.md"]
