// SPDX-License-Identifier: MIT
// Words of one byte between two processes of one program: what each end says, the other hears in the same order.
#pragma once

// Two connected ends, closed on exec. 0 or -errno.
int sm_words_open(int ends_out[2]);
// Never waits and never raises SIGPIPE. 0 or -errno: the other end is gone, or does not listen.
int sm_words_say(int end, char word);
// The next word, 1 to 255; 0: none yet; -errno: the other end is gone (-EPIPE), or the end is broken.
int sm_words_hear(int end);
