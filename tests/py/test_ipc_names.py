# SPDX-License-Identifier: MIT
"""Names of shared dicts (B39), codecs, the old calls, and what an import costs."""

import hashlib
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import smisk.ipc
from smisk.ipc import CodecError, app_shared_key, bsddb
from smisk.ipc.codec import find_codec
from smisk.ipc.lmdb import LMDBDict
from smisk.ipc.names import app_path, file_name

PRINT_KEY = "from smisk.ipc import app_shared_key\nprint(app_shared_key())\n"


def run(*arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:32]


def test_app_shared_key_is_the_same_in_every_process(tmp_path: Path) -> None:
    program = tmp_path / "shop.py"
    program.write_text(PRINT_KEY)
    expected = f"shop_{digest(program)}"
    assert run(str(program)) == expected
    assert run("shop.py", cwd=tmp_path) == expected


@pytest.mark.parametrize("name", ["__main__.py", "__init__.py"])
def test_app_shared_key_of_a_package_has_the_name_of_its_folder(tmp_path: Path, name: str) -> None:
    program = tmp_path / "shop" / name
    program.parent.mkdir()
    program.write_text(PRINT_KEY)
    assert run(str(program)) == f"shop_{digest(program)}"


def test_app_shared_key_differs_between_programs_of_one_name(tmp_path: Path) -> None:
    keys = set()
    for folder in ("a", "b"):
        program = tmp_path / folder / "shop.py"
        program.parent.mkdir()
        program.write_text(PRINT_KEY)
        keys.add(run(str(program)))
    assert len(keys) == 2


def test_app_path_below_smiskd_is_the_served_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "served_shop.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("served_shop")
    monkeypatch.delattr("__main__.__file__", raising=False)
    monkeypatch.setattr("sys.argv", ['served_shop:create("x", debug=True)'])
    assert app_path() == str(tmp_path / "served_shop.py")
    assert app_shared_key() == f"served_shop_{digest(tmp_path / 'served_shop.py')}"
    del sys.modules["served_shop"]


def test_app_path_of_a_console_is_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr("__main__.__file__", raising=False)
    monkeypatch.setattr("sys.argv", [""])
    monkeypatch.chdir(tmp_path)
    assert app_path() == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [("shop_1.x-y", "shop_1.x-y"), ("../x", "..%2Fx"), ("a b", "a%20b"), ("a\0b", "a%00b"), ("å", "%C3%A5")],
)
def test_file_name_is_one_harmless_part(name: str, encoded: str) -> None:
    assert file_name(name) == encoded


@pytest.mark.parametrize("name", ["", "x" * 201, "å" * 40])
def test_file_name_of_a_wrong_length_is_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        file_name(name)


def test_file_name_of_bytes_is_type_error() -> None:
    with pytest.raises(TypeError, match="must be a str, not bytes"):
        file_name(b"x")  # type: ignore[arg-type]


# --- codecs ---


@pytest.mark.parametrize("data", [b"", b"{", b"[1", b"1 2", b"nope", b"\xff", b'"a" ', b"z:x"])
@pytest.mark.parametrize("codec", ["json", "msgpack", "pickle"])
def test_damaged_value_is_a_codec_error(codec: str, data: bytes) -> None:
    with pytest.raises(CodecError):
        find_codec(codec).decode(data)


@pytest.mark.parametrize(("codec", "data"), [("msgpack", b"m:\xc1"), ("msgpack", b"m:"), ("pickle", b"p:")])
def test_damaged_value_behind_its_mark_is_a_codec_error(codec: str, data: bytes) -> None:
    with pytest.raises(CodecError, match=codec):
        find_codec(codec).decode(data)


@pytest.mark.parametrize("codec", ["json", "msgpack", "pickle"])
def test_integer_is_digits_in_every_codec(codec: str) -> None:
    assert find_codec(codec).encode(-12) == b"-12"
    assert find_codec(codec).decode(b"-12") == -12


# --- the call of old ---


def test_bsddb_call_of_the_old_example_works(tmp_path: Path) -> None:
    with closing(bsddb.shared_dict(homedir=str(tmp_path / "store"), persistent=True)) as shared:
        assert isinstance(shared, bsddb.DBDict)
        assert bsddb.DBDict is LMDBDict
        shared["a"] = {"b": 1}
        assert list(shared.keys()) == ["a"]
        shared.sync()
        assert Path(shared.path).parent == tmp_path / "store"


def test_bsddb_files_of_one_folder_are_dicts_of_their_own(tmp_path: Path) -> None:
    with (
        closing(bsddb.shared_dict("one.db", str(tmp_path), mode=0o640)) as one,
        closing(bsddb.shared_dict("two.db", str(tmp_path), type=bsddb.DB_BTREE, flags=bsddb.DB_CREATE)) as two,
        closing(bsddb.shared_dict(str(tmp_path / "three.db"), codec="pickle")) as three,
    ):
        one["a"] = 1
        assert "a" not in two
        three["a"] = (1, b"2")
        assert three["a"] == (1, b"2")
        assert Path(one.path) == tmp_path / "one.db"
        assert Path(three.path) == tmp_path / "three.db"
        assert Path(one.path).stat().st_mode & 0o777 == 0o640


def test_bsddb_default_folder_is_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with closing(bsddb.shared_dict(name="x")) as shared, closing(bsddb.shared_dict("y.db", name="x")) as other:
        assert Path(shared.path) == tmp_path / "x.ipc" / "dict.mdb"
        assert Path(other.path) == tmp_path / "x.ipc" / "y.db"


def test_bsddb_environment_is_refused() -> None:
    with pytest.raises(TypeError, match="dbenv must be None"):
        bsddb.shared_dict(dbenv=object())  # type: ignore[arg-type]


# --- imports ---


def test_import_loads_no_store() -> None:
    code = (
        "import sys, smisk.ipc; print(sorted({'lmdb', 'redis', 'pymemcache', 'msgpack', 'json'} & set(sys.modules)))"
    )
    assert run("-c", code) == "[]"


@pytest.mark.parametrize(
    ("backend", "package", "extra"),
    [("lmdb", "lmdb", "ipc"), ("redis", "redis", "redis"), ("memcached", "pymemcache", "memcached")],
)
def test_missing_package_is_an_import_error_that_names_the_extra(
    tmp_path: Path, backend: str, package: str, extra: str
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('not installed')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom smisk.ipc import shared_dict\n"
        f"try: shared_dict('x', {backend!r})\nexcept ImportError as error: print(error)"
    )
    assert run("-c", code) == f"this shared dict needs {package} (pip install 'smisk[{extra}]'): not installed"


def test_exported_names_exist() -> None:
    for name in smisk.ipc.__all__:
        assert getattr(smisk.ipc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        smisk.ipc.nothing  # noqa: B018
