# SPDX-License-Identifier: MIT
"""smisk.release and the names of the package that come from it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import smisk
from smisk import release

ROOT = Path(__file__).resolve().parents[2]
LICENSE = (ROOT / "LICENSE").read_text(encoding="utf-8")
BUILD = re.compile(r"urn:rcsid:[0-9a-f]{40}(\+[0-9a-f]+)?|urn:utcts:\d{14}")


def test_version_is_that_of_the_project() -> None:
    pytest.importorskip("_smisk")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{release.version}"\n' in project
    assert release.version == smisk.__version__


def test_version_info_has_the_numbers_that_the_version_begins_with() -> None:
    pytest.importorskip("_smisk")
    assert ".".join(map(str, release.version_info)) == re.match(r"[\d.]*\d", release.version)[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "numbers"), [("1.1.7", (1, 1, 7)), ("2.0.0.dev0", (2, 0, 0)), ("2.1rc1", (2,)), ("x", ())]
)
def test_numbers_end_where_the_version_has_none(text: str, numbers: tuple[int, ...]) -> None:
    assert release._numbers(text) == numbers


def test_license_is_the_whole_text() -> None:
    assert release.license == LICENSE
    assert release.copyright in LICENSE.splitlines()
    assert release.copyright.endswith(release.author)


def test_package_names_come_from_the_release() -> None:
    assert (smisk.__author__, smisk.__copyright__, smisk.__license__) == (
        release.author,
        release.copyright,
        release.license,
    )


def test_exported_names_are_those_of_1_1() -> None:
    assert set(release.__all__) == {
        "version", "version_info", "author", "email", "copyright", "license", "__build__",
    }  # fmt: skip
    assert isinstance(release.email, str)
    with pytest.raises(AttributeError, match="build"):
        release.build  # type: ignore[attr-defined]  # noqa: B018


def test_build_is_a_urn() -> None:
    module = pytest.importorskip("_smisk")
    if not hasattr(module, "__build__"):
        pytest.fail("_smisk is older than this test: run scripts/setup")
    assert BUILD.fullmatch(smisk.__build__)


def build_id(folder: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(folder / "scripts" / "build-id")],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.removesuffix("\n")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree that is no repository."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "build-id"
    script.write_bytes((ROOT / "scripts" / "build-id").read_bytes())
    script.chmod(0o755)
    (tmp_path / "meson.build").touch()
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_build_id_of_a_repository_is_its_commit(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "x")
    commit = git(tree, "rev-parse", "HEAD")
    assert build_id(tree, HOME=str(tree)) == f"urn:rcsid:{commit}"


def test_build_id_of_changed_files_ends_with_the_time_of_the_change(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "x")
    (tree / "meson.build").write_text("changed")
    commit, time = git(tree, "rev-parse", "HEAD"), int((tree / "meson.build").stat().st_mtime)
    assert build_id(tree, HOME=str(tree)) == f"urn:rcsid:{commit}+{time:x}"
    assert build_id(tree, HOME=str(tree), SMISK_BUILD_ID_SUFFIX="") == f"urn:rcsid:{commit}"


def test_build_id_without_a_repository_is_a_time(tree: Path) -> None:
    assert build_id(tree, SOURCE_DATE_EPOCH="1234567890") == "urn:utcts:20090213233130"
    assert BUILD.fullmatch(build_id(tree))


def test_build_id_can_be_given(tree: Path) -> None:
    assert build_id(tree, SMISK_BUILD_ID="urn:x:1") == "urn:x:1"
    assert build_id(tree, SMISK_BUILD_ID="urn:x:1", SMISK_BUILD_ID_SUFFIX="-2") == "urn:x:1-2"


def test_release_without_the_host_has_all_but_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_smisk", None)
    monkeypatch.delitem(release.__dict__, "version", raising=False)
    with pytest.raises(ImportError):
        release.version  # noqa: B018
    assert release.author
