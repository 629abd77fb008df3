// SPDX-License-Identifier: MIT
// The one writer of stderr and the error log. Each call formats one entry on the stack, escapes what a client
// could have put into it and hands it to the kernel in one write(2), so that entries of several processes that
// append to one file never mix.
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { LINE_MAX_LEN = 8192, TEXT_MAX_LEN = 65536, PREFIX_MAX_LEN = 160 };

static struct {
    int fd;
    enum sm_log_level level;
    const char *name;
    bool colour;
    sm_log_listener *listener;
    void *listener_context;
} sm_log_state = {.fd = STDERR_FILENO, .level = SM_LOG_INFO};

static const struct {
    const char *name;
    const char *colour;
} sm_log_levels[] = {
    [SM_LOG_DEBUG] = {"debug", "\033[2m"},          [SM_LOG_INFO] = {"info", "\033[32m"},
    [SM_LOG_WARNING] = {"warning", "\033[33m"},     [SM_LOG_ERROR] = {"error", "\033[31m"},
    [SM_LOG_CRITICAL] = {"critical", "\033[1;31m"},
};

void sm_log_set_level(enum sm_log_level level) {
    sm_log_state.level = level;
}

void sm_log_set_name(const char *name) {
    sm_log_state.name = name;
}

void sm_log_listen(sm_log_listener *listener, void *context) {
    sm_log_state.listener = listener;
    sm_log_state.listener_context = context;
}

static void sm_log_tell(enum sm_log_level level, const char *heading, const char *text, size_t text_len) {
    if (level >= SM_LOG_ERROR && sm_log_state.listener != NULL) {
        sm_log_state.listener(sm_log_state.listener_context, heading, text, text_len);
    }
}

static bool sm_log_is_dropped(enum sm_log_level level) {
    return level < sm_log_state.level && (level < SM_LOG_ERROR || sm_log_state.listener == NULL);
}

static void sm_log_detect_colour(void) {
    const char *no_colour = getenv("NO_COLOR");
    sm_log_state.colour = isatty(sm_log_state.fd) == 1 && (no_colour == NULL || *no_colour == '\0');
}

void sm_log_redirect(void) {
    int fd = sm_log_state.fd;
    struct stat out;
    struct stat err;
    bool joined = fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
                  out.st_ino == err.st_ino;
    dup2(fd, STDERR_FILENO);
    if (joined) {
        dup2(fd, STDOUT_FILENO);
    }
}

int sm_log_open(const char *path) {
    int fd = STDERR_FILENO;
    if (path != NULL && strcmp(path, "stderr") != 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
        if (fd < 0) {
            return -errno;
        }
    }
    if (sm_log_state.fd != STDERR_FILENO) {
        close(sm_log_state.fd);
    }
    sm_log_state.fd = fd;
    sm_log_detect_colour();
    return 0;
}

