# SPDX-License-Identifier: MIT
"""The examples of Smisk 1.1, each by its own smisk.conf: over HTTP, and behind lighttpd and nginx by their own files."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lib import process
from lib.daemon import BINARY, ROOT, Address, Smiskd, environment, run_smiskd
from lib.http import Answer, RawHTTP, get
from lib.log import Log
from lib.servers import Front, free_port, program, start_example

EXAMPLES = ROOT / "examples"
FORM = "Content-Type: application/x-www-form-urlencoded"
Start = Callable[..., Smiskd]


@pytest.fixture
def ipc() -> None:
    """Skips the test where nothing can be shared."""
    pytest.importorskip("lmdb", reason="the package lmdb is not installed")


@pytest.fixture
def fronts(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """Starts front servers of examples; ends them before the daemons behind them."""
    kept: list[Front] = []

    def start(kind: str, name: str, *daemons: Smiskd) -> Front:
        ports = [daemon.fastcgi[1] for daemon in daemons]
        kept.append(start_example(kind, tmp_path / kind, name, ports))  # type: ignore[arg-type]
        return kept[-1]

    yield start
    for front in kept:
        front.stop()
        print(front.everything())


@pytest.fixture(params=("http", "lighttpd", "nginx"))
def serve(
    request: pytest.FixtureRequest, smiskd: Start, fronts: Callable[..., Front], tmp_path: Path
) -> Callable[..., Address]:
    """Starts an example and says where clients reach it."""

    def start(name: str, workers: int = 1) -> Address:
        daemon = run(smiskd, name, tmp_path, workers)
        request.node.daemon = daemon
        return daemon.http if request.param == "http" else fronts(request.param, name, daemon).address

    return start


def run(smiskd: Start, name: str, folder: Path, workers: int = 1) -> Smiskd:
    """The example's own smisk.conf, with addresses and folders of the test."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return smiskd(
        # The fixture's --pythonpath stands in the way of the one in the file.
        *("-c", str(EXAMPLES / name / "smisk.conf"), "--pythonpath", str(EXAMPLES / name), "--workers", str(workers)),
        *("--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0"),
        cwd=folder,
        env={"TMPDIR": str(temporary), "STORE_FOLDER": str(folder / "store")},
    )


