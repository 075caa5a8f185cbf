/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger knows what of the logs counts. Each opening of the store is an epoch; a chunk's id is
 * its log, its epoch and a count within it, so the ids of a log only grow. Two marks of its log
 * decide about a span:
 *
 *	low       everything below was evicted: it only rises, first here, later on disk
 *	past[e]   the last id of a former epoch that had reached the disk when it ended, found at
 *	          the next opening; in the epoch that runs everything counts
 *
 * A record is written after its chunks and lives in a log of its own, so after a crash it may name
 * chunks that were lost. Those are beyond past[e]: one comparison finds the torn object, and no
 * scan is needed at the opening. That holds for each log by itself: the memtables of one reach the
 * disk in their order, whatever those of others do, and a body is in one log.
 *
 * Log 0 is everybody's. Each other one is a tenant's, whose name is kept with it: numbers of
 * tenants are of a process, those of logs are for ever.
 *
 * The ledger also keeps the store's secret and its format's number.
 */
#pragma once

#include "cache/tier/record.h"
#include "cache/tier/rocks.h"

struct log {
	/* fixed after ledger_open */
	uint64_t *past; /* last durable ids of former epochs, ascending. Owned */
	size_t past_count;
	/* atomic; written by the writer */
	_Atomic uint64_t low;
	_Atomic uint64_t next;
};

struct ledger {
	/* fixed after ledger_open */
	uint32_t epoch;
	struct hash_secret secret;
	/* atomic; written by the writer: a log is whole before it is counted */
	_Atomic unsigned log_count;
	_Atomic uint8_t tenants[ROCKS_LOGS]; /* whose they are */
	struct log logs[ROCKS_LOGS];
};

/* What a ledger begins with. */
struct ledger_seed {
	struct hash_secret secret; /* of a store that has none yet */
	uint32_t epoch;            /* the new epoch is above this one, too */
};

/* Reads the marks into a zeroed ledger and begins an epoch, durably. own: ledger_close, also after
 * a failure, which zeroes it. fail:
 * ERR_STORE_IO; ERR_STORE_CORRUPT; ERR_STORE_NEWER: the format is newer than this program. */
enum err ledger_open(struct ledger *, struct rocks *, const struct ledger_seed *);
/* A seed of random bytes. fail: ERR_SYSTEM. */
enum err ledger_seed(struct ledger_seed *);
void ledger_close(struct ledger *);

/* Whether all of a span counts. thread: any. */
bool ledger_holds(const struct ledger *, struct span);
/* Whether there is such a log. thread: any. */
bool ledger_has_log_of(const struct ledger *, uint64_t id);
/* As ledger_holds for what low alone decides: compaction's question. thread: any. */
bool ledger_is_below_low(const struct ledger *, struct span);

/* Whether a body that begins there is in the oldest fiftieth of the log: gone, before one who reads
 * slowly is through. thread: any. */
bool ledger_is_parting(const struct ledger *, uint64_t first);

/* The log of a tenant; it is made when there is none. fail: as rocks_add_log. thread: writer. */
enum err ledger_log_for(struct ledger *, struct rocks *, uint8_t tenant, unsigned *ret_log);
/* Gives out a log's next ids; with no chunks, a place between them. thread: writer. */
uint64_t ledger_take(struct ledger *, unsigned log, uint32_t chunks);
/* Raises a log's low. thread: writer. */
enum err ledger_raise(struct ledger *, struct rocks *, unsigned log, uint64_t low);
/* The epoch and the log that an id was given out in, and an epoch's first id in a log. */
uint32_t ledger_epoch_of(uint64_t id);
unsigned ledger_log_of(uint64_t id);
uint64_t ledger_epoch_start(unsigned log, uint32_t epoch);
/* Where a log's chunks are. */
static inline enum rocks_family ledger_family(unsigned log)
{
	return (enum rocks_family)(ROCKS_BODY + log);
}
/* The tenant whose log an id is in. thread: any. */
uint8_t ledger_tenant_of(const struct ledger *, uint64_t id);
