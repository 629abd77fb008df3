// SPDX-License-Identifier: MIT
// The text of the `app` setting in its parts. No Python here. Comes in: load.c. Owns nothing; everything is written
// into the caller's struct.
#pragma once

#include <limits.h>

struct sm_target {
    char module[256];
    char attribute[256];   // dotted; "": the usual names
    char arguments[2048];  // of a factory, with their parentheses; "": it is not to be called
    char folder[PATH_MAX]; // "": the module is on sys.path
    char file[PATH_MAX];   // the file that was named, "" if none was
};

// Takes "module", "module:attribute.dotted", "module:factory(…)", or path/to/file.py for the module, apart. 0, or
// SM_EXIT_APP after having logged why not.
int sm_target_split(const char *app, struct sm_target *out);
