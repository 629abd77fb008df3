# SPDX-License-Identifier: MIT
"""What docs/ and examples/ show, run: every handler answers as its page says, every command line is taken."""

import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import ROOT, Smiskd, run_smiskd
from lib.http import Answer, RawHTTP, get

HTTP = ("--workers", "1", "--http", "127.0.0.1:0")
PAGES = sorted((ROOT / "docs").glob("*.md"))
PYTHON = re.compile(r"^```python\n(.*?)^```\n((?:<!-- try: [^\n]* -->\n)*)", re.MULTILINE | re.DOTALL)
TRY = re.compile(r"<!-- try: (GET|POST) (\S+) (?:(\S+) )?-> (\d+) ?(.*) -->")
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

HANDLERS = [
    (f"{page.stem}{number}", code, tries)
    for page in PAGES
    for number, (code, tries) in enumerate(PYTHON.findall(page.read_text(encoding="utf-8")))
]
COMMANDS = [
    line.partition("#")[0].strip()
    for page in PAGES
    for block in SHELL.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
]


def ask(daemon: Smiskd, method: str, path: str, body: str = "", *fields: str) -> Answer:
    data = body.encode()
    with RawHTTP(daemon.http) as raw:
        length = [f"Content-Length: {len(data)}"] if method == "POST" else []
        raw.send(get(path, *length, *fields, method=method) + data)
        return raw.read_answer(method)


@pytest.mark.parametrize(("name", "code", "tries"), HANDLERS, ids=[name for name, _, _ in HANDLERS])
def test_handler_of_a_page_answers_as_it_says(
    smiskd: Callable[..., Smiskd], tmp_path: Path, name: str, code: str, tries: str
) -> None:
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    daemon = smiskd(*HTTP, name, cwd=tmp_path)
    asked = TRY.findall(tries)
    assert asked, "a block of code without a request to try"
    for method, path, body, status, text in asked:
        answer = ask(daemon, method, path, body, "Content-Type: application/x-www-form-urlencoded")
        assert (answer.status, text in answer.body.decode("latin-1")) == (int(status), True), (path, answer)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_line_of_a_page_is_taken(tmp_path: Path, command: str) -> None:
    for name in ("hello", "mysite"):
        text = "def handle(request):\n    return 'x'\ndef create_app(name, debug):\n    return handle\n"
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "smisk.conf").write_text('app: "mysite",\n')
    (tmp_path / "src").mkdir()
    program, *arguments = shlex.split(command)
    assert program == "smiskd"
    arguments = [argument for argument in arguments if argument not in ("--venv", ".venv")]
    done = run_smiskd("-t", *arguments, cwd=tmp_path)
    assert (done.returncode, "are fine" in done.stdout + done.stderr) == (0, True), done.stderr


# --- examples ---


def test_example_hello_answers(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    # tests/apps has a module hello too.
    (tmp_path / "example_hello.py").write_bytes((ROOT / "examples" / "hello" / "hello.py").read_bytes())
    daemon = smiskd(*HTTP, "example_hello", cwd=tmp_path)
    assert b"Hello, world!" in ask(daemon, "GET", "/").body
    form = "Content-Type: application/x-www-form-urlencoded"
    assert b"Hello, &lt;b&gt;!" in ask(daemon, "POST", "/", "name=%3Cb%3E", form).body


def test_example_upload_keeps_files(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    where = {"UPLOAD_FOLDER": str(tmp_path)}
    daemon = smiskd("--pythonpath", str(ROOT / "examples" / "upload"), *HTTP, "upload", env=where)
    assert b"<form" in ask(daemon, "GET", "/").body
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="file"; filename="../{name}"\r\n\r\n{name}\r\n'
        for name in ("<one>", "two")
    ]
    body = "".join(parts) + "--B--\r\n"
    page = ask(daemon, "POST", "/", body, "Content-Type: multipart/form-data; boundary=B").body
    assert b"../&lt;one&gt;: 5 bytes" in page
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["<one>", "two"]


def test_example_streaming_makes_whole_table(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--pythonpath", str(ROOT / "examples" / "streaming"), *HTTP, "streaming")
    answer = ask(daemon, "GET", "/?rows=20000")
    lines = answer.body.decode().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (20001, "number,square", "19999,399960001")
    assert ask(daemon, "GET", "/?rows=many").status == 400


def test_example_wsgi_sends_files_of_folder(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_bytes(b"of the folder")
    options = ("--pythonpath", str(ROOT / "examples" / "wsgi"), "--set", "root_path=/files", *HTTP)
    daemon = smiskd(*options, "downloads", env={"DOWNLOAD_FOLDER": str(tmp_path)})
    assert b'<a href="/files/a%20b.txt">a b.txt</a>' in ask(daemon, "GET", "/files/").body
    file = ask(daemon, "GET", "/files/a%20b.txt")
    assert (file.body, file.get("content-type"), file.get("content-length")) == (b"of the folder", "text/plain", "13")
    assert ask(daemon, "GET", "/files/..%2Fa").status == 404


def test_example_asgi_streams_time_until_client_leaves(smiskd: Callable[..., Smiskd]) -> None:
    daemon = smiskd("--pythonpath", str(ROOT / "examples" / "asgi"), *HTTP, "clock")
    assert b"EventSource" in ask(daemon, "GET", "/").body
    with RawHTTP(daemon.http) as raw:
        raw.send(get("/events"))
        assert raw.read_head().get("content-type") == "text/event-stream"
        for _ in range(2):
            assert re.search(rb"data: \d\d:\d\d:\d\d\n\n", raw.read_until(b"\n\n"))
    began = len(daemon.log.lines)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not any("still busy" in line for line in daemon.log.lines[began:])


def test_every_example_has_a_page() -> None:
    folders = [path for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name != "deploy"]
    assert all((folder / "README.md").exists() for folder in folders)
