# SPDX-License-Identifier: MIT
"""What README shows a newcomer: its handler, asked as its curl lines ask, answers as they say."""

import re
import shlex
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from lib.daemon import Smiskd
from lib.servers import program

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def block(language: str) -> str:
    """The first fenced block of that language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"README has no {language} block"
    return found[1]


def test_readme_handler_answers_as_shown(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    curl = program("curl")
    (tmp_path / "mysite.py").write_text(block("python"))
    daemon = smiskd("mysite", "--workers", "1", "--http", "127.0.0.1:0", cwd=tmp_path)
    lines = block("console").splitlines()
    asked = 0
    for command, shown in pairwise(lines):
        if command.startswith("$ curl "):
            here = command.replace("localhost:8000", f"127.0.0.1:{daemon.port}")
            words = [curl, "-sS", "--max-time", "10", *shlex.split(here)[2:]]
            assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.rstrip("\n") == shown
            asked += 1
    assert asked == 2
