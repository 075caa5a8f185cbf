/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger knows what of the log counts. Each opening of the store is an epoch; a chunk's id is
 * its epoch and a count within it, so ids only grow. Two marks decide about a span:
 *
 *	low       everything below was evicted: it only rises, first here, later on disk
 *	past[e]   the last id of a former epoch that had reached the disk when it ended, found at
 *	          the next opening; in the epoch that runs everything counts
 *
 * A record is written after its chunks and lives in a log of its own, so after a crash it may name
 * chunks that were lost. Those are beyond past[e]: one comparison finds the torn object, and no
 * scan is needed at the opening.
 *
 * The ledger also keeps the store's secret and its format's number.
 */
#pragma once

#include "cache/tier/record.h"
#include "cache/tier/rocks.h"

struct ledger {
	/* fixed after ledger_open */
	uint32_t epoch;
	struct hash_secret secret;
	uint64_t *past; /* last durable ids of former epochs, ascending. Owned */
	size_t past_count;
	/* atomic; written by the writer */
	_Atomic uint64_t low;
	_Atomic uint64_t next;
};

/* What a ledger begins with. */
struct ledger_seed {
	struct hash_secret secret; /* of a store that has none yet */
	uint32_t epoch;            /* the new epoch is above this one, too */
};

/* Reads the marks into a zeroed ledger and begins an epoch, durably. own: ledger_close, also after a
 * failure, which zeroes it. fail:
 * ERR_STORE_IO; ERR_STORE_CORRUPT; ERR_STORE_NEWER: the format is newer than this program. */
enum err ledger_open(struct ledger *, struct rocks *, const struct ledger_seed *);
/* A seed of random bytes. fail: ERR_SYSTEM. */
enum err ledger_seed(struct ledger_seed *);
void ledger_close(struct ledger *);

/* Whether all of a span counts. thread: any. */
bool ledger_holds(const struct ledger *, struct span);
/* As ledger_holds for what low alone decides: compaction's question. thread: any. */
bool ledger_is_below_low(const struct ledger *, struct span);

/* Whether a body that begins there is in the oldest fiftieth of the log: gone, before one who reads
 * slowly is through. thread: any. */
bool ledger_is_parting(const struct ledger *, uint64_t first);

/* Gives out the next ids; with no chunks, a place between them. thread: writer. */
uint64_t ledger_take(struct ledger *, uint32_t chunks);
/* Raises low. thread: writer. */
enum err ledger_raise(struct ledger *, struct rocks *, uint64_t low);
/* The epoch that an id was given out in, and its first id. */
uint32_t ledger_epoch_of(uint64_t id);
uint64_t ledger_epoch_start(uint32_t epoch);
