// SPDX-License-Identifier: MIT
// A growing text: what a parser reported, one event a line, so that two ways of feeding it can be compared.
#pragma once

#include "base/str.h"

struct dump {
    char *text; // terminated; owned
    size_t len;
    size_t cap;
};

void dump_init(struct dump *dump);
void dump_deinit(struct dump *dump);
void dump_clear(struct dump *dump);
void dump_printf(struct dump *dump, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Appends bytes with everything but printable ASCII, and the backslash, as \xHH.
void dump_bytes(struct dump *dump, struct sm_str bytes);
// Appends "label text\n", without the space if the text is empty.
void dump_value(struct dump *dump, const char *label, struct sm_str text);
// Appends " name text\n" unless the text is empty.
void dump_part(struct dump *dump, const char *name, struct sm_str text);
