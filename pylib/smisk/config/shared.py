# SPDX-License-Identifier: MIT
"""The configuration that all parts of an application share.

`smiskd -c FILE` names its file to the workers in `SMISK_CONFIG`; whoever asks for `config` first has it read. The
variable does the same for a plain Python.
"""

from __future__ import annotations

import os

from .configuration import Configuration

__all__ = ["VARIABLE", "config"]

VARIABLE = "SMISK_CONFIG"


def _first() -> Configuration:
    """Returns a configuration with the content of the named file. Raises ConfigurationError."""
    configuration = Configuration()
    path = os.environ.get(VARIABLE, "")
    if path:
        configuration.load(path)
    return configuration


config = _first()
