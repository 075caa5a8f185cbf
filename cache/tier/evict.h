/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the store within its size: when the files on disk are more than the budget, the oldest
 * files of the body log go. First the ledger's low mark is raised, so that nobody begins to read
 * from them; a moment later they are deleted, and their space is free at once. Those that somebody
 * still reads from (lease.h) stay until he is done, an eighth of the budget at most, and others
 * go for them, but nothing that a tenant has guaranteed. Records of what went are dropped by the
 * next compactions.
 *
 * The size is a bound, not an aim: the budget of tables is less by all that may be on the disk
 * beside those that are counted. See sizes.c for what that is. thread: the writer, all of it.
 */
#pragma once

#include "cache/tier/store.h"

struct evict {
	/* fixed */
	uint64_t budget_bytes; /* of all files */
	uint64_t step_bytes;   /* look again after so much was written, or a while after less */
	/* writer */
	uint64_t written_bytes;            /* since the last look */
	uint64_t spare_bytes;              /* of files that are still read from, at most */
	bool deletes;                      /* there are files to delete */
	uint64_t delete_below[ROCKS_LOGS]; /* 0 = none of this log */
	struct mono looked_at, raised_at, flushed_at;
};

/* sizes: the store's. */
void evict_init(struct evict *, const struct sizes *);
/* Looks after the size when it is time to. */
enum err evict_tend(struct evict *, struct store *, struct mono now);
/* Writes out bodies that have waited in memory for long enough, if they are enough for a file. */
enum err evict_flush(struct evict *, struct store *, struct mono now);
