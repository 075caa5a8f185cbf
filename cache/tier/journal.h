/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal keeps on disk (notes.h) what was purged: the number of each scope, which decides
 * about what is stored, and the log of what was asked for, which tells about it. One thread writes,
 * in the order of the numbers, all that waits in one go; what somebody waits for is on the disk,
 * synced, before he is told. Entries that cannot be written wait for the disk to be well again; too
 * many, and all of their scopes become one: everything.
 *
 * Sequence numbers are given out here, 1, 2, 3 and so on, without gaps, as entries are written.
 *
 * The store may hold so many scopes and no more. What is too much is forgotten from the oldest on,
 * and what was fetched before that is gone (scope_all, hard): it costs a fetch each, of things that
 * nobody purged and nobody refreshed for millions of purges.
 */
#pragma once

#include "cache/tier/store.h"

struct journal;
struct journal_entry;

/* Tells that an entry was written, or could not be so far. seq: 0 when it was not, or has none.
 * thread: the journal's. Must not block. */
typedef void journal_told_f(void *arg, enum err, uint64_t number, uint64_t seq);

struct journal_entry {
	struct list link;
	uint64_t number; /* the fence's: ascending, entry by entry */
	struct purge_act act;
	/* fixed */
	journal_told_f *told; /* called once; NULL = nobody waits */
	void *arg;
	struct slice text; /* empty = none */
	bool is_logged;    /* the text is of the log, and gets a sequence number */
	bool is_pattern;   /* the text says what no scope can: kept until it is retired */
	bool is_of_before; /* the number was given out before: it takes part in no order */
	uint64_t retires;  /* the number of a pattern that is in force no more; 0 = none */
	size_t scope_count;
	struct scope scopes[]; /* then the text */
};

/* An entry with room for `scopes`, the caller's to fill in, and a copy of the text. own:
 * journal_add, or free(). fail: NULL without memory. */
struct journal_entry *journal_entry_new(size_t scopes, struct slice text);

/* own: journal_stop and journal_free. fail: NULL. */
struct journal *journal_new(struct store *);
/* Writes what it can, and ends, before the store is closed. Who waits still is told. */
void journal_stop(struct journal *);
/* When the store is closed: until then its compactions ask (journal_is_stale). */
void journal_free(struct journal **);

/* Adds an entry; never blocks. own: takes it. thread: any; those who add agree on the order of the
 * numbers. */
void journal_add(struct journal *, struct journal_entry *);
/* All numbers up to this one are on disk, but for entries that are of before. thread: any. */
uint64_t journal_known(const struct journal *);
/* How many entries wait. */
uint64_t journal_depth(const struct journal *);
/* The store is open and nothing of it is found yet: writes what waits. thread: in
 * cold_host.opened. */
enum err journal_catch_up(struct journal *) ON_WORKER;

/* Reads what is on disk of a scope. Inside the gate, or in cold_host.opened. False: it failed. */
bool journal_recall(struct store *, struct scope, struct purge_mark *ret_mark) ON_WORKER;
/* The last sequence number. thread: any. */
uint64_t journal_last_seq(const struct journal *);
/* Compaction's question: whether a record of ROCKS_FENCE says nothing any more. thread:
 * RocksDB's. */
bool journal_is_stale(const struct journal *, struct slice value);
