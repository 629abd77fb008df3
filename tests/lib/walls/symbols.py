# SPDX-License-Identifier: MIT
"""What an object file needs from outside and what it can write to, read with nm(1)."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PURE_LIBC", "Symbols", "compile_object", "impurities", "needed_libraries", "read_symbols"]

# What a pure function may take from libc: bytes in, bytes out.
PURE_LIBC = frozenset({"memchr", "memcmp", "memcpy", "memmem", "memmove", "memrchr", "memset", "strchr", "strlen"})

# Plain objects: no sanitizer, fortification or stack check to bring symbols of their own in; constant tables of
# pointers lie in read-only data only where the code is not position independent.
_FLAGS = (
    "-std=gnu17 -O2 -DNDEBUG -U_FORTIFY_SOURCE -fno-stack-protector -fno-pie -fno-pic -fno-asynchronous-unwind-tables"
)


@dataclass(frozen=True)
class Symbols:
    """Names that an object defines, needs, and has in writable memory."""

    defined: frozenset[str]
    undefined: frozenset[str]
    writable: frozenset[str]


def compile_object(source: Path, folder: Path, include: Sequence[Path] = ()) -> Path:
    """Compiles one C file into `folder`; CalledProcessError when the compiler refuses."""
    output = folder / f"{source.stem}.o"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    includes = [f"-I{path}" for path in include]
    subprocess.run([*compiler, *_FLAGS.split(), *includes, "-c", str(source), "-o", str(output)], check=True)
    return output


def read_symbols(path: Path) -> Symbols:
    listing = subprocess.run(["nm", "-P", str(path)], check=True, capture_output=True, text=True).stdout
    rows = [line.split()[:2] for line in listing.splitlines()]
    return Symbols(
        defined=frozenset(name for name, kind in rows if kind in "ABCDRTVWi"),
        undefined=frozenset(name for name, kind in rows if kind in "Uw"),
        writable=frozenset(name for name, kind in rows if kind in "BbCDdGgSs"),
    )


def impurities(roots: Sequence[str], objects: Mapping[str, Symbols]) -> list[str]:
    """What makes `roots`, or objects that they need, impure: writable data, and needs outside PURE_LIBC."""
    home = {name: key for key, symbols in objects.items() for name in symbols.defined}
    wrong, waiting, seen = [], list(roots), set(roots)
    while waiting:
        key = waiting.pop()
        symbols = objects[key]
        wrong += [f"{key}: writable {name}" for name in sorted(symbols.writable)]
        for name in sorted(symbols.undefined - PURE_LIBC):
            if name not in home:
                wrong.append(f"{key}: needs {name}")
            elif home[name] not in seen:
                seen.add(home[name])
                waiting.append(home[name])
    return wrong


def needed_libraries(program: Path) -> list[str]:
    """Names of the shared libraries that an ELF file asks for."""
    listing = subprocess.run(["readelf", "-d", str(program)], check=True, capture_output=True, text=True).stdout
    return [line.split("[")[1].rstrip("]") for line in listing.splitlines() if "(NEEDED)" in line]
