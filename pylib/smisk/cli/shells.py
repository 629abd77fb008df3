# SPDX-License-Identifier: MIT
"""Completion scripts for each shell. Words of ours have no spaces or quotes; what is said of them is quoted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["SHELLS", "Option", "Subject"]


class Option(NamedTuple):
    """An option, or (without `names`) the positional argument. `words`: what completes it: words, "file", "folder", ""."""

    names: tuple[str, ...]
    help: str
    words: str | tuple[str, ...]
    takes: bool


class Subject(NamedTuple):
    """A subcommand."""

    name: str
    summary: str
    options: list[Option]
    positional: Option


def _text(text: str) -> str:
    """In single quotes; shells agree on those, and on what to do with one within."""
    return "'" + text.replace("'", "'\\''") + "'"


# --- bash ---


def _bash(subjects: list[Subject]) -> str:
    names = " ".join(subject.name for subject in subjects)
    after, words = [], []
    for subject in subjects:
        for option in subject.options:
            if option.takes:
                patterns = "|".join(f"{subject.name}:{name}" for name in option.names)
                after.append(f"        {patterns}) {_bash_words(option.words)} ;;")
        own = " ".join(name for option in subject.options for name in option.names)
        positional = _bash_words(subject.positional.words)
        words.append(f"        {subject.name}) if [[ $cur == -* ]]; then {_bash_list(own)}; else {positional}; fi ;;")
    return BASH.format(names=names, after="\n".join(after), words="\n".join(words))


def _bash_list(words: str) -> str:
    return f'mapfile -t COMPREPLY < <(compgen -W {_text(words)} -- "$cur")'


def _bash_words(words: str | tuple[str, ...]) -> str:
    if isinstance(words, tuple):
        return _bash_list(" ".join(words))
    flag = {"file": "-f", "folder": "-d"}.get(words)
    return f'mapfile -t COMPREPLY < <(compgen {flag} -- "$cur")' if flag else "COMPREPLY=()"


BASH = """# bash completion for smisk
_smisk() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W '{names} --help --version' -- "$cur")
        return
    fi
    case ${{COMP_WORDS[1]}}:$prev in
{after}
        *) _smisk_of_command "$cur" ;;
    esac
}}
_smisk_of_command() {{
    local cur=$1
    case ${{COMP_WORDS[1]}} in
{words}
    esac
}}
complete -o filenames -F _smisk smisk
"""


# --- zsh ---


def _zsh(subjects: list[Subject]) -> str:
    commands = "\n".join(f"        {_text(f'{subject.name}:{subject.summary}')}" for subject in subjects)
    cases = []
    for subject in subjects:
        specs = [spec for option in subject.options for spec in _zsh_specs(option)]
        positional = _zsh_action(subject.positional.words)
        if positional:
            specs.append(_text(f"1:{subject.name}:{positional}"))
        cases.append(f"        {subject.name}) _arguments {' '.join(specs)} ;;")
    return ZSH.format(commands=commands, cases="\n".join(cases))


def _zsh_specs(option: Option) -> list[str]:
    about = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    tail = f":value:{_zsh_action(option.words)}" if option.takes else ""
    return [_text(f"{name}[{about}]{tail}") for name in option.names]


def _zsh_action(words: str | tuple[str, ...]) -> str:
    if isinstance(words, tuple):
        return f"({' '.join(words)})"
    return {"file": "_files", "folder": "_files -/"}.get(words, "")


ZSH = """#compdef smisk
_smisk() {{
    local -a commands
    commands=(
{commands}
    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    case $command in
{cases}
    esac
}}
compdef _smisk smisk
"""


# --- fish ---


def _fish(subjects: list[Subject]) -> str:
    lines = ["# fish completion for smisk", "complete -c smisk -f"]
    for subject in subjects:
        lines.append(f"complete -c smisk -n __fish_use_subcommand -a {subject.name} -d {_text(subject.summary)}")
    for subject in subjects:
        seen = f"-n '__fish_seen_subcommand_from {subject.name}'"
        for option in subject.options:
            flags = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            takes = f" -r{_fish_words(option.words)}" if option.takes else ""
            lines.append(f"complete -c smisk {seen} {flags}{takes} -d {_text(option.help)}")
        words = _fish_words(subject.positional.words)
        if words:
            lines.append(f"complete -c smisk {seen}{words}")
    return "\n".join(lines) + "\n"


def _fish_words(words: str | tuple[str, ...]) -> str:
    if isinstance(words, tuple):
        return f" -a {_text(' '.join(words))}"
    return {"file": " -F", "folder": " -a '(__fish_complete_directories)'"}.get(words, "")


SHELLS: dict[str, Callable[[list[Subject]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
