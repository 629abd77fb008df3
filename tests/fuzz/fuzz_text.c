// SPDX-License-Identifier: MIT
// Fuzz target for the text of clients: URLs, pairs, percent-encoding, entities. No bytes may lead a reader past their
// end, parts lie in the text, and what was encoded or escaped comes back as it was.
#include <stdint.h>
#include <stdlib.h>

#include "../c/proto/replay.h"
#include "proto/pairs.h"
#include "proto/percent.h"
#include "proto/url.h"
#include "proto/xml.h"

enum { INPUT_MAX = 4096, GROWTH = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct sm_str part, struct sm_str text) {
    return part.ptr == NULL || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
}

static void split_url(struct sm_str text) {
    struct sm_url url;
    (void)sm_url_split(text, &url);
    replay_check(is_within(url.scheme, text) && is_within(url.user, text) && is_within(url.password, text) &&
                     is_within(url.host, text) && is_within(url.path, text) && is_within(url.query, text) &&
                     is_within(url.fragment, text),
                 "the parts of a URL lie in its text");
}

static void split_pairs(struct sm_str text) {
    struct sm_pair pair;
    struct sm_str rest = text;
    while (sm_form_pair_next(&rest, &pair)) {
        replay_check(is_within(pair.key, text) && (!pair.has_value || is_within(pair.value, text)), "pair of a form");
        replay_check(pair.key.len + pair.value.len > 0 || pair.has_value, "no piece is empty");
    }
    rest = text;
    while (sm_cookie_pair_next(&rest, &pair)) {
        replay_check(is_within(pair.key, text) && (!pair.has_value || is_within(pair.value, text)), "cookie");
        replay_check(pair.key.len > 0, "no cookie without a name");
    }
}

// Both buffers have room for GROWTH times the input.
static void code_and_decode(struct sm_str text, char *there, char *back) {
    static const enum sm_percent_keep sets[] = {SM_PERCENT_COMPONENT, SM_PERCENT_WHOLE, SM_PERCENT_PATH};
    (void)sm_percent_decode(there, text);
    size_t form_len = sm_form_decode(there, text);
    replay_check(!sm_form_is_plain(text) || (form_len == text.len && memcmp(there, text.ptr, form_len) == 0),
                 "plain");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        size_t len = sm_percent_encode(there, text, sets[i]);
        replay_check(len == sm_percent_encoded_len(text, sets[i]), "the length is as announced");
        len = sm_percent_decode(back, (struct sm_str){there, len});
        replay_check(len == text.len && memcmp(back, text.ptr, len) == 0, "what was encoded comes back");
    }
    for (unsigned width = 1; width <= 4; width *= 2) {
        size_t units = text.len / width;
        (void)sm_xml_unescape(there, text.ptr, units, width);
        size_t len = sm_xml_escape(there, INPUT_MAX * GROWTH / width, text.ptr, units, width);
        replay_check(len == sm_xml_escaped_len(text.ptr, units, width), "the length is as announced");
        len = sm_xml_unescape(back, there, len, width);
        replay_check(len == units && memcmp(back, text.ptr, units * width) == 0, "what was escaped comes back");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard guard;
    static char there[INPUT_MAX * GROWTH];
    static char back[INPUT_MAX * GROWTH];
    if (guard.map == NULL && guard_init(&guard, INPUT_MAX) != 0) {
        abort();
    }
    if (size > INPUT_MAX) {
        return 0;
    }
    struct sm_str text = {guard_put(&guard, data, size), size};
    split_url(text);
    split_pairs(text);
    code_and_decode(text, there, back);
    return 0;
}
