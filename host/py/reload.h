// SPDX-License-Identifier: MIT
// Development (`autoreload`) on the side of Python: files are watched, and while the newest code does not run, the
// browser is shown why. Comes in: app.c, around the start of the application and before each request. All calls need
// the GIL; without `autoreload` they do nothing.
#pragma once

#include "py/app.h"

// Before the application is imported: watches what it will import. Calls Python; what fails is logged.
void smpy_reload_start(struct smpy_app *app, struct sm_engine *engine);
// Takes the exit status of the application's start and gives the one that holds: a first start that failed is none,
// the worker then shows why and waits for better code.
int smpy_reload_started(struct smpy_app *app, int status);
// Before the end of Python. Calls Python.
void smpy_reload_stop(struct smpy_app *app);
// Whether this request was answered here, and ended: the newest code does not run, and a person should see that. Only
// with app->reload. Calls Python.
bool smpy_reload_answer(struct smpy_app *app, struct sm_exchange *exchange);
