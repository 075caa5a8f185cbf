/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filling takes a body that is too large for RAM from its flow to its spool, part by part, as it
 * comes: the flow's reader that never leaves, while others that are slower are told to read on from
 * the spool. The writer asks it what to write next, and tells it what became of that.
 *
 * A body of unknown length may turn out to be larger than may be stored. Then it goes on in RAM
 * only, and waits for those who read what is on disk. So that this is no long wait, in which an
 * origin would lose patience, the nearer it comes to that size, the less it is ahead of the first
 * of its readers. He waits for nobody.
 *
 *	filling_begin  ->  (filling_await, rung; filling_next; filling_end_part)*  ->  filling_free
 */
#pragma once

#include "cache/tier/spool.h"

struct filling {
	/* fixed */
	struct spool *spool; /* counted */
	struct bell *bell;
	uint64_t largest;
	_Atomic bool is_awaited; /* any thread: no bell has rung yet */
	/* writer */
	struct flow_reader from;
	uint64_t bytes; /* of the part under way */
	bool is_last;   /* it is the last one */
	bool is_broken; /* the body failed */
	bool is_large;  /* it is too large */
};

/* Attaches to an object's body, and gives the object its spool. bell: rung when there is more to
 * take. own: filling_free. fail: NULL without memory, or when its beginning is gone. */
struct filling *filling_begin(struct store *, struct object *, uint64_t largest, struct bell *bell);
void filling_free(struct filling **);

/* Rings, now or later, once there may be a part to take. */
void filling_await(struct filling *);
/* Whoever rings asks this: two may, and the first one counts. thread: any. */
bool filling_is_first_ring(struct filling *);
/* How many bytes of `from` to write now, at most: whole chunks, and what is left at the end. */
uint64_t filling_next(struct filling *, uint64_t most);

enum filling_end { FILLING_GOES_ON, FILLING_WHOLE, FILLING_FAILED };
/* The part is on disk, as that run of chunks, or failed. thread: writer. */
enum filling_end filling_end_part(struct filling *, struct extent run, enum err);
