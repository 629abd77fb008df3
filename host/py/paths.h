// SPDX-License-Identifier: MIT
// Where an application is mounted, and which part of the path is its own: SCRIPT_NAME and PATH_INFO (RFC 3875 4.1.13,
// 4.1.5), from the head of any front server and the setting `root_path`. Pure: bytes in, bytes out. Comes in: the
// interfaces that have a mount point. Owns nothing.
#pragma once

#include "proto/message.h"

// Both percent-decoded. `script` is empty or begins with a slash and ends without one; `path` is empty or begins with
// a slash.
struct sm_paths {
    struct sm_str script;
    struct sm_str path;
};

// Bytes of scratch that sm_paths_of wants for this head.
size_t sm_paths_room(const struct sm_head *head);
// The two parts of a request's path; `root` as the setting says, ptr NULL or empty for none. They lie in the head, in
// `root` or in `scratch`.
struct sm_paths sm_paths_of(const struct sm_head *head, struct sm_str root, char *scratch);
