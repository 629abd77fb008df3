// SPDX-License-Identifier: MIT
// One HTTP client of a rig: asks, reads the next answer, looks whether the connection ended. Owns its descriptor.
#pragma once

#include "answer.h"
#include "rig.h"

struct client {
    struct rig *rig;
    int fd;
    struct inbox inbox;
    struct answer answer; // the last one that was read
};

void client_open(struct client *client, struct rig *rig);
// Closes and forgets; the engine gets a few turns to notice.
void client_close(struct client *client);
void client_send(struct client *client, const char *text);
// Reads the next response; fails the test when there is none. `to_head`: it answers HEAD.
const struct answer *client_answer(struct client *client, bool to_head);
// Sends, reads the response, and checks status and body (body NULL: any).
const struct answer *client_ask(struct client *client, const char *text, int status, const char *body);
// Nothing more came, and the connection is open (or ended).
void client_expect_open(struct client *client);
void client_expect_ended(struct client *client);
// Opens a client, sends, expects this status with "Connection: close" and the end of the connection.
void client_expect_refused(struct rig *rig, const char *text, size_t len, int status);

int client_setup(void **state); // a rig with one client, as *state
int client_teardown(void **state);
#define SERVED(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)