def ask(where: Address, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
    with RawHTTP(where) as raw:
        length = [f"Content-Length: {len(body)}"] if body or method in ("POST", "PUT") else []
        raw.send(get(path, *length, *fields, "Connection: close", method=method) + body)
        return raw.read_answer(method)


# --- minimal ---


@pytest.mark.parametrize("path", ["/", "/anything/at?all"])
def test_core_minimal_answers_every_url(serve: Callable[..., Address], path: str) -> None:
    answer = ask(serve("core-minimal"), path)
    assert (answer.status, answer.body) == (200, b"Hello World!")


def test_wsgi_minimal_shows_its_environment(serve: Callable[..., Address]) -> None:
    answer = ask(serve("wsgi-minimal"), "/any/url?q=1")
    assert answer.body.startswith(b"Hello, World!\n\n")
    lines = answer.body.decode().splitlines()[2:]
    assert {"PATH_INFO: /any/url", "QUERY_STRING: q=1", "REQUEST_METHOD: GET"} <= set(lines)
    names = [line.partition(":")[0] for line in lines]
    assert names == sorted(names)


# --- distributed ---


def pid_of(answer: Answer) -> int:
    match = re.search(rb"^Process id: +(\d+)$", answer.body, re.MULTILINE)
    assert answer.status == 200 and match, answer
    return int(match[1])


def test_core_distributed_ends_after_four_requests_and_another_process_goes_on(smiskd: Start, tmp_path: Path) -> None:
    daemon = run(smiskd, "core-distributed", tmp_path)
    pids = [pid_of(ask(daemon.http, "/")) for _ in range(12)]
    assert [len(set(pids[i : i + 4])) for i in (0, 4, 8)] == [1, 1, 1]
    assert len(set(pids)) == 3
    daemon.rebase(1)


@pytest.mark.parametrize("kind", ["lighttpd", "nginx"])
def test_core_distributed_goes_on_without_one_of_its_servers(
    smiskd: Start, fronts: Callable[..., Front], tmp_path: Path, kind: str
) -> None:
    daemons = [run(smiskd, "core-distributed", tmp_path) for _ in range(3)]
    where = fronts(kind, "core-distributed", *daemons).address
    first = ask(where, "/")
    assert b"This comes from a process of its own.\n" in first.body and first.status == 200
    for heading in (
        b"Host:",
        b"Listening on:",
        b"Process owner:",
        b"Time started:",
        b"request.url:",
        b"request.env:",
    ):
        assert heading in first.body
    assert len({pid_of(ask(where, "/")) for _ in range(12)}) >= 3
    daemons[0].signal(signal.SIGTERM)
    assert daemons[0].wait() == 0
    assert len({pid_of(ask(where, "/")) for _ in range(12)}) >= 2
    for daemon in daemons[1:]:
        daemon.rebase(1)


# --- input ---


@pytest.fixture
def inputs(serve: Callable[..., Address]) -> Address:
    return serve("core-input")


def receive(where: Address, query: str = "", *fields: str, **more: object) -> str:
    """What /receive shows."""
    answer = ask(where, f"/receive{query}", *fields, **more)  # type: ignore[arg-type]
    assert (answer.status, answer.get("content-type")) == (200, "text/plain; charset=iso-8859-1"), answer
    return answer.body.decode("iso-8859-1")


def test_core_input_begins_with_its_forms(inputs: Address) -> None:
    answer = ask(inputs, "/")
    assert answer.body == (EXAMPLES / "core-input" / "index.html").read_bytes()
    assert str(answer.get("content-type")).startswith("text/html")


def test_core_input_shows_query_and_fields_in_its_charset(inputs: Address) -> None:
    shown = receive(inputs, "?get1=v%E4lue&get3=a&get3=b", "X-Own: yes")
    assert "  get1 = välue\n" in shown and "  get3 = ['a', 'b']\n" in shown and "  X-Own = yes\n" in shown


def test_core_input_shows_a_form(inputs: Address) -> None:
    shown = receive(inputs, "", FORM, method="POST", body=b"post1=v%E4lue&post3=3&post3=4")
    assert "Form data (POST)\n  post1 = välue\n  post3 = ['3', '4']\n" in shown


def test_core_input_shows_uploads(inputs: Address) -> None:
    part = b'--B\r\nContent-Disposition: form-data; name="file1"; filename="a.txt"\r\nContent-Type: text/x-own\r\n\r\nabc'
    kind = "Content-Type: multipart/form-data; boundary=B"
    shown = receive(inputs, "", kind, method="POST", body=part + b"\r\n--B--\r\n")
    files = next(line for line in shown.splitlines() if line.startswith("  files "))
    assert all(piece in files for piece in ("file1", "a.txt", "text/x-own", "3"))


def test_core_input_refuses_a_form_of_52_bytes(inputs: Address, request: pytest.FixtureRequest) -> None:
    request.node.daemon.allow_log("form data size limit exceeded")
    assert ask(inputs, "/receive", FORM, method="POST", body=b"a=" + 49 * b"x").status == 200
    assert ask(inputs, "/receive", FORM, method="POST", body=b"a=" + 50 * b"x").status >= 400


def test_core_input_dumps_the_body_as_it_came(inputs: Address) -> None:
    body = bytes(range(256)) * 100
    assert ask(inputs, "/receive?dump", FORM, method="POST", body=body).body == body


def test_core_input_sets_a_cookie_and_shows_it(inputs: Address) -> None:
    cookies = ask(inputs, "/receive?set_cookie=whatever").all("set-cookie")
    assert [cookie for cookie in cookies if cookie.startswith("a_cookie=whatever;") and "Max-Age=20" in cookie]
    assert "Cookies\n  a_cookie = whatever\n" in receive(inputs, "", "Cookie: a_cookie=whatever")


def test_core_input_keeps_a_session(inputs: Address) -> None:
    first = ask(inputs, "/receive")
    assert b"  session         'mos'\n" in first.body
    sid = next(cookie for cookie in first.all("set-cookie") if cookie.startswith("SID=")).partition(";")[0]
    assert "  session         'thing'\n" in receive(inputs, "?set_session=thing", f"Cookie: {sid}")
    assert "  session         'thing'\n" in receive(inputs, "", f"Cookie: {sid}")
    assert "  session         None\n" in receive(inputs, "?set_session=", f"Cookie: {sid}")
    assert "  session         'mos'\n" in receive(inputs, "", f"Cookie: {sid}")


# --- send a file ---


def test_core_sendfile_sends_its_image_whole(serve: Callable[..., Address]) -> None:
    where = serve("core-sendfile")
    assert b'<img src="image.jpg"' in ask(where, "/").body
    image = (EXAMPLES / "core-sendfile" / "image.jpg").read_bytes()
    answer = ask(where, "/image.jpg")
    assert (answer.status, answer.get("content-type"), answer.body) == (200, "image/jpeg", image)
    assert answer.get("content-length") == str(len(image))
    for name in ("x-sendfile", "x-lighttpd-send-file", "x-accel-redirect"):
        assert answer.all(name) == []


@pytest.mark.parametrize("path", ["/other.jpg", "/..%2Fcore-minimal.jpg", "/.jpg"])
def test_core_sendfile_sends_nothing_else(serve: Callable[..., Address], path: str) -> None:
    # nginx refuses a path that leads out of the site by itself.
    assert ask(serve("core-sendfile"), path).status in (400, 404)


def test_core_sendfile_has_its_own_location_for_front_servers_only(
    smiskd: Start, fronts: Callable[..., Front], tmp_path: Path
) -> None:
    front = fronts("nginx", "core-sendfile", run(smiskd, "core-sendfile", tmp_path))
    assert ask(front.address, f"{EXAMPLES}/core-sendfile/image.jpg").status == 404


# --- key-value store ---


def keep_open(request: pytest.FixtureRequest, where: Address) -> None:
    """Has every worker open the store, whose files are then no leak."""
    daemon: Smiskd = request.node.daemon
    waiting = set(daemon.workers())
    for _ in range(1000):  # the kernel chooses who of them answers
        assert ask(where, "/").status == 200
        waiting -= {pid for pid in waiting if any("dict.mdb" in path for path in process.descriptors(pid).values())}
        if not waiting:
            break
    assert not waiting, "a worker that answered nothing"
    daemon.rebase()


@pytest.mark.usefixtures("ipc")
def test_core_key_value_store_answers_as_its_page_shows(
    serve: Callable[..., Address], request: pytest.FixtureRequest
) -> None:
    where = serve("core-key-value-store", workers=2)
    keep_open(request, where)
    curl = program("curl")
    page = (EXAMPLES / "core-key-value-store" / "README.md").read_text()
    lines = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    asked = 0
    for command, shown in pairwise(lines):
        if command.startswith("$ curl "):
            here = command.replace("localhost:8080", f"127.0.0.1:{where[1]}")
            words = [curl, "-sS", "--max-time", "10", *shlex.split(here)[2:]]
            assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"{shown}\n"
            asked += 1
    assert asked == page.count("$ curl ") > 0


@pytest.mark.usefixtures("ipc")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/", b"1", 405),
        ("PATCH", "/key", b"", 405),
        ("PUT", "/key", b"{", 400),
        ("PUT", "/key", b"\xff", 400),
        ("PUT", "/key", b'"' + b"x" * 1048576 + b'"', 413),
        ("DELETE", "/gone", b"", 404),
    ],
)
def test_core_key_value_store_says_what_is_wrong(
    serve: Callable[..., Address], request: pytest.FixtureRequest, method: str, path: str, body: bytes, status: int
) -> None:
    where = serve("core-key-value-store")
    keep_open(request, where)
    answer = ask(where, path, method=method, body=body)
    assert answer.status == status
    with contextlib.suppress(ValueError):  # a front server may refuse what is too large on its own
        assert "status" in json.loads(answer.body)


