// SPDX-License-Identifier: MIT
// What smiskd's exit status says.
#pragma once

enum sm_exit {
    SM_EXIT_OK = 0,
    SM_EXIT_APP = 1,    // the application could not be loaded or started
    SM_EXIT_CONFIG = 2, // command line or configuration is wrong
    SM_EXIT_LISTEN = 3, // a listener could not be opened
    SM_EXIT_PYTHON = 4, // Python could not be started
    SM_EXIT_SYSTEM = 5, // the system refused something else: memory, processes, files
};
