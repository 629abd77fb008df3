// SPDX-License-Identifier: MIT
// Process attributes. Every failure is said with the setting that asked for it.
#define _GNU_SOURCE
#include "engine/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "base/num.h"

static bool sm_process_number(const char *name, uint64_t *id_out) {
    return sm_u64_parse(sm_str_from(name), INT32_MAX, id_out);
}

int sm_process_ids(const char *user, const char *group, uid_t *uid_out, gid_t *gid_out) {
    uint64_t id = 0;
    *uid_out = (uid_t)-1;
    *gid_out = (gid_t)-1;
    if (user != NULL && sm_process_number(user, &id)) {
        *uid_out = (uid_t)id;
    } else if (user != NULL) {
        struct passwd *entry = getpwnam(user);
        if (entry == NULL) {
            sm_log(SM_LOG_CRITICAL, "there is no user \"%s\"", user);
            return SM_EXIT_CONFIG;
        }
        *uid_out = entry->pw_uid;
        *gid_out = entry->pw_gid;
    }
    if (group != NULL && sm_process_number(group, &id)) {
        *gid_out = (gid_t)id;
    } else if (group != NULL) {
        struct group *entry = getgrnam(group);
        if (entry == NULL) {
            sm_log(SM_LOG_CRITICAL, "there is no group \"%s\"", group);
            return SM_EXIT_CONFIG;
        }
        *gid_out = entry->gr_gid;
    }
    return SM_EXIT_OK;
}

// Who the workers are to be. A user given as a number has the group of its entry too, never root's by default.
static int sm_process_identity(const struct sm_settings *settings, uid_t *uid_out, gid_t *gid_out) {
    int status = sm_process_ids(settings->user, settings->group, uid_out, gid_out);
    if (status != SM_EXIT_OK || *uid_out == (uid_t)-1 || *gid_out != (gid_t)-1) {
        return status;
    }
    struct passwd *entry = getpwuid(*uid_out);
    if (entry == NULL) {
        sm_log(SM_LOG_CRITICAL, "user %s has no entry that names its group; set `group` too", settings->user);
        return SM_EXIT_CONFIG;
    }
    *gid_out = entry->pw_gid;
    return SM_EXIT_OK;
}

int sm_process_open_log(const struct sm_settings *settings) {
    const char *path = settings->error_log;
    uid_t uid;
    gid_t gid;
    if (path != NULL && strcmp(path, "stderr") != 0 && geteuid() == 0 &&
        sm_process_identity(settings, &uid, &gid) == SM_EXIT_OK) {
        // Only a new file changes hands: of one that exists, or of what a link leads to, root gives nothing away.
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0640);
        int r = fd >= 0 ? fchown(fd, uid, gid) : 0;
        (void)r; // sm_log_open says whether it can be used
        if (fd >= 0) {
            close(fd);
        }
    }
    int r = sm_log_open(path);
    if (r == 0) {
        sm_log_redirect();
    }
    return r;
}

int sm_process_drop(const struct sm_settings *settings) {
    uid_t uid;
    gid_t gid;
    int status = sm_process_identity(settings, &uid, &gid);
    if (status != SM_EXIT_OK) {
        return status;
    }
    bool new_gid = gid != (gid_t)-1 && gid != getegid();
    bool new_uid = uid != (uid_t)-1 && uid != geteuid();
    if (geteuid() == 0 && (new_gid || new_uid)) {
        struct passwd *entry = uid == (uid_t)-1 ? NULL : getpwuid(uid);
        int r = entry != NULL && gid != (gid_t)-1 ? initgroups(entry->pw_name, gid) : setgroups(0, NULL);
        if (r < 0) {
            sm_log(SM_LOG_CRITICAL, "cannot set the groups of user \"%s\": %s", settings->user, strerror(errno));
            return SM_EXIT_SYSTEM;
        }
    }
    if ((new_gid && setgid(gid) < 0) || (new_uid && setuid(uid) < 0)) {
        sm_log(SM_LOG_CRITICAL, "cannot become user \"%s\", group \"%s\": %s; only root can",
               settings->user == NULL ? "" : settings->user, settings->group == NULL ? "" : settings->group,
               strerror(errno));
        return SM_EXIT_SYSTEM;
    }
    return SM_EXIT_OK;
}

int sm_process_place(const struct sm_settings *settings) {
    if (settings->umask >= 0) {
        umask((mode_t)settings->umask);
    }
    if (settings->chdir != NULL && chdir(settings->chdir) < 0) {
        sm_log(SM_LOG_CRITICAL, "chdir %s: %s", settings->chdir, strerror(errno));
        return SM_EXIT_CONFIG;
    }
    return SM_EXIT_OK;
}

int sm_process_write_pid(const char *path) {
    char *beside = NULL;
    char text[SM_U64_DIGITS + 1];
    if (path == NULL) {
        return SM_EXIT_OK;
    }
    if (asprintf(&beside, "%s.%d", path, (int)getpid()) < 0) {
        return SM_EXIT_SYSTEM;
    }
    size_t len = sm_u64_dec(text, (uint64_t)getpid());
    text[len++] = '\n';
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool fine = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    fine = (fd < 0 || close(fd) == 0) && fine && rename(beside, path) == 0;
    if (!fine) {
        sm_log(SM_LOG_CRITICAL, "cannot write pidfile %s: %s", path, strerror(errno));
        unlink(beside);
    }
    free(beside);
    return fine ? SM_EXIT_OK : SM_EXIT_SYSTEM;
}

uint64_t sm_process_memory(void) {
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        close(fd);
    }
    unsigned long long size = 0;
    unsigned long long resident = 0;
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%llu %llu", &size, &resident) == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
