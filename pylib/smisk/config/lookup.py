# SPDX-License-Identifier: MIT
"""Where a configuration that is asked for by name is looked for."""

from __future__ import annotations

import os
import re

__all__ = ["GLOB_RE", "config_locations", "named_paths"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SYSTEM = "/etc"

# The folders that come first. Applications may change it.
config_locations = [os.path.join(_SYSTEM, "default"), _SYSTEM]

# Matches what `@include` takes for a pattern of file names.
GLOB_RE = re.compile(r".*(?:[*?]|\[[^\]]+\])", re.DOTALL)


def named_paths(name: str, ext: str, first: Iterable[str], last: Iterable[str] = ()) -> list[str]:
    """Returns the paths of the files that the configuration `name` may stand in; later ones count more.

    `ext` is the end of their names, `first` and `last` are folders: those before and those behind the application's own
    folder and the user's home.
    """
    file = name + ext
    first = list(first)
    paths = [os.path.join(folder, file) for folder in first]
    if _SYSTEM in first:
        paths.append(os.path.join(_SYSTEM, name, file))
    paths += [
        os.path.join(".", file),
        os.path.join(".", f"{name}-user{ext}"),
        os.path.join(os.path.expanduser("~"), file),
    ]
    return paths + [os.path.join(folder, file) for folder in last]
