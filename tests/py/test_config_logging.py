# SPDX-License-Identifier: MIT
"""configure_logging: every key, what is rebuilt when, and that wrong settings change nothing."""

import io
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from logging.handlers import SysLogHandler
from pathlib import Path

import pytest
from smisk.config import LOGGING_DATEFMT, LOGGING_FORMAT, Configuration, ConfigurationError, configure_logging
from smisk.config.logs import _made


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """What was set is undone after each test."""
    root = logging.root
    level = root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    for handler in _made:
        root.removeHandler(handler)
        handler.close()
    _made.clear()
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def bare(*handlers: logging.Handler) -> logging.Logger:
    """The root logger with these handlers alone: without those of pytest, which come with each test."""
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
    for handler in handlers:
        logging.root.addHandler(handler)
    return logging.root


def kinds(root: logging.Logger) -> list[str]:
    return [type(handler).__name__ for handler in root.handlers]


# --- handlers ---


def test_nothing_asked_for_means_standard_error() -> None:
    root = bare()
    configure_logging({})
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr


def test_format_is_that_of_all_smisk_logs() -> None:
    out = io.StringIO()
    configure_logging({"stream": out})
    logging.getLogger("shop").warning("hello")
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} \[{os.getpid()}\] shop WARNING: hello\n", out.getvalue()
    )
    assert LOGGING_FORMAT == "%(asctime)s.%(msecs)03d [%(process)d] %(name)s %(levelname)s: %(message)s"
    assert LOGGING_DATEFMT == "%Y-%m-%d %H:%M:%S"


def test_format_and_datefmt_can_be_given() -> None:
    out = io.StringIO()
    configure_logging({"stream": out, "format": "%(asctime)s|%(message)s", "datefmt": "day"})
    logging.error("hello")
    assert out.getvalue() == "day|hello\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_stream_can_be_named(name: str) -> None:
    root = bare()
    configure_logging({"stream": name})
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is getattr(sys, name)


def test_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    configure_logging({"filename": str(path), "format": "%(message)s"})
    logging.error("hellö \ud800")
    assert path.read_text("utf-8") == "before\nhellö \\ud800\n"


def test_filemode_w_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    configure_logging({"filename": str(path), "filemode": "w", "format": "%(message)s"})
    logging.error("hello")
    assert path.read_text() == "hello\n"


def test_file_that_was_rotated_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    configure_logging({"filename": str(path), "format": "%(message)s"})
    logging.error("one")
    path.rename(tmp_path / "a.log.1")
    logging.error("two")
    assert ((tmp_path / "a.log.1").read_text(), path.read_text()) == ("one\n", "two\n")


def test_handlers_can_coexist(tmp_path: Path) -> None:
    root = bare()
    out = io.StringIO()
    configure_logging({"filename": str(tmp_path / "a.log"), "syslog": True, "stream": out, "format": "%(message)s"})
    assert kinds(root) == ["WatchedFileHandler", "SysLogHandler", "StreamHandler"]
    logging.error("hello")
    assert out.getvalue() == (tmp_path / "a.log").read_text() == "hello\n"


def test_syslog_true_is_the_local_host() -> None:
    root = bare()
    configure_logging({"syslog": True})
    (handler,) = root.handlers
    assert isinstance(handler, SysLogHandler)
    assert (handler.address, handler.facility) == (("localhost", 514), SysLogHandler.LOG_USER)


def test_syslog_reaches_host_and_port_with_its_facility() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        conf = {"host": "127.0.0.1", "port": server.getsockname()[1], "facility": "LOCAL3"}
        configure_logging({"syslog": conf, "format": "%(message)s"})
        logging.error("hello")
        # Facility local3 (19) and severity error (3), RFC 3164, section 4.1.1.
        assert server.recv(100).rstrip(b"\0") == b"<155>hello"


def test_syslog_reaches_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(10)
        configure_logging({"syslog": {"socket": str(tmp_path / "log")}, "format": "%(message)s"})
        logging.error("hello")
        assert server.recv(100).rstrip(b"\0") == b"<11>hello"


@pytest.mark.parametrize("value", [None, False, {}])
def test_syslog_that_is_false_is_none(value: object) -> None:
    root = bare()
    configure_logging({"syslog": value})
    assert kinds(root) == ["StreamHandler"]


# --- when handlers are made anew ---


def test_handlers_stay_when_nothing_of_theirs_is_given() -> None:
    before = logging.NullHandler()
    root = bare(before)
    configure_logging({"levels": {"": "INFO"}})
    assert root.handlers == [before]


@pytest.mark.parametrize(
    "conf",
    [{"filename": os.devnull}, {"stream": "stdout"}, {"syslog": True}, {"format": "%(message)s"}, {"datefmt": "%H"}],
)
def test_handlers_are_made_anew_when_one_of_their_keys_is_given(conf: dict[str, object]) -> None:
    before = logging.NullHandler()
    root = bare(before)
    configure_logging(conf)
    assert before not in root.handlers
    assert len(root.handlers) == 1


def test_second_configuration_closes_the_files_of_the_first(tmp_path: Path) -> None:
    root = bare()
    configure_logging({"filename": str(tmp_path / "a.log")})
    first = root.handlers[0]
    assert isinstance(first, logging.FileHandler)
    configure_logging({"filename": str(tmp_path / "b.log")})
    assert first.stream is None
    assert kinds(root) == ["WatchedFileHandler"]


# --- levels ---


