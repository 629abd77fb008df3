// SPDX-License-Identifier: MIT
// Where exceptions leave Python (see error.h). Everything here must work when the exception is MemoryError: what
// cannot be made is left out, down to the plain page and the bare name of the exception.
#include "py/error.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "proto/http1.h"
#include "py/text.h"

enum { MAX_HEADING = 2048, MAX_SUMMARY = 1024 }; // bytes

// --- text ---

// "Type: message", the message's first line only.
static void summarize(PyObject *exception, char out[static MAX_SUMMARY]) {
    PyObject *text = PyObject_Str(exception);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    const char *message = "";
    if (bytes == NULL) {
        PyErr_Clear();
    } else {
        message = PyBytes_AS_STRING(bytes);
    }
    (void)snprintf(out, MAX_SUMMARY, "%s%s%.*s", Py_TYPE(exception)->tp_name, message[0] == '\0' ? "" : ": ",
                   (int)strcspn(message, "\r\n"), message);
    Py_XDECREF(bytes);
    Py_XDECREF(text);
}

// Returns new: the traceback as str, or NULL without an exception.
static PyObject *format_traceback(PyObject *exception) {
    PyObject *text = NULL;
    PyObject *traceback = PyImport_ImportModule("traceback");
    PyObject *lines = traceback == NULL ? NULL : PyObject_CallMethod(traceback, "format_exception", "O", exception);
    PyObject *nothing = lines == NULL ? NULL : PyUnicode_FromStringAndSize("", 0);
    if (nothing != NULL) {
        text = PyUnicode_Join(nothing, lines);
    }
    PyErr_Clear();
    Py_XDECREF(nothing);
    Py_XDECREF(lines);
    Py_XDECREF(traceback);
    return text;
}

static void log_traceback(const char *heading, PyObject *exception) {
    PyObject *text = format_traceback(exception);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes == NULL) {
        PyErr_Clear();
        sm_log(SM_LOG_ERROR, "%s (its traceback could not be made)", heading);
    } else {
        sm_log_text(SM_LOG_ERROR, heading, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    }
    Py_XDECREF(bytes);
    Py_XDECREF(text);
}

void smpy_error_log(const char *heading) {
    char summary[MAX_SUMMARY];
    char line[MAX_HEADING];
    PyObject *exception = smpy_exception_take();
    if (exception == NULL) {
        sm_log(SM_LOG_ERROR, "%s", heading);
        return;
    }
    summarize(exception, summary);
    (void)snprintf(line, sizeof line, "%s: %s", heading, summary);
    log_traceback(line, exception);
    Py_DECREF(exception);
}

void smpy_error_log_line(enum sm_log_level level, PyObject *text) {
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    Py_XDECREF(text);
    if (bytes == NULL) {
        smpy_error_log("an error could not be described");
        return;
    }
    sm_log(level, "%s", PyBytes_AS_STRING(bytes));
    Py_DECREF(bytes);
}

// --- exchanges ---

static struct sm_str cut(struct sm_str text, size_t max) {
    return (struct sm_str){text.ptr, text.len > max ? max : text.len};
}

// The URL as the client sent it, or what stands for it in CGI.
static int put_url(char *out, size_t cap, const struct sm_head *head) {
    struct sm_str target = cut(sm_span_in(head->target, head->base), 1024);
    if (target.len > 0) {
        return snprintf(out, cap, "%.*s", (int)target.len, target.ptr);
    }
    struct sm_str script = cut(sm_span_in(head->script, head->base), 512);
    struct sm_str path = cut(sm_span_in(head->path, head->base), 512);
    return snprintf(out, cap, "%.*s%.*s", (int)script.len, script.ptr, (int)path.len, path.ptr);
}

// "[id] METHOD URL: detail"
static void put_heading(char out[static MAX_HEADING], struct sm_exchange *exchange, const char *detail) {
    char url[1100];
    const struct sm_head *head = sm_exchange_head(exchange);
    struct sm_str method = cut(sm_span_in(head->method, head->base), 32);
    struct sm_str id = sm_exchange_id(exchange);
    (void)put_url(url, sizeof url, head);
    (void)snprintf(out, MAX_HEADING, "[%.*s] %.*s %s: %.900s", (int)id.len, id.ptr, (int)method.len, method.ptr, url,
                   detail);
}

// Whether a traceback would say more than the line: one of our own checks has none.
static bool has_more_to_tell(PyObject *exception) {
    PyObject *traceback = PyException_GetTraceback(exception);
    PyObject *cause = PyException_GetCause(exception);
    PyObject *context = PyException_GetContext(exception);
    bool has = traceback != NULL || cause != NULL || context != NULL;
    Py_XDECREF(context);
    Py_XDECREF(cause);
    Py_XDECREF(traceback);
    return has;
}

// One line for the front server; the same with the traceback for our log.
static void log_exception(struct sm_exchange *exchange, PyObject *exception) {
    char summary[MAX_SUMMARY];
    char line[MAX_HEADING];
    summarize(exception, summary);
    put_heading(line, exchange, summary);
    sm_exchange_log_front(exchange, sm_str_from(line));
    if (has_more_to_tell(exception)) {
        // The traceback ends with the summary.
        put_heading(line, exchange, "the application raised an exception");
        log_traceback(line, exception);
    } else {
        sm_log(SM_LOG_ERROR, "%s", line);
    }
}

void smpy_error_log_exchange(struct sm_exchange *exchange) {
    PyObject *exception = smpy_exception_take();
    if (exception != NULL) {
        log_exception(exchange, exception);
        Py_DECREF(exception);
    }
}

