# SPDX-License-Identifier: MIT
"""What `smiskd` calls in its configuration helper: strings in, pairs out."""

from __future__ import annotations

import os
import sys

from smisk.config.error import ConfigurationError, printable
from smisk.config.source import merged, read_sources

from .listen import Listener
from .resolve import Draft, resolve
from .schema import SETTINGS

__all__ = ["main"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from smisk.config.source import Source

EXIT_OK = 0
EXIT_CONFIG = 2
CONF = "conf="


def main(arguments: list[str], out_fd: int) -> int:
    """Reads, checks and hands over the configuration.

    `arguments`: at most one `conf=PATH`, then overrides as `origin NUL key NUL value`. Writes the settings to
    `out_fd` and returns 0, or writes what is wrong, one line each, to stderr and to `out_fd`, and returns 2.
    """
    paths = [argument[len(CONF) :] for argument in arguments if argument.startswith(CONF)]
    try:
        sources = read_sources(paths[0]) if paths else []
        settings, errors = resolve(_draft(sources, arguments))
    except ConfigurationError as error:
        errors = [error]
    if errors:
        message = "".join(f"{printable(str(error))}\n" for error in errors)
        sys.stderr.write(message)
        sys.stderr.flush()
        _write(out_fd, message.encode("utf-8", "backslashreplace"))
        return EXIT_CONFIG
    pairs = [*_pairs(settings), *_for_application(paths, settings)]
    if settings.get("autoreload"):
        pairs += [(f"config_files.{index}", source.path) for index, source in enumerate(sources)]
    _write(out_fd, b"".join(_encode(key) + _encode(value) for key, value in pairs))
    return EXIT_OK


def _draft(sources: list[Source], arguments: list[str]) -> Draft:
    draft = Draft(*merged(sources))
    for argument in arguments:
        if not argument.startswith(CONF):
            origin, key, value = argument.split("\0", 2)
            draft.override(origin, key, value)
    return draft


def _pairs(settings: dict[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if not SETTINGS[key].sent:
            continue
        if isinstance(value, bool):
            yield key, "true" if value else "false"
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Listener):
                    yield from ((f"{key}.{index}.{part}", part_value) for part, part_value in item.pairs())
                else:
                    yield f"{key}.{index}", str(item)
        else:
            yield key, str(value)


def _for_application(paths: list[str], settings: dict[str, object]) -> Iterator[tuple[str, str]]:
    """What the workers need to know before they import the application: it reads the same file (`smisk.config`)."""
    for path in paths:
        yield "config_file", path
    if paths and settings.get("logging"):
        yield "logging", "true"


def _encode(text: str) -> bytes:
    # Paths from the command line may hold bytes that are not UTF-8; they go back as they came.
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
