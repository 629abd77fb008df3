// SPDX-License-Identifier: MIT
// The histogram of latency.h: each power of two of nanoseconds is cut into LATENCY_SUB cells; the first cells, below
// that, hold one nanosecond each.
#include "latency.h"

#include <stddef.h>

static size_t cell_of(uint64_t value) {
    if (value < LATENCY_SUB) {
        return (size_t)value;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 6;
    return (size_t)(shift + 1) * LATENCY_SUB + (size_t)(value >> shift) - LATENCY_SUB;
}

static uint64_t value_of(size_t cell) {
    if (cell < LATENCY_SUB) {
        return cell;
    }
    return (uint64_t)(cell % LATENCY_SUB + LATENCY_SUB) << (cell / LATENCY_SUB - 1);
}

void latency_add(struct latencies *latencies, uint64_t nanoseconds) {
    latencies->count++;
    latencies->cells[cell_of(nanoseconds)]++;
    if (nanoseconds > latencies->longest) {
        latencies->longest = nanoseconds;
    }
}

double latency_quantile_us(const struct latencies *latencies, double quantile) {
    uint64_t wanted = (uint64_t)((double)latencies->count * quantile);
    uint64_t seen = 0;
    for (size_t cell = 0; cell < LATENCY_CELLS; cell++) {
        seen += latencies->cells[cell];
        if (seen > wanted) {
            return (double)value_of(cell) / 1000;
        }
    }
    return 0;
}
