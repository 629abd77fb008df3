// SPDX-License-Identifier: MIT
// One FastCGI web server of a rig: gathers records, sends them, reads what came back. Owns its descriptor.
#pragma once

#include "records.h"
#include "rig.h"

struct front {
    struct rig *rig;
    int fd;
    struct sm_bytes out;    // gathered, not sent yet
    struct inbox inbox;     // everything that came back
    struct outcome outcome; // the last one that was read
};

void front_open(struct front *front, struct rig *rig);
void front_close(struct front *front);
// Sends what was gathered.
void front_send(struct front *front);
// Collects, and reads all records of request `id` so far.
const struct outcome *front_outcome(struct front *front, uint16_t id);
// The request is answered with this status and body, complete.
void front_expect(struct front *front, uint16_t id, const char *status, const char *body);
// Forgets what came back so far.
void front_forget(struct front *front);
void front_expect_open(struct front *front);
void front_expect_ended(struct front *front);

int front_setup(void **state); // a rig with one front, as *state
int front_teardown(void **state);
#define FRONTED(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
