/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers which orders were given under which Idempotency-Key, so that one that is sent again (a
 * CI job that lost its connection) is not done again. A key is its actor's: the same one of
 * somebody else is another key, and tells nothing of what this one did. Bounded: the oldest are
 * forgotten, be they under way, and all with the process; then it is done once more, which costs
 * some fetches and is wrong for nobody.
 * thread: one.
 */
#pragma once

#include "edge/base/slice.h"

enum { REPEAT_KEYS = 4096, REPEAT_KEY_BYTES = 256 };

struct repeats;

/* What was sent. */
struct repeat_order {
	struct slice actor, key;
	struct slice text; /* all of it */
};

enum repeat {
	REPEAT_NEW,   /* go on, then repeat_end: ret_number is the ticket for it, never 0 */
	REPEAT_SAME,  /* it was done: ret_number is the purge's */
	REPEAT_BUSY,  /* it is being done */
	REPEAT_OTHER, /* another order was given under this key */
};

/* own: repeats_free. fail: NULL. */
struct repeats *repeats_new(void);
void repeats_free(struct repeats **);
/* Asks for a key, and takes it down if it is new. */
enum repeat repeat_begin(struct repeats *, const struct repeat_order *, uint64_t *ret_number);
/* How that ended. seq 0: it was not done, and may be tried again. Of what was forgotten:
 * nothing. */
void repeat_end(struct repeats *, uint64_t ticket, uint64_t seq);
