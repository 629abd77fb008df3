// SPDX-License-Identifier: MIT
// Intrusive doubly linked lists. A node is embedded in what it links; unlinked nodes point to themselves.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sm_list {
    struct sm_list *next, *prev;
};

#define SM_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void sm_list_init(struct sm_list *node) {
    node->next = node->prev = node;
}

static inline bool sm_list_empty(const struct sm_list *head) {
    return head->next == head;
}

// Also tells whether a node is linked at all.
static inline bool sm_list_linked(const struct sm_list *node) {
    return node->next != node;
}

static inline void sm_list_append(struct sm_list *head, struct sm_list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void sm_list_remove(struct sm_list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    sm_list_init(node);
}

// The first node, unlinked; NULL when empty.
static inline struct sm_list *sm_list_pop(struct sm_list *head) {
    if (sm_list_empty(head)) {
        return NULL;
    }
    struct sm_list *node = head->next;
    sm_list_remove(node);
    return node;
}
