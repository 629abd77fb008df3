// SPDX-License-Identifier: MIT
// The master's loop, and the only fork(2) of the program. A child blocks every signal from before the fork until it
// has handlers of its own, so that no signal for it is taken for one to the master.
#define _GNU_SOURCE
#include "engine/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "engine/engine.h"
#include "engine/process.h"
#include "engine/slots.h"
#include "engine/worker.h"
#include "net/notify.h"
#include "net/signals.h"
#include "net/words.h"

enum { HELPER_SECONDS = 60 };

static void sm_master_block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, before);
}

// --- the configuration helper ---

static int sm_master_read_all(int fd, struct sm_bytes *out) {
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0 && sm_bytes_append(out, chunk, (size_t)n) < 0) {
            return -ENOMEM;
        }
    }
}

static int sm_master_wait(pid_t pid, const char *what) {
    int status = 0;
    char how[128];
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return SM_EXIT_SYSTEM;
        }
    }
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    sm_slot_describe(status, how, sizeof(how));
    sm_log(SM_LOG_CRITICAL, "%s %s", what, how);
    return SM_EXIT_SYSTEM;
}

int sm_master_ask(const struct sm_master_hooks *hooks, struct sm_settings *settings_out, struct sm_bytes *answer) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        sm_log(SM_LOG_CRITICAL, "pipe: %s", strerror(errno));
        return SM_EXIT_SYSTEM;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        sm_signals_close();
        alarm(HELPER_SECONDS); // a file that never ends must not hold the master for ever
        _exit(hooks->configure(hooks->context, fds[1]));
    }
    close(fds[1]);
    int r = pid < 0 ? -errno : sm_master_read_all(fds[0], answer);
    close(fds[0]);
    int status = pid < 0 ? SM_EXIT_SYSTEM : sm_master_wait(pid, "the configuration helper");
    if (r < 0) {
        sm_log(SM_LOG_CRITICAL, "the configuration helper: %s", strerror(-r));
        status = SM_EXIT_SYSTEM;
    }
    if (status == SM_EXIT_OK && sm_settings_read(settings_out, answer->data, answer->len) < 0) {
        sm_settings_deinit(settings_out);
        status = SM_EXIT_SYSTEM;
    }
    return status;
}

int sm_master_configure(const struct sm_master_hooks *hooks, struct sm_settings *settings_out) {
    struct sm_bytes answer = {0};
    int status = sm_master_ask(hooks, settings_out, &answer);
    sm_bytes_deinit(&answer);
    return status;
}

// --- workers ---

static void sm_master_in_worker(struct sm_slot *slot, int master_fd) {
    struct sm_master *master = slot->master;
    static char name[32];
    snprintf(name, sizeof(name), "worker %u", slot->index);
    sm_log_set_name(name);
    sm_signals_close();
    sm_notify_close();
    close(master->lifeline[1]);
    if (master->report_fd >= 0) {
        close(master->report_fd);
    }
    sm_loop_deinit(&master->loop);
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        int fd = SM_CONTAINER(node, struct sm_slot, node)->words.fd;
        if (fd >= 0) {
            close(fd);
        }
    }
    struct sm_app *app = master->hooks->make_app(master->hooks->context, master->settings);
    struct sm_reload reload = {
        .failure = master->failure, .is_watching = slot->index == 1, .must_start = slot->is_replacement};
    struct sm_worker_options options = {.settings = master->settings,
                                        .app = app,
                                        .listeners = master->ports.fds,
                                        .index = slot->index,
                                        .generation = slot->generation,
                                        .master_fd = master_fd,
                                        .lifeline_fd = master->lifeline[0],
                                        .reload = master->settings->autoreload ? &reload : NULL};
    int status = app == NULL ? SM_EXIT_SYSTEM : sm_worker_run(&options);
    fflush(NULL);
    _exit(status);
}

bool sm_slot_start(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    int fds[2];
    int r = sm_words_open(fds);
    if (r < 0) {
        sm_log(SM_LOG_ERROR, "cannot start worker %u: %s", slot->index, strerror(-r));
        return false;
    }
    slot->generation = ++master->next_generation;
    sm_master_expect_failure(master);
    sigset_t before;
    sm_master_block_signals(&before);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        sm_master_in_worker(slot, fds[1]);
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        sm_log(SM_LOG_ERROR, "cannot start worker %u: %s", slot->index, strerror(error));
        return false;
    }
    slot->pid = pid;
    slot->state = SM_SLOT_STARTING;
    slot->started_at = master->now;
    slot->words.fd = fds[0];
    sm_loop_add_level(&master->loop, &slot->words);
    if (master->settings->startup_timeout > 0) {
        sm_timer_set(&master->wheel, &slot->timer, master->now + master->settings->startup_timeout);
    }
    return true;
}

