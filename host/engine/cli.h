// SPDX-License-Identifier: MIT
// The command line of smiskd: options to overrides for the configuration helper. Prints --help and --version.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "engine/settings.h"

// What the command line says. `arguments` are the helper's strings: "conf=PATH" or "ORIGIN NUL KEY NUL VALUE".
struct sm_cli {
    bool test;                // -t
    bool has_listen;          // a listener was named
    const char *venv;         // --venv as given, for the helper's own interpreter; borrowed from argv
    struct sm_str *arguments; // owned, the bytes too
    size_t n_arguments;
};

// -1: go on; otherwise the status to exit with (help, version, or an error that was explained on stderr).
int sm_cli_parse(struct sm_cli *cli, int argc, char **argv);
// One more override, as from the command line. 0 or -ENOMEM.
int sm_cli_override(struct sm_cli *cli, const char *origin, const char *key, const char *value);
// Explains on stderr that there is no application to serve.
void sm_cli_no_app(void);
// Prints on stdout what these settings would run (-t): the application as "hello:handle", its interface, listeners.
void sm_cli_print_plan(const struct sm_settings *settings, const char *app, const char *interface);
void sm_cli_deinit(struct sm_cli *cli);
