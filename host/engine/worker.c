// SPDX-License-Identifier: MIT
// A worker: application first, then listeners, then "ready". Signals come as events between two requests.
#define _GNU_SOURCE
#include "engine/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "engine/engine.h"
#include "engine/process.h"
#include "net/signals.h"
#include "net/words.h"

enum { LOOK_MS = 1000 };

struct sm_worker {
    const struct sm_worker_options *options;
    struct sm_engine engine;
    struct sm_source signals;
    struct sm_source lifeline;
    struct sm_source master;
    struct sm_timer deadline; // of draining
    struct sm_timer look;     // at the memory, now and then
    uint64_t recycle_at;      // requests; 0: never
    bool is_worn;             // has said so
    bool expired;
    bool listeners_closed;
};

// `idle_ms` as of sm_engine_drain.
static void sm_worker_drain(struct sm_worker *worker, uint64_t idle_ms) {
    uint64_t timeout = worker->options->settings->shutdown_timeout;
    if (!worker->engine.draining && timeout > 0) {
        sm_timer_set(&worker->engine.net.wheel, &worker->deadline, worker->engine.net.now + timeout);
    }
    sm_engine_drain(&worker->engine, timeout > 0 && idle_ms > timeout ? timeout : idle_ms);
    // Held open, they would let clients connect to nobody.
    for (size_t i = 0; i < worker->options->settings->n_listen && !worker->listeners_closed; i++) {
        close(worker->options->listeners[i]);
    }
    worker->listeners_closed = true;
}

static void sm_worker_expire(struct sm_timer *timer) {
    struct sm_worker *worker = SM_CONTAINER(timer, struct sm_worker, deadline);
    sm_log(SM_LOG_WARNING, "%u connections are still busy after shutdown_timeout; closing them",
           worker->engine.n_sessions);
    worker->expired = true;
}

static void sm_worker_signal(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_worker *worker = SM_CONTAINER(source, struct sm_worker, signals);
    int number;
    while ((number = sm_signals_next()) != 0) {
        if (number == SIGTERM) {
            sm_worker_drain(worker, 0);
        } else if (number == SIGUSR1) {
            int r = sm_log_open(worker->options->settings->error_log);
            if (r < 0) {
                sm_log(SM_LOG_ERROR, "cannot open the log again: %s; the old file is written on", strerror(-r));
            } else {
                sm_log_redirect();
            }
        }
    }
}

static void sm_worker_orphaned(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_worker *worker = SM_CONTAINER(source, struct sm_worker, lifeline);
    sm_log(SM_LOG_ERROR, "the master is gone; finishing");
    sm_loop_remove(&worker->engine.net.loop, source);
    sm_worker_drain(worker, 0);
}

// --- words to and from the master ---

static void sm_worker_say(const struct sm_worker *worker, enum sm_worker_word word) {
    (void)sm_words_say(worker->options->master_fd, (char)word); // else the master is gone: the lifeline tells
}

// While code is being written, a browser's connection must not lead to what it was before.
static void sm_worker_told(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_worker *worker = SM_CONTAINER(source, struct sm_worker, master);
    const struct sm_settings *settings = worker->options->settings;
    int word = sm_words_hear(source->fd);
    if (word == SM_WORKER_LEAVE) {
        sm_worker_drain(worker, settings->autoreload ? 0 : settings->drain_idle_timeout);
    } else if (word < 0) {
        sm_loop_remove(&worker->engine.net.loop, source); // the lifeline tells of the master's end
    }
}

// --- recycling ---

static void sm_worker_wear(struct sm_worker *worker, enum sm_worker_word why) {
    if (!worker->is_worn && !worker->engine.draining) {
        worker->is_worn = true;
        sm_worker_say(worker, why);
    }
}

static void sm_worker_look(struct sm_timer *timer) {
    struct sm_worker *worker = SM_CONTAINER(timer, struct sm_worker, look);
    uint64_t most = worker->options->settings->max_memory;
    uint64_t now = sm_process_memory();
    if (now > most) {
        if (!worker->is_worn) {
            sm_log(SM_LOG_INFO, "%.1f MiB are resident, max_memory is %.1f", (double)now / (1 << 20),
                   (double)most / (1 << 20));
        }
        sm_worker_wear(worker, SM_WORKER_LARGE);
        return;
    }
    sm_timer_set(&worker->engine.net.wheel, timer, worker->engine.net.now + LOOK_MS);
}

// Workers that started together do not end together.
static uint64_t sm_worker_share(uint32_t jitter) {
    uint32_t number = 0;
    if (jitter == 0 || getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number)) {
        return 0;
    }
    return number % ((uint64_t)jitter + 1);
}

static int sm_worker_attend(struct sm_worker *worker) {
    const struct sm_settings *settings = worker->options->settings;
    struct sm_net *net = &worker->engine.net;
    if (settings->max_requests > 0) {
        worker->recycle_at = settings->max_requests + sm_worker_share(settings->max_requests_jitter);
    }
    if (settings->max_memory > 0) {
        sm_timer_set(&net->wheel, &worker->look, net->now + LOOK_MS);
    }
    worker->master = (struct sm_source){.fd = worker->options->master_fd, .ready = sm_worker_told};
    return sm_loop_add_level(&net->loop, &worker->master);
}

