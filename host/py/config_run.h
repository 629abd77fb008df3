// SPDX-License-Identifier: MIT
// The configuration helper's whole life: starts Python as quickly as it can, calls smisk.host_config, ends. Runs in
// a short-lived child of the master, so that the master never starts Python.
#pragma once

#include "base/str.h"
#include "py/interp.h"

// Calls smisk.host_config.main(arguments, out_fd) and returns its exit code (0, SM_EXIT_CONFIG), or SM_EXIT_PYTHON
// after having logged why. Arguments may hold NUL bytes; they become str (file system encoding).
int smpy_config_run(const struct smpy_interp_options *options, const struct sm_str *arguments, size_t n_arguments,
                    int out_fd);
