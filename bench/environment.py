# SPDX-License-Identifier: MIT
"""Throw-away virtual environments, kept in the cache folder.

The peers and the frameworks share one of each Python version, so that the same code of the application's runs below
every server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from load import cache_folder
from report import say

__all__ = ["SkipError", "environment", "shared_environment", "version_of"]


class SkipError(RuntimeError):
    """Something cannot be measured here; the message says why."""


def run_or_skip(argv: Sequence[str]) -> None:
    """Run one step of an installation; raises SkipError with the first line that tells of an error."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if re.search(r"\berror: (?!subprocess)", line.lower())] or said
        raise SkipError(f"not installed: {errors[0] if errors else argv[-1]}")


def environment(name: str) -> Path:
    """The folder of the virtual environment `name`, made if need be; raises SkipError."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / "environments" / version / name
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run_or_skip([sys.executable, "-m", "venv", str(folder)])
        (folder / ".complete").touch()
    return folder


def shared_environment(*requirements: str) -> Path:
    """The folder of the environment that peers and frameworks share, with these installed; raises SkipError."""
    folder = environment("shared")
    installed = folder / ".installed"
    installed.mkdir(exist_ok=True)
    missing = [requirement for requirement in requirements if not (installed / requirement).exists()]
    if missing:
        say(f"installing {' '.join(missing)}")
        run_or_skip([str(folder / "bin" / "pip"), "install", "--quiet", *missing])
        for requirement in missing:
            (installed / requirement).touch()
    return folder


def version_of(folder: Path, package: str) -> str:
    """The installed version of a package; empty when it cannot be told."""
    code = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    argv = [str(folder / "bin" / "python"), "-c", code, package]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
