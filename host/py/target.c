// SPDX-License-Identifier: MIT
// The text of the `app` setting in its parts (see target.h). The configuration helper has checked its form and made
// paths absolute: so a colon or a parenthesis may stand in a folder's name, and in the arguments of a factory.
#define _GNU_SOURCE
#include "py/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit.h"
#include "base/log.h"

static int too_long(const char *app) {
    sm_log(SM_LOG_CRITICAL, "app: too long a name: %.200s", app);
    return SM_EXIT_APP;
}

// Whether a byte can stand in a dotted name; Python's identifiers may hold any letters.
static bool is_name_byte(unsigned char c) {
    return c >= 0x80 || c == '_' || c == '.' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// The colon before the attribute: the first with nothing but a name, or a name and a call, behind it. NULL: none.
static const char *find_colon(const char *app, size_t len) {
    for (const char *colon = strchr(app, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        const char *end = colon + 1;
        while (is_name_byte((unsigned char)*end)) {
            end++;
        }
        bool is_call = *end == '(' && app[len - 1] == ')';
        if (end > colon + 1 && (*end == '\0' || is_call)) {
            return colon;
        }
    }
    return NULL;
}

// A file: its folder goes to sys.path, its name without .py is the module.
static int split_file(const char *app, struct sm_target *target, size_t path_len) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%.*s", (int)path_len, app);
    if (realpath(path, target->file) == NULL) {
        sm_log(SM_LOG_CRITICAL, "app: cannot open %s: %s", path, strerror(errno));
        return SM_EXIT_APP;
    }
    char *slash = strrchr(target->file, '/');
    int folder_len = slash == target->file ? 1 : (int)(slash - target->file);
    (void)snprintf(target->folder, sizeof target->folder, "%.*s", folder_len, target->file);
    size_t name_len = strlen(slash + 1);
    if (name_len <= 3 || name_len >= sizeof target->module) {
        return too_long(app);
    }
    memcpy(target->module, slash + 1, name_len - 3);
    target->module[name_len - 3] = '\0';
    return 0;
}

// "create_app(…)"
static int split_attribute(const char *app, const char *text, struct sm_target *target) {
    size_t name_len = strcspn(text, "(");
    size_t arguments_len = strlen(text + name_len);
    if (name_len >= sizeof target->attribute || arguments_len >= sizeof target->arguments) {
        return too_long(app);
    }
    memcpy(target->attribute, text, name_len);
    memcpy(target->arguments, text + name_len, arguments_len);
    return 0;
}

int sm_target_split(const char *app, struct sm_target *out) {
    size_t len = strlen(app);
    const char *colon = find_colon(app, len);
    size_t module_len = colon == NULL ? len : (size_t)(colon - app);
    *out = (struct sm_target){0};
    if (module_len == 0 || app[len - 1] == ':') {
        sm_log(SM_LOG_CRITICAL, "app: \"%s\" is not of the form module, module:attribute or path/to/file.py", app);
        return SM_EXIT_APP;
    }
    int status = colon == NULL ? 0 : split_attribute(app, colon + 1, out);
    if (status != 0) {
        return status;
    }
    if (module_len > 3 && memcmp(app + module_len - 3, ".py", 3) == 0) {
        return module_len >= PATH_MAX ? too_long(app) : split_file(app, out, module_len);
    }
    if (module_len >= sizeof out->module) {
        return too_long(app);
    }
    memcpy(out->module, app, module_len);
    return 0;
}
