// SPDX-License-Identifier: MIT
// Where exceptions leave Python: logged once, and turned into an answer. No other file of the host prints or drops
// an exception of the application. Comes in: the interfaces, load.c, interp.c. Owns nothing.
#pragma once

#include "base/log.h"
#include "engine/exchange.h"
#include "py/module.h"

// Logs the exception that is set as "heading: Type: message" with its traceback, and clears it. Calls Python.
void smpy_error_log(const char *heading);

// Logs the exception that is set as one of this exchange, "METHOD URL (id): Type: message" with its traceback, and
// clears it; answers nothing. Calls Python.
void smpy_error_log_exchange(struct sm_exchange *exchange);

// Takes the exception that is set over the boundary: logs it like smpy_error_log_exchange and writes the answer, 500,
// or the status of a FormError. True: written, the caller ends the exchange. False: it cannot be answered any
// more (its head is out), the caller gives it up with sm_exchange_fail. Calls Python.
bool smpy_error_answer(struct smpy_state *state, struct sm_exchange *exchange, bool show_traceback);

// Logs a Python str as one line and drops the reference; NULL: logs the exception that is set. Calls Python.
void smpy_error_log_line(enum sm_log_level level, PyObject *text);