static struct sm_slot *sm_master_find_pid(struct sm_master *master, pid_t pid) {
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
        if (slot->pid == pid) {
            return slot;
        }
    }
    return NULL;
}

// --- phases ---

static void sm_master_stop_all(struct sm_master *master) {
    struct sm_list *node = master->slots.next;
    while (node != &master->slots) {
        struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
        node = node->next;
        if (slot->state != SM_SLOT_STOPPING) {
            sm_slot_stop(slot);
        } else {
            kill(slot->pid, SIGTERM); // it need not wait for its idle connections any more
        }
    }
}

static void sm_master_kill_all(struct sm_master *master, int number) {
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        struct sm_slot *slot = SM_CONTAINER(node, struct sm_slot, node);
        if (slot->pid != 0) {
            kill(slot->pid, number);
        }
    }
}

static void sm_master_stop(struct sm_master *master, int status, const char *why) {
    if (master->phase == SM_MASTER_STOPPING) {
        return;
    }
    sm_log(SM_LOG_INFO, "%s: finishing requests, then stopping", why);
    sm_notify("STOPPING=1\nSTATUS=finishing requests");
    master->phase = SM_MASTER_STOPPING;
    master->status = status;
    sm_ports_deinit(&master->ports, true);
    sm_master_stop_all(master);
}

static void sm_master_delay_over(struct sm_timer *timer) {
    struct sm_master *master = SM_CONTAINER(timer, struct sm_master, stop_timer);
    sm_master_stop(master, SM_EXIT_OK, "drain_delay is over");
}

// Stops, or serves on for a while, until those who send requests know that this server goes.
static void sm_master_leave(struct sm_master *master) {
    uint64_t delay = master->settings->drain_delay;
    bool is_first = master->phase == SM_MASTER_SERVING || master->phase == SM_MASTER_RELOADING;
    if (delay == 0 || !is_first) {
        sm_master_stop(master, SM_EXIT_OK, "terminated");
        return;
    }
    sm_log(SM_LOG_INFO, "terminated: serving on for drain_delay, %.1f s", (double)delay / 1000);
    master->phase = SM_MASTER_LEAVING;
    sm_timer_set(&master->wheel, &master->stop_timer, master->now + delay);
}

// The service manager wants to hear that this loop turns, which is all that a watchdog can know of a master.
static void sm_master_watchdog(struct sm_timer *timer) {
    struct sm_master *master = SM_CONTAINER(timer, struct sm_master, watchdog);
    sm_notify("WATCHDOG=1");
    sm_timer_set(&master->wheel, timer, master->now + sm_notify_watchdog() / 2);
}

static void sm_master_quit(struct sm_master *master, const char *why) {
    sm_log(SM_LOG_INFO, "%s: stopping at once", why);
    sm_notify("STOPPING=1\nSTATUS=stopping");
    master->phase = SM_MASTER_STOPPING;
    sm_master_kill_all(master, SIGKILL);
    sm_master_stop_all(master);
}

static void sm_master_report(struct sm_master *master, int status) {
    if (master->report_fd >= 0) {
        unsigned char byte = (unsigned char)status;
        ssize_t n = write(master->report_fd, &byte, 1);
        (void)n;
        close(master->report_fd);
        master->report_fd = -1;
    }
}

static void sm_master_announce(struct sm_master *master) {
    struct sm_bytes text = {0};
    for (size_t i = 0; i < master->ports.n; i++) {
        sm_bytes_append(&text, ", ", i == 0 ? 0 : 2);
        sm_bytes_append_str(&text, sm_str_from(master->ports.names[i]));
    }
    uint32_t n = master->settings->workers;
    sm_log(SM_LOG_INFO, "ready: %.*s (%u worker%s)", (int)text.len, text.data, n, n == 1 ? "" : "s");
    sm_bytes_deinit(&text);
}

void sm_master_tell_ready(const struct sm_master *master) {
    uint32_t n = master->settings->workers;
    sm_notify("READY=1\nMAINPID=%d\nSTATUS=serving with %u worker%s", (int)getpid(), n, n == 1 ? "" : "s");
}

void sm_master_settled(struct sm_master *master) {
    if (master->phase == SM_MASTER_LEAVING) {
        return;
    }
    master->phase = SM_MASTER_SERVING;
    sm_master_tell_ready(master);
    if (master->reload_again) {
        master->reload_again = false;
        kill(getpid(), SIGHUP);
    }
    sm_master_recycle(master);
}

