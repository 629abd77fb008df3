# SPDX-License-Identifier: MIT
"""`smisk console`: the application and a client at hand, as a person at a pipe sees it."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("_smisk")

from smisk.testing.program import own_folders

SHOP = """
from smisk.config import config
log = [config.get("shop.name", "")]
def application_will_start():
    log.append("started")
def handle(request):
    return f"{request.path} {' '.join(log)}"
def application_did_stop():
    print("stopped")
"""


@pytest.fixture
def console(tmp_path):
    """Runs the console with lines typed into it; the finished process."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text(SHOP)
    (tmp_path / "smisk.conf").write_text('app: "shop",\npythonpath: ["src"],\n"shop.name": "Tea",\n')

    def run(*arguments, typed="", status=0):
        code = "import sys; from smisk.cli import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", code, "console", "--plain", *arguments],
            input=typed,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(own_folders()), "NO_COLOR": "1"},
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done

    return run


def test_console_has_application_and_client(console):
    done = console(typed="print(get('/tea').text)\nprint(app.__name__, client.interface, config['shop.name'])\n")
    assert "/tea Tea started\n" in done.stdout
    assert "handle native Tea\n" in done.stdout
    assert done.stdout.rstrip().endswith("stopped")
    assert "Smisk console: shop:handle (native)" in done.stderr


def test_console_takes_an_application_in_place_of_the_configuration(console, tmp_path):
    (tmp_path / "other.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"
    )
    done = console("other", typed="print(client.interface, dict(config))\n")
    assert "wsgi {}\n" in done.stdout


def test_console_goes_on_after_an_exception(console):
    done = console(typed="1 / 0\nprint('still here')\n")
    assert "ZeroDivisionError" in done.stderr and "still here\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (("shop_that_is_not",), 'there is no module "shop_that_is_not"', 1),
        (("-c", "shop.conf"), 'cannot read "shop.conf"', 2),
        (("--set", "app=shop:nothing"), 'has no attribute "nothing"', 1),
        (("--set", "workers=0"), "workers must be at least 1", 2),
    ],
)
def test_console_without_application_is_explained(console, arguments, words, status):
    assert words in console(*arguments, status=status).stderr


def test_console_wants_an_application(console, tmp_path):
    (tmp_path / "smisk.conf").unlink()
    assert "no application is named" in console(status=2).stderr
