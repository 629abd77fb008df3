// SPDX-License-Identifier: MIT
// What makes a process a well-behaved daemon: identity, files, background.
#pragma once

#include <sys/types.h>

#include "engine/settings.h"

// Resolves user and group names. 0, or SM_EXIT_CONFIG after a log line. -1 where a name is NULL.
int sm_process_ids(const char *user, const char *group, uid_t *uid_out, gid_t *gid_out);
// Becomes settings->user and ->group for good. SM_EXIT_OK, or an exit status after a log line.
int sm_process_drop(const struct sm_settings *settings);
// Opens error_log (again). A file made here belongs to the user that the workers become, who open it again on USR1.
// Standard error follows. 0 or -errno; then the log stays as it was.
int sm_process_open_log(const struct sm_settings *settings);
// chdir and umask. SM_EXIT_OK or SM_EXIT_CONFIG after a log line.
int sm_process_place(const struct sm_settings *settings);
// Writes the process id, atomically. 0, or an exit status after a log line.
int sm_process_write_pid(const char *path);
// Resident bytes of this process; 0: not known.
uint64_t sm_process_memory(void);
