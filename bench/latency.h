// SPDX-License-Identifier: MIT
// How long answers took: a histogram whose cells are 1.6 % wide, so that any number of them fits a fixed space.
#pragma once

#include <stdint.h>

enum {
    LATENCY_SUB = 64, // cells for each power of two of nanoseconds
    LATENCY_CELLS = 64 * LATENCY_SUB,
};

// All zero is an empty one.
struct latencies {
    uint64_t count;
    uint64_t longest; // nanoseconds
    uint64_t cells[LATENCY_CELLS];
};

void latency_add(struct latencies *latencies, uint64_t nanoseconds);

// The time in microseconds that the share `quantile` (0 to 1) of the answers kept; 0 when there are none.
double latency_quantile_us(const struct latencies *latencies, double quantile);
