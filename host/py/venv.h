// SPDX-License-Identifier: MIT
// Finding a virtual environment and reading its pyvenv.cfg, before Python is started. No Python here. Comes in:
// interp.c. Owns nothing; paths are written into the caller's struct.
#pragma once

#include <limits.h>

enum sm_venv_outcome {
    SM_VENV_FOUND = 0,
    SM_VENV_NONE = 1, // nothing names one and none lies around the binary
};

struct sm_venv {
    char path[PATH_MAX];
    char python[PATH_MAX]; // its interpreter, "" if it has none
};

// Finds the virtual environment: `wanted` (NULL: not given), else `active` (what $VIRTUAL_ENV says, or NULL), else
// the one whose bin/ holds this program. SM_VENV_FOUND, SM_VENV_NONE, or -EINVAL after a log line: it is none, or
// made for another Python.
int sm_venv_find(const char *wanted, const char *active, struct sm_venv *venv_out);

// The folder of this program's file, without a slash at its end. 0 or -errno.
int sm_program_folder(char out[static PATH_MAX]);
