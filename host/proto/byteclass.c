// SPDX-License-Identifier: MIT
// The table behind byteclass.h. Constant; indexed by the unsigned byte.
#include "proto/byteclass.h"

enum {
    TEXT = SM_BYTE_VALUE | SM_BYTE_TARGET,
    TOKEN = TEXT | SM_BYTE_TOKEN,
    HOST = TEXT | SM_BYTE_HOST,
    NAME = TOKEN | SM_BYTE_HOST,
};

const uint8_t sm_byte_classes[256] = {
    ['\t'] = SM_BYTE_VALUE | SM_BYTE_SPACE,
    [' '] = SM_BYTE_VALUE | SM_BYTE_SPACE,
    ['!'] = NAME,
    ['"'] = TEXT,
    ['#'] = SM_BYTE_VALUE | SM_BYTE_TOKEN,
    ['$'] = NAME,
    ['%'] = TOKEN,
    ['&' ... '\''] = NAME,
    ['(' ... ')'] = HOST,
    ['*' ... '+'] = NAME,
    [','] = HOST,
    ['-' ... '.'] = NAME,
    ['/'] = TEXT,
    ['0' ... '9'] = NAME | SM_BYTE_DIGIT | SM_BYTE_HEX,
    [':'] = TEXT,
    [';'] = HOST,
    ['<'] = TEXT,
    ['='] = HOST,
    ['>'] = TEXT,
    ['?'] = SM_BYTE_VALUE,
    ['@'] = TEXT,
    ['A' ... 'F'] = NAME | SM_BYTE_HEX,
    ['G' ... 'Z'] = NAME,
    ['[' ... ']'] = TEXT,
    ['^'] = TOKEN,
    ['_'] = NAME,
    ['`'] = TOKEN,
    ['a' ... 'f'] = NAME | SM_BYTE_HEX,
    ['g' ... 'z'] = NAME,
    ['{'] = TEXT,
    ['|'] = TOKEN,
    ['}'] = TEXT,
    ['~'] = NAME,
    [0x80 ... 0xff] = TEXT,
};
