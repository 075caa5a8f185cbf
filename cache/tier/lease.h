/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lease is held by who reads a body from the disk at the pace of a client: eviction spares the
 * files that he still needs, so that an answer which has begun comes to its end. Others do not find
 * the object any more, and it costs the store the room of those files only. The sum of what is
 * spared is bounded (evict.h), and who does not come to another chunk for a minute is not waited
 * for: such a reader may find his next chunk missing.
 *
 * Life: lease_take when reading begins, lease_move with each chunk, lease_drop at the end.
 */
#pragma once

#include "cache/tier/spool.h"
#include "edge/base/clock.h"

struct leases {
	struct lock lock;
	struct list held; /* under lock */
};

struct lease {
	struct list link;         /* under the lock of the leases; unlinked = not held */
	struct spool *spool;      /* fixed: lent */
	_Atomic uint64_t at;      /* what is left to read: bytes of the body */
	_Atomic int64_t moved_us; /* when it came to that */
	uint64_t end;             /* fixed */
};

void leases_init(struct leases *);
void leases_fini(struct leases *);

/* Takes one on the bytes of a body from `at` up to `end`. False: a part of them was evicted, and
 * nothing is held. own: lease_drop, before the spool goes. Inside the gate. thread: any. */
bool lease_take(struct lease *, struct spool *, uint64_t at, uint64_t end);
/* What is before `at` is not needed any more. Accepts one that was never taken, all zero. thread: the
 * one that reads. */
void lease_move(struct lease *, uint64_t at);
/* Accepts one that is not held, as that. thread: any. */
void lease_drop(struct lease *);

/* What was needed at one moment, to be asked of many files. */
struct needs {
	struct need *each; /* owned */
	size_t count;
};

/* own: needs_fini. Without memory nothing is needed. thread: any that may block. */
struct needs leases_needs(struct leases *, struct mono now);
void needs_fini(struct needs *);
/* Whether somebody needs a chunk of these ids, which are of one log. */
bool needs_any_of(const struct needs *, struct span ids);
