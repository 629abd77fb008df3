// SPDX-License-Identifier: MIT
// argv. Only what must be known before any configuration is understood here; every other option becomes an
// override that the configuration helper checks like a line of the file, naming the option in its errors.
#define _GNU_SOURCE
#include "engine/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/exit.h"
#include "config.h"

// How an option's argument becomes the value of its setting.
enum shape { PLAIN, LISTEN_HTTP, LISTEN_FASTCGI, PATH, TRUE };

static const struct {
    const char *option;
    const char *key;
    enum shape shape;
} sm_cli_options[] = {
    {"http", "listen", LISTEN_HTTP},  {"fastcgi", "listen", LISTEN_FASTCGI}, {"interface", "interface", PLAIN},
    {"workers", "workers", PLAIN},    {"threads", "threads", PLAIN},         {"chdir", "chdir", PATH},
    {"venv", "venv", PATH},           {"pythonpath", "pythonpath", PATH},    {"reload", "autoreload", TRUE},
    {"daemonize", "daemonize", TRUE}, {"pidfile", "pidfile", PATH},          {"user", "user", PLAIN},
    {"group", "group", PLAIN},
};

enum { N_OPTIONS = sizeof(sm_cli_options) / sizeof(*sm_cli_options), OPT_SET = 256, OPT_FIRST };

static const char sm_cli_help[] =
    "smiskd: serves a Python application over HTTP/1.1 and FastCGI.\n"
    "\n"
    "Usage: smiskd [-c smisk.conf] [options] [APP]\n"
    "\n"
    "APP is a module, module:attribute or module:factory(), or a file such as hello.py for the module; it overrides\n"
    "the configuration's `app`.\n"
    "Without -c and APP, smisk.conf in the current folder is read.\n"
    "\n"
    "  -c, --config FILE      configuration: smisk.conf dialect, or TOML if the name ends in .toml\n"
    "  -t, --test             check configuration and application, print what would run, exit\n"
    "      --http ADDR        listen for HTTP/1.1: HOST:PORT, :PORT, [::1]:PORT, unix:/path; may repeat\n"
    "      --fastcgi ADDR     listen for FastCGI: same forms; may repeat\n"
    "      --interface NAME   how to call the application: auto, native, smisk, wsgi, asgi\n"
    "      --workers N        processes; `auto`: one for each CPU\n"
    "      --threads N        sync handlers in parallel in each worker\n"
    "      --chdir DIR        working folder\n"
    "      --venv DIR         virtual environment of the application\n"
    "      --pythonpath DIR   where to look for modules first; may repeat\n"
    "      --reload           development: restart when files change, show errors in the browser\n"
    "      --set KEY=VALUE    any setting of smisk.conf, in its syntax; may repeat\n"
    "      --daemonize        go to the background once the application serves\n"
    "      --pidfile FILE     write the master's process id\n"
    "      --user U           run workers as this user\n"
    "      --group G          run workers as this group\n"
    "      --version          print the versions of smiskd and Python\n"
    "  -h, --help             print this\n"
    "\n"
    "Without a listener: HTTP on 127.0.0.1:8080. Started by spawn-fcgi: FastCGI on descriptor 0.\n"
    "\n"
    "Signals: TERM and INT finish what is under way and stop; QUIT stops at once; HUP reloads configuration and\n"
    "code, worker by worker; USR1 reopens the log.\n"
    "\n"
    "Exit status: 0 fine; 1 the application does not load; 2 wrong command line or configuration; 3 an address\n"
    "cannot be listened on; 4 Python does not start; 5 the system refused something else.\n";

static int sm_cli_add(struct sm_cli *cli, struct sm_bytes argument) {
    struct sm_str *grown = realloc(cli->arguments, (cli->n_arguments + 1) * sizeof(*grown));
    if (grown == NULL) {
        sm_bytes_deinit(&argument);
        return -ENOMEM;
    }
    cli->arguments = grown;
    grown[cli->n_arguments++] = (struct sm_str){argument.data, argument.len};
    return 0;
}

int sm_cli_override(struct sm_cli *cli, const char *origin, const char *key, const char *value) {
    struct sm_bytes argument = {0};
    cli->has_listen = cli->has_listen || strcmp(key, "listen") == 0;
    int r = sm_bytes_append(&argument, origin, strlen(origin) + 1);
    r = r < 0 ? r : sm_bytes_append(&argument, key, strlen(key) + 1);
    r = r < 0 ? r : sm_bytes_append(&argument, value, strlen(value));
    if (r < 0) {
        sm_bytes_deinit(&argument);
        return r;
    }
    return sm_cli_add(cli, argument);
}

static int sm_cli_conf(struct sm_cli *cli, const char *path) {
    struct sm_bytes argument = {0};
    char *full = realpath(path, NULL);
    if (full == NULL) {
        fprintf(stderr, "smiskd: %s: %s\n", path, strerror(errno));
        return -EINVAL;
    }
    int r = sm_bytes_append(&argument, "conf=", 5);
    r = r < 0 ? r : sm_bytes_append(&argument, full, strlen(full));
    free(full);
    if (r < 0) {
        sm_bytes_deinit(&argument);
        return r;
    }
    return sm_cli_add(cli, argument);
}

