# SPDX-License-Identifier: MIT
"""What a program that hands itself over to `smiskd` tells the workers, and what this process is.

The program's process becomes `smiskd` (`launch`), and each worker runs the program again (`launched`) as it was
started: with the same arguments and `sys.path`, in the same folder. That is what a `Handover` carries, in one
environment variable.
"""

from __future__ import annotations

import os
import sys

__all__ = ["VARIABLE", "Handover", "is_hosted", "received", "take"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

VARIABLE = "SMISK_HANDOVER"

_received: Handover | None = None


class Handover:
    """How the program was started.

    `argv`, `path`: `sys.argv` and `sys.path`. `folder`: where it was started. `python`: the version of its Python, as
    "3.12". `listening`: the address that `bind()` opened. `debug`: whether the root logger logs everything. `child`:
    number and address, where `fork_binds()` started this server.
    """

    __slots__ = ("argv", "child", "debug", "folder", "listening", "path", "python")

    def __init__(
        self,
        argv: list[str],
        path: list[str],
        folder: str,
        python: str,
        listening: str | None = None,
        debug: bool = False,
        child: tuple[int, str] | None = None,
    ) -> None:
        self.argv = argv
        self.path = path
        self.folder = folder
        self.python = python
        self.listening = listening
        self.debug = debug
        self.child = child

    def dump(self) -> str:
        """Returns it as ASCII text; file names that are no UTF-8 come through."""
        import json

        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, text: str) -> Handover:
        """Returns what `dump()` wrote. Raises ValueError for anything else."""
        import json

        try:
            fields = json.loads(text)
            fields["child"] = tuple(fields["child"]) if fields["child"] else None
            return cls(**fields)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{VARIABLE} was not written by Smisk: {error}") from None


def is_hosted() -> bool:
    """Whether this Python runs inside `smiskd`: there `_smisk` is part of the program, elsewhere it is a file."""
    return "_smisk" in sys.builtin_module_names


def received() -> Handover | None:
    """What the program handed over; None where `smiskd` was started by hand, and outside of it."""
    return _received


def take(environ: MutableMapping[str, str] = os.environ) -> Handover:
    """Takes the handover out of the environment, where what the application starts must not find it.

    Raises ValueError when there is none, or none that can be read.
    """
    global _received
    text = environ.pop(VARIABLE, None)
    if text is None:
        raise ValueError(f"this is for programs that hand themselves over to smiskd: there is no {VARIABLE}")
    _received = Handover.load(text)
    return _received
