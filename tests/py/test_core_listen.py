# SPDX-License-Identifier: MIT
"""bind(), unbind(), listening(): addresses of every form, and what cannot be bound (reference 3.2)."""

import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from smisk.core import listen
from smisk.core.listen import bind, listening, split_address, unbind


@pytest.fixture(autouse=True)
def unbound() -> Iterator[None]:
    """Leaves no listener behind."""
    yield
    unbind()


def free_port(host: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET) -> int:
    with socket.create_server((host, 0), family=family) as sock:
        return int(sock.getsockname()[1])


def error_of(path: object, *more: object) -> OSError:
    with pytest.raises(OSError) as caught:  # noqa: PT011  what it says is asserted by the callers
        bind(path, *more)  # type: ignore[arg-type]
    return caught.value


# --- addresses ---


@pytest.mark.parametrize(
    ("host", "shown"),
    [("", "*"), ("*", "*"), ("0.0.0.0", "*"), ("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1")],
)
def test_bind_of_a_port_listens_there(host: str, shown: str) -> None:
    port = free_port()
    bind(f"{host}:{port}")
    assert listening() == f"{shown}:{port}"
    socket.create_connection(("127.0.0.1", port), 5).close()


def test_bind_of_ipv6_address_listens_there() -> None:
    try:
        port = free_port("::1", socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    bind(f"[::1]:{port}")
    assert listening() == f"[::1]:{port}"
    socket.create_connection(("::1", port), 5).close()


def test_bind_of_port_0_tells_the_port() -> None:
    bind("127.0.0.1:0")
    address = listening()
    assert address is not None
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), 5).close()


@pytest.mark.parametrize("name", ["s", "a name of more than fourteen bytes", "with:colon", "ümlaut"])
def test_bind_of_a_path_listens_there_and_says_it_whole(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    bind(path)
    assert listening() == path
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_bind_of_unix_prefix_is_a_path(tmp_path: Path) -> None:
    bind(f"unix:{tmp_path}/s")
    assert listening() == f"{tmp_path}/s"


def test_bind_of_relative_path_listens_in_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bind("s")
    assert listening() == "s"
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


def test_mode_of_unix_socket_comes_from_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        bind(str(tmp_path / "s"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (":5000", ("", 5000)),
        ("*:1", ("*", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("host.example:0", ("host.example", 0)),
        ("/a:5000", None),
        ("./a:5000", None),
        ("s", None),
        ("unix:s", None),
    ],
)
def test_split_address_knows_hosts_from_paths(path: str, parts: object) -> None:
    assert split_address(path) == parts


# --- errors ---


@pytest.mark.parametrize(
    "path", ["", ":", "host:", "host:x", ":65536", ":-1", ":٣", "::1:5000", "[::1:5000", ":99999999999", "a\0b"]
)
def test_bind_of_what_is_no_address_is_oserror(path: str) -> None:
    error = error_of(path)
    assert (error.errno, error.filename) == (errno.EINVAL, path)
    assert listening() is None


@pytest.mark.parametrize("path", ["no-such-host.invalid:5000", "[::g]:5000"])
def test_bind_of_name_that_is_not_known_is_oserror(path: str) -> None:
    error = error_of(path)
    assert (error.errno, error.filename) == (errno.EADDRNOTAVAIL, path)


def test_bind_of_name_that_is_none_is_oserror() -> None:
    assert error_of(f"{'a' * 64}..b:5000").errno == errno.EINVAL


@pytest.mark.parametrize("path", [None, 5000, b":5000", ("", 5000)])
def test_bind_of_no_string_is_typeerror(path: object) -> None:
    with pytest.raises(TypeError, match="path must be a string"):
        bind(path)  # type: ignore[arg-type]


def test_bind_with_backlog_that_is_no_int_is_typeerror() -> None:
    with pytest.raises(TypeError, match="backlog must be an int"):
        bind("127.0.0.1:0", "5")  # type: ignore[arg-type]


def test_bind_takes_positional_arguments_only() -> None:
    with pytest.raises(TypeError):
        bind(path="127.0.0.1:0")  # type: ignore[call-arg]


def test_bind_of_port_that_is_taken_is_oserror_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = f"127.0.0.1:{taken.getsockname()[1]}"
        error = error_of(path)
        assert (error.errno, error.filename) == (errno.EADDRINUSE, path)
    assert listening() is None


def test_bind_again_is_already_bound() -> None:
    bind("127.0.0.1:0")
    with pytest.raises(OSError, match="already bound"):
        bind("127.0.0.1:0")


@pytest.mark.parametrize("backlog", [-1, 0, 1, 128])
def test_bind_with_any_backlog_listens(backlog: int) -> None:
    bind("127.0.0.1:0", backlog)
    assert listening() is not None


def test_bind_of_path_that_is_too_long_is_oserror(tmp_path: Path) -> None:
    assert error_of(str(tmp_path / ("x" * 108))).errno == errno.ENAMETOOLONG


def test_bind_of_path_in_no_folder_is_oserror(tmp_path: Path) -> None:
    assert error_of(str(tmp_path / "none" / "s")).errno == errno.ENOENT


# --- what is there already ---


def test_bind_replaces_socket_that_nobody_serves(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
    bind(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_bind_leaves_socket_that_somebody_serves(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        assert error_of(path).errno == errno.EADDRINUSE
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_bind_leaves_file_that_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("precious")
    assert error_of(str(tmp_path / "data")).errno == errno.EEXIST
    assert (tmp_path / "data").read_text() == "precious"


# --- unbind ---


def test_unbind_closes_listener_and_leaves_file(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    bind(path)
    unbind()
    assert (listening(), listen.descriptor()) == (None, None)
    assert os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path)
    bind(path)


def test_unbind_when_unbound_does_nothing() -> None:
    unbind()
    assert listening() is None


def test_listener_is_not_inherited_by_what_is_started_meanwhile() -> None:
    bind("127.0.0.1:0")
    fd = listen.descriptor()
    assert fd is not None and not os.get_inheritable(fd)


def test_listening_is_the_same_in_all_threads() -> None:
    bind("127.0.0.1:0")
    seen: list[str | None] = []
    thread = threading.Thread(target=lambda: seen.append(listening()))
    thread.start()
    thread.join()
    assert seen == [listening()]
