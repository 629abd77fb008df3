# SPDX-License-Identifier: MIT
"""The example at the top level shows every setting with its true default, and the page that it serves."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from smisk.config.parser import parse
from smisk.host_config.resolve import Draft, resolve
from smisk.host_config.schema import LATER, SETTINGS

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "smisk.conf"
# Settings without a default: what stands in the comment is an example.
EXAMPLES = {
    "root_path", "chdir", "venv", "temp_dir", "user", "group", "umask", "pidfile", "autoreload_paths",
    "logging", "application",
}  # fmt: skip


def commented() -> dict[str, object]:
    """The settings that stand in comments, as if they did not."""
    lines = [line[2:] for line in CONF.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    return parse("\n".join(lines))[0]


def test_example_is_valid_and_relative_to_itself() -> None:
    settings, errors = resolve(Draft(*parse(CONF.read_text(encoding="utf-8"), "smisk.conf", str(ROOT))))
    assert errors == []
    assert (settings["app"], settings["pythonpath"]) == ("hello", [str(ROOT / "examples/hello")])


def test_example_shows_every_setting_once() -> None:
    given = parse(CONF.read_text(encoding="utf-8"))[0]
    assert set(given) == {"app", "pythonpath", "listen"}
    assert set(given) | set(commented()) == set(SETTINGS)


def test_commented_settings_are_their_defaults() -> None:
    shown = {key: value for key, value in commented().items() if key not in EXAMPLES}
    settings, errors = resolve(Draft(shown, {}))
    defaults, _ = resolve(Draft({}, {}))
    assert errors == []
    assert {key: settings[key] for key in shown} == {key: defaults[key] for key in shown}
    assert {key for key in commented() if SETTINGS[key].default is None} == EXAMPLES


def test_every_commented_listener_is_valid() -> None:
    lines = CONF.read_text(encoding="utf-8").splitlines()
    entries = [line.strip()[2:] for line in lines if line.startswith("    # ")]
    for entry in entries:
        errors = resolve(Draft(*parse(f"listen: [{entry}]".replace("www-data", "root"))))[1]
        assert errors == [], entry
    assert len(entries) == 4


def test_no_key_is_both_known_and_yet_to_come() -> None:
    assert not set(LATER) & set(SETTINGS)


@pytest.mark.parametrize("option", ["--list", "--list=text", "--list=markdown"])
def test_list_names_every_setting(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smisk.host_config", option], capture_output=True, check=True, text=True
    )
    for key, setting in SETTINGS.items():
        assert key in done.stdout
        assert setting.meaning in done.stdout
    assert "| `header_timeout` | `10s` | duration, 1ms to 1d | " in done.stdout or option != "--list=markdown"


def test_list_without_its_option_explains_itself() -> None:
    done = subprocess.run([sys.executable, "-m", "smisk.host_config"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


def hello() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hello", ROOT / "examples/hello/hello.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hello_shows_the_request_escaped() -> None:
    request = SimpleNamespace(
        method="POST", path="/<b>", query="a=1&b=2", protocol="HTTP/1.1", post={"name": "Å & {o}"}
    )
    page = hello().handle(request)
    assert "<h1>Hello, Å &amp; {o}!</h1>" in page
    assert "<dd>/&lt;b&gt;</dd>" in page
    assert "<dd>a=1&amp;b=2</dd>" in page
    assert "<dt>form: name</dt><dd>Å &amp; {o}</dd>" in page
