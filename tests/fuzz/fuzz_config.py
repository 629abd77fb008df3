# SPDX-License-Identifier: MIT
"""Fuzzes the configuration reader: the dialect, TOML, includes, the schema and the command line.

    fuzz_config.py [--seconds 300] [--artifacts FOLDER] [FILE...]

With atheris installed libFuzzer drives it and follows the coverage; without, seeds are mutated blindly. FILEs are
replayed instead. An input is a configuration; after a line `=== NAME` follows the text of another file that it may
include, after a line `--- KEY` the value of a command-line setting. No real file is read besides the seeds.
"""

import argparse
import ast
import contextlib
import hashlib
import os
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

atheris: ModuleType | None
try:
    import atheris
except ImportError:
    atheris = None

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parent / "corpus" / "config"
EXAMPLE = HERE.parents[1] / "smisk.conf"
sys.path.insert(0, str(HERE.parents[1] / "pylib"))

with atheris.instrument_imports() if atheris else contextlib.nullcontext():
    from smisk.config import ConfigurationError, error, parser, position, scanner, source, toml  # noqa: F401
    from smisk.host_config import address, handover, kinds, listen, resolve, schema, spot  # noqa: F401


def split(data: bytes) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """Cuts an input into files by name (the first is `main`) and command-line settings."""
    files: dict[str, bytes] = {"main": b""}
    options: list[tuple[str, str]] = []
    name = "main"
    for line in data.splitlines(keepends=True):
        if line.startswith(b"=== "):
            name = line[4:].strip().decode("utf-8", "replace")
            files[name] = b""
        elif line.startswith(b"--- "):
            key, _, value = line[4:].strip().decode("utf-8", "surrogateescape").partition(" ")
            options.append((key, value))
        else:
            files[name] += line
    return files, options


class VirtualReader(source._Reader):
    """Reads from a dict of files; a pattern is taken as it is."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(source.MAX_INCLUDE_DEPTH, "utf-8")
        self._files = files

    def _data(self, path: str, asked: position.Position) -> bytes:
        try:
            return self._files[os.path.basename(path)]
        except KeyError:
            raise error.ConfigurationFileError("cannot read it", asked.origin, asked.line) from None


def outcome(function: Callable[[], object]) -> object:
    """What `function` returns, or None when it refuses with a message that is one printable line with a place."""
    try:
        return function()
    except ConfigurationError as refusal:
        check_message(refusal)
        return None


def check_message(refusal: ConfigurationError) -> None:
    assert error.printable(str(refusal)).isprintable()
    assert refusal.message, "an empty message"
    assert len(refusal.message) < 1000
    assert refusal.line >= 0


def check_dialect(text: str) -> None:
    """Where Python's own reader of literals understands the text as well, both must agree."""
    read = outcome(lambda: parser.parse(text, "x.conf"))
    if not isinstance(read, tuple):
        return
    values, positions = read
    for path, place in positions.items():
        assert 1 <= place.line <= text.count("\n") + text.count("\r") + 1, f"{path} on line {place.line}"
    assert all(isinstance(key, str) and (key,) in positions for key in values if key not in parser.DIRECTIVES)
    braces = text.lstrip(" \t\n\r\f\v").startswith("{")
    try:
        # The newlines keep a comment on the last line from swallowing the brace.
        expected = ast.literal_eval(text.strip(" \t\n\r\f\v") if braces else "{" + text + "\n}")
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return
    if isinstance(expected, dict) and not set(parser.DIRECTIVES) & set(values):
        assert repr(values) == repr(expected), f"{values!r} but Python says {expected!r}"


def check_settings(values: dict[str, object], places: dict[position.Path, position.Position]) -> resolve.Draft:
    draft = resolve.Draft(values, places)
    settings, errors = resolve.resolve(draft)
    for refusal in errors:
        check_message(refusal)
    if not errors:
        for key, value in handover._pairs(settings):
            assert "\0" not in key + value, f"NUL in {key}"
            handover._encode(value)
    return draft


def run_one(data: bytes) -> None:
    """Fails on anything but a configuration or a ConfigurationError."""
    files, options = split(data)
    text = files["main"].decode("utf-8", "replace")
    check_dialect(text)
    read = outcome(lambda: toml.parse_toml(text, "x.toml"))
    if isinstance(read, tuple):
        check_settings(*read)
    sources = outcome(lambda: VirtualReader(files).read("main", position.Position("")))
    values, places = source.merged(sources) if isinstance(sources, list) else ({}, {})
    draft = check_settings(values, places)
    for key, value in options:
        outcome(lambda key=key, value=value: draft.override("--set", key, value))  # type: ignore[misc]
    check_settings(draft.values, draft.positions)


def mutate(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with a few bytes changed, doubled, cut or taken from another seed."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randrange(1, 6)):
        at, size = chance.randrange(len(data) + 1), chance.randrange(1, 20)
        other = chance.choice(seeds)
        start = chance.randrange(len(other) + 1)
        data[at : at + chance.choice((0, 0, 1, size))] = chance.choice(
            (b"", other[start : start + size], data[at : at + size] * 2, chance.randbytes(1))
        )
    return bytes(data)


def run_blindly(seeds: list[bytes], seconds: float, artifacts: Path) -> int:
    chance = random.Random(time.time_ns())
    end = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < end:
        data = mutate(chance, seeds)
        try:
            run_one(data)
        except BaseException:
            artifacts.mkdir(parents=True, exist_ok=True)
            (artifacts / f"fuzz_config-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise
        runs += 1
    return runs


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--seconds", type=int, default=300)
    command.add_argument("--artifacts", type=Path, default=Path())
    command.add_argument("files", nargs="*", type=Path)
    options = command.parse_args()
    warnings.simplefilter("ignore")  # Python's reader warns of odd escapes
    seeds = [path.read_bytes() for path in options.files or [EXAMPLE, *sorted(SEEDS.glob("*/*"))]]
    for seed in seeds:
        run_one(seed)
    runs = len(seeds)
    if not options.files and atheris:
        flags = [f"-max_total_time={options.seconds}", f"-artifact_prefix={options.artifacts}/fuzz_config-"]
        flags += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=4096"]
        # libFuzzer keeps what it finds new in the first folder, and ends its process without cleaning up.
        with tempfile.TemporaryDirectory(prefix="fuzz_config-") as grown:
            child = os.fork()
            if not child:
                atheris.Setup(["fuzz_config", *flags, grown, *map(str, sorted(SEEDS.iterdir()))], run_one)
                atheris.Fuzz()
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(status)
    elif not options.files:
        runs += run_blindly(seeds, options.seconds, options.artifacts)
    print(f"runs: {runs}")


if __name__ == "__main__":
    main()
