/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lease is held by who reads a body from the disk at the pace of a client: eviction spares the
 * files that he still needs, so that an answer which has begun comes to its end. Others do not find
 * the object any more, and it costs the store the room of those files only. The sum of what is
 * spared is bounded (evict.h): beyond that a reader finds his next chunk missing.
 *
 * Life: lease_take when reading begins, lease_move with each chunk, lease_drop at the end.
 */
#pragma once

#include "cache/tier/spool.h"

struct leases {
	struct lock lock;
	struct list held; /* under lock */
};

struct lease {
	struct list link;    /* under the lock of the leases; unlinked = not held */
	struct spool *spool; /* fixed: lent */
	_Atomic uint64_t at; /* what is left to read: bytes of the body */
	uint64_t end;        /* fixed */
};

void leases_init(struct leases *);
void leases_fini(struct leases *);

/* Takes one on the bytes of a body from `at` up to `end`. False: a part of them was evicted, and
 * nothing is held. own: lease_drop, before the spool goes. Inside the gate. thread: any. */
bool lease_take(struct lease *, struct spool *, uint64_t at, uint64_t end);
/* What is before `at` is not needed any more. thread: the one that reads. */
void lease_move(struct lease *, uint64_t at);
/* Accepts one that is not held. thread: any. */
void lease_drop(struct lease *);

/* Whether nobody holds any. thread: any. */
bool leases_are_none(struct leases *);
/* Whether somebody still needs a chunk of these ids, which are of one log. thread: any. */
bool leases_need(struct leases *, struct span ids);
