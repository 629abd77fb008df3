// SPDX-License-Identifier: MIT
// Autoreload (see reload.h). What a request costs here is one fstat(2); Python runs only to make a page.
#define _GNU_SOURCE
#include "py/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/engine.h"
#include "proto/fields.h"
#include "py/error.h"

// --- watching ---

// Called by the watching thread: logs what changed and asks the master for a reload.
static PyObject *tell_change(PyObject *fd, PyObject *text) {
    int change_fd = (int)PyLong_AsLong(fd);
    const char *what = PyUnicode_AsUTF8(text);
    if (what == NULL || (change_fd == -1 && PyErr_Occurred())) {
        return NULL;
    }
    sm_log(SM_LOG_INFO, "reload: %s", what);
    if (write(change_fd, "C", 1) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyMethodDef tell_method = {"tell_change", tell_change, METH_O, NULL};

// Returns new: a list of str.
static PyObject *list_paths(char *const *paths) {
    PyObject *list = PyList_New(0);
    for (; list != NULL && paths != NULL && *paths != NULL; paths++) {
        PyObject *text = PyUnicode_DecodeFSDefault(*paths);
        if (text == NULL || PyList_Append(list, text) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(text);
    }
    return list;
}

// Returns new: the watcher.
static PyObject *start_watcher(const struct smpy_app *app) {
    PyObject *watcher = NULL;
    PyObject *module = PyImport_ImportModule("smisk.reloading");
    PyObject *fd = PyLong_FromLong(app->reload->change_fd);
    PyObject *tell = fd == NULL ? NULL : PyCFunction_New(&tell_method, fd);
    PyObject *files = list_paths(app->settings->config_files);
    PyObject *paths = list_paths(app->settings->autoreload_paths);
    if (module != NULL && tell != NULL && files != NULL && paths != NULL) {
        watcher = PyObject_CallMethod(module, "start", "OiOO", tell, app->reload->failure.fd, files, paths);
    }
    Py_XDECREF(paths);
    Py_XDECREF(files);
    Py_XDECREF(tell);
    Py_XDECREF(fd);
    Py_XDECREF(module);
    return watcher;
}

void smpy_reload_start(struct smpy_app *app, struct sm_engine *engine) {
    app->reload = engine == NULL ? NULL : engine->reload;
    if (app->reload == NULL || !app->reload->is_watching) {
        return;
    }
    app->watcher = start_watcher(app);
    if (app->watcher == NULL) {
        smpy_error_log("autoreload: files cannot be watched");
    }
}

static void call_watcher(const struct smpy_app *app, const char *method) {
    PyObject *done = app->watcher == NULL ? NULL : PyObject_CallMethod(app->watcher, method, NULL);
    if (app->watcher != NULL && done == NULL) {
        smpy_error_log("autoreload: the watcher fails");
    }
    Py_XDECREF(done);
}

void smpy_reload_stop(struct smpy_app *app) {
    call_watcher(app, "stop");
    Py_CLEAR(app->watcher);
}

// --- answers ---

struct answer {
    int status;
    const char *type; // NULL: none
    const char *body;
    size_t len;
    uint64_t stamp; // 0: the newest code runs
};

static void send_answer(struct sm_exchange *exchange, const struct answer *answer) {
    char stamp[24];
    (void)snprintf(stamp, sizeof stamp, "%llu", (unsigned long long)answer->stamp);
    bool is_sent = sm_exchange_start(exchange, answer->status, SM_STR("")) == 0 &&
                   sm_exchange_field(exchange, SM_STR("Cache-Control"), SM_STR("no-store")) == 0 &&
                   sm_exchange_field(exchange, SM_STR("Smisk-Reload"), sm_str_from(stamp)) == 0 &&
                   (answer->type == NULL ||
                    sm_exchange_field(exchange, SM_STR("Content-Type"), sm_str_from(answer->type)) == 0) &&
                   sm_exchange_commit(exchange, (int64_t)answer->len) >= 0 &&
                   (answer->len == 0 || sm_exchange_write(exchange, answer->body, answer->len) >= 0);
    if (is_sent) {
        sm_exchange_end(exchange, 0);
    } else {
        sm_exchange_fail(exchange);
    }
}

// Returns new: the page as bytes.
static PyObject *make_page(const char *text, size_t len, uint64_t stamp) {
    PyObject *page = NULL;
    PyObject *module = PyImport_ImportModule("smisk.reloading");
    PyObject *bytes = PyBytes_FromStringAndSize(text, (Py_ssize_t)len);
    if (module != NULL && bytes != NULL) {
        page = PyObject_CallMethod(module, "page", "OK", bytes, (unsigned long long)stamp);
    }
    if (page != NULL && !PyBytes_Check(page)) {
        Py_CLEAR(page);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(module);
    return page;
}

static void send_failure(const struct smpy_app *app, struct sm_exchange *exchange, bool as_page, uint64_t stamp) {
    static const char unknown[] = "The application does not start. The server's log says more.\n";
    struct answer answer = {.status = 500, .type = "text/plain; charset=utf-8", .stamp = stamp};
    PyObject *page = NULL;
    char *text = malloc(SM_FAILURE_MAX);
    answer.len = text == NULL ? 0 : sm_failure_read(&app->reload->failure, text, SM_FAILURE_MAX);
    answer.body = answer.len == 0 ? unknown : text;
    answer.len = answer.len == 0 ? sizeof unknown - 1 : answer.len;
    if (as_page) {
        page = make_page(answer.body, answer.len, stamp);
        if (page == NULL) {
            smpy_error_log("autoreload: the page cannot be made");
        } else {
            answer.type = "text/html; charset=utf-8";
            answer.body = PyBytes_AS_STRING(page);
            answer.len = (size_t)PyBytes_GET_SIZE(page);
        }
    }
    send_answer(exchange, &answer);
    Py_XDECREF(page);
    free(text);
}

// Whether a person opens a page: scripts and other programs are served by the old code.
static bool is_navigation(const struct sm_head *head) {
    struct sm_str dest = sm_head_find(head, SM_FIELD_NAME("Sec-Fetch-Dest", "HTTP_SEC_FETCH_DEST"));
    struct sm_str accept = sm_head_find(head, SM_FIELD_NAME("Accept", "HTTP_ACCEPT"));
    if (!sm_str_eq(sm_head_text(head, head->method), SM_STR("GET"))) {
        return false;
    }
    if (dest.ptr != NULL) {
        return sm_str_eq(dest, SM_STR("document"));
    }
    return accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/html", 9) != NULL;
}

bool smpy_reload_answer(struct smpy_app *app, struct sm_exchange *exchange) {
    const struct sm_head *head = sm_exchange_head(exchange);
    uint64_t stamp = sm_failure_stamp(&app->reload->failure);
    struct sm_str asked = sm_head_find(head, SM_FIELD_NAME("Smisk-Reload", "HTTP_SMISK_RELOAD"));
    if (asked.ptr != NULL) { // the page asks whether it still holds
        struct answer answer = {.status = 204, .stamp = stamp};
        send_answer(exchange, &answer);
        return true;
    }
    if (stamp == 0 || !is_navigation(head)) {
        return false;
    }
    send_failure(app, exchange, true, stamp);
    return true;
}

// --- a start that failed ---

static void broken_request(struct smpy_app *app, struct sm_exchange *exchange) {
    send_failure(app, exchange, false, sm_failure_stamp(&app->reload->failure));
}

static void broken_never(struct smpy_app *app, struct sm_exchange *exchange) {
    (void)app;
    (void)exchange;
}

// People have been answered before they come here. What is answered at once is never resumed or given up.
static const struct smpy_iface broken = {
    .name = "none",
    .request = broken_request,
    .resume = broken_never,
    .abort = broken_never,
};

int smpy_reload_started(struct smpy_app *app, int status) {
    if (app->reload == NULL) {
        return status;
    }
    if (status == 0) {
        call_watcher(app, "look"); // before anybody can know that the worker is ready
        sm_failure_clear(&app->reload->failure);
        return 0;
    }
    if (app->reload->must_start) {
        return status;
    }
    sm_log(SM_LOG_WARNING, "the application does not start; its error is shown until files change");
    smpy_loaded_clear(&app->loaded);
    app->handler = NULL;
    app->base.streams = false;
    app->iface = &broken;
    call_watcher(app, "look");
    return 0;
}