// --- answers ---

static bool write_page(struct sm_exchange *exchange, int status, const char *page, size_t len) {
    return sm_exchange_start(exchange, status, SM_STR("")) == 0 &&
           sm_exchange_field(exchange, SM_STR("Content-Type"), SM_STR("text/html; charset=utf-8")) == 0 &&
           sm_exchange_field(exchange, SM_STR("Cache-Control"), SM_STR("no-store")) == 0 &&
           sm_exchange_commit(exchange, (int64_t)len) >= 0 && sm_exchange_write(exchange, page, len) >= 0;
}

static bool write_plain_page(struct sm_exchange *exchange, int status) {
    char page[512];
    const char *reason = sm_http1_reason(status);
    struct sm_str id = sm_exchange_id(exchange);
    int len = snprintf(
        page, sizeof page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title></head>\n"
        "<body><h1>%d %s</h1>\n<p>%s The server's log says more, under <code>%.*s</code>.</p></body>"
        "</html>\n",
        status, reason, status, reason,
        status < 500 ? "The request could not be taken." : "The request could not be answered.", (int)id.len, id.ptr);
    return len > 0 && (size_t)len < sizeof page && write_page(exchange, status, page, (size_t)len);
}

// Returns new: the page as bytes, or NULL with an exception.
static PyObject *render_traceback(struct smpy_state *state, struct sm_exchange *exchange, PyObject *exception) {
    char url_text[1100];
    PyObject *page = NULL;
    PyObject *bytes = NULL;
    const struct sm_head *head = sm_exchange_head(exchange);
    PyObject *render = smpy_import(state, SMPY_IMPORT_ERROR_PAGE);
    PyObject *positional = render == NULL ? NULL : PyTuple_Pack(1, exception);
    if (positional == NULL) {
        return NULL;
    }
    (void)put_url(url_text, sizeof url_text, head);
    PyObject *method = smpy_text(sm_span_in(head->method, head->base));
    PyObject *url = smpy_text(sm_str_from(url_text));
    PyObject *id = smpy_text(sm_exchange_id(exchange));
    PyObject *named = method == NULL || url == NULL || id == NULL
                          ? NULL
                          : Py_BuildValue("{s:O,s:O,s:O,s:O}", "method", method, "url", url, "request_id", id,
                                          "show_traceback", Py_True);
    if (named != NULL) {
        page = PyObject_Call(render, positional, named);
    }
    if (page != NULL) {
        bytes = PyUnicode_AsEncodedString(page, "utf-8", "backslashreplace");
    }
    Py_XDECREF(page);
    Py_XDECREF(named);
    Py_XDECREF(id);
    Py_XDECREF(url);
    Py_XDECREF(method);
    Py_DECREF(positional);
    return bytes;
}

static bool write_traceback_page(struct smpy_state *state, struct sm_exchange *exchange, PyObject *exception) {
    PyObject *page = render_traceback(state, exchange, exception);
    if (page == NULL) {
        smpy_error_log("the page for an error could not be made");
        return write_plain_page(exchange, 500);
    }
    bool written = write_page(exchange, 500, PyBytes_AS_STRING(page), (size_t)PyBytes_GET_SIZE(page));
    Py_DECREF(page);
    return written;
}

// The class FormError, borrowed; NULL when nobody has it, so that nobody can have raised it.
static PyObject *form_error(struct smpy_state *state) {
    PyObject *type = smpy_import_if_loaded(state, SMPY_IMPORT_FORM_ERROR);
    if (type != NULL || PyMapping_HasKeyString(PyImport_GetModuleDict(), "smisk.core.forms") == 0) {
        return type;
    }
    return smpy_import(state, SMPY_IMPORT_FORM_ERROR);
}

// The status of a FormError, which is the client's fault; 0 for any other exception.
static int form_status(struct smpy_state *state, PyObject *exception) {
    PyObject *type = form_error(state);
    if (type == NULL || PyObject_IsInstance(exception, type) != 1) {
        PyErr_Clear();
        return 0;
    }
    PyObject *status = PyObject_GetAttrString(exception, "status");
    long number = status == NULL ? -1 : PyLong_AsLong(status);
    Py_XDECREF(status);
    PyErr_Clear();
    return number >= 400 && number <= 499 ? (int)number : 400;
}

static void log_form_error(struct sm_exchange *exchange, PyObject *exception, int status) {
    char summary[MAX_SUMMARY];
    char detail[MAX_SUMMARY + 16];
    char line[MAX_HEADING];
    summarize(exception, summary);
    (void)snprintf(detail, sizeof detail, "%d: %s", status, summary);
    put_heading(line, exchange, detail);
    sm_exchange_log_front(exchange, sm_str_from(line));
    sm_log(SM_LOG_WARNING, "%s", line);
}

bool smpy_error_answer(struct smpy_state *state, struct sm_exchange *exchange, bool show_traceback) {
    bool written = false;
    PyObject *exception = smpy_exception_take();
    if (exception == NULL) {
        return false;
    }
    int status = form_status(state, exception);
    if (status != 0) {
        log_form_error(exchange, exception, status);
    } else {
        log_exception(exchange, exception);
    }
    if (!sm_exchange_committed(exchange)) {
        written = status == 0 && show_traceback ? write_traceback_page(state, exchange, exception)
                                                : write_plain_page(exchange, status == 0 ? 500 : status);
    }
    Py_DECREF(exception);
    return written;
}
