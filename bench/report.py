# SPDX-License-Identifier: MIT
"""What a run prints and keeps: on which machine and commit, the table, the files."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

__all__ = ["BOLD", "DIM", "GREEN", "RED", "Report", "paint", "say"]

ROOT = Path(__file__).resolve().parent.parent
BOLD, DIM, RED, GREEN = "1", "2", "31", "32"


def paint(text: str, *codes: str, stream: TextIO | None = None) -> str:
    """Wrap `text` in terminal colours when the stream (standard output) is a terminal and NO_COLOR is not set."""
    stream = sys.stdout if stream is None else stream
    if not codes or "NO_COLOR" in os.environ or not stream.isatty():
        return text
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"


def say(text: str) -> None:
    """Report progress on standard error."""
    print(paint(text, DIM, stream=sys.stderr), file=sys.stderr, flush=True)


def git(*arguments: str) -> str:
    """First line of a git command's output; empty when there is no commit or no git."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.split("\n")[0] if done.returncode == 0 else ""


def commit() -> str:
    """Abbreviated commit of the checkout, with "+changes" when the work tree differs from it."""
    name = git("rev-parse", "--short=12", "HEAD") or "none"
    return name + ("+changes" if git("status", "--porcelain") else "")


def cpu_model() -> str:
    """The CPU's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine() -> dict[str, str]:
    """Where the figures of this run come from."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "commit": commit(),
        "cpu": f"{cpu_model()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown table of `rows`, the first being the heads; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rule = [("-" * width if i == 0 else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    lines.insert(1, f"| {' | '.join(rule)} |")
    return lines


class Report:
    """Collects sections, prints each as it comes, and writes all of them at the end."""

    def __init__(self, name: str, title: str) -> None:
        """Print the head: `title` and the machine; `name` is for the files."""
        self.name = name
        self.machine = machine()
        self.lines: list[str] = []
        self.data: dict[str, Any] = {"name": name, "title": title, "machine": self.machine}
        self.line(f"# {title}", BOLD)
        self.line("")
        for name, value in self.machine.items():
            self.line(f"- {name}: {value}", DIM)

    def line(self, text: str, *codes: str) -> None:
        """Add one line of Markdown and print it, coloured by `codes`."""
        self.lines.append(text)
        print(paint(text, *codes), flush=True)

    def table(self, head: str, rows: Sequence[Sequence[str]], colours: Sequence[tuple[str, ...]] = ()) -> None:
        """Add a section with a table; `colours` gives the terminal colours of each row after the heads."""
        self.line("")
        self.line(f"## {head}", BOLD)
        self.line("")
        for i, text in enumerate(aligned(rows)):
            codes = colours[i - 2] if 2 <= i < len(colours) + 2 else ()
            self.line(text, *codes)

    def write(self, folder: Path) -> None:
        """Write the Markdown and JSON files, named by date and report, into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        base = folder / f"{stamp}-{self.name}"
        base.with_suffix(".md").write_text("\n".join(self.lines) + "\n")
        base.with_suffix(".json").write_text(json.dumps(self.data, indent=1) + "\n")
        say(f"written: {base}.md, {base}.json")
