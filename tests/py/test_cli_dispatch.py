# SPDX-License-Identifier: MIT
"""The command `smisk`: finding subcommands, errors that name the nearest, colours."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from smisk.cli import main
from smisk.cli.commands import COMMANDS, CommandError
from smisk.cli.dispatch import dispatch
from smisk.cli.terminal import Terminal

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def say(capsys):
    """Runs the command; (status, output, errors)."""

    def run(*arguments):
        status = main(list(arguments))
        done = capsys.readouterr()
        return status, done.out, done.err

    return run


def test_nothing_asked_for_is_an_error_that_lists_the_commands(say):
    status, out, err = say()
    assert (status, out) == (2, "")
    assert [name for name in (command.name for command in COMMANDS) if name not in err] == []


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands(say, arguments):
    status, out, err = say(*arguments)
    assert (status, err) == (0, "")
    assert [command.summary for command in COMMANDS if command.summary not in out] == []


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_has_help_and_lists_its_options(say, command):
    status, out, _ = say(command, "--help")
    assert status == 0
    assert out.startswith(f"usage: smisk {command} ")
    assert say("help", command)[1] == out


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_that_of_the_package_and_of_python(say, option):
    status, out, _ = say(option)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (status, out) == (0, f"smisk {version} (Python {sys.version.split()[0]})\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["confg"], 'smisk: there is no command "confg"; did you mean "config"?'),
        (["zzz"], 'smisk: there is no command "zzz"\n'),
        (["--versoin"], 'there is no option "--versoin"; did you mean "--version"?'),
        (["config", "--confg", "x"], 'there is no option "--confg"; did you mean "--config"?'),
        (["new"], "the following arguments are required: NAME"),
        (["new", "a", "b"], '"b" is too much'),
        (["new", "a", "--kind", "cgi"], "invalid choice: 'cgi'"),
        (["config", "-c"], "expected one argument"),
        (["config", "--giv"], "there is no option"),
    ],
)
def test_wrong_command_line_is_explained(say, arguments, words):
    status, out, err = say(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert "--help`" in err


def test_commands_load_only_themselves():
    code = (
        "import sys; from smisk.cli import main; main(['completion', 'nosuch']); "
        "print(sorted(name for name in sys.modules if name.startswith('smisk.') and 'cli' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_command_has_a_module_that_does_it():
    for command in COMMANDS:
        module = command.load()
        assert callable(module.arguments) and callable(module.run)
        assert re.fullmatch(r"[a-z]+", command.name)


def test_entry_points_lead_to_the_command_and_the_plugin():
    from importlib import import_module

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["smisk"].partition(":")
    assert getattr(import_module(module), name) is main
    plugin = import_module(project["entry-points"]["pytest11"]["smisk"])
    assert plugin.__name__ == "smisk.testing.plugin"


# --- the terminal ---


def test_colours_are_for_terminals_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal(io.StringIO(), io.StringIO()).paint("x", "red") == "x"
    assert Terminal(Tty(), Tty()).paint("x", "red") == "\x1b[31mx\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(monkeypatch, name, value):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    assert Terminal(Tty(), Tty()).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal(Tty(), Tty()).paint("x", "red") != "x"


def test_errors_are_red_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    err = Tty()
    assert dispatch(["nope"], Terminal(io.StringIO(), err)) == 2
    assert err.getvalue().startswith("\x1b[31msmisk:\x1b[0m there is no command")


def test_status_of_an_error_is_the_exit_status(monkeypatch):
    from smisk.cli import config

    def run(options, terminal):
        raise CommandError("no", 7)

    monkeypatch.setattr(config, "run", run)
    err = io.StringIO()
    assert dispatch(["config"], Terminal(io.StringIO(), err)) == 7
    assert err.getvalue() == "smisk: no\n"


def test_interrupt_ends_with_the_status_of_shells(monkeypatch):
    from smisk.cli import config

    def run(options, terminal):
        raise KeyboardInterrupt

    monkeypatch.setattr(config, "run", run)
    assert dispatch(["config"], Terminal(io.StringIO(), io.StringIO())) == 130


def test_reader_that_leaves_is_no_traceback(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from smisk.cli import main; sys.exit(main(['config']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, text=True, check=False
    )
    os.close(writing)
    assert "Traceback" not in done.stderr
