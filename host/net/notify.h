// SPDX-License-Identifier: MIT
// Telling the service manager how we are: sd_notify(3)'s protocol, datagrams to the socket that $NOTIFY_SOCKET names.
// One per process; does nothing where nobody asked.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child speaks for us.
void sm_notify_open(void);
// Whether anybody listens.
bool sm_notify_is_on(void);
// Milliseconds in which the manager wants to hear of us again and again; 0: it does not.
uint64_t sm_notify_watchdog(void);
// Sends lines of KEY=value. What cannot be sent is lost: the manager has a deadline of its own.
void sm_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sm_notify_close(void);
