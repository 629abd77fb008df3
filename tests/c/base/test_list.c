// SPDX-License-Identifier: MIT
// Intrusive lists and borrowed strings, the header-only parts of the floor.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/list.h"
#include "base/str.h"

struct item {
    int number;
    struct sm_list node;
};

static void fill(struct sm_list *head, struct item *items, int n) {
    sm_list_init(head);
    for (int i = 0; i < n; i++) {
        items[i].number = i;
        sm_list_init(&items[i].node);
        sm_list_append(head, &items[i].node);
    }
}

static int popped(struct sm_list *head) {
    struct sm_list *node = sm_list_pop(head);
    return node == NULL ? -1 : SM_CONTAINER(node, struct item, node)->number;
}

static void test_list_fresh_is_empty_and_unlinked(void **state) {
    (void)state;
    struct sm_list head;
    sm_list_init(&head);
    assert_true(sm_list_empty(&head));
    assert_false(sm_list_linked(&head));
    assert_null(sm_list_pop(&head));
}

static void test_list_pop_returns_in_order_of_appending(void **state) {
    (void)state;
    struct sm_list head;
    struct item items[3];
    fill(&head, items, 3);
    assert_int_equal(popped(&head), 0);
    assert_false(sm_list_linked(&items[0].node));
    assert_true(sm_list_linked(&items[1].node));
    assert_int_equal(popped(&head), 1);
    assert_int_equal(popped(&head), 2);
    assert_int_equal(popped(&head), -1);
}

static void test_list_remove_in_the_middle_closes_the_gap(void **state) {
    (void)state;
    struct sm_list head;
    struct item items[3];
    fill(&head, items, 3);
    sm_list_remove(&items[1].node);
    assert_false(sm_list_linked(&items[1].node));
    assert_int_equal(popped(&head), 0);
    assert_int_equal(popped(&head), 2);
    assert_true(sm_list_empty(&head));
}

static void test_list_remove_unlinked_does_nothing(void **state) {
    (void)state;
    struct sm_list head;
    struct item items[2];
    fill(&head, items, 2);
    sm_list_remove(&items[0].node);
    sm_list_remove(&items[0].node);
    assert_int_equal(popped(&head), 1);
}

static void test_list_remove_head_hands_the_nodes_to_another_head(void **state) {
    (void)state;
    struct sm_list head;
    struct sm_list other;
    struct item items[2];
    fill(&head, items, 2);
    sm_list_init(&other);
    sm_list_append(&head, &other);
    sm_list_remove(&head);
    assert_true(sm_list_empty(&head));
    assert_int_equal(popped(&other), 0);
    assert_int_equal(popped(&other), 1);
    assert_true(sm_list_empty(&other));
}

static void test_str_eq_compares_bytes_and_length(void **state) {
    (void)state;
    assert_true(sm_str_eq(SM_STR("ab"), SM_STR("ab")));
    assert_false(sm_str_eq(SM_STR("ab"), SM_STR("abc")));
    assert_false(sm_str_eq(SM_STR("ab"), SM_STR("aB")));
    assert_true(sm_str_eq(SM_STR(""), (struct sm_str){NULL, 0}));
    assert_true(sm_str_eq(SM_STR("a\0b"), SM_STR("a\0b")));
    assert_false(sm_str_eq(SM_STR("a\0b"), SM_STR("a\0c")));
}

static void test_str_ieq_folds_ascii_letters_only(void **state) {
    (void)state;
    assert_true(sm_str_ieq(SM_STR("Content-Length"), SM_STR("cONTENT-lENGTH")));
    assert_true(sm_str_ieq(SM_STR("azAZ"), SM_STR("AZaz")));
    assert_false(sm_str_ieq(SM_STR("@"), SM_STR("`")));
    assert_false(sm_str_ieq(SM_STR("["), SM_STR("{")));
    assert_false(sm_str_ieq(SM_STR("\xc4"), SM_STR("\xe4")));
    assert_false(sm_str_ieq(SM_STR("ab"), SM_STR("abc")));
}

static void test_str_from_and_span_point_into_their_source(void **state) {
    (void)state;
    static const char text[] = "method target";
    struct sm_str whole = sm_str_from(text);
    struct sm_str part = sm_span_in((struct sm_span){7, 6}, text);
    assert_ptr_equal(whole.ptr, text);
    assert_int_equal(whole.len, 13);
    assert_ptr_equal(part.ptr, text + 7);
    assert_true(sm_str_eq(part, SM_STR("target")));
    assert_int_equal(sm_str_from(NULL).len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_fresh_is_empty_and_unlinked),
        cmocka_unit_test(test_list_pop_returns_in_order_of_appending),
        cmocka_unit_test(test_list_remove_in_the_middle_closes_the_gap),
        cmocka_unit_test(test_list_remove_unlinked_does_nothing),
        cmocka_unit_test(test_list_remove_head_hands_the_nodes_to_another_head),
        cmocka_unit_test(test_str_eq_compares_bytes_and_length),
        cmocka_unit_test(test_str_ieq_folds_ascii_letters_only),
        cmocka_unit_test(test_str_from_and_span_point_into_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
