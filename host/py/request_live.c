// SPDX-License-Identifier: MIT
// What becomes of a Request when its exchange ends (see request.h). Only in smiskd: the extension module has no
// engine and no exchanges.
#include "py/request.h"

#include "base/log.h"

void smpy_request_release(struct smpy_request *request, struct sm_exchange *exchange) {
    if (smpy_is_only_reference((PyObject *)request)) {
        smpy_request_recycle(request);
        return;
    }
    struct smpy_snapshot *snapshot = smpy_snapshot_of_exchange(exchange);
    if (snapshot == NULL) {
        sm_log(SM_LOG_ERROR, "no memory to keep a request that the application holds on to");
    }
    request->ops = snapshot == NULL ? NULL : &smpy_snapshot_ops;
    request->source = snapshot;
    Py_DECREF(request);
}
