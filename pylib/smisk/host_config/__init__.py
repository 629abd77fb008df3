# SPDX-License-Identifier: MIT
"""The host's configuration, read on its behalf.

`smiskd` never parses a configuration itself: it starts this in a short-lived child, which reads the file, puts the
command line on top, checks everything against the schema and writes plain `key NUL value NUL` pairs: times in
milliseconds, sizes in bytes, no dialect. Imports are few and late, since every start waits for this.

`python -m smisk.host_config --list` prints all settings.
"""

from .handover import main

__all__ = ["main"]
