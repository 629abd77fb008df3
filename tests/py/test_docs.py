# SPDX-License-Identifier: MIT
"""The pages in docs/: settings up to date, configurations valid, links and code sound."""

import ast
import re
from pathlib import Path

import pytest
from smisk.config.parser import parse
from smisk.config.toml import parse_toml
from smisk.host_config.listing import markdown_table
from smisk.host_config.resolve import Draft, resolve

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(?<=--list=markdown -->\n)(.*?)(?=<!-- end of settings -->)", re.DOTALL)
BEGIN_LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
# Names of users on another machine.
PEOPLE = re.compile(r"www-data")


def blocks(kind: str) -> list[tuple[str, str]]:
    """(page, text) of every block of that language."""
    return [
        (page.name, text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language == kind
    ]


def test_table_of_settings_is_what_the_schema_says() -> None:
    found = TABLE.findall((DOCS / "configuration.md").read_text(encoding="utf-8"))
    assert found == [markdown_table()], "run: python tests/py/test_docs.py"


@pytest.mark.parametrize(("page", "text"), blocks("conf"))
def test_configuration_in_the_dialect_is_valid(page: str, text: str, tmp_path: Path) -> None:
    check(*parse(local(text, tmp_path), page, str(tmp_path)))


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_configuration_in_toml_is_valid(page: str, text: str, tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    check(*parse_toml(local(text, tmp_path), page, str(tmp_path)))


def local(text: str, folder: Path) -> str:
    """The configuration with users and folders that this machine has."""
    for name in ("venv", "src", "lib"):
        (folder / name).mkdir(exist_ok=True)
    return PEOPLE.sub("root", text).replace("/var/log/", f"{folder}/")


def check(values: dict[str, object], positions: object) -> None:
    errors = resolve(Draft(values, positions))[1]  # type: ignore[arg-type]
    assert errors == []


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_block_is_complete_module(page: str, text: str) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.parse(text, page).body if isinstance(node, kinds)}
    assert names & {"application", "app", "handle"} or "(Application):" in text


def test_every_block_has_a_language_that_something_checks() -> None:
    kinds = {
        language
        for page in PAGES
        for language in re.findall(r"^```(\w*)\n", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    # `text` and `ini` are for people; `sh` and `python` are run by tests/live/test_docs.py, `py` (tests) by
    # tests/live/test_docs_testing.py.
    assert kinds <= {"python", "py", "conf", "toml", "sh", "text", "ini", ""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path, anchor in BEGIN_LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, anchor


def update() -> None:
    """Writes the table of settings into the page."""
    page = DOCS / "configuration.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(TABLE.sub(lambda _: markdown_table(), text), encoding="utf-8")


if __name__ == "__main__":
    update()