void sm_master_reopen_log(const struct sm_master *master) {
    int r = sm_process_open_log(master->settings);
    if (r < 0) {
        sm_log(SM_LOG_ERROR, "cannot open error_log %s: %s; the old file is written on", master->settings->error_log,
               strerror(-r));
    }
}

// --- events ---

void sm_master_slot_ready(struct sm_slot *slot) {
    struct sm_master *master = slot->master;
    if (master->phase == SM_MASTER_RELOADING && slot->is_replacement) {
        sm_master_replaced(master, slot);
        return;
    }
    if (slot->is_successor) {
        sm_master_succeeded(slot);
        return;
    }
    if (master->phase != SM_MASTER_STARTING) {
        return;
    }
    for (struct sm_list *node = master->slots.next; node != &master->slots; node = node->next) {
        if (SM_CONTAINER(node, struct sm_slot, node)->state != SM_SLOT_READY) {
            return;
        }
    }
    sm_master_announce(master);
    sm_master_report(master, SM_EXIT_OK);
    sm_master_settled(master);
}

static void sm_master_slot_ended(struct sm_slot *slot, int wait_status) {
    struct sm_master *master = slot->master;
    char how[128];
    char said[256];
    bool was_ready = slot->state == SM_SLOT_READY;
    int pid = (int)slot->pid;
    slot->pid = 0;
    sm_timer_clear(&slot->timer);
    sm_slot_describe(wait_status, how, sizeof(how));
    if (slot->state == SM_SLOT_STOPPING || master->phase == SM_MASTER_STOPPING) {
        bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
        sm_log(clean ? SM_LOG_DEBUG : SM_LOG_WARNING, "worker %u (pid %d) %s", slot->index, pid, how);
        sm_slot_free(slot);
        return;
    }
    if (slot->is_outdated) {
        sm_master_outdated_ended(slot);
        return;
    }
    if (was_ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        // Nothing failed, so nobody is made to wait either.
        sm_log(SM_LOG_INFO, "worker %u (pid %d) has finished; starting another", slot->index, pid);
        if (!sm_master_succession_ended(slot)) {
            sm_slot_restart_now(slot);
        }
        return;
    }
    sm_log(SM_LOG_ERROR, "worker %u (pid %d) %s%s", slot->index, pid, how, was_ready ? "" : " before it was ready");
    if (sm_master_succession_ended(slot)) {
        return;
    }
    if (slot->is_replacement) {
        snprintf(said, sizeof(said), "the new code %s before it was ready; the log may say more", how);
        sm_master_show_failure(master, said, NULL);
        sm_log(SM_LOG_ERROR, "reload failed: the new code does not start; the old workers go on");
        sm_slot_free(slot);
        sm_master_settled(master);
    } else if (master->phase == SM_MASTER_STARTING && !was_ready) {
        sm_slot_free(slot);
        sm_master_stop(master, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : SM_EXIT_SYSTEM,
                       "the application does not start");
    } else {
        sm_slot_restart_later(slot);
    }
}

static void sm_master_reap(struct sm_master *master) {
    int wait_status;
    pid_t pid;
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        struct sm_slot *slot = sm_master_find_pid(master, pid);
        if (slot != NULL) {
            sm_master_slot_ended(slot, wait_status);
        }
    }
}

static void sm_master_signal(struct sm_master *master, int number) {
    switch (number) {
    case SIGCHLD:
        sm_master_reap(master);
        break;
    case SIGTERM:
    case SIGINT:
        if (number == SIGTERM) {
            sm_master_leave(master);
        } else if (master->phase == SM_MASTER_STOPPING) {
            sm_master_quit(master, "interrupted again");
        } else {
            sm_master_stop(master, SM_EXIT_OK, "interrupted");
        }
        break;
    case SIGQUIT:
        sm_master_quit(master, "QUIT");
        break;
    case SIGHUP:
        sm_master_reload(master);
        break;
    case SIGUSR1:
        sm_master_reopen_log(master);
        sm_log(SM_LOG_INFO, "log reopened");
        sm_master_kill_all(master, SIGUSR1);
        break;
    case SIGTTIN:
    case SIGTTOU:
        sm_master_scale(master, number == SIGTTIN);
        break;
    default:
        sm_log(SM_LOG_WARNING, "signal %d (%s) has no meaning in this version", number, strsignal(number));
    }
}

static void sm_master_signals(struct sm_source *source, unsigned flags) {
    (void)flags;
    struct sm_master *master = SM_CONTAINER(source, struct sm_master, signals);
    int number;
    while ((number = sm_signals_next()) != 0) {
        sm_master_signal(master, number);
    }
}

// --- start and end ---

