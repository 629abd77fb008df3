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

SM_INLINE void compare(const char *block, unsigned width, enum marks marks, uint64_t found_out[static 2]) {
    if (width == 1) {
        compare8(block, marks, found_out);
    } else if (width == 2) {
        compare16(block, marks, found_out);
    } else {
        compare32(block, marks, found_out);
    }
}

// How many bytes of the block stand before the first of the marks; BLOCK if it has none.
SM_INLINE size_t clean_in_block(const char *block, unsigned width, enum marks marks) {
    uint64_t found[2];
    compare(block, width, marks, found);
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

// --- escaping ---

// By the character: its entity, and how many units that has more than one. Every entity begins with an ampersand.
static const char entities[256][8] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;"};
static const uint8_t growth[256] = {['&'] = 4, ['<'] = 3, ['>'] = 3, ['"'] = 5};

SM_INLINE size_t growth_of(uint32_t unit) {
    return unit < sizeof growth ? growth[unit] : 0;
}

// The growth of whole blocks of bytes, counted in lanes, which take so many blocks before they could overflow.
SM_INLINE size_t growth_of_blocks(const char *text, size_t n_blocks) {
    size_t grown = 0;
    for (size_t i = 0; i < n_blocks;) {
        size_t end = n_blocks - i < UINT8_MAX / 5 ? n_blocks : i + UINT8_MAX / 5;
        lanes8 sum = {0};
        for (; i < end; i++) {
            lanes8 block;
            memcpy(&block, text + i * BLOCK, BLOCK);
            sum += ((lanes8)(block == '&') & 4) | ((lanes8)((block | 2) == '>') & 3) | ((lanes8)(block == '"') & 5);
        }
        for (size_t lane = 0; lane < BLOCK; lane++) {
            grown += sum[lane];
        }
    }
    return grown;
}

// The marks of half a block, one bit each: the highest of the lane.
SM_INLINE uint64_t bits_of_half(uint64_t found, unsigned width) {
    const uint64_t tops = width == 1   ? UINT64_C(0x8080808080808080)
                          : width == 2 ? UINT64_C(0x8000800080008000)
                                       : UINT64_C(0x8000000080000000);
    return le64toh(found) & tops;
}

// Where the first of them is, in bytes from the start of the half.
SM_INLINE size_t first_bit(uint64_t bits, unsigned width) {
    return ((size_t)__builtin_ctzll(bits) >> 3) - (width - 1);
}

SM_INLINE size_t growth_of_block(const char *block, unsigned width) {
    uint64_t found[2];
    size_t grown = 0;
    compare(block, width, ALL_FOUR, found);
    for (size_t half = 0; half < 2; half++) {
        for (uint64_t bits = bits_of_half(found[half], width); bits != 0; bits &= bits - 1) {
            grown += growth_of(get_unit(block + half * 8 + first_bit(bits, width), width));
        }
    }
    return grown;
}

SM_INLINE size_t escaped_len(const char *text, size_t size, unsigned width) {
    size_t n_blocks = size / BLOCK;
    size_t grown = 0;
    if (width == 1) {
        grown = growth_of_blocks(text, n_blocks);
    } else {
        for (size_t i = 0; i < n_blocks; i++) {
            grown += growth_of_block(text + i * BLOCK, width);
        }
    }
    for (size_t at = n_blocks * BLOCK; at < size; at += width) {
        grown += growth_of(get_unit(text + at, width));
    }
    return size / width + grown;
}

// Writes a character, or its entity, and returns how many bytes that takes. Where there is room for eight, that is
// one copy without a branch.
SM_INLINE size_t escape_unit(char *out, size_t room, const char *at, unsigned width) {
    uint32_t unit = get_unit(at, width);
    size_t units = 1 + growth_of(unit);
    if (width == 1 && room >= sizeof entities[0]) {
        memcpy(out, entities[unit], sizeof entities[0]);
        *out = units == 1 ? (char)unit : '&';
        return units;
    }
    put_unit(out, units == 1 ? unit : '&', width);
    for (size_t i = 1; i < units; i++) {
        put_unit(out + i * width, (uint32_t)entities[unit][i], width);
    }
    return units * width;
}

// One block of which the marks are known; there is another one behind it. What is between two marks is copied with
// whatever follows: there is room, for what is written is never less than what was read.
SM_INLINE size_t escape_block(char *out, size_t room, const char *block, const uint64_t found[static 2],
                              unsigned width) {
    size_t len = 0;
    size_t done = 0;
    for (size_t half = 0; half < 2; half++) {
        for (uint64_t bits = bits_of_half(found[half], width); bits != 0; bits &= bits - 1) {
            size_t at = half * 8 + first_bit(bits, width);
            memcpy(out + len, block + done, BLOCK);
            len += at - done;
            len += escape_unit(out + len, room - len, block + at, width);
            done = at + width;
        }
    }
    memcpy(out + len, block + done, BLOCK);
    return len + BLOCK - done;
}

// Sizes in bytes.
SM_INLINE size_t escape(char *out, size_t room, const char *text, size_t size, unsigned width) {
    size_t len = 0;
    size_t at = 0;
    for (; size - at >= 2 * BLOCK; at += BLOCK) {
        uint64_t found[2];
        compare(text + at, width, ALL_FOUR, found);
        len += escape_block(out + len, room - len, text + at, found, width);
    }
    for (; at < size; at += width) {
        len += escape_unit(out + len, room - len, text + at, width);
    }
    return len;
}

// --- and back ---

SM_INLINE bool begins_with(const char *text, size_t size, const char *name, size_t len, unsigned width) {
    if (size / width < len) {
        return false;
    }
    bool is_same = true;
    for (size_t i = 0; i < len; i++) {
        is_same = is_same && get_unit(text + i * width, width) == (uint32_t)name[i];
    }
    return is_same;
}

// What the text behind an ampersand stands for, and how many units that has; 0 when it is none of the four.
SM_INLINE size_t read_entity(const char *text, size_t size, unsigned width, char *char_out) {
    switch (size == 0 ? 0 : get_unit(text, width)) {
    case 'a':
        *char_out = '&';
        return begins_with(text, size, "amp;", 4, width) ? 4 : 0;
    case 'l':
        *char_out = '<';
        return begins_with(text, size, "lt;", 3, width) ? 3 : 0;
    case 'g':
        *char_out = '>';
        return begins_with(text, size, "gt;", 3, width) ? 3 : 0;
    case 'q':
        *char_out = '"';
        return begins_with(text, size, "quot;", 5, width) ? 5 : 0;
    default:
        return 0;
    }
}

// Sizes in bytes. What is written is never ahead of what was read, so that a block may be copied whole here too.
SM_INLINE size_t unescape(char *out, const char *text, size_t size, unsigned width) {
    size_t len = 0;
    for (size_t at = 0; at < size;) {
        if (size - at >= BLOCK) {
            size_t clean = clean_in_block(text + at, width, AMPERSAND);
            memcpy(out + len, text + at, BLOCK);
            len += clean;
            at += clean;
            if (clean == BLOCK) {
                continue;
            }
        }
        uint32_t unit = get_unit(text + at, width);
        at += width;
        if (unit == '&') {
            char byte = '&';
            size_t units = read_entity(text + at, size - at, width, &byte);
            unit = units == 0 ? '&' : (uint32_t)byte;
            at += units * width;
        }
        put_unit(out + len, unit, width);
        len += width;
    }
    return len;
}

size_t sm_xml_escaped_len(const void *text, size_t len, unsigned width) {
    switch (width) {
    case 1:
        return escaped_len(text, len, 1);
    case 2:
        return escaped_len(text, len * 2, 2);
    default:
        return escaped_len(text, len * 4, 4);
    }
}

size_t sm_xml_escape(void *out, size_t room, const void *text, size_t len, unsigned width) {
    switch (width) {
    case 1:
        return escape(out, room, text, len, 1);
    case 2:
        return escape(out, room * 2, text, len * 2, 2) / 2;
    default:
        return escape(out, room * 4, text, len * 4, 4) / 4;
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
