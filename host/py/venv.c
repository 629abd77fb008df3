// SPDX-License-Identifier: MIT
// Finding a virtual environment and reading its pyvenv.cfg (see venv.h). venv writes `version = 3.11.7` there, other
// tools `version_info = 3.11.7.final.0` or `version_info = 3.11.7`; only major and minor have to agree with
// libpython.
#include "py/venv.h"

#include <errno.h>
#include <patchlevel.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

// 0, or -ENAMETOOLONG.
__attribute__((format(printf, 2, 3))) static int put_path(char out[static PATH_MAX], const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, PATH_MAX, format, args);
    va_end(args);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sm_program_folder(char out[static PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n < 0) {
        return -errno;
    }
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL) {
        return -ENOENT;
    }
    *slash = '\0';
    return 0;
}

// The value of a "key = value" line, cut at its end; NULL when the line is about something else.
static char *value_of(char *line, const char *key) {
    line += strspn(line, " \t");
    size_t len = strlen(key);
    if (strncmp(line, key, len) != 0) {
        return NULL;
    }
    line += len;
    line += strspn(line, " \t");
    if (*line != '=') {
        return NULL;
    }
    line += 1;
    line += strspn(line, " \t");
    line[strcspn(line, " \t\r\n")] = '\0';
    return line;
}

// Reads the version into `out`, "" when the file does not say. 0 or -errno.
static int read_version(const char *path, char *out, size_t cap) {
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = value_of(line, "version");
        value = value == NULL ? value_of(line, "version_info") : value;
        if (value != NULL) {
            (void)snprintf(out, cap, "%s", value);
        }
    }
    (void)fclose(file);
    return 0;
}

// 0, or -EINVAL after a log line: libpython and the packages of the environment must be of one version.
static int check_version(const char *path, const char *version) {
    int major = 0;
    int minor = 0;
    if (sscanf(version, "%d.%d", &major, &minor) != 2 || (major == PY_MAJOR_VERSION && minor == PY_MINOR_VERSION)) {
        return 0;
    }
    sm_log(SM_LOG_CRITICAL,
           "the virtual environment %s is for Python %d.%d, but this smiskd is built with Python %d.%d: make the "
           "environment with python%d.%d, or install smisk into it so that it gets a smiskd of its own",
           path, major, minor, PY_MAJOR_VERSION, PY_MINOR_VERSION, PY_MAJOR_VERSION, PY_MINOR_VERSION);
    return -EINVAL;
}

static void find_python(struct sm_venv *venv) {
    static const char *const names[] = {"python3", "python"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (put_path(venv->python, "%s/bin/%s", venv->path, names[i]) == 0 && access(venv->python, X_OK) == 0) {
            return;
        }
    }
    venv->python[0] = '\0';
}

// Looks at venv->path, which `origin` named.
static int open_venv(struct sm_venv *venv, const char *origin) {
    char config[PATH_MAX];
    char version[64];
    int status = put_path(config, "%s/pyvenv.cfg", venv->path);
    if (status == 0) {
        status = read_version(config, version, sizeof version);
    }
    if (status < 0) {
        bool is_there = access(venv->path, F_OK) == 0;
        sm_log(SM_LOG_CRITICAL, "%s: %s is no virtual environment: %s (%s)", origin, venv->path,
               is_there ? "it has no readable pyvenv.cfg" : "there is no such folder", strerror(-status));
        return -EINVAL;
    }
    if (check_version(venv->path, version) < 0) {
        return -EINVAL;
    }
    find_python(venv);
    if (venv->python[0] == '\0') {
        sm_log(SM_LOG_CRITICAL, "%s: the virtual environment %s has no bin/python3", origin, venv->path);
        return -EINVAL;
    }
    return SM_VENV_FOUND;
}

// Makes the path absolute, links left as they are.
static int set_path(struct sm_venv *venv, const char *path) {
    char cwd[PATH_MAX];
    if (path[0] == '/') {
        return put_path(venv->path, "%s", path);
    }
    if (getcwd(cwd, sizeof cwd) == NULL) {
        return -errno;
    }
    return put_path(venv->path, "%s/%s", cwd, path);
}

// The environment whose bin/ this program stands in.
static int find_around_program(struct sm_venv *venv) {
    char folder[PATH_MAX];
    char config[PATH_MAX];
    if (sm_program_folder(folder) < 0) {
        return SM_VENV_NONE;
    }
    char *slash = strrchr(folder, '/');
    if (slash == NULL || put_path(config, "%.*s/pyvenv.cfg", (int)(slash - folder), folder) < 0 ||
        access(config, F_OK) != 0) {
        return SM_VENV_NONE;
    }
    *slash = '\0';
    if (put_path(venv->path, "%s", folder) < 0) {
        return SM_VENV_NONE;
    }
    return open_venv(venv, "beside smiskd");
}

int sm_venv_find(const char *wanted, const char *active, struct sm_venv *venv_out) {
    const char *origin = "venv";
    if (wanted == NULL || wanted[0] == '\0') {
        origin = "VIRTUAL_ENV";
        wanted = active;
    }
    if (wanted == NULL || wanted[0] == '\0') {
        return find_around_program(venv_out);
    }
    int status = set_path(venv_out, wanted);
    if (status < 0) {
        sm_log(SM_LOG_CRITICAL, "%s: %s: %s", origin, wanted, strerror(-status));
        return -EINVAL;
    }
    return open_venv(venv_out, origin);
}
