# SPDX-License-Identifier: MIT
"""Types and a few constants. All names of `types` are here too."""

import re
import types
from collections.abc import MutableMapping

__all__ = ["MutableMapping", "None2", "RegexType", "Symbol", "Undefined", *types.__all__]


class Symbol:
    """An object that is only its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


# Where None is a value, this is the absence of one.
Undefined = Symbol("Undefined")
None2 = (None, None)
RegexType = re.Pattern

globals().update((name, getattr(types, name)) for name in types.__all__)
