/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stroll goes through all answers on disk on the caller's own thread, part by part, so that the
 * store can be closed in between. Each is shown as an object that is there for the call alone: its
 * texts, tags, life and number; no body.
 */
#pragma once

#include "cache/tier/cold.h"

struct stroll {
	/* set by stroll_init; kept from part to part */
	struct hash128 from;
	bool is_over;
	/* the stroll's */
	char *tags; /* room for those of one object */
	size_t tags_room;
};

/* own: stroll_fini. */
void stroll_init(struct stroll *);
void stroll_fini(struct stroll *);

/* It may be judged. */
typedef void stroll_f(void *arg, struct object *, uint64_t body_bytes);
/* Shows what is in the next `records` records, and moves on; is_over tells that it was the last
 * part. fail: ERR_STORE_IO, also while the store is not open; ERR_NO_MEMORY. */
enum err stroll_on(struct cold *, struct stroll *, unsigned records, stroll_f *, void *arg)
    ON_WORKER;
/* Shows the answer at a hash, if there is one. fail: as stroll_on. */
enum err stroll_at(struct cold *, struct stroll *, struct hash128, stroll_f *, void *arg) ON_WORKER;
/* Appends the hashes of the variants that a marker at a hash names, as they are in memory. fail: as
 * stroll_on. */
enum err stroll_variants(struct cold *, struct hash128, struct buf *to) ON_WORKER;
