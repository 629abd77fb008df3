// SPDX-License-Identifier: MIT
// A body that a handler produces piece by piece: pulled when there is room, each piece sent before the next is asked
// for, closed once. Comes in: answer.c begins one; iface_native.c goes on with it, or drops it. A stream is the
// exchange's user pointer and owns the Request until the exchange ends.
#pragma once

#include "py/answer.h"

struct smpy_stream;

// Begins to send an iterable of bytes or str. DONE or ERROR, the request still the caller's; or OPEN, with the
// stream in the exchange's user pointer and the request taken. Calls Python.
enum smpy_answer_outcome smpy_stream_begin(struct smpy_app *app, struct sm_exchange *exchange,
                                           const struct smpy_answer *answer, struct smpy_request *request);
// Goes on. DONE, ERROR or OPEN. Calls Python.
enum smpy_answer_outcome smpy_stream_resume(struct smpy_app *app, struct sm_exchange *exchange,
                                            struct smpy_stream *stream);
// Closes the iterable, frees the stream, and gives its request back to the caller. An exception that is set stays
// set; one of close() is logged. Calls Python.
struct smpy_request *smpy_stream_end(struct sm_exchange *exchange, struct smpy_stream *stream);
