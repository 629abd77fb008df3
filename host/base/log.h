// SPDX-License-Identifier: MIT
// The one writer of stderr and the error log. One call, one line, one write(2); control bytes are escaped, so no
// text from a client can forge a line. Comes in: every floor. Holds: one descriptor per process.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum sm_log_level { SM_LOG_DEBUG, SM_LOG_INFO, SM_LOG_WARNING, SM_LOG_ERROR, SM_LOG_CRITICAL };

// Lines below `level` are dropped. Colours only when the log is a terminal and NO_COLOR is not set.
void sm_log_set_level(enum sm_log_level level);
// Opens `path` for appending and writes there from now on; NULL or "stderr" means descriptor 2. 0 or -errno.
int sm_log_open(const char *path);
// What others in this process write to stderr, and to stdout if that leads to the same place, goes to the opened log
// too.
void sm_log_redirect(void);
// What stands in front of each line's text, as "worker 2"; borrowed for ever, NULL for none.
void sm_log_set_name(const char *name);

// One line; longer than 8 KiB is cut and marked.
void sm_log(enum sm_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Several lines (a traceback) under one heading line, each sanitised; written in one go.
void sm_log_text(enum sm_log_level level, const char *heading, const char *text, size_t text_len);
// Has every error (and worse) told to `listener` as well, whatever the level: heading without date, then the lines of
// sm_log_text or NULL. One listener in a process; NULL: none. It may not log.
typedef void sm_log_listener(void *context, const char *heading, const char *text, size_t text_len);
void sm_log_listen(sm_log_listener *listener, void *context);
// Escapes control bytes and invalid UTF-8 lead-ins of src into dst as \xHH; returns the bytes written, at most cap.
size_t sm_log_escape(char *dst, size_t cap, const char *src, size_t len);
