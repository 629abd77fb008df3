# SPDX-License-Identifier: MIT
"""`smisk completion`: the scripts, run by the shells that are here."""

import shutil
import subprocess

import pytest
from smisk.cli import main
from smisk.cli.commands import COMMANDS
from smisk.host_config.schema import SETTINGS


@pytest.fixture
def script(capsys):
    """The script for a shell."""

    def make(shell):
        assert main(["completion", shell]) == 0
        return capsys.readouterr().out

    return make


def complete(script, *words, cwd=None):
    """What bash proposes for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    code = f'{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _smisk; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True, cwd=cwd)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_words(script, tmp_path):
    bash = script("bash")
    names = [command.name for command in COMMANDS]
    assert complete(bash, "smisk", "") == [*names, "--help", "--version"]
    assert complete(bash, "smisk", "co") == [name for name in names if name.startswith("co")]
    assert complete(bash, "smisk", "new", "--k") == ["--kind"]
    assert complete(bash, "smisk", "new", "--kind", "") == ["native", "smisk", "wsgi", "asgi"]
    assert complete(bash, "smisk", "config", "ws_") == [name for name in SETTINGS if name.startswith("ws_")]
    assert complete(bash, "smisk", "completion", "") == ["bash", "zsh", "fish"]
    (tmp_path / "site.conf").touch()
    assert complete(bash, "smisk", "config", "-c", "si", cwd=tmp_path) == ["site.conf"]
    assert complete(bash, "smisk", "config", "--set", "") == []
    assert complete(bash, "smisk", "nothing", "") == []


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_reads_the_script(script):
    code = f"autoload -U compinit; compinit -D -u\n{script('zsh')}\nprint $_comps[smisk]"
    done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("_smisk\n", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes_commands_and_words(script, tmp_path):
    (tmp_path / "smisk.fish").write_text(script("fish"))

    def ask(line):
        code = f"source {tmp_path}/smisk.fish; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True)
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert sorted(ask("smisk ")) == sorted(command.name for command in COMMANDS)
    assert ask("smisk new --kind na") == ["native"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_in_the_script(script, shell):
    text = script(shell)
    assert [command.name for command in COMMANDS if command.name not in text] == []
    for option in ("kind", "config", "given", "show-secrets", "plain"):
        assert option in text


def test_unknown_shell_is_refused(capsys):
    assert main(["completion", "csh"]) == 2
    assert "invalid choice: 'csh'" in capsys.readouterr().err