static void sm_worker_quit(int number) {
    (void)number;
    _exit(SM_EXIT_OK);
}

static void sm_worker_ignore(int number) {
    (void)number;
}

// INT from a terminal reaches the whole group: the master decides what it means. A handler, unlike SIG_IGN, is not
// inherited by programs that the application starts.
static int sm_worker_signals(struct sm_worker *worker) {
    static const int watched[] = {SIGTERM, SIGUSR1, 0};
    int fd = sm_signals_open(watched);
    if (fd < 0) {
        return fd;
    }
    struct sigaction quit = {.sa_handler = sm_worker_quit};
    struct sigaction ignore = {.sa_handler = sm_worker_ignore, .sa_flags = SA_RESTART};
    sigaction(SIGQUIT, &quit, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    worker->signals = (struct sm_source){.fd = fd, .ready = sm_worker_signal};
    return sm_loop_add_level(&worker->engine.net.loop, &worker->signals);
}

static int sm_worker_watch(struct sm_worker *worker) {
    int fd = worker->options->lifeline_fd;
    if (fd < 0) {
        return 0;
    }
    worker->lifeline = (struct sm_source){.fd = fd, .ready = sm_worker_orphaned};
    return sm_loop_add_level(&worker->engine.net.loop, &worker->lifeline);
}

// What goes wrong meanwhile is shown in the browser.
static int sm_worker_start_app(struct sm_worker *worker) {
    struct sm_app *app = worker->options->app;
    struct sm_reload *reload = worker->options->reload;
    if (reload != NULL) {
        reload->change_fd = worker->options->master_fd;
        sm_failure_listen(&reload->failure);
    }
    int status = app->ops->start(app, &worker->engine);
    sm_failure_ignore();
    return status;
}

static bool sm_worker_is_done(const struct sm_worker *worker) {
    struct sm_app *app = worker->options->app;
    return worker->expired || (worker->engine.draining && sm_engine_idle(&worker->engine) &&
                               !(app->ops->is_busy != NULL && app->ops->is_busy(app)));
}

static int sm_worker_turn(void *context, int timeout_ms) {
    struct sm_worker *worker = context;
    if (sm_worker_is_done(worker)) {
        return 0;
    }
    int r = sm_engine_turn(&worker->engine, timeout_ms);
    if (worker->recycle_at > 0 && worker->engine.n_requests >= worker->recycle_at) {
        sm_worker_wear(worker, SM_WORKER_WORN);
    }
    return r < 0 ? r : !sm_worker_is_done(worker);
}

static int sm_worker_turns(struct sm_worker *worker) {
    struct sm_app *app = worker->options->app;
    const struct sm_turns turns = {.turn = sm_worker_turn, .context = worker};
    if (app->ops->run != NULL) {
        return app->ops->run(app, &turns);
    }
    int r;
    do {
        r = turns.turn(turns.context, -1);
    } while (r > 0);
    return r;
}

static int sm_worker_serve(struct sm_worker *worker) {
    const struct sm_worker_options *options = worker->options;
    struct sm_engine *engine = &worker->engine;
    int r = sm_engine_listen(engine, options->listeners, options->settings->n_listen);
    r = r < 0 ? r : sm_worker_attend(worker);
    if (r < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot watch the listeners: %s", strerror(-r));
        return SM_EXIT_SYSTEM;
    }
    sm_worker_say(worker, SM_WORKER_READY);
    r = sm_worker_turns(worker);
    if (r < 0) {
        sm_log(SM_LOG_CRITICAL, "waiting for events: %s", strerror(-r));
        return SM_EXIT_SYSTEM;
    }
    return SM_EXIT_OK;
}

int sm_worker_run(const struct sm_worker_options *options) {
    struct sm_worker worker = {.options = options};
    int r = sm_engine_init(&worker.engine, options->settings, options->app);
    if (r < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot start a worker: %s", strerror(-r));
        return SM_EXIT_SYSTEM;
    }
    worker.engine.generation = options->generation;
    worker.engine.master_fd = options->master_fd;
    worker.engine.reload = options->reload;
    sm_timer_init(&worker.deadline, sm_worker_expire);
    sm_timer_init(&worker.look, sm_worker_look);
    r = sm_worker_signals(&worker);
    r = r < 0 ? r : sm_worker_watch(&worker);
    int status = SM_EXIT_SYSTEM;
    if (r < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot start a worker: %s", strerror(-r));
    } else {
        status = sm_process_drop(options->settings);
    }
    if (status == SM_EXIT_OK) {
        status = sm_worker_start_app(&worker);
        if (status == SM_EXIT_OK) {
            status = sm_worker_serve(&worker);
            sm_timer_clear(&worker.deadline);
            sm_timer_clear(&worker.look);
            sm_engine_close(&worker.engine);
            options->app->ops->stop(options->app);
        }
    }
    sm_engine_deinit(&worker.engine);
    return status;
}
