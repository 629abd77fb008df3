# SPDX-License-Identifier: MIT
"""The shared instance: made when first asked for, from the file that SMISK_CONFIG names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import smisk.config


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a fresh Python that finds what this one finds."""
    variables = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=60
    )


def test_import_of_the_reader_brings_neither_logging_nor_the_configuration() -> None:
    modules = ("logging", "re", "smisk.config.configuration", "smisk.config.shared", "importlib")
    code = f"import sys; import smisk.config.source; print([m for m in {modules} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_exported_names_are_there() -> None:
    for name in smisk.config.__all__:
        assert getattr(smisk.config, name) is not None
    assert set(smisk.config.__all__) <= set(dir(smisk.config))
    assert {
        "config", "config_locations", "Configuration", "configure_logging", "LOGGING_FORMAT", "LOGGING_DATEFMT", "GLOB_RE",
    } <= set(smisk.config.__all__)  # fmt: skip


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'smisk\.config' has no attribute 'nothing'$"):
        smisk.config.nothing  # noqa: B018


def test_config_is_one_for_all() -> None:
    from smisk.config import config

    assert isinstance(config, smisk.config.Configuration)
    assert config is smisk.config.config


def test_config_without_the_variable_is_empty() -> None:
    done = python("from smisk.config import config; print(config, config.sources)", SMISK_CONFIG="")
    assert (done.stdout, done.stderr) == ("{} []\n", "")


def test_config_has_the_content_of_the_named_file_and_reads_it_again(tmp_path: Path) -> None:
    path = tmp_path / "app.conf"
    path.write_text("workers: 2, shop.mail: 'a@b', application: {x: 1}")
    code = (
        "from smisk.config import config\n"
        "print(dict(config))\n"
        f"open({str(path)!r}, 'w').write('shop.mail: 2')\n"
        "config.reload()\n"
        "print(dict(config))"
    )
    done = python(code, SMISK_CONFIG=str(path))
    assert done.stdout.splitlines() == [
        "{'workers': 2, 'shop.mail': 'a@b', 'application': {'x': 1}}",
        "{'shop.mail': 2}",
    ]


def test_config_sets_logging_up_as_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "app.conf").write_text(
        "logging: {stream: 'stdout', format: '%(name)s|%(message)s', levels: {shop: INFO}}"
    )
    code = "import logging\nfrom smisk.config import config\nlogging.getLogger('shop').info('hello')"
    done = python(code, SMISK_CONFIG=str(tmp_path / "app.conf"))
    assert (done.stdout, done.stderr) == ("shop|hello\n", "")


def test_config_of_a_file_that_cannot_be_read_is_an_error_each_time(tmp_path: Path) -> None:
    code = (
        "import smisk.config\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        smisk.config.config\n"
        "    except smisk.config.ConfigurationError as error:\n"
        "        print(error)"
    )
    done = python(code, SMISK_CONFIG=str(tmp_path / "no.conf"))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith('cannot read "') for line in lines)
    assert all(line.endswith('": No such file or directory') for line in lines)
