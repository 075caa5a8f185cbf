/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers which orders were given under which Idempotency-Key, so that one that is sent again (a CI
 * job that lost its connection) is not done again. Bounded: the oldest are forgotten, and all with the
 * process; then it is done once more, which costs some fetches and is wrong for nobody.
 * thread: one.
 */
#pragma once

#include "edge/base/slice.h"

enum { REPEAT_KEYS = 4096, REPEAT_KEY_BYTES = 256 };

struct repeats;

enum repeat {
	REPEAT_NEW,   /* go on, then repeat_end */
	REPEAT_SAME,  /* it was done: ret_seq */
	REPEAT_BUSY,  /* it is being done */
	REPEAT_OTHER, /* another order was given under this key */
};

/* own: repeats_free. fail: NULL. */
struct repeats *repeats_new(void);
void repeats_free(struct repeats **);
/* Asks for a key, and takes it down if it is new. order: all that was sent. */
enum repeat repeat_begin(struct repeats *, struct slice key, struct slice order, uint64_t *ret_seq);
/* How that ended. seq 0: it was not done, and may be tried again. */
void repeat_end(struct repeats *, struct slice key, uint64_t seq);
