// SPDX-License-Identifier: MIT
// The application as the engine sees it (see app.h): starts and stops Python around the loaded module, and passes
// each request on to the interface of its handler.
#include "py/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "py/error.h"
#include "py/interp.h"
#include "py/reload.h"
#include "py/request.h"
#include "py/signals.h"

static const struct smpy_iface *const ifaces[SMPY_KIND_COUNT] = {
    [SMPY_KIND_NATIVE] = &smpy_iface_native, [SMPY_KIND_ASYNC] = &smpy_iface_async,
    [SMPY_KIND_SMISK] = &smpy_iface_smisk,   [SMPY_KIND_WSGI] = &smpy_iface_wsgi,
    [SMPY_KIND_ASGI] = &smpy_iface_asgi,
};

static struct smpy_app *app_of(struct sm_app *app) {
    return (struct smpy_app *)app;
}

// --- start ---

// What the application and its children print goes where the log goes: behind spawn-fcgi, or in the background,
// descriptor 1 leads nowhere.
static int prepare_process(struct sm_engine *engine) {
    enum { OUTPUT = 1, LOG = 2 };
    if (dup2(LOG, OUTPUT) < 0) {
        sm_log(SM_LOG_WARNING, "what the application prints will be lost: %s", strerror(errno));
    }
    int error = smpy_signals_keep(engine);
    if (error != 0) {
        sm_log(SM_LOG_CRITICAL, "cannot prepare for child processes: %s", strerror(error));
        return SM_EXIT_SYSTEM;
    }
    return 0;
}

// Names the configuration file to smisk.config, here and in the application's own child processes.
static int name_config(const struct sm_settings *settings) {
    if (settings->config_file != NULL && setenv("SMISK_CONFIG", settings->config_file, 1) < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot name the configuration to the application: %s", strerror(errno));
        return SM_EXIT_SYSTEM;
    }
    return 0;
}

static int start_python(const struct smpy_app *app) {
    struct smpy_interp_options options = {
        .app_name = app->settings->app,
        .venv = app->settings->venv,
        .pythonpath = app->settings->pythonpath,
    };
    return smpy_interp_start(&options);
}

// Takes hold of `_smisk` and its state.
static int open_module(struct smpy_app *app) {
    app->smisk = PyImport_ImportModule("_smisk");
    app->state = app->smisk == NULL ? NULL : smpy_state_of_module(app->smisk);
    if (app->state == NULL) {
        smpy_error_log("the module _smisk cannot be used");
        return SM_EXIT_PYTHON;
    }
    app->state->limits = (struct smpy_limits){
        .body_memory = app->settings->request_body_memory,
        .max_fields = app->settings->max_form_fields,
        .max_parts = app->settings->max_form_parts,
        .temp_dir = app->settings->temp_dir,
        .max_formdata = SMPY_MAX_FORMDATA,
        .max_multipart = SMPY_MAX_MULTIPART,
    };
    return 0;
}

// Sets Python's logging up as the file says, which smisk.config does when its `config` is first asked for.
static int start_logging(const struct smpy_app *app) {
    if (!app->settings->logging) {
        return 0;
    }
    PyObject *module = PyImport_ImportModule("smisk.config");
    PyObject *config = module == NULL ? NULL : PyObject_GetAttrString(module, "config");
    int status = config == NULL ? SM_EXIT_APP : 0;
    if (status != 0) {
        smpy_error_log("logging cannot be set up");
    }
    Py_XDECREF(config);
    Py_XDECREF(module);
    return status;
}

static void choose_iface(struct smpy_app *app) {
    app->iface = ifaces[app->loaded.kind];
    app->handler = app->loaded.handler;
    app->base.streams = app->iface->streams;
}

int smpy_app_call_hook(PyObject *object, const char *name) {
    PyObject *hook = NULL;
    PyObject *result = NULL;
    int found = object == NULL ? 0 : smpy_attribute_find_text(object, name, &hook);
    if (found == 0) {
        return 0;
    }
    result = found < 0 ? NULL : PyObject_CallNoArgs(hook);
    int status = result == NULL ? SM_EXIT_APP : 0;
    if (status != 0) {
        char heading[128];
        (void)snprintf(heading, sizeof heading, "app: %s() failed", name);
        smpy_error_log(heading);
    }
    Py_XDECREF(result);
    Py_XDECREF(hook);
    return status;
}

static void drop_iface(struct smpy_app *app) {
    if (app->iface != NULL && app->iface->needs_loop) {
        smpy_loop_stop(&app->loop);
    }
    if (app->iface != NULL && app->iface->drop != NULL) {
        app->iface->drop(app);
    }
    app->iface = NULL;
}

