// SPDX-License-Identifier: MIT
// Numbers to text and back, without locale or allocation.
#pragma once

#include "base/str.h"

enum { SM_U64_DIGITS = 20, SM_U64_HEX_DIGITS = 16 };

// Writes decimal digits, no terminator; returns how many (1..20).
size_t sm_u64_dec(char out[static SM_U64_DIGITS], uint64_t value);
// Writes lower-case hexadecimal digits, no terminator; returns how many (1..16).
size_t sm_u64_hex(char out[static SM_U64_HEX_DIGITS], uint64_t value);
// Reads 1*DIGIT. False when it is anything else or larger than `max`.
bool sm_u64_parse(struct sm_str text, uint64_t max, uint64_t *value_out);
