# SPDX-License-Identifier: MIT
"""Types: the stub of `_smisk` says what the module has, and the package says that it is typed."""

import subprocess
import sys
from pathlib import Path

import pytest
import smisk

from lib.walls.source import ROOT


def run_stubtest(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"MYPYPATH": str(folder), "PYTHONPATH": ":".join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", module]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_stub_of_the_host_agrees_with_it():
    pytest.importorskip("mypy", reason="stubtest is part of mypy: scripts/setup installs it")
    done = run_stubtest("_smisk", ROOT / "pylib")
    assert (done.returncode, done.stdout) == (0, "")


def test_stub_that_differs_is_found(tmp_path):
    pytest.importorskip("mypy", reason="stubtest is part of mypy: scripts/setup installs it")
    (tmp_path / "_smisk.pyi").write_text(
        "def xml_escape(text: str, more: int, /) -> str: ...\ndef gone() -> None: ...\n"
    )
    done = run_stubtest("_smisk", tmp_path)
    assert done.returncode == 1
    assert "xml_escape" in done.stdout and "gone" in done.stdout


def test_package_says_that_it_is_typed():
    assert (Path(smisk.__file__).parent / "py.typed").is_file()
