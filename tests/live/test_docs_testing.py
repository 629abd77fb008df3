# SPDX-License-Identifier: MIT
"""What docs/testing.md shows, run as it stands: its applications, and its tests of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from smisk.testing.program import own_folders

from lib.daemon import BINARY, ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
MODULE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TESTS = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_tests_of_the_page_pass(tmp_path: Path) -> None:
    for name, code in MODULE.findall(PAGE):
        (tmp_path / name).write_text(code)
    blocks = TESTS.findall(PAGE)
    for number, code in enumerate(blocks):
        (tmp_path / f"test_page{number}.py").write_text(code)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*own_folders(), str(tmp_path)]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "SMISKD": str(BINARY),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "smisk.testing.plugin"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(code.count('def test_') for code in blocks)} passed" in done.stdout
