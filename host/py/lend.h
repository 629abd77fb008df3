// SPDX-License-Identifier: MIT
// Bytes of a Python object on their way to a client: small ones are copied, large ones lent to the engine with a
// reference to their owner. Comes in: whoever writes bodies. Owns nothing.
#pragma once

#include "engine/exchange.h"
#include "py/compat.h"

enum { SMPY_LEND_FROM = 16 * 1024 }; // bytes

// The engine lets go of what it borrowed. It may do so after Python has ended: then the memory is gone.
static inline void smpy_lend_release(void *owner) {
    if (Py_IsInitialized()) {
        Py_DECREF((PyObject *)owner);
    }
}

// Writes bytes that lie in `owner` and do not change. The outcomes of sm_exchange_write.
static inline int smpy_lend_write(struct sm_exchange *exchange, struct sm_str bytes, PyObject *owner) {
    return bytes.len < SMPY_LEND_FROM
               ? sm_exchange_write(exchange, bytes.ptr, bytes.len)
               : sm_exchange_write_ref(exchange, bytes.ptr, bytes.len, smpy_lend_release, Py_NewRef(owner));
}