// The process that the user started waits until the application serves, then leaves with its status.
static int sm_master_daemonize(struct sm_master *master) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return SM_EXIT_SYSTEM;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot go to the background: %s", strerror(errno));
        return SM_EXIT_SYSTEM;
    }
    if (pid > 0) {
        unsigned char status = SM_EXIT_SYSTEM;
        close(fds[1]);
        while (read(fds[0], &status, 1) < 0 && errno == EINTR) {
        }
        _exit(status);
    }
    close(fds[0]);
    setsid();
    master->report_fd = fds[1];
    return SM_EXIT_OK;
}

static void sm_master_detach(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        return;
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
}

static int sm_master_prepare(struct sm_master *master) {
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, 0};
    if (sm_loop_init(&master->loop) < 0 || pipe2(master->lifeline, O_CLOEXEC) < 0) {
        return SM_EXIT_SYSTEM;
    }
    int fd = sm_signals_open(watched);
    if (fd < 0) {
        return SM_EXIT_SYSTEM;
    }
    master->signals = (struct sm_source){.fd = fd, .ready = sm_master_signals};
    sm_loop_add_level(&master->loop, &master->signals);
    int status = sm_process_write_pid(master->settings->pidfile);
    for (uint32_t i = 1; status == SM_EXIT_OK && i <= master->settings->workers; i++) {
        struct sm_slot *slot = sm_slot_new(master, i);
        status = slot != NULL && sm_slot_start(slot) ? SM_EXIT_OK : SM_EXIT_SYSTEM;
    }
    return status;
}

static void sm_master_loop(struct sm_master *master) {
    while (!sm_list_empty(&master->slots)) {
        if (sm_loop_wait(&master->loop, sm_wheel_wait(&master->wheel, master->now)) < 0) {
            break;
        }
        master->now = sm_clock_ms();
        struct sm_source *source;
        unsigned flags;
        while ((source = sm_loop_next(&master->loop, &flags)) != NULL) {
            source->ready(source, flags);
        }
        sm_wheel_advance(&master->wheel, master->now);
    }
}

static void sm_master_end(struct sm_master *master) {
    sm_master_report(master, master->status);
    sm_ports_deinit(&master->ports, true);
    if (master->settings->pidfile != NULL) {
        unlink(master->settings->pidfile);
    }
    sm_signals_close();
    sm_notify_close();
    sm_loop_deinit(&master->loop);
    if (master->failure.fd >= 0) {
        close(master->failure.fd);
    }
    close(master->lifeline[0]);
    close(master->lifeline[1]);
    sm_settings_deinit(master->settings);
}

int sm_master_run(const struct sm_master_hooks *hooks, struct sm_settings *settings) {
    struct sm_master master = {.hooks = hooks,
                               .settings = settings,
                               .loop = {.fd = -1},
                               .report_fd = -1,
                               .lifeline = {-1, -1},
                               .failure = {.fd = -1}};
    master.now = sm_clock_ms();
    sm_wheel_init(&master.wheel, master.now);
    sm_list_init(&master.slots);
    sm_timer_init(&master.stop_timer, sm_master_delay_over);
    sm_timer_init(&master.watchdog, sm_master_watchdog);
    sm_notify_open();
    master.status = sm_ports_open(&master.ports, settings);
    if (master.status == SM_EXIT_OK && settings->daemonize) {
        master.status = sm_master_daemonize(&master);
        sm_master_detach();
    }
    if (master.status == SM_EXIT_OK) {
        if (settings->autoreload) {
            sm_log(SM_LOG_WARNING, "autoreload is on: for development only");
        }
        master.status = sm_master_prepare(&master);
        if (sm_notify_watchdog() > 0) {
            sm_master_watchdog(&master.watchdog);
        }
        if (master.status != SM_EXIT_OK) {
            sm_master_stop(&master, master.status, "cannot start");
        }
        sm_master_loop(&master);
        sm_log(SM_LOG_INFO, "stopped");
    }
    sm_master_end(&master);
    return master.status;
}

int sm_master_test(const struct sm_master_hooks *hooks, const struct sm_settings *settings) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct sm_app *app = hooks->make_app(hooks->context, settings);
        int status = app == NULL ? SM_EXIT_SYSTEM : sm_process_drop(settings);
        status = status == SM_EXIT_OK ? app->ops->start(app, NULL) : status;
        if (status == SM_EXIT_OK) {
            hooks->tested(hooks->context, settings, app);
            fflush(NULL); // before the application's own last words
            app->ops->stop(app);
        }
        fflush(NULL);
        _exit(status);
    }
    return pid < 0 ? SM_EXIT_SYSTEM : sm_master_wait(pid, "the application");
}
