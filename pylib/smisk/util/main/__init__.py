# SPDX-License-Identifier: MIT
"""How an application starts as a program of its own: `main(MyApp)` at the end of a file.

`main()` reads the command line, sets the application folder, loads the configuration, and runs the application, which
then becomes a `smiskd` (`smisk.core.launch`). Beside it, what such programs are made of: daemons, process ids, addresses.
"""

from .binds import extrapolate_binds, fork_binds, parse_bind_arg
from .cli import CommandLine, main_cli_filter
from .errors import handle_errors_wrapper
from .folders import find_program_path, setup_appdir
from .processes import control_process_runloop, daemonize, wait_for_child_processes
from .starter import Main, absapp

__all__ = [
    "CommandLine",
    "Main",
    "absapp",
    "control_process_runloop",
    "daemonize",
    "extrapolate_binds",
    "find_program_path",
    "fork_binds",
    "handle_errors_wrapper",
    "main",
    "main_cli_filter",
    "parse_bind_arg",
    "setup_appdir",
    "wait_for_child_processes",
]

main = Main()