static void drop_python(struct smpy_app *app) {
    drop_iface(app);
    smpy_reload_stop(app);
    app->handler = NULL;
    smpy_loaded_clear(&app->loaded);
    if (app->state != NULL) {
        smpy_request_drop_free(app->state);
        app->state = NULL;
    }
    Py_CLEAR(app->smisk);
    app->is_live = smpy_interp_stop(app->settings->shutdown_timeout) == SMPY_INTERP_LIVE;
}

static int app_start(struct sm_app *base, struct sm_engine *engine) {
    struct smpy_app *app = app_of(base);
    if (app->settings->app == NULL) {
        sm_log(SM_LOG_CRITICAL, "no application is named: give one as `smiskd APP`, or as `app` in smisk.conf");
        return SM_EXIT_APP;
    }
    app->engine = engine;
    int status = prepare_process(engine);
    if (status == 0) {
        status = name_config(app->settings);
    }
    if (status == 0) {
        status = start_python(app);
    }
    if (status != 0) {
        return status;
    }
    status = open_module(app);
    if (status == 0) {
        smpy_reload_start(app, engine);
        status = start_logging(app);
    }
    if (status == 0) {
        status = smpy_load(app->settings->app, app->settings->interface, &app->loaded);
    }
    if (status == 0) {
        choose_iface(app);
    }
    if (status == 0 && app->iface->needs_loop) {
        status = smpy_loop_start(&app->loop, app, engine, app->settings->loop);
    }
    if (status == 0) {
        status = smpy_app_call_hook(app->loaded.module, "application_will_start");
    }
    if (status == 0 && app->iface->start != NULL) {
        status = app->iface->start(app);
    }
    if (engine != NULL) {
        smpy_signals_take_back();
    }
    if (status != 0) {
        drop_iface(app);
    }
    status = smpy_reload_started(app, status);
    if (status != 0) {
        drop_python(app);
    }
    return status;
}

// --- the vtable ---

static void app_stop(struct sm_app *base) {
    struct smpy_app *app = app_of(base);
    if (app->iface->stop != NULL) {
        app->iface->stop(app);
    }
    (void)smpy_app_call_hook(app->loaded.module, "application_did_stop");
    drop_python(app);
}

static void app_request(struct sm_app *base, struct sm_exchange *exchange) {
    struct smpy_app *app = app_of(base);
    if (app->reload != NULL && smpy_reload_answer(app, exchange)) {
        return;
    }
    app->iface->request(app, exchange);
}

static void app_resume(struct sm_app *base, struct sm_exchange *exchange) {
    app_of(base)->iface->resume(app_of(base), exchange);
}

static void app_notice(struct sm_app *base, struct sm_exchange *exchange, unsigned what) {
    if (app_of(base)->iface->notice != NULL) {
        app_of(base)->iface->notice(app_of(base), exchange, what);
    }
}

static int app_run(struct sm_app *base, const struct sm_turns *turns) {
    if (app_of(base)->iface->needs_loop) {
        return smpy_loop_run(&app_of(base)->loop, turns);
    }
    int r;
    do {
        r = turns->turn(turns->context, -1);
    } while (r > 0);
    return r;
}

// Requests whose response is complete while their task goes on.
static bool app_is_busy(struct sm_app *base) {
    return app_of(base)->loop.n_suspended > 0;
}

static void app_abort(struct sm_app *base, struct sm_exchange *exchange) {
    app_of(base)->iface->abort(app_of(base), exchange);
}

static void app_wait_enter(struct sm_app *base) {
    app_of(base)->saved = PyEval_SaveThread();
}

static void app_wait_leave(struct sm_app *base) {
    PyEval_RestoreThread(app_of(base)->saved);
}

static const struct sm_app_ops app_ops = {
    .start = app_start,
    .stop = app_stop,
    .request = app_request,
    .resume = app_resume,
    .notice = app_notice,
    .run = app_run,
    .is_busy = app_is_busy,
    .abort = app_abort,
    .wait_enter = app_wait_enter,
    .wait_leave = app_wait_leave,
};

struct sm_app *smpy_app_new(const struct sm_settings *settings) {
    struct smpy_app *app = calloc(1, sizeof *app);
    if (app == NULL) {
        return NULL;
    }
    app->base.ops = &app_ops;
    app->settings = settings;
    return &app->base;
}

void smpy_app_free(struct sm_app *app) {
    free(app);
}

const char *smpy_app_interface(const struct sm_app *app) {
    const struct smpy_app *own = (const struct smpy_app *)app;
    return own->iface == NULL ? "" : own->iface->name;
}

const char *smpy_app_label(const struct sm_app *app) {
    return ((const struct smpy_app *)app)->loaded.label;
}

bool smpy_app_is_live(const struct sm_app *app) {
    return ((const struct smpy_app *)app)->is_live;
}
