// SPDX-License-Identifier: MIT
// The ASGI interface: the life of the application (lifespan) and of its calls. A call is made for each request,
// handed to a carrier with the application's coroutine, told what happens on the connection, and used again when
// nobody has kept a part of it.
#include "base/exit.h"
#include "base/log.h"
#include "py/asgi.h"
#include "py/await.h"
#include "py/error.h"
#include "py/iface.h"
#include "py/websocket.h"

// --- calls ---

static PyObject *call_receive(PyObject *self, PyObject *unused) {
    (void)unused;
    struct smpy_asgi *call = (struct smpy_asgi *)self;
    return smpy_await_new(&call->app->loop, self, smpy_asgi_receive, NULL, &call->receivers);
}

static PyObject *call_send(PyObject *self, PyObject *message) {
    struct smpy_asgi *call = (struct smpy_asgi *)self;
    return smpy_await_new(&call->app->loop, self, smpy_asgi_send, message, &call->senders);
}

static PyMethodDef receive_def = {"receive", call_receive, METH_NOARGS,
                                  "receive() -> awaitable of the next message from the client (ASGI HTTP 2.5)"};
static PyMethodDef send_def = {"send", call_send, METH_O, "send(message) -> awaitable: answers (ASGI HTTP 2.5)"};

static PyObject *job_done(struct smpy_job *job, PyObject *result);

static struct smpy_asgi *call_new(struct smpy_app *app) {
    struct smpy_asgi *call = PyObject_GC_New(struct smpy_asgi, app->asgi.type);
    if (call == NULL) {
        return NULL;
    }
    PyObject base = call->ob_base;
    *call = (struct smpy_asgi){.app = app, .job = {.done = job_done}};
    call->ob_base = base;
    sm_list_init(&call->receivers);
    sm_list_init(&call->senders);
    PyObject_GC_Track((PyObject *)call);
    call->receive = PyCFunction_New(&receive_def, (PyObject *)call);
    call->send = PyCFunction_New(&send_def, (PyObject *)call);
    if (call->receive == NULL || call->send == NULL) {
        Py_CLEAR(call->receive);
        Py_CLEAR(call->send);
        Py_DECREF(call);
        return NULL;
    }
    return call;
}

static struct smpy_asgi *call_begin(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_asgi *call = app->asgi.spare;
    app->asgi.spare = NULL;
    if (call == NULL) {
        call = call_new(app);
    }
    if (call != NULL) {
        call->exchange = exchange;
        call->phase = SMPY_ASGI_NEW;
        call->body_taken = call->is_full = call->has_hung_up = call->trailers = false;
    }
    return call;
}

static void drop_websocket(struct smpy_asgi *call) {
    if (call->websocket != NULL) {
        smpy_websocket_free(call->websocket);
        call->websocket = NULL;
    }
}

// Takes the reference of the request. A call that nobody else has, its functions included, serves the next one.
static void call_finish(struct smpy_asgi *call) {
    struct smpy_asgi_app *asgi = &call->app->asgi;
    Py_CLEAR(call->status);
    Py_CLEAR(call->headers);
    bool is_alone = Py_REFCNT(call) == 3 && Py_REFCNT(call->receive) == 1 && Py_REFCNT(call->send) == 1;
    if (is_alone && asgi->spare == NULL && call->exchange == NULL) {
        drop_websocket(call);
        asgi->spare = call;
        return;
    }
    Py_CLEAR(call->receive); // what the application keeps of it keeps the rest
    Py_CLEAR(call->send);
    Py_DECREF(call);
}