static int sm_cli_option(struct sm_cli *cli, unsigned index, const char *value) {
    char origin[64];
    const char *prefix = "";
    snprintf(origin, sizeof(origin), "--%s", sm_cli_options[index].option);
    switch (sm_cli_options[index].shape) {
    case LISTEN_HTTP:
        prefix = "http://";
        break;
    case LISTEN_FASTCGI:
        prefix = "fastcgi://";
        break;
    case TRUE:
        value = "true";
        break;
    case PLAIN:
    case PATH:
        break;
    }
    if (strcmp(sm_cli_options[index].key, "venv") == 0) {
        cli->venv = value;
    }
    char *text = NULL;
    if (asprintf(&text, "%s%s", prefix, value) < 0) {
        return -ENOMEM;
    }
    int r = sm_cli_override(cli, origin, sm_cli_options[index].key, text);
    free(text);
    return r;
}

static int sm_cli_set(struct sm_cli *cli, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        fprintf(stderr, "smiskd: --set wants KEY=VALUE, not \"%s\"\n", text);
        return -EINVAL;
    }
    char *key = strndup(text, (size_t)(equals - text));
    if (key == NULL) {
        return -ENOMEM;
    }
    int r = sm_cli_override(cli, "--set", key, equals + 1);
    free(key);
    return r;
}

static void sm_cli_fill_options(struct option options[static N_OPTIONS + 6]) {
    for (int i = 0; i < N_OPTIONS; i++) {
        int has_arg = sm_cli_options[i].shape == TRUE ? no_argument : required_argument;
        options[i] = (struct option){sm_cli_options[i].option, has_arg, NULL, OPT_FIRST + i};
    }
    options[N_OPTIONS] = (struct option){"config", required_argument, NULL, 'c'};
    options[N_OPTIONS + 1] = (struct option){"test", no_argument, NULL, 't'};
    options[N_OPTIONS + 2] = (struct option){"set", required_argument, NULL, OPT_SET};
    options[N_OPTIONS + 3] = (struct option){"help", no_argument, NULL, 'h'};
    options[N_OPTIONS + 4] = (struct option){"version", no_argument, NULL, 'V'};
    options[N_OPTIONS + 5] = (struct option){0};
}

// One option: -1 to go on, else the exit status.
static int sm_cli_take(struct sm_cli *cli, int c, bool *has_conf) {
    int r = 0;
    switch (c) {
    case 'h':
        fputs(sm_cli_help, stdout);
        return SM_EXIT_OK;
    case 'V':
        printf("smiskd %s (Python %s)\n", SMISK_VERSION, SMISK_PYTHON_VERSION);
        return SM_EXIT_OK;
    case 't':
        cli->test = true;
        break;
    case 'c':
        *has_conf = true;
        r = sm_cli_conf(cli, optarg);
        break;
    case OPT_SET:
        r = sm_cli_set(cli, optarg);
        break;
    default:
        if (c < OPT_FIRST) { // getopt has said what is wrong
            fputs("Try `smiskd --help`.\n", stderr);
            return SM_EXIT_CONFIG;
        }
        r = sm_cli_option(cli, (unsigned)(c - OPT_FIRST), optarg);
    }
    return r == 0 ? -1 : SM_EXIT_CONFIG;
}

static int sm_cli_app(struct sm_cli *cli, int argc, char **argv, bool has_conf) {
    if (optind + 1 < argc) {
        fprintf(stderr, "smiskd: one APP, please: \"%s\" is too many. Try `smiskd --help`.\n", argv[optind + 1]);
        return SM_EXIT_CONFIG;
    }
    if (optind < argc) {
        return sm_cli_override(cli, "APP", "app", argv[optind]) == 0 ? -1 : SM_EXIT_SYSTEM;
    }
    if (!has_conf && access("smisk.conf", F_OK) == 0) {
        return sm_cli_conf(cli, "smisk.conf") == 0 ? -1 : SM_EXIT_CONFIG;
    }
    return -1;
}

int sm_cli_parse(struct sm_cli *cli, int argc, char **argv) {
    struct option options[N_OPTIONS + 6];
    bool has_conf = false;
    *cli = (struct sm_cli){0};
    sm_cli_fill_options(options);
    optind = 1;
    for (;;) {
        int c = getopt_long(argc, argv, "c:th", options, NULL);
        if (c == -1) {
            return sm_cli_app(cli, argc, argv, has_conf);
        }
        int status = sm_cli_take(cli, c, &has_conf);
        if (status >= 0) {
            return status;
        }
    }
}

void sm_cli_no_app(void) {
    fputs("smiskd: nothing to serve: name an application, as in `smiskd hello`, or a configuration with `app`."
          " Try `smiskd --help`.\n",
          stderr);
}

void sm_cli_print_plan(const struct sm_settings *settings, const char *app, const char *interface) {
    printf("app: %s (interface %s)\nworkers: %u\n", app, interface, settings->workers);
    for (size_t i = 0; i < settings->n_listen; i++) {
        const struct sm_listen *listen = &settings->listen[i];
        bool is_unix = strncmp(listen->address, "unix:", 5) == 0;
        printf("listen: %s%s%s\n", listen->protocol == SM_PROTOCOL_HTTP ? "http" : "fastcgi", is_unix ? "+" : "://",
               listen->address);
    }
    puts("configuration and application are fine");
}

void sm_cli_deinit(struct sm_cli *cli) {
    for (size_t i = 0; i < cli->n_arguments; i++) {
        free((void *)(uintptr_t)cli->arguments[i].ptr);
    }
    free(cli->arguments);
    *cli = (struct sm_cli){0};
}
