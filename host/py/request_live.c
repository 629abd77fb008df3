// SPDX-License-Identifier: MIT
// What becomes of a Request when its exchange ends (see request.h). Only in smiskd: the extension module has no
// engine and no exchanges.
#include <time.h>

#include "base/log.h"
#include "py/error.h"
#include "py/request.h"

enum { WAIT_STEP_NS = 100000 };

// The application gave the Request to another thread, which is reading a field: its builder looks at the exchange.
// It needs nothing of ours but the GIL, so it comes to its end.
static void wait_for_builders(const struct smpy_request *request) {
    while (request->building > 0) {
        PyThreadState *state = PyEval_SaveThread();
        (void)nanosleep(&(struct timespec){0, WAIT_STEP_NS}, NULL);
        PyEval_RestoreThread(state);
    }
}

void smpy_request_store_session(struct smpy_request *request, struct sm_exchange *exchange) {
    if (!smpy_request_has_session(request)) {
        return;
    }
    PyObject *pending = smpy_exception_take();
    if (smpy_request_session_finish(request) < 0) {
        smpy_error_log_exchange(exchange);
    }
    if (pending != NULL) {
        smpy_exception_give(pending);
    }
}

void smpy_request_release(struct smpy_request *request, struct sm_exchange *exchange) {
    smpy_request_store_session(request, exchange);
    if (smpy_is_only_reference((PyObject *)request)) {
        smpy_request_recycle(request);
        return;
    }
    wait_for_builders(request);
    struct smpy_snapshot *snapshot = smpy_snapshot_of_exchange(exchange);
    if (snapshot == NULL) {
        sm_log(SM_LOG_ERROR, "no memory to keep a request that the application holds on to");
    }
    request->ops = snapshot == NULL ? NULL : &smpy_snapshot_ops;
    request->source = snapshot;
    Py_DECREF(request);
}
