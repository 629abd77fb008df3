# SPDX-License-Identifier: MIT
"""The corpus of the configuration reader, whole and cut at every position.

Each file may hold several (`=== NAME`) and command-line settings (`--- KEY VALUE`), as the fuzz target reads them.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from smisk.config import ConfigurationError
from smisk.config.parser import parse
from smisk.config.toml import parse_toml

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus" / "config"
VALID = sorted((CORPUS / "valid").iterdir())
INVALID = sorted((CORPUS / "invalid").iterdir())


@pytest.fixture(scope="module")
def target() -> ModuleType:
    """The fuzz target as a module; atheris, if there is one, stays out."""
    spec = importlib.util.spec_from_file_location("fuzz_config", ROOT / "tests" / "fuzz" / "fuzz_config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path, data: bytes) -> None:
    text = data.split(b"=== ")[0].decode()
    if path.suffix == ".toml":
        pytest.importorskip("tomllib")
    (parse_toml if path.suffix == ".toml" else parse)(text, path.name)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_file_is_read(path: Path) -> None:
    read(path, path.read_bytes())


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_invalid_file_is_refused(path: Path, target: ModuleType) -> None:
    files, _ = target.split(path.read_bytes())
    with pytest.raises(ConfigurationError):
        target.VirtualReader(files).read("main", target.position.Position(""))


@pytest.mark.parametrize("path", VALID + INVALID, ids=lambda path: path.name)
def test_file_cut_anywhere_is_read_or_refused(path: Path, target: ModuleType) -> None:
    data = path.read_bytes()
    for end in range(len(data) + 1):
        target.run_one(data[:end])
