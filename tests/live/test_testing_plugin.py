# SPDX-License-Identifier: MIT
"""The pytest plugin: its fixtures in a project of somebody else's, in a pytest of its own."""

import os
import subprocess
import sys

import pytest
from smisk.testing.program import own_folders

from lib.daemon import BINARY

APP = """
log = []
def application_will_start():
    log.append("start")
def application_did_stop():
    log.append("stop")
def handle(request):
    return " ".join([request.path, *log])
"""


@pytest.fixture
def run(tmp_path):
    """Runs pytest on a project with the given tests; its output."""

    def pytest_with(tests, *options, status=0, plugin=True):
        (tmp_path / "shop.py").write_text(APP)
        (tmp_path / "test_shop.py").write_text(tests)
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*own_folders(), str(tmp_path)]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "SMISKD": str(BINARY),
            "ASAN_OPTIONS": "detect_leaks=0",
        }
        loaded = ["-p", "smisk.testing.plugin"] if plugin else []
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *loaded, *options]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return pytest_with


def test_client_fixture_runs_hooks_around_the_test(run):
    tests = (
        "import shop\n"
        "def test_one(smisk_client):\n    assert smisk_client('shop').get('/a').text == '/a start'\n"
        "def test_two():\n    assert shop.log == ['start', 'stop']\n"
    )
    assert "2 passed" in run(tests)


def test_client_fixture_makes_several_clients(run):
    tests = (
        "def test_one(smisk_client):\n"
        "    one, two = smisk_client('shop'), smisk_client(lambda request: 'two', headers={'A': 'b'})\n"
        "    assert (one.get('/').status, two.get('/').text) == (200, 'two')\n"
    )
    assert "1 passed" in run(tests)


def test_server_fixtures_serve_for_a_test_and_for_a_module(run):
    tests = (
        "import pytest, urllib.request\n"
        "def get(server):\n"
        "    with urllib.request.urlopen(server.url + '/x') as answer:\n        return answer.read()\n"
        "@pytest.fixture(scope='module')\n"
        "def shared(smisk_module_server):\n    return smisk_module_server('shop')\n"
        "pids = []\n"
        "def test_one(shared):\n    pids.append(shared.pid)\n    assert get(shared) == b'/x start'\n"
        "def test_two(shared):\n    pids.append(shared.pid)\n    assert get(shared) == b'/x start'\n"
        "def test_three(smisk_server):\n"
        "    pids.append(smisk_server('shop').pid)\n"
        "    assert pids[0] == pids[1] != pids[2]\n"
    )
    assert "3 passed" in run(tests)


def test_server_fixture_shows_the_log_of_a_failed_test(run):
    tests = "def test_one(smisk_server):\n    smisk_server('shop')\n    assert False, 'on purpose'\n"
    output = run(tests, status=1)
    assert "on purpose" in output and "ready: http://127.0.0.1:" in output and "info: stopped" in output


def test_server_that_does_not_start_fails_the_test_with_its_log(run):
    output = run("def test_one(smisk_server):\n    smisk_server('shop:none')\n", status=1)
    assert 'has no attribute "none"' in output and "ServerError" in output


def test_plugin_lists_its_fixtures(run):
    output = run("def test_one():\n    pass\n", "--fixtures")
    assert all(f"\n{name}" in output for name in ("smisk_client", "smisk_server", "smisk_module_server"))


def test_plugin_that_nobody_uses_imports_nothing(run):
    """Beside pytest itself, loading the plugin imports the plugin and the packages around it."""
    tests = (
        "import sys\n"
        "def test_one():\n"
        "    names = sorted(name for name in sys.modules if name.partition('.')[0] in ('smisk', '_smisk', 'asyncio'))\n"
        "    assert names == ['smisk', 'smisk.testing', 'smisk.testing.plugin']\n"
    )
    assert "1 passed" in run(tests)
