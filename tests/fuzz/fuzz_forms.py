# SPDX-License-Identifier: MIT
"""Fuzzes what reads a client's text: forms, queries, cookies, URLs.

    fuzz_forms.py [--seconds 300] [--artifacts FOLDER] [FILE...]

With atheris installed libFuzzer drives it and follows the coverage; without, seeds are mutated blindly. FILEs are
replayed instead. An input is a line with the content type, then the body, as in tests/corpus/forms.
"""

import argparse
import contextlib
import hashlib
import io
import random
import sys
import time
from pathlib import Path
from types import ModuleType

atheris: ModuleType | None
try:
    import atheris
except ImportError:
    atheris = None

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parent / "corpus" / "forms"
sys.path.insert(0, str(HERE.parents[1] / "pylib"))

# The limits under which the corpus was written: small, so that seeds reach them.
MEMORY, MAX_FIELDS, MAX_PARTS = 4096, 24, 32

with atheris.instrument_imports() if atheris else contextlib.nullcontext():
    # The first two are imported only to have their branches seen.
    from smisk.core import cookies, formdata, forms, pairs, parts, url  # noqa: F401


class Pieces(io.BytesIO):
    """A body that arrives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.piece = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.piece if size is None or size < 0 else min(size, self.piece))


def parse(content_type: bytes, body: io.BytesIO, length: int) -> object:
    """Everything the form has, or None for a refusal (which of two faults is named depends on how it arrives)."""
    try:
        fields, files = forms.parse_form(
            content_type, body, length, memory=MEMORY, max_fields=MAX_FIELDS, max_parts=MAX_PARTS
        )
    except forms.FormError as error:
        if error.status not in (400, 413):
            raise AssertionError(f"status {error.status}") from error
        return None
    seen = []
    for name, value in files.items():
        for file in value if isinstance(value, list) else [value]:
            data = file.read()
            assert len(data) == file.size
            seen.append((name, file.filename, file.content_type, data))
    check_fields(fields, MAX_FIELDS)
    assert len(seen) <= MAX_PARTS
    return fields, seen


def check_fields(fields: object, most: int) -> None:
    assert isinstance(fields, dict)
    values = [one for value in fields.values() for one in (value if isinstance(value, list) else [value])]
    assert len(values) <= most
    assert all(type(key) is str for key in fields)
    assert all(value is None or type(value) is str for value in values)


def check_form(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    whole = parse(content_type, io.BytesIO(body), len(body))
    if len(body) < 2000:
        for size in (1, 7):
            pieces = parse(content_type, Pieces(body, size), len(body))
            assert pieces == whole, "depends on how the body arrives"


def check_text(data: bytes) -> None:
    with contextlib.suppress(forms.FormError):
        check_fields(forms.parse_query(data, MAX_FIELDS), MAX_FIELDS)
    check_fields(cookies.parse_cookies(data), len(data))
    text = pairs.decode_text(data)
    for function in (url.URL.encode, url.URL.escape):
        assert url.URL.decode(function(data)) == data
        assert url.URL.decode(function(text)) == text
    with contextlib.suppress(ValueError):
        line = cookies.format_cookie("n", text, path=text[:20])
        assert cookies.parse_cookies(line.partition("; Path=")[0].encode()) == {"n": text}
    with contextlib.suppress(ValueError):
        str(url.URL(data))


def run_one(data: bytes) -> None:
    """Fails on anything but a form or a FormError."""
    check_form(data)
    check_text(data)


def mutate(source: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with a few bytes changed, doubled, cut or taken from another seed."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randrange(1, 6)):
        at, size = source.randrange(len(data) + 1), source.randrange(1, 20)
        other = source.choice(seeds)
        start = source.randrange(len(other) + 1)
        change = source.randrange(4)
        if change == 0:
            data[at : at + 1] = bytes([source.randrange(256)])
        elif change == 1:
            data[at:at] = other[start : start + size]
        elif change == 2:
            del data[at : at + size]
        else:
            data[at:at] = data[at : at + size] * source.randrange(1, 4)
    return bytes(data)


def run_blindly(seeds: list[bytes], seconds: float, artifacts: Path) -> int:
    source = random.Random(time.time_ns())
    end = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < end:
        data = mutate(source, seeds)
        try:
            run_one(data)
        except BaseException:
            artifacts.mkdir(parents=True, exist_ok=True)
            (artifacts / f"fuzz_forms-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise
        runs += 1
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--artifacts", type=Path, default=Path())
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    seeds = [path.read_bytes() for path in options.files or sorted(SEEDS.glob("*/*"))]
    for seed in seeds:
        run_one(seed)
    runs = len(seeds)
    if not options.files and atheris:
        flags = [f"-max_total_time={options.seconds}", f"-artifact_prefix={options.artifacts}/fuzz_forms-"]
        flags += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=8192"]
        flags += ["-seed_inputs=" + ",".join(map(str, sorted(SEEDS.glob("*/*"))))]  # a folder would be written to
        atheris.Setup(["fuzz_forms", *flags], run_one)
        atheris.Fuzz()
    elif not options.files:
        runs += run_blindly(seeds, options.seconds, options.artifacts)
    print(f"runs: {runs}")


if __name__ == "__main__":
    main()
