// SPDX-License-Identifier: MIT
// Entities by blocks of 16 bytes (see xml.h). Every function below the public ones is made three times, once for each
// width, so that a block is compared lane by lane in one go.
#include "proto/xml.h"

#include <endian.h>

#define SM_INLINE static inline __attribute__((always_inline))

typedef uint8_t lanes8 __attribute__((vector_size(16)));
typedef uint16_t lanes16 __attribute__((vector_size(16)));
typedef uint32_t lanes32 __attribute__((vector_size(16)));

enum { BLOCK = 16 };

// Which characters are looked for.
enum marks { ALL_FOUR, AMPERSAND };

// The blocks' answers: a lane is all ones where the character is looked for. & and " differ in one bit, < and > too.
SM_INLINE void compare8(const char *block, enum marks marks, uint64_t found_out[static 2]) {
    lanes8 text;
    memcpy(&text, block, BLOCK);
    lanes8 found = (lanes8)(text == '&');
    if (marks == ALL_FOUR) {
        found = (lanes8)((text | 4) == '&') | (lanes8)((text | 2) == '>');
    }
    memcpy(found_out, &found, BLOCK);
}

SM_INLINE void compare16(const char *block, enum marks marks, uint64_t found_out[static 2]) {
    lanes16 text;
    memcpy(&text, block, BLOCK);
    lanes16 found = (lanes16)(text == '&');
    if (marks == ALL_FOUR) {
        found = (lanes16)((text | 4) == '&') | (lanes16)((text | 2) == '>');
    }
    memcpy(found_out, &found, BLOCK);
}

SM_INLINE void compare32(const char *block, enum marks marks, uint64_t found_out[static 2]) {
    lanes32 text;
    memcpy(&text, block, BLOCK);
    lanes32 found = (lanes32)(text == '&');
    if (marks == ALL_FOUR) {
        found = (lanes32)((text | 4) == '&') | (lanes32)((text | 2) == '>');
    }
    memcpy(found_out, &found, BLOCK);
}

// How many bytes of the block stand before the first of the marks; BLOCK if it has none.
SM_INLINE size_t clean_in_block(const char *block, unsigned width, enum marks marks) {
    uint64_t found[2];
    if (width == 1) {
        compare8(block, marks, found);
    } else if (width == 2) {
        compare16(block, marks, found);
    } else {
        compare32(block, marks, found);
    }
    if ((found[0] | found[1]) == 0) {
        return BLOCK;
    }
    bool is_first = found[0] != 0;
    return (is_first ? 0 : 8) + ((size_t)__builtin_ctzll(le64toh(found[is_first ? 0 : 1])) >> 3);
}

SM_INLINE uint32_t get_unit(const char *at, unsigned width) {
    uint16_t two = 0;
    uint32_t four = 0;
    if (width == 1) {
        return (uint8_t)*at;
    }
    if (width == 2) {
        memcpy(&two, at, sizeof two);
        return two;
    }
    memcpy(&four, at, sizeof four);
    return four;
}

SM_INLINE void put_unit(char *at, uint32_t unit, unsigned width) {
    uint16_t two = (uint16_t)unit;
    if (width == 1) {
        *at = (char)unit;
    } else if (width == 2) {
        memcpy(at, &two, sizeof two);
    } else {
        memcpy(at, &unit, sizeof unit);
    }
}

SM_INLINE struct sm_str entity_of(uint32_t unit) {
    switch (unit) {
    case '&':
        return SM_STR("&amp;");
    case '<':
        return SM_STR("&lt;");
    case '>':
        return SM_STR("&gt;");
    case '"':
        return SM_STR("&quot;");
    default:
        return (struct sm_str){NULL, 0};
    }
}

// Returns the bytes of one unit, or of its entity.
SM_INLINE size_t escape_unit(char *out, const char *at, unsigned width) {
    uint32_t unit = get_unit(at, width);
    struct sm_str entity = entity_of(unit);
    if (entity.len == 0) {
        if (out != NULL) {
            put_unit(out, unit, width);
        }
        return width;
    }
    for (size_t i = 0; out != NULL && i < entity.len; i++) {
        put_unit(out + i * width, (uint32_t)entity.ptr[i], width);
    }
    return entity.len * width;
}

// Sizes in bytes. A whole block is copied before it is looked at: there is room, for what is written is never less
// than what was read.
SM_INLINE size_t escape(char *out, const char *text, size_t size, unsigned width) {
    size_t len = 0;
    for (size_t at = 0; at < size; at += width) {
        while (size - at >= BLOCK) {
            size_t clean = clean_in_block(text + at, width, ALL_FOUR);
            if (out != NULL) {
                memcpy(out + len, text + at, BLOCK);
            }
            len += clean;
            at += clean;
            if (clean < BLOCK) {
                break;
            }
        }
        if (at == size) {
            break;
        }
        len += escape_unit(out == NULL ? NULL : out + len, text + at, width);
    }
    return len;
}

// Where the next ampersand is, in bytes from the start; `size` if there is none.
SM_INLINE size_t find_ampersand(const char *text, size_t size, size_t at, unsigned width) {
    while (size - at >= BLOCK) {
        size_t clean = clean_in_block(text + at, width, AMPERSAND);
        at += clean;
        if (clean < BLOCK) {
            return at;
        }
    }
    while (at < size && get_unit(text + at, width) != '&') {
        at += width;
    }
    return at;
}

SM_INLINE bool begins_with(const char *text, size_t size, struct sm_str name, unsigned width) {
    if (size / width < name.len) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (get_unit(text + i * width, width) != (uint32_t)name.ptr[i]) {
            return false;
        }
    }
    return true;
}

// How many units the reference at the text's start has, and what it stands for; 0 when it is none of the four.
SM_INLINE size_t read_entity(const char *text, size_t size, unsigned width, char *char_out) {
    static const char chars[] = "&<>\"";
    for (size_t i = 0; i < sizeof chars - 1; i++) {
        struct sm_str entity = entity_of((uint32_t)chars[i]);
        if (begins_with(text, size, entity, width)) {
            *char_out = chars[i];
            return entity.len;
        }
    }
    return 0;
}

SM_INLINE size_t unescape(char *out, const char *text, size_t size, unsigned width) {
    size_t len = 0;
    for (size_t at = 0; at < size;) {
        size_t next = find_ampersand(text, size, at, width);
        if (out != NULL) {
            memcpy(out + len, text + at, next - at);
        }
        len += next - at;
        at = next;
        if (at == size) {
            break;
        }
        char byte = '&';
        size_t units = read_entity(text + at, size - at, width, &byte);
        if (out != NULL) {
            put_unit(out + len, (uint32_t)byte, width);
        }
        len += width;
        at += (units == 0 ? 1 : units) * width;
    }
    return len;
}

size_t sm_xml_escape(void *out, const void *text, size_t len, unsigned width) {
    switch (width) {
    case 1:
        return out == NULL ? escape(NULL, text, len, 1) : escape(out, text, len, 1);
    case 2:
        return (out == NULL ? escape(NULL, text, len * 2, 2) : escape(out, text, len * 2, 2)) / 2;
    default:
        return (out == NULL ? escape(NULL, text, len * 4, 4) : escape(out, text, len * 4, 4)) / 4;
    }
}

size_t sm_xml_unescape(void *out, const void *text, size_t len, unsigned width) {
    switch (width) {
    case 1:
        return unescape(out, text, len, 1);
    case 2:
        return unescape(out, text, len * 2, 2) / 2;
    default:
        return unescape(out, text, len * 4, 4) / 4;
    }
}