static int call_traverse(PyObject *self, visitproc visit, void *arg) {
    struct smpy_asgi *call = (struct smpy_asgi *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(call->receive);
    Py_VISIT(call->send);
    Py_VISIT(call->headers);
    return call->websocket == NULL ? 0 : smpy_websocket_traverse(call->websocket, visit, arg);
}

static int call_clear(PyObject *self) {
    struct smpy_asgi *call = (struct smpy_asgi *)self;
    Py_CLEAR(call->receive);
    Py_CLEAR(call->send);
    Py_CLEAR(call->status);
    Py_CLEAR(call->headers);
    return 0;
}

static void call_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)call_clear(self);
    drop_websocket((struct smpy_asgi *)self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot call_slots[] = {
    {Py_tp_doc, "One request, as receive() and send() see it."},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "_smisk.Call",
    .basicsize = sizeof(struct smpy_asgi),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

// --- the end of a request ---

void smpy_asgi_end(struct smpy_asgi *call) {
    struct sm_exchange *exchange = call->exchange;
    call->phase = SMPY_ASGI_ENDED;
    call->exchange = NULL;
    sm_exchange_set_user(exchange, NULL);
    sm_exchange_end(exchange, 0);
    smpy_await_wake(&call->app->loop, &call->receivers);
    smpy_await_wake(&call->app->loop, &call->senders);
    smpy_loop_kick(&call->app->loop);
}

// The application has ended without a complete response; `answered`: an error page was written.
static void give_up(struct smpy_asgi *call, bool answered) {
    struct sm_exchange *exchange = call->exchange;
    call->exchange = NULL;
    call->phase = SMPY_ASGI_ENDED;
    sm_exchange_set_user(exchange, NULL);
    if (answered) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
    smpy_await_wake(&call->app->loop, &call->receivers); // tasks that the application has left behind
    smpy_await_wake(&call->app->loop, &call->senders);
    smpy_loop_kick(&call->app->loop);
}

static void log_incomplete(struct smpy_asgi *call) {
    static const char *const states[] = {
        [SMPY_ASGI_NEW] = "without sending a response",
        [SMPY_ASGI_STARTED] = "after http.response.start, without a body",
        [SMPY_ASGI_BODY] = "before its body was complete (more_body)",
        [SMPY_ASGI_TRAILERS] = "without the trailers that it announced",
    };
    PyErr_Format(PyExc_RuntimeError, "%s returned %s", call->app->loaded.label, states[call->phase]);
}

// Returns new: what the exception came of: the only member of a group (a task group's), the cause, the context. NULL,
// without an exception: nothing.
static PyObject *origin_of(PyObject *exception) {
    PyObject *members = PyObject_GetAttrString(exception, "exceptions");
    PyObject *origin = NULL;
    if (members == NULL) {
        PyErr_Clear();
    } else if (PyTuple_Check(members) && PyTuple_GET_SIZE(members) == 1) {
        origin = Py_NewRef(PyTuple_GET_ITEM(members, 0));
    }
    Py_XDECREF(members);
    bool is_member = origin != NULL && PyExceptionInstance_Check(origin);
    if (!is_member) {
        Py_XSETREF(origin, PyException_GetCause(exception));
    }
    return origin == NULL ? PyException_GetContext(exception) : origin;
}

// Whether the exception that is set came of the client's leaving, also when the application wrapped it.
static bool is_of_disconnect(struct smpy_asgi *call) {
    PyObject *exception = smpy_exception_take();
    PyObject *at = Py_XNewRef(exception);
    bool found = false;
    for (int i = 0; at != NULL && !found && i < 16; i++) {
        found = PyObject_IsInstance(at, call->app->asgi.lost_error) == 1;
        Py_SETREF(at, origin_of(at));
    }
    Py_XDECREF(at);
    PyErr_Clear();
    smpy_exception_give(exception);
    return found;
}

// Whether the exception that is set is a cancellation, which the server itself orders when it ends.
static bool is_cancellation(struct smpy_asgi *call) {
    return PyErr_ExceptionMatches(call->app->loop.cancelled_error) != 0;
}

static void take_exception(struct smpy_asgi *call) {
    struct smpy_app *app = call->app;
    // send() may learn that the client has gone before the engine says so.
    bool is_disconnect = is_of_disconnect(call);
    if (is_disconnect || (call->exchange == NULL && is_cancellation(call))) {
        PyErr_Clear();
        sm_log(SM_LOG_DEBUG, "%s stopped: the client has gone", app->loaded.label);
        if (call->exchange != NULL) {
            give_up(call, false);
        }
    } else if (call->exchange != NULL) {
        give_up(call, smpy_error_answer(app->state, call->exchange, app->settings->show_traceback));
    } else {
        char heading[sizeof app->loaded.label + 64];
        (void)snprintf(heading, sizeof heading, "%s failed after %s", app->loaded.label,
                       call->websocket == NULL ? "its response" : "the WebSocket was closed");
        smpy_error_log(heading);
    }
}

static PyObject *job_done(struct smpy_job *job, PyObject *result) {
    struct smpy_asgi *call = SM_CONTAINER(job, struct smpy_asgi, job);
    if (call->websocket != NULL && smpy_websocket_done(call, result == NULL)) {
        call_finish(call);
        return NULL;
    }
    if (result != NULL && call->exchange != NULL && call->has_hung_up) {
        give_up(call, false); // nobody waits for it
    } else if (result != NULL && call->exchange != NULL) {
        log_incomplete(call);
        result = NULL;
    }
    if (result == NULL) {
        take_exception(call);
    }
    call_finish(call);
    return NULL;
}

// --- the calls of the engine ---

static void asgi_request(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_asgi *call = call_begin(app, exchange);
    if (call == NULL) {
        bool answered = smpy_error_answer(app->state, exchange, false);
        (void)(answered ? sm_exchange_end(exchange, 0) : sm_exchange_fail(exchange));
        return;
    }
    sm_exchange_set_user(exchange, call);
    PyObject *scope = smpy_asgi_scope(app, exchange);
    if (scope != NULL && smpy_websocket_is_wanted(sm_exchange_head(exchange))) {
        int begun = smpy_websocket_begin(call, scope);
        if (begun <= 0) {
            Py_DECREF(scope);
            begun < 0 ? (void)job_done(&call->job, NULL) : call_finish(call);
            return;
        }
    }
    PyObject *arguments[4] = {NULL, scope, call->receive, call->send};
    PyObject *awaitable =
        scope == NULL ? NULL
                      : PyObject_Vectorcall(app->handler, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(scope);
    if (awaitable != NULL && !smpy_is_awaitable(awaitable)) {
        PyErr_Format(PyExc_TypeError, "%s returned %.100s; an ASGI application is a coroutine function",
                     app->loaded.label, Py_TYPE(awaitable)->tp_name);
        Py_CLEAR(awaitable);
    }
    if (awaitable == NULL) {
        (void)job_done(&call->job, NULL);
        return;
    }
    smpy_carrier_run(&app->loop, awaitable, &call->job);
}

static void asgi_resume(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_asgi *call = sm_exchange_user(exchange);
    if (call != NULL) {
        call->is_full = false;
        smpy_await_wake(&app->loop, &call->senders);
    }
}

static void asgi_notice(struct smpy_app *app, struct sm_exchange *exchange, unsigned what) {
    struct smpy_asgi *call = sm_exchange_user(exchange);
    if (call != NULL && call->websocket != NULL) {
        smpy_websocket_notice(call, what);
    } else if (call != NULL && (what & (SM_NOTICE_BODY | SM_NOTICE_HANGUP)) != 0) {
        call->has_hung_up = call->has_hung_up || (what & SM_NOTICE_HANGUP) != 0;
        smpy_await_wake(&app->loop, &call->receivers);
    }
}

static void asgi_abort(struct smpy_app *app, struct sm_exchange *exchange) {
    struct smpy_asgi *call = sm_exchange_user(exchange);
    if (call != NULL) {
        sm_exchange_set_user(exchange, NULL);
        call->exchange = NULL;
        if (call->websocket != NULL) {
            smpy_websocket_abort(call);
        }
        smpy_await_wake(&app->loop, &call->receivers);
        smpy_await_wake(&app->loop, &call->senders);
    }
}

// --- the application ---

static int make_constants(struct smpy_asgi_app *asgi) {
    const struct smpy_asgi_names *names = &asgi->names;
    asgi->asgi = Py_BuildValue("{s:s,s:s}", "version", "3.0", "spec_version", "2.5");
    asgi->extensions = Py_BuildValue("{O:{},O:{},O:{},O:{}}", names->response_trailers, names->pathsend,
                                     names->early_hint, names->zerocopysend);
    // Every key, so that a copy need not grow.
    asgi->template =
        asgi->asgi == NULL
            ? NULL
            : Py_BuildValue("{O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O,O:O}", names->type, names->http,
                            names->asgi, asgi->asgi, names->http_version, names->http11, names->server, Py_None,
                            names->client, Py_None, names->scheme, names->http, names->method, names->get,
                            names->root_path, names->empty_text, names->path, names->empty_text, names->raw_path,
                            names->empty_bytes, names->query_string, names->empty_bytes, names->headers, Py_None,
                            names->extensions, Py_None, names->state, Py_None);
    asgi->type = (PyTypeObject *)PyType_FromSpec(&call_spec);
    PyObject *errors = PyImport_ImportModule("smisk.aio.errors");
    asgi->lost_error = errors == NULL ? NULL : PyObject_GetAttrString(errors, "ClientDisconnected");
    Py_XDECREF(errors);
    return asgi->asgi == NULL || asgi->extensions == NULL || asgi->template == NULL || asgi->type == NULL ||
                   asgi->lost_error == NULL
               ? -1
               : 0;
}

// 0, or -1 with an exception.
static int start_lifespan(struct smpy_app *app) {
    if (strcmp(app->settings->lifespan, "off") == 0) {
        return 0;
    }
    PyObject *module = PyImport_ImportModule("smisk.aio.lifespan");
    app->asgi.lifespan =
        module == NULL ? NULL : PyObject_CallMethod(module, "Lifespan", "Os", app->handler, app->settings->lifespan);
    Py_XDECREF(module);
    PyObject *startup = app->asgi.lifespan == NULL ? NULL : PyObject_CallMethod(app->asgi.lifespan, "startup", NULL);
    PyObject *started = startup == NULL ? NULL : smpy_loop_complete(&app->loop, startup, 0);
    PyObject *state = started == NULL ? NULL : PyObject_GetAttrString(app->asgi.lifespan, "state");
    Py_XDECREF(started);
    if (state == NULL) {
        return -1;
    }
    app->asgi.state = state == Py_None ? NULL : Py_NewRef(state);
    Py_DECREF(state);
    return 0;
}

// Only an application with a lifespan has a state.
static int settle_template(struct smpy_asgi_app *asgi) {
    return asgi->state != NULL ? 0 : PyDict_DelItem(asgi->template, asgi->names.state);
}

static int asgi_start(struct smpy_app *app) {
    if (smpy_asgi_names_init(&app->asgi) < 0 || make_constants(&app->asgi) < 0) {
        smpy_error_log("app: ASGI could not be set up");
        return SM_EXIT_PYTHON;
    }
    if (start_lifespan(app) < 0 || settle_template(&app->asgi) < 0) {
        smpy_error_log("app: its lifespan did not start");
        return SM_EXIT_APP;
    }
    return 0;
}

static void asgi_stop(struct smpy_app *app) {
    struct smpy_asgi_app *asgi = &app->asgi;
    if (asgi->lifespan != NULL && asgi->state != NULL) {
        PyObject *shutdown = PyObject_CallMethod(asgi->lifespan, "shutdown", NULL);
        PyObject *done = smpy_loop_complete(&app->loop, shutdown, app->settings->shutdown_timeout);
        if (done == NULL) {
            smpy_error_log("app: its lifespan did not end well");
        }
        Py_XDECREF(done);
    }
    if (asgi->spare != NULL) {
        struct smpy_asgi *call = asgi->spare;
        asgi->spare = NULL;
        Py_CLEAR(call->receive);
        Py_CLEAR(call->send);
        Py_DECREF(call);
    }
}

// After the loop: what calls that are still referred to may have needed till then.
static void asgi_drop(struct smpy_app *app) {
    struct smpy_asgi_app *asgi = &app->asgi;
    smpy_asgi_names_clear(asgi);
    for (size_t i = 0; i < SMPY_ASGI_NAME_SLOTS; i++) {
        Py_CLEAR(asgi->kept_names[i].lower);
        Py_CLEAR(asgi->kept_names[i].pair);
    }
    for (size_t i = 0; i < SMPY_ASGI_SENT_TYPES; i++) {
        Py_CLEAR(asgi->sent_types[i]);
    }
    Py_CLEAR(asgi->asgi);
    Py_CLEAR(asgi->extensions);
    Py_CLEAR(asgi->template);
    Py_CLEAR(asgi->state);
    Py_CLEAR(asgi->lifespan);
    Py_CLEAR(asgi->server);
    Py_CLEAR(asgi->client_host);
    Py_CLEAR(asgi->websocket);
    Py_CLEAR(asgi->lost_error);
    Py_CLEAR(asgi->type);
}

const struct smpy_iface smpy_iface_asgi = {
    .name = "asgi",
    .streams = true,
    .needs_loop = true,
    .start = asgi_start,
    .stop = asgi_stop,
    .drop = asgi_drop,
    .request = asgi_request,
    .resume = asgi_resume,
    .notice = asgi_notice,
    .abort = asgi_abort,
};
