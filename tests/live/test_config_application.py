# SPDX-License-Identifier: MIT
"""One file for the daemon and the application: what stands in it is `smisk.config.config` in the workers."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

from lib.daemon import APPS, Smiskd, run_smiskd
from lib.http import RawHTTP, get
from lib.wait import until

EXIT_APP, EXIT_CONFIG = 1, 2
LISTEN = f'app: "configured", pythonpath: ["{APPS}"], workers: 1, listen: "http://127.0.0.1:0",\n'

# As users of Smisk 1.1 have it.
OLD = """
/* The shop. */
'smisk.autoreload': true,
'smisk.emergency_logfile': 'error.log',
'shop.prices': [1, 2.5], # in crowns
"shop.mail": {"host": "localhost", "port": 25},
'logging': {
  'filename': '%s',
  'format': '%%(levelname)s %%(name)s: %%(message)s',
  'levels': {'': WARN, 'shop': info},
},
"""


def conf(folder: Path, text: str, name: str = "smisk.conf") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def seen(daemon: Smiskd, path: str = "/") -> dict[str, object]:
    with RawHTTP(daemon.http) as raw:
        answer = raw.request(get(path))
    assert answer.status == 200
    values: dict[str, object] = json.loads(answer.body)
    return values


def test_file_of_1_1_serves_its_application_unchanged(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    daemon = smiskd(
        "-c", conf(tmp_path, OLD % log, "app.conf"), "--http", "127.0.0.1:0", "--workers", "1", "configured"
    )
    values = seen(daemon, "/log")
    assert values["smisk.autoreload"] is True
    assert values["shop.prices"] == [1, 2.5]
    assert values["shop.mail"] == {"host": "localhost", "port": 25}
    assert log.read_text() == "INFO shop: a line of the shop\n"


def test_settings_of_the_daemon_are_there_too_and_those_of_included_files(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    conf(tmp_path, "shop.name: 'x', application: {b: 2}", "shop.conf")
    daemon = smiskd("-c", conf(tmp_path, LISTEN + "application: {a: 1}, @include 'shop.conf'"))
    assert seen(daemon) == {
        "app": "configured",
        "pythonpath": [str(APPS)],
        "workers": 1,
        "listen": "http://127.0.0.1:0",
        "application": {"a": 1, "b": 2},
        "shop.name": "x",
    }


def test_file_is_found_from_whatever_folder_the_worker_works_in(
    smiskd: Callable[..., Smiskd], tmp_path: Path
) -> None:
    conf(tmp_path, LISTEN + "shop.name: 'x', chdir: '/'")
    assert seen(smiskd("-c", "smisk.conf", cwd=tmp_path))["shop.name"] == "x"


def test_without_a_file_the_configuration_is_empty(smiskd: Callable[..., Smiskd]) -> None:
    assert seen(smiskd("--http", "127.0.0.1:0", "--workers", "1", "configured")) == {}


def test_reload_reads_the_applications_keys_again(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    daemon = smiskd("-c", conf(tmp_path, LISTEN + "shop.name: 'old'"))
    assert seen(daemon)["shop.name"] == "old"
    old = daemon.workers()
    conf(tmp_path, LISTEN + "shop.name: 'new'")
    daemon.signal(signal.SIGHUP)
    until(lambda: len(daemon.workers()) == 1 and daemon.workers() != old, "a new worker", 20.0)
    daemon.rebase(1)
    assert seen(daemon)["shop.name"] == "new"


def test_logging_is_set_up_before_the_application_is_imported(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "import logging\nlogging.getLogger('shop').info('imported')\ndef handle(request):\n    return 'fine'\n"
    )
    log = tmp_path / "app.log"
    text = f"logging: {{filename: '{log}', format: '%(message)s', levels: {{shop: INFO}}}}"
    smiskd("-c", conf(tmp_path, LISTEN + text), "--pythonpath", str(tmp_path), "plain")
    assert log.read_text() == "imported\n"


def test_wrong_logging_settings_are_told_with_their_line(tmp_path: Path) -> None:
    path = conf(tmp_path, LISTEN + "logging: {\n  stream: 'stdin'}")
    done = run_smiskd("-t", "-c", path)
    assert done.returncode == EXIT_APP
    assert re.search(r"smisk\.conf:3: logging: stream must be .*, not \"stdin\"", done.stderr)


def test_slip_in_a_key_of_smisk_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    done = run_smiskd("-t", "-c", conf(tmp_path, LISTEN + "smisk.autorelod: true"))
    assert done.returncode == EXIT_CONFIG
    assert 'smisk.conf:2: unknown key "smisk.autorelod"; did you mean "smisk.autoreload"?' in done.stderr


def test_application_knows_what_smisk_was_built_from(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--http", "127.0.0.1:0", "--workers", "1", "configured")
    with RawHTTP(daemon.http) as raw:
        assert re.fullmatch(rb"urn:(rcsid:[0-9a-f]{40}(\+[0-9a-f]+)?|utcts:\d{14})", raw.request(get("/build")).body)
