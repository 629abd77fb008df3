// SPDX-License-Identifier: MIT
// Opens what bench/limit listens on.
#pragma once

#include "limit_options.h"

// Opens every listener of `options`, non-blocking, and sets its `fd`; exits with 1 when one cannot be had.
void listeners_open(struct options *options);
