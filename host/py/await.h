// SPDX-License-Identifier: MIT
// What receive() and send() return: a coroutine in all but name, written in C. It asks its owner whether the thing is
// done; if not, it waits on a future and asks again. Comes in: the asynchronous interfaces.
#pragma once

#include "py/loop.h"

// Returns new: the result when it is there. NULL with an exception: raised in who awaits. NULL without: not yet; when
// `smpy_await_wake` is called on the list, it is asked again. `message` is what the await was made with; may be NULL.
typedef PyObject *smpy_await_ask(PyObject *owner, PyObject *message);

// Returns new: an awaitable that keeps `owner` and `message`. While it waits it stands in `list`, which lives as long
// as `owner`.
PyObject *smpy_await_new(struct smpy_loop *loop, PyObject *owner, smpy_await_ask *ask, PyObject *message,
                         struct sm_list *list);
// Has all that wait in the list ask again. Leaves no exception.
void smpy_await_wake(struct smpy_loop *loop, struct sm_list *list);

// Returns new: the type.
PyTypeObject *smpy_await_type_new(void);