def test_levels_are_numbers_or_names_in_any_case() -> None:
    root = bare()
    configure_logging(
        {"levels": {"": "warning", "shop.a": 15, "shop.b": "Debug", "shop.c": "FATAL", "shop.d": "warn"}}
    )
    assert root.level == logging.WARNING
    assert [logging.getLogger(f"shop.{name}").level for name in "abcd"] == [15, 10, 50, 30]


def test_levels_take_those_of_all_other_loggers_away() -> None:
    root = bare()
    root.setLevel(logging.ERROR)
    logging.getLogger("shop.other").setLevel(logging.DEBUG)
    configure_logging({"levels": {"shop.a": 15}})
    assert logging.getLogger("shop.other").level == logging.NOTSET
    assert root.level == logging.ERROR


def test_levels_of_loggers_stay_when_none_are_given() -> None:
    logging.getLogger("shop.other").setLevel(logging.DEBUG)
    configure_logging({"format": "%(message)s"})
    assert logging.getLogger("shop.other").level == logging.DEBUG


@pytest.mark.parametrize("level", ["loud", None, True, [10], "Level 5"])
def test_unknown_level_is_warned_about_and_skipped(level: object) -> None:
    out = io.StringIO()
    configure_logging({"stream": out, "format": "%(message)s", "levels": {"shop.a": level, "shop.b": 10}})
    assert out.getvalue() == f"unknown logging level {level!r} for the logger 'shop.a'\n"
    assert logging.getLogger("shop.a").level == logging.NOTSET
    assert logging.getLogger("shop.b").level == 10


def test_unknown_key_is_warned_about() -> None:
    out = io.StringIO()
    configure_logging({"stream": out, "format": "%(message)s", "level": 10})
    assert out.getvalue().startswith("unknown logging key 'level'; there are filename, ")


# --- mistakes ---

WRONG = [
    ({"stream": "stdin"}, 'logging: stream must be "stdout", "stderr" or an object with write(), not "stdin"'),
    ({"stream": 2}, 'logging: stream must be "stdout", "stderr" or an object with write(), not 2'),
    ({"filename": 5}, "logging: filename must be a string, not 5"),
    (
        {"filename": "/no/such/a.log"},
        'logging: filename names "/no/such/a.log", which cannot be opened: No such file or directory',
    ),
    ({"filename": os.devnull, "filemode": "r"}, 'logging: filemode must be "a" or "w", not "r"'),
    ({"format": "%(message"}, "logging: format cannot be used: "),
    ({"format": 5}, "logging: format must be a string, not 5"),
    ({"datefmt": None}, "logging: datefmt must be a string, not null"),
    ({"levels": "INFO"}, 'logging: levels must be a mapping, not "INFO"'),
    ({"syslog": "here"}, 'logging: syslog must be a mapping, not "here"'),
    ({"syslog": {"path": "/dev/log"}}, 'logging: syslog has the unknown key "path"; there are host, port,'),
    ({"syslog": {"port": 0}}, "logging: syslog.port must be a number from 1 to 65535, not 0"),
    ({"syslog": {"host": 1}}, "logging: syslog.host must be a string, not 1"),
    ({"syslog": {"facility": "local9"}}, "logging: syslog.facility must be one of "),
    ({"syslog": {"facility": 24}}, "logging: syslog.facility must be one of "),
]


@pytest.mark.parametrize(("conf", "message"), WRONG)
def test_wrong_setting_is_told_and_changes_nothing(conf: dict[str, object], message: str) -> None:
    before = logging.NullHandler()
    root = bare(before)
    root.setLevel(25)
    with pytest.raises(ConfigurationError) as caught:
        configure_logging({"levels": {"": 10}, **conf})
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, KeyError)
    assert (root.handlers, root.level) == ([before], 25)


def test_wrong_setting_in_a_file_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.conf").write_text("x: 1,\nlogging: {\n  syslog: {\n\n    port: 0}}")
    with pytest.raises(ConfigurationError, match=r"^app\.conf:5: logging: syslog\.port must be"):
        Configuration().load("app.conf")


# --- through a configuration ---


def test_configuration_sets_logging_up_after_each_load() -> None:
    root = bare()
    conf = Configuration()
    conf.loads("logging: {levels: {shop.a: DEBUG}}")
    assert logging.getLogger("shop.a").level == 10
    logging.getLogger("shop.a").setLevel(30)
    conf.reload()
    assert logging.getLogger("shop.a").level == 10
    assert kinds(root) == ["StreamHandler"]


def test_configuration_without_post_processing_leaves_logging_alone() -> None:
    root = bare()
    conf = Configuration()
    conf.loads("logging: {levels: {shop.a: DEBUG}}", post_process=False)
    assert root.handlers == []
    assert "logging" in conf


@pytest.mark.parametrize("text", ["x: 1", "logging: 5", "logging: null"])
def test_configuration_without_a_mapping_leaves_logging_alone(text: str) -> None:
    root = bare(logging.NullHandler())
    Configuration().loads(text)
    assert kinds(root) == ["NullHandler"]


def test_configuration_whose_logging_is_no_mapping_is_warned_about() -> None:
    out = io.StringIO()
    bare(logging.StreamHandler(out))
    Configuration().loads("\nlogging: 5")
    assert re.fullmatch(r"<string#0x[0-9a-f]+>:2: logging is not a mapping; logging stays as it is\n", out.getvalue())


def test_configuration_without_logging_key_leaves_logging_alone() -> None:
    root = bare()
    conf = Configuration()
    conf.logging_key = None
    conf.loads("logging: {levels: {'': DEBUG}}")
    assert root.handlers == []
