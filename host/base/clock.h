// SPDX-License-Identifier: MIT
// Two clocks: one that never jumps, for deadlines, and the wall clock's second, for Date.
#pragma once

#include <stdint.h>
#include <time.h>

// Milliseconds since some point in the past; a kernel tick (at most 10 ms) coarse; costs no system call.
static inline uint64_t sm_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Microseconds of CLOCK_MONOTONIC, exactly.
static inline uint64_t sm_clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline time_t sm_clock_wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}
