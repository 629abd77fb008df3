// SPDX-License-Identifier: MIT
// argv → configuration → run. Everything else has a room of its own.
#include "base/exit.h"
#include "base/log.h"
#include "engine/cli.h"
#include "engine/master.h"
#include "engine/ports.h"
#include "engine/process.h"
#include "net/listener.h"
#include "py/app.h"
#include "py/config_run.h"

static int configure(void *context, int out_fd) {
    const struct sm_cli *cli = context;
    struct smpy_interp_options options = {.app_name = "smiskd", .venv = cli->venv};
    return smpy_config_run(&options, cli->arguments, cli->n_arguments, out_fd);
}

// In the child of -t, with the application loaded.
static void tested(void *context, const struct sm_settings *settings, const struct sm_app *app) {
    (void)context;
    sm_cli_print_plan(settings, smpy_app_label(app), smpy_app_interface(app));
}

static struct sm_app *make_app(void *context, const struct sm_settings *settings) {
    (void)context;
    return smpy_app_new(settings);
}

// Under spawn-fcgi descriptor 0 is the FastCGI listener (FastCGI 1.0, section 2.2), unless the user names others.
static int adopt_descriptor_0(struct sm_cli *cli) {
    return !cli->has_listen && sm_listener_is(0) ? sm_cli_override(cli, "descriptor 0", "listen", "fastcgi://fd:0")
                                                 : 0;
}

static int serve(struct sm_cli *cli, const struct sm_master_hooks *hooks) {
    struct sm_settings settings;
    int status = sm_master_configure(hooks, &settings);
    if (status != SM_EXIT_OK) {
        return status;
    }
    sm_log_set_level(settings.log_level);
    if (settings.app == NULL) {
        sm_cli_no_app();
        status = SM_EXIT_CONFIG;
    } else if (!cli->test && sm_process_open_log(&settings) < 0) {
        sm_log(SM_LOG_CRITICAL, "cannot open error_log %s", settings.error_log);
        status = SM_EXIT_CONFIG;
    } else if (sm_ports_allow_from_env(&settings) < 0) {
        status = SM_EXIT_SYSTEM;
    } else {
        status = sm_process_place(&settings);
    }
    if (status == SM_EXIT_OK && !cli->test) {
        return sm_master_run(hooks, &settings);
    }
    if (status == SM_EXIT_OK) {
        status = sm_master_test(hooks, &settings);
    }
    sm_settings_deinit(&settings);
    return status;
}

int main(int argc, char **argv) {
    struct sm_cli cli;
    struct sm_master_hooks hooks = {.configure = configure, .make_app = make_app, .tested = tested, .context = &cli};
    int status = sm_cli_parse(&cli, argc, argv);
    if (status < 0) {
        status = adopt_descriptor_0(&cli) < 0 ? SM_EXIT_SYSTEM : serve(&cli, &hooks);
    }
    sm_cli_deinit(&cli);
    return status;
}
