// SPDX-License-Identifier: MIT
// The text behind dump.h. Memory that cannot be had ends the test.
#include "dump.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void make_room(struct dump *dump, size_t more) {
    if (dump->len + more + 1 <= dump->cap) {
        return;
    }
    dump->cap = 2 * (dump->len + more + 1);
    dump->text = realloc(dump->text, dump->cap);
    if (dump->text == NULL) {
        abort();
    }
}

void dump_init(struct dump *dump) {
    *dump = (struct dump){0};
    make_room(dump, 1024);
    dump_clear(dump);
}

void dump_deinit(struct dump *dump) {
    free(dump->text);
}

void dump_clear(struct dump *dump) {
    dump->len = 0;
    dump->text[0] = '\0';
}

void dump_printf(struct dump *dump, const char *format, ...) {
    va_list args;
    va_start(args, format);
    make_room(dump, 256);
    int len = vsnprintf(dump->text + dump->len, dump->cap - dump->len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= dump->cap - dump->len) {
        abort();
    }
    dump->len += (size_t)len;
}

void dump_bytes(struct dump *dump, struct sm_str bytes) {
    static const char digits[] = "0123456789abcdef";
    make_room(dump, 4 * bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            dump->text[dump->len++] = (char)byte;
        } else {
            const char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            memcpy(dump->text + dump->len, escape, sizeof escape);
            dump->len += sizeof escape;
        }
    }
    dump->text[dump->len] = '\0';
}

void dump_value(struct dump *dump, const char *label, struct sm_str text) {
    dump_printf(dump, text.len > 0 ? "%s " : "%s", label);
    dump_bytes(dump, text);
    dump_printf(dump, "\n");
}

void dump_part(struct dump *dump, const char *name, struct sm_str text) {
    if (text.len > 0) {
        dump_printf(dump, " ");
        dump_value(dump, name, text);
    }
}
