// SPDX-License-Identifier: MIT
// Reads what the configuration helper resolved. The helper has validated everything; what does not fit here is
// a defect between two halves of one program, and says so.
#include "engine/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum kind { TEXT, TEXTS, NUMBER32, NUMBER64, OCTAL, FLAG, LEVEL };

struct entry {
    const char *key;
    enum kind kind;
    size_t offset;
};

#define ENTRY(name, kind)                                                                                            \
    { #name, kind, offsetof(struct sm_settings, name) }

static const struct entry sm_settings_table[] = {
    ENTRY(app, TEXT),
    ENTRY(interface, TEXT),
    ENTRY(root_path, TEXT),
    ENTRY(loop, TEXT),
    ENTRY(lifespan, TEXT),
    ENTRY(chdir, TEXT),
    ENTRY(venv, TEXT),
    ENTRY(pidfile, TEXT),
    ENTRY(user, TEXT),
    ENTRY(group, TEXT),
    ENTRY(error_log, TEXT),
    ENTRY(temp_dir, TEXT),
    ENTRY(pythonpath, TEXTS),
    ENTRY(trusted_proxies, TEXTS),
    ENTRY(workers, NUMBER32),
    ENTRY(threads, NUMBER32),
    ENTRY(umask, OCTAL),
    ENTRY(max_connections, NUMBER32),
    ENTRY(max_headers, NUMBER32),
    ENTRY(max_header_size, NUMBER32),
    ENTRY(max_multiplexed, NUMBER32),
    ENTRY(max_body_size, NUMBER64),
    ENTRY(request_body_memory, NUMBER64),
    ENTRY(write_buffer, NUMBER64),
    ENTRY(header_timeout, NUMBER64),
    ENTRY(body_timeout, NUMBER64),
    ENTRY(write_timeout, NUMBER64),
    ENTRY(keepalive_timeout, NUMBER64),
    ENTRY(linger_timeout, NUMBER64),
    ENTRY(shutdown_timeout, NUMBER64),
    ENTRY(startup_timeout, NUMBER64),
    ENTRY(handoff_after, NUMBER64),
    ENTRY(drain_delay, NUMBER64),
    ENTRY(drain_idle_timeout, NUMBER64),
    ENTRY(max_memory, NUMBER64),
    ENTRY(max_requests, NUMBER32),
    ENTRY(max_requests_jitter, NUMBER32),
    ENTRY(max_form_fields, NUMBER32),
    ENTRY(max_form_parts, NUMBER32),
    ENTRY(ws_max_size, NUMBER64),
    ENTRY(ws_ping_interval, NUMBER64),
    ENTRY(ws_ping_timeout, NUMBER64),
    ENTRY(ws_compression, FLAG),
    ENTRY(show_traceback, FLAG),
    ENTRY(autoreload, FLAG),
    ENTRY(autoreload_paths, TEXTS),
    ENTRY(config_file, TEXT),
    ENTRY(config_files, TEXTS),
    ENTRY(daemonize, FLAG),
    ENTRY(log_level, LEVEL),
    ENTRY(logging, FLAG),
};

static const char *const sm_level_names[] = {"debug", "info", "warning", "error", "critical"};

static int sm_settings_text(char **field, const char *value) {
    char *copy = strdup(value);
    if (copy == NULL) {
        return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

// Appends to a NULL-terminated array.
static int sm_settings_push(char ***array, const char *value) {
    size_t n = 0;
    while (*array != NULL && (*array)[n] != NULL) {
        n++;
    }
    char **grown = realloc(*array, (n + 2) * sizeof(char *));
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    grown[n + 1] = NULL;
    grown[n] = strdup(value);
    return grown[n] == NULL ? -ENOMEM : 0;
}

static int sm_settings_number(void *field, enum kind kind, const char *value) {
    uint64_t number = 0;
    if (!sm_u64_parse(sm_str_from(value), kind == NUMBER32 ? UINT32_MAX : UINT64_MAX, &number)) {
        return -EINVAL;
    }
    if (kind == NUMBER32) {
        *(uint32_t *)field = (uint32_t)number;
    } else {
        *(uint64_t *)field = number;
    }
    return 0;
}

static int sm_settings_octal(const char *value, int *field) {
    char *end;
    errno = 0;
    long number = strtol(value, &end, 8);
    if (errno != 0 || end == value || *end != '\0' || number < 0 || number > 07777) {
        return -EINVAL;
    }
    *field = (int)number;
    return 0;
}

static int sm_settings_level(const char *value, enum sm_log_level *field) {
    for (unsigned i = 0; i < sizeof(sm_level_names) / sizeof(*sm_level_names); i++) {
        if (strcmp(value, sm_level_names[i]) == 0) {
            *field = (enum sm_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int sm_settings_assign(struct sm_settings *settings, const struct entry *entry, const char *value) {
    void *field = (char *)settings + entry->offset;
    switch (entry->kind) {
    case TEXT:
        return sm_settings_text(field, value);
    case TEXTS:
        return sm_settings_push(field, value);
    case NUMBER32:
    case NUMBER64:
        return sm_settings_number(field, entry->kind, value);
    case OCTAL:
        return sm_settings_octal(value, field);
    case FLAG:
        *(bool *)field = strcmp(value, "true") == 0;
        return *(bool *)field || strcmp(value, "false") == 0 ? 0 : -EINVAL;
    case LEVEL:
        return sm_settings_level(value, field);
    }
    return -EINVAL;
}

// "listen.3.address": the listener numbered 3, growing the array by one where it is new.
static struct sm_listen *sm_settings_listener(struct sm_settings *settings, const char *key, const char **rest_out) {
    char *end;
    unsigned long index = strtoul(key, &end, 10);
    if (end == key || *end != '.' || index > settings->n_listen) {
        return NULL;
    }
    *rest_out = end + 1;
    if (index == settings->n_listen) {
        struct sm_listen *grown = realloc(settings->listen, (index + 1) * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        grown[index] = (struct sm_listen){.mode = -1, .backlog = 2048};
        settings->listen = grown;
        settings->n_listen = index + 1;
    }
    return &settings->listen[index];
}

static int sm_settings_listen(struct sm_settings *settings, const char *key, const char *value) {
    const char *part = NULL;
    struct sm_listen *listen = sm_settings_listener(settings, key, &part);
    if (listen == NULL) {
        return -EINVAL;
    }
    if (strcmp(part, "protocol") == 0) {
        bool is_fastcgi = strcmp(value, "fastcgi") == 0;
        listen->protocol = is_fastcgi ? SM_PROTOCOL_FASTCGI : SM_PROTOCOL_HTTP;
        return is_fastcgi || strcmp(value, "http") == 0 ? 0 : -EINVAL;
    }
    if (strcmp(part, "address") == 0) {
        return sm_settings_text(&listen->address, value);
    }
    if (strcmp(part, "owner") == 0) {
        return sm_settings_text(&listen->owner, value);
    }
    if (strcmp(part, "group") == 0) {
        return sm_settings_text(&listen->group, value);
    }
    if (strcmp(part, "mode") == 0) {
        return sm_settings_octal(value, &listen->mode);
    }
    if (strcmp(part, "backlog") == 0) {
        uint64_t backlog = 0;
        bool fits = sm_u64_parse(sm_str_from(value), INT32_MAX, &backlog);
        listen->backlog = (int)backlog;
        return fits ? 0 : -EINVAL;
    }
    return strncmp(part, "allow.", 6) == 0 ? sm_settings_push(&listen->allow, value) : -EINVAL;
}

static int sm_settings_set(struct sm_settings *settings, const char *key, const char *value) {
    if (strncmp(key, "listen.", 7) == 0) {
        return sm_settings_listen(settings, key + 7, value);
    }
    size_t key_len = strcspn(key, "."); // "pythonpath.0"
    for (size_t i = 0; i < sizeof(sm_settings_table) / sizeof(*sm_settings_table); i++) {
        const struct entry *entry = &sm_settings_table[i];
        if (strlen(entry->key) == key_len && strncmp(key, entry->key, key_len) == 0 &&
            (key[key_len] == '\0' || entry->kind == TEXTS)) {
            return sm_settings_assign(settings, entry, value);
        }
    }
    return -EINVAL;
}

int sm_settings_read(struct sm_settings *settings, const char *data, size_t len) {
    *settings = (struct sm_settings){.umask = -1, .log_level = SM_LOG_INFO};
    const char *end = data + len;
    while (data < end) {
        const char *key = data;
        const char *key_end = memchr(key, '\0', (size_t)(end - key));
        const char *value = key_end == NULL ? end : key_end + 1;
        const char *value_end = value < end ? memchr(value, '\0', (size_t)(end - value)) : NULL;
        if (value_end == NULL) {
            sm_log(SM_LOG_CRITICAL, "the configuration helper's answer is cut short");
            return -EINVAL;
        }
        int r = sm_settings_set(settings, key, value);
        if (r < 0) {
            sm_log(SM_LOG_CRITICAL,
                   "the configuration helper says %s = \"%s\", which the host does not know: do smiskd"
                   " and the smisk package have the same version?",
                   key, value);
            return r;
        }
        data = value_end + 1;
    }
    const char *temp_dir = getenv("TMPDIR");
    return settings->temp_dir != NULL ? 0
                                      : sm_settings_text(&settings->temp_dir, temp_dir == NULL ? "/tmp" : temp_dir);
}

static void sm_settings_free_array(char **array) {
    for (char **text = array; text != NULL && *text != NULL; text++) {
        free(*text);
    }
    free(array);
}

void sm_settings_deinit(struct sm_settings *settings) {
    for (size_t i = 0; i < sizeof(sm_settings_table) / sizeof(*sm_settings_table); i++) {
        const struct entry *entry = &sm_settings_table[i];
        void *field = (char *)settings + entry->offset;
        if (entry->kind == TEXT) {
            free(*(char **)field);
        } else if (entry->kind == TEXTS) {
            sm_settings_free_array(*(char ***)field);
        }
    }
    for (size_t i = 0; i < settings->n_listen; i++) {
        free(settings->listen[i].address);
        free(settings->listen[i].owner);
        free(settings->listen[i].group);
        sm_settings_free_array(settings->listen[i].allow);
    }
    free(settings->listen);
    *settings = (struct sm_settings){0};
}
