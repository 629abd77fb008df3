# SPDX-License-Identifier: MIT
"""The package itself: small to import, and whole without the host."""

import subprocess
import sys
import types

import pytest
import smisk


def test_import_of_smisk_is_tiny():
    code = "import sys; before = set(sys.modules); import smisk; print(sorted(set(sys.modules) - before))"
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['smisk']"


def test_names_of_the_host_come_from_it(monkeypatch):
    host = types.ModuleType("_smisk")
    host.Request = type("Request", (), {})
    monkeypatch.setitem(sys.modules, "_smisk", host)
    monkeypatch.delitem(smisk.__dict__, "Request", raising=False)
    try:
        assert smisk.Request is host.Request
    finally:
        smisk.__dict__.pop("Request", None)


def test_names_of_the_host_without_it_are_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "_smisk", None)
    monkeypatch.delitem(smisk.__dict__, "Response", raising=False)
    with pytest.raises(ImportError):
        smisk.Response  # noqa: B018


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nothing"):
        smisk.nothing  # noqa: B018
    assert {"Request", "Response", "__version__"} <= set(dir(smisk))
