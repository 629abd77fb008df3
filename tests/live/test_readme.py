# SPDX-License-Identifier: MIT
"""What README shows a newcomer: its applications, asked as its curl lines ask, answer as they say."""

import re
import shlex
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lib.daemon import Smiskd
from lib.servers import program

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


# A module, and the session behind it that serves and asks it.
SHOWN = re.findall(r"^```python\n(.*?)^```\n.*?^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FRAMEWORKS = re.compile(r"^from (\w+) import", re.MULTILINE)


@pytest.mark.parametrize(("code", "session"), SHOWN)
def test_readme_application_answers_as_shown(
    smiskd: Callable[..., Smiskd], tmp_path: Path, code: str, session: str
) -> None:
    for name in FRAMEWORKS.findall(code):
        pytest.importorskip(name)
    curl = program("curl")
    lines = session.splitlines()
    # "$ scripts/serve mysite --http :8000", or "$ smiskd mysite …"
    name = shlex.split(lines[0])[2]
    (tmp_path / f"{name}.py").write_text(code)
    daemon = smiskd(name, "--workers", "1", "--http", "127.0.0.1:0", cwd=tmp_path)
    asked = 0
    for command, shown in pairwise(lines):
        if command.startswith("$ curl "):
            here = command.replace("localhost:8000", f"127.0.0.1:{daemon.port}")
            words = [curl, "-sS", "--max-time", "10", *shlex.split(here)[2:]]
            assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.rstrip("\n") == shown
            asked += 1
    assert asked == sum(line.startswith("$ curl ") for line in lines) > 0


def test_readme_shows_a_handler_and_two_frameworks() -> None:
    assert [FRAMEWORKS.findall(code) for code, _ in SHOWN] == [[], ["flask"], ["fastapi"]]
