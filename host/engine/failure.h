// SPDX-License-Identifier: MIT
// Development (`autoreload`): why the newest code does not run. A file in memory that the master makes and its
// children share: a replacement that fails leaves its errors here, the worker that goes on serving shows them. Text
// of at most SM_FAILURE_MAX bytes; a reader may see half of one text and half of the next, once.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SM_FAILURE_MAX = 65536 };

struct sm_failure {
    int fd;     // -1: none
    size_t len; // bytes that this process has written
};

// Makes an empty one. 0 or -errno.
int sm_failure_open(struct sm_failure *failure);
// What this process logs as an error from now on is the failure; the first replaces what is there.
void sm_failure_listen(struct sm_failure *failure);
void sm_failure_ignore(void);
// Adds to what this process has written: a heading and, unless NULL, lines below it.
void sm_failure_put(struct sm_failure *failure, const char *heading, const char *text, size_t text_len);
// The newest code runs.
void sm_failure_clear(struct sm_failure *failure);
// 0: no failure; else a number that another failure does not have.
uint64_t sm_failure_stamp(const struct sm_failure *failure);
// The bytes read, at most `cap`; 0: no failure.
size_t sm_failure_read(const struct sm_failure *failure, char *out, size_t cap);
