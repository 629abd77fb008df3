# SPDX-License-Identifier: MIT
"""`smisk new`: names, what it refuses, and files that are what they are meant to be."""

import ast
import re
from pathlib import Path

import pytest
from smisk.cli import main
from smisk.cli.project import KINDS, files_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "examples" / "deploy"


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """Runs `smisk new` in an empty folder; (status, output, errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = main(["new", *arguments])
        done = capsys.readouterr()
        return status, done.out, done.err

    return run


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", list(KINDS))
def test_project_has_all_its_files(new, tmp_path, kind):
    status, out, err = new("my-site", "--kind", kind)
    assert (status, err) == (0, "")
    assert tree(tmp_path / "my-site") == sorted(
        [
            ".gitignore",
            "README.md",
            "deploy/Caddyfile",
            "deploy/apache.conf",
            "deploy/lighttpd.conf",
            "deploy/my-site.service",
            "deploy/nginx.conf",
            "my_site.py",
            "pytest.ini",
            "requirements.txt",
            "smisk.conf",
            "tests/test_my_site.py",
        ]
    )
    assert [name for name in tree(tmp_path / "my-site") if name not in out] == []
    assert "cd my-site" in out


def test_kind_is_native_unless_said(new, tmp_path):
    new("shop")
    assert "def handle(request)" in (tmp_path / "shop" / "shop.py").read_text()


@pytest.mark.parametrize("kind", list(KINDS))
def test_files_have_no_placeholder_left_and_python_is_python(kind):
    for path, text in files_of(kind, "my-site", "my_site").items():
        assert not re.search(r"@[A-Z]+@", path + text)
        assert text and not text.startswith("\n") and text.endswith("\n")
        if path.endswith(".py"):
            ast.parse(text, path)


def test_folder_may_be_elsewhere_and_may_be_empty(new, tmp_path):
    (tmp_path / "deep" / "shop").mkdir(parents=True)
    assert new("deep/shop/")[0] == 0
    assert (tmp_path / "deep" / "shop" / "shop.py").exists()


def test_folder_that_is_not_empty_is_left_alone(new, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine").write_text("mine")
    status, out, err = new("shop")
    assert (status, out, err) == (1, "", "smisk: shop is there and not empty; nothing was changed\n")
    assert tree(tmp_path) == ["shop/mine"]


def test_file_of_that_name_is_left_alone(new, tmp_path):
    (tmp_path / "shop").write_text("mine")
    status, _, err = new("shop")
    assert (status, err) == (1, "smisk: shop: Not a directory\n")
    assert (tmp_path / "shop").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1shop", "cannot name a module"),
        ("my site", "cannot name a module"),
        ("schön", "cannot name a module"),
        ("class", "cannot name a module"),
        ("a" * 65, "cannot name a module"),
        ("..", ""),
        ("json", 'would hide the module "json"'),
        ("Smisk", 'would hide the module "smisk"'),
        ("tests", 'would hide the module "tests"'),
    ],
)
def test_name_that_cannot_be_a_module_is_refused(new, tmp_path, name, words):
    status, out, err = new(name)
    assert (status != 0, out) == (True, "")
    assert words in err
    assert tree(tmp_path) == []


# --- what is deployed ---


def test_configurations_of_front_servers_are_those_that_the_project_tests():
    files = files_of("native", "my-site", "my_site")
    for path, example in (
        ("deploy/nginx.conf", "nginx/fastcgi.conf"),
        ("deploy/lighttpd.conf", "lighttpd/fastcgi.conf"),
        ("deploy/Caddyfile", "caddy/Caddyfile"),
    ):
        assert files[path].replace("/run/my-site/", "/run/smisk/") == (DEPLOY / example).read_text(), path


def test_apache_is_that_of_the_examples_over_a_unix_socket():
    text = files_of("native", "my-site", "my_site")["deploy/apache.conf"].replace("/run/my-site/", "/run/smisk/")
    example = (DEPLOY / "apache" / "fastcgi.conf").read_text()
    advice, socket = re.search(r'    # Over a unix socket instead: "(?P<socket>.*)"\n', example), None
    assert advice is not None
    socket = advice["socket"]
    assert text == example.replace(advice[0], "").replace("fcgi://127.0.0.1:9000/", socket)


def test_unit_starts_smiskd_where_the_front_servers_look():
    files = files_of("native", "my-site", "my_site")
    unit = files["deploy/my-site.service"]
    socket = re.search(r"--fastcgi unix:(\S+)", unit)
    assert socket is not None
    assert f"RuntimeDirectory={Path(socket[1]).parent.name}\n" in unit
    assert all(
        socket[1] in files[f"deploy/{name}"] for name in ("nginx.conf", "lighttpd.conf", "apache.conf", "Caddyfile")
    )
