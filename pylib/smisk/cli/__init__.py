# SPDX-License-Identifier: MIT
"""The command `smisk`. `main` looks the subcommand up in the table of `commands` and imports only that one."""

__all__ = ["main"]


def main(arguments: "list[str] | None" = None) -> int:
    """Runs one command; `arguments` are those behind the program's name. Returns its exit status."""
    from .dispatch import dispatch

    return dispatch(arguments)