@pytest.mark.usefixtures("ipc")
def test_core_key_value_store_outlives_its_server(smiskd: Start, tmp_path: Path) -> None:
    daemon = run(smiskd, "core-key-value-store", tmp_path)
    value = {"a": [1, None, "ö"]}
    assert ask(daemon.http, "/key", method="PUT", body=json.dumps(value).encode()).status == 200
    daemon.rebase()
    daemon.stop()
    again = run(smiskd, "core-key-value-store", tmp_path)
    assert json.loads(ask(again.http, "/key").body) == value
    again.rebase()
    assert os.listdir(tmp_path / "store")


# --- as programs ---


@pytest.mark.parametrize(
    ("program_file", "path", "status"),
    [
        ("core-minimal/minimal.py", "/", 200),
        ("core-distributed/distributed.py", "/", 200),
        ("core-input/inputs.py", "/", 200),
        ("core-key-value-store/store.py", "/key", 404),
        ("core-sendfile/sendfile.py", "/image.jpg", 200),
        ("wsgi-minimal/minimal_wsgi.py", "/", 200),
    ],
)
def test_example_runs_as_a_program(
    request: pytest.FixtureRequest, tmp_path: Path, program_file: str, path: str, status: int
) -> None:
    if "store" in program_file:
        request.getfixturevalue("ipc")
    import smisk

    port = free_port()
    ours = {"SMISKD": str(BINARY), "PYTHONPATH": str(Path(smisk.__file__).parents[1])}
    running = subprocess.Popen(
        [sys.executable, str(EXAMPLES / program_file), "--http-addr", "127.0.0.1", "--http-port", str(port)],
        cwd=tmp_path,
        env=environment({**ours, "TMPDIR": str(tmp_path), "STORE_FOLDER": str(tmp_path / "store")}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert running.stderr is not None
    log = Log(running.stderr)
    try:
        log.wait(r"ready: ", 0, 30.0)
        assert ask(("127.0.0.1", port), path).status == status
        running.send_signal(signal.SIGTERM)
        assert running.wait(30.0) == 0, log
    finally:
        for pid in process.in_session(running.pid):
            os.kill(pid, signal.SIGKILL)
        running.wait(30.0)
        log.join()
    assert not re.search(r"error|critical|Traceback", str(log)), log


# --- their pages ---


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EXAMPLES.glob("*/smisk.conf")))
def test_example_with_a_configuration_is_whole(folder: str) -> None:
    names = {path.name for path in (EXAMPLES / folder).iterdir()}
    assert {"README.md", "smisk.conf", "lighttpd.conf", "nginx.conf"} <= names
    module = re.search(r'^app: "(\w+)"', (EXAMPLES / folder / "smisk.conf").read_text(), re.MULTILINE)
    assert module and f"{module[1]}.py" in names


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EXAMPLES.glob("*/smisk.conf")))
def test_configuration_of_an_example_is_fine_from_anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, folder: str
) -> None:
    if folder.startswith("core-") and "store" in folder:
        request.getfixturevalue("ipc")
    done = run_smiskd("-t", "-c", str(EXAMPLES / folder / "smisk.conf"), cwd=tmp_path)
    assert (done.returncode, "are fine" in done.stdout + done.stderr) == (0, True), done.stderr
