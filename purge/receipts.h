/* SPDX-License-Identifier: Apache-2.0 */
/* The receipts of the latest purges; an older one makes room for each that comes. thread: any. */
#pragma once

#include "purge/receipt.h"

enum { RECEIPTS = 1024 };

struct receipts {
	struct lock lock;
	struct receipt of[RECEIPTS]; /* under lock; by seq; 0 = empty */
	_Atomic uint64_t last;       /* sequence number; 0 = none */
};

void receipts_init(struct receipts *);
void receipts_fini(struct receipts *);

void receipts_put(struct receipts *, const struct receipt *);
/* Copies what is known of a purge. False: it is none of the latest. */
bool receipts_get(struct receipts *, uint64_t seq, struct receipt *ret);
/* The fence's number of that purge, or of the next one after it that is known here; 0 = of none. */
uint64_t receipts_number(struct receipts *, uint64_t seq);

/* What became of it. No effect when its receipt is gone. */
void receipts_counted(struct receipts *, uint64_t seq, const struct survey *);
void receipts_swept(struct receipts *, uint64_t seq);
void receipts_skipped(struct receipts *, uint64_t seq);
void receipts_refreshed(
    struct receipts *, uint64_t seq, uint64_t queued, uint64_t refreshed, uint64_t failed);
