# SPDX-License-Identifier: MIT
"""Projects that `smisk new` makes: their own tests pass, and smiskd takes their configuration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import smisk
from smisk.cli import main
from smisk.cli.project import KINDS
from smisk.testing.program import own_folders

from lib.daemon import BINARY, run_smiskd

PYLIB = str(Path(smisk.__file__).parents[1])


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    """Makes a project of a kind; its folder."""
    monkeypatch.chdir(tmp_path)

    def make(kind):
        assert main(["new", "tea-shop", "--kind", kind]) == 0
        capsys.readouterr()
        return tmp_path / "tea-shop"

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_tests_of_a_new_project_pass(project, kind):
    folder = project(kind)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(own_folders()),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "SMISKD": str(BINARY),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "smisk.testing.plugin"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{4 if kind == 'smisk' else 5} passed" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_smiskd_takes_the_configuration_of_a_new_project(project, kind):
    folder = project(kind)
    done = run_smiskd("-t", "--pythonpath", PYLIB, "--pythonpath", ".", cwd=folder)
    assert done.returncode == 0, done.stderr
    plan = done.stdout + done.stderr
    assert "app: tea_shop:" in plan and f"(interface {kind})" in plan
    assert "listen: http://127.0.0.1:8080" in plan and "are fine" in plan
