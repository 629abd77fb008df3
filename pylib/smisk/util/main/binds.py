# SPDX-License-Identifier: MIT
"""Addresses for several servers: cut apart, counted on, and a process for each."""

from __future__ import annotations

import os
import sys

from smisk.core.handover import is_hosted, received
from smisk.core.launch import plan
from smisk.core.listen import split_address

__all__ = ["extrapolate_binds", "fork_binds", "parse_bind_arg"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOCAL = "127.0.0.1"


def parse_bind_arg(args: str | Sequence[str]) -> tuple[str | None, int | None, str | None, list[str]]:
    """Returns socket path, port, host, and the arguments that are left.

    `args`: an address, or a command line in which `--bind ADDRESS` or `-b ADDRESS` gives it. What the address does not
    say is None. Raises OSError for what is no address, ValueError for `--bind` without one.
    """
    address, rest = (args, []) if isinstance(args, str) else _take_option(args)
    if address is None:
        return None, None, None, rest
    where = split_address(address)
    if where is None:
        return address, None, None, rest
    host, port = where
    return None, port, host or None, rest


def _take_option(args: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of the last `--bind`, and the other arguments."""
    address, rest, left = None, [], iter(args)
    for argument in left:
        name, equals, value = argument.partition("=")
        if name not in ("--bind", "-b"):
            rest.append(argument)
            continue
        address = value if equals else next(left, None)
        if address is None:
            raise ValueError(f"{argument} needs an address")
    return address, rest


def extrapolate_binds(
    count: int, socket: str | None = None, port: int | None = 5000, address: str | None = None
) -> list[str]:
    """Returns `count` addresses: those of consecutive ports, or socket paths that end in 0, 1, 2 …

    A `%d` in `socket` is where the number goes instead. Raises ValueError when ports would pass 65535.
    """
    if socket is not None:
        pattern = socket if "%d" in socket else socket + "%d"
        return [pattern.replace("%d", str(number)) for number in range(count)]
    first = 5000 if port is None else port
    if first + count - 1 > 65535:
        raise ValueError(f"{count} ports from {first} on would pass 65535")
    host = address or LOCAL
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return [f"{host}:{first + number}" for number in range(count)]


def fork_binds(
    count: int,
    childfunc: Callable[[int, str], object],
    socket: str | None = None,
    startport: int | None = 5000,
    address: str | None = None,
    include_calling_thread: bool = False,
) -> list[int]:
    """Calls `childfunc(index, address)` in a child process for each of `count` addresses; returns the process ids.

    A child ends when its function does, with status 0, or 1 after printing the exception. `include_calling_thread`: the
    last address is served by the calling process itself, before this returns.
    """
    handover = received()
    if is_hosted():
        # This is the server that was forked.
        if handover is not None and handover.child is not None:
            childfunc(*handover.child)
        return []
    addresses = list(enumerate(extrapolate_binds(count, socket, startport, address)))
    own = [addresses.pop()] if include_calling_thread and addresses else []
    pids = [_fork(childfunc, index, where) for index, where in addresses]
    for index, where in own:
        plan.child = (index, where)
        childfunc(index, where)
    return pids


def _fork(childfunc: Callable[[int, str], object], index: int, address: str) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        plan.child = (index, address)
        childfunc(index, address)
        status = 0
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