// Length of the valid UTF-8 sequence at src, 0 when there is none (RFC 3629 4).
static size_t sm_log_utf8_len(const unsigned char *src, size_t len) {
    size_t n = src[0] < 0xc2 ? 0 : src[0] < 0xe0 ? 2 : src[0] < 0xf0 ? 3 : src[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((src[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (src[0] == 0xe0 && src[1] < 0xa0) || (src[0] == 0xf0 && src[1] < 0x90);
    bool outside = (src[0] == 0xed && src[1] > 0x9f) || (src[0] == 0xf4 && src[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

// How many bytes at src may stand in a line as they are: a printable ASCII byte or a character beyond the C1
// controls, which steer a terminal just as C0 does. 0: escape one byte.
static size_t sm_log_plain_len(const unsigned char *src, size_t len) {
    if (src[0] < 0x80) {
        return src[0] >= 0x20 && src[0] != 0x7f;
    }
    bool c1 = src[0] == 0xc2 && len > 1 && src[1] < 0xa0;
    return c1 ? 0 : sm_log_utf8_len(src, len);
}

// Fills dst as far as it goes; returns the bytes written, `read_out` those taken from src.
static size_t sm_log_escape_some(char *dst, size_t cap, struct sm_str src, size_t *read_out) {
    static const char hex[] = "0123456789abcdef";
    const unsigned char *in = (const unsigned char *)src.ptr;
    size_t used = 0;
    size_t i = 0;
    while (i < src.len) {
        size_t n = sm_log_plain_len(in + i, src.len - i);
        size_t need = n == 0 ? 4 : n;
        if (used + need > cap) {
            break;
        }
        if (n == 0) {
            char code[4] = {'\\', 'x', hex[in[i] >> 4], hex[in[i] & 15]};
            memcpy(dst + used, code, sizeof(code));
        } else {
            memcpy(dst + used, in + i, n);
        }
        used += need;
        i += n == 0 ? 1 : n;
    }
    *read_out = i;
    return used;
}

size_t sm_log_escape(char *dst, size_t cap, const char *src, size_t len) {
    size_t taken;
    return sm_log_escape_some(dst, cap, (struct sm_str){src, len}, &taken);
}

// "2026-11-22 13:40:00.123 smiskd[812] worker 2 warning: " in local time.
static size_t sm_log_prefix(char *out, enum sm_log_level level) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &parts);
    const char *on = sm_log_state.colour ? sm_log_levels[level].colour : "";
    const char *off = sm_log_state.colour ? "\033[0m" : "";
    const char *name = sm_log_state.name == NULL ? "" : sm_log_state.name;
    int n = snprintf(out, PREFIX_MAX_LEN, "%s.%03ld smiskd[%d] %s%s%s%s%s: ", stamp, now.tv_nsec / 1000000,
                     (int)getpid(), name, *name == '\0' ? "" : " ", on, sm_log_levels[level].name, off);
    return n < 0 ? 0 : (size_t)n < PREFIX_MAX_LEN ? (size_t)n : PREFIX_MAX_LEN - 1;
}

// A log that cannot be written must not stop the server: what does not fit is dropped.
static void sm_log_write(const char *data, size_t len) {
    int saved = errno;
    while (len > 0) {
        ssize_t n = write(sm_log_state.fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        data += n;
        len -= (size_t)n;
    }
    errno = saved;
}

void sm_log(enum sm_log_level level, const char *format, ...) {
    if (sm_log_is_dropped(level)) {
        return;
    }
    int saved = errno;
    char text[LINE_MAX_LEN];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    bool cut = len >= sizeof(text);
    if (cut) {
        len = sizeof(text) - 1;
    }
    sm_log_tell(level, text, NULL, 0);
    if (level < sm_log_state.level) {
        errno = saved;
        return;
    }
    char line[PREFIX_MAX_LEN + LINE_MAX_LEN + 8];
    size_t used = sm_log_prefix(line, level);
    size_t taken;
    used += sm_log_escape_some(line + used, LINE_MAX_LEN, (struct sm_str){text, len}, &taken);
    if (cut || taken < len) {
        memcpy(line + used, " ...", 4);
        used += 4;
    }
    line[used++] = '\n';
    sm_log_write(line, used);
    errno = saved;
}

void sm_log_text(enum sm_log_level level, const char *heading, const char *text, size_t text_len) {
    sm_log_tell(level, heading, text, text_len);
    if (level < sm_log_state.level) {
        return;
    }
    size_t cap = PREFIX_MAX_LEN + LINE_MAX_LEN + TEXT_MAX_LEN;
    char *out = malloc(cap);
    if (out == NULL) {
        sm_log(level, "%s", heading);
        return;
    }
    size_t used = sm_log_prefix(out, level);
    used += sm_log_escape(out + used, LINE_MAX_LEN, heading, strlen(heading));
    out[used++] = '\n';
    while (text_len > 0 && used + 8 < cap) {
        const char *end = memchr(text, '\n', text_len);
        size_t line_len = end == NULL ? text_len : (size_t)(end - text);
        memcpy(out + used, "    ", 4);
        used += 4;
        used += sm_log_escape(out + used, cap - used - 2, text, line_len);
        out[used++] = '\n';
        size_t step = end == NULL ? text_len : line_len + 1;
        text += step;
        text_len -= step;
    }
    sm_log_write(out, used);
    free(out);
}
