# SPDX-License-Identifier: MIT
"""The command lines of docs/cli.md are taken, and every command and option has its words there."""

import re
import shlex
from pathlib import Path

import pytest
from smisk.cli.arguments import Parser
from smisk.cli.commands import COMMANDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
LINES = [
    line.partition("#")[0].partition(">")[0].strip()
    for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("smisk ") and "[" not in line and "--version" not in line
]


def parser_of(name):
    command = next(each for each in COMMANDS if each.name == name)
    parser = Parser(command.name, command.summary)
    command.load().arguments(parser)
    return parser


@pytest.mark.parametrize("line", LINES)
def test_command_line_of_the_page_is_taken(line):
    _, name, *words = shlex.split(line)
    parser_of(name).read(words)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_command_and_its_options_are_on_the_page(command):
    section = PAGE.partition(f"## smisk {command.name}\n")[2].partition("\n## ")[0]
    options = [name for action in parser_of(command.name).actions() for name in action.option_strings]
    missing = [name for name in options if name not in section and name not in ("-h", "--help", "--config")]
    assert section and missing == []
