/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cold tier: complete objects on disk in RocksDB, laid out as a log of body chunks that is
 * evicted from its old end, with metadata beside it (the measured design: body ids only grow and
 * are given out by one writer thread, so compaction only moves files, and dropping old files frees
 * space at once). Metadata is put last; an object whose chunks did not reach the disk before a
 * crash is told from the durable watermark of its epoch, and is a miss.
 *
 * Loops never block on it: cold_probe looks in RocksDB's memory alone, cold_load hands the reading
 * to a crew, cold_store and cold_forget hand objects to the writer's bounded queue.
 *
 * Failure: a disk that is full, gone or corrupt turns into the state cold_state shows, for the
 * reason in cold_why; probes then answer "absent" and stores are dropped and counted. Larder goes
 * on from RAM, and the store comes back by itself when the disk does:
 *
 *	ok
 *	read-only  writing fails: what is stored is found, nothing new comes
 *	off        it cannot be opened, or reading fails: nothing is found
 *
 * A store that could not be opened at the start is opened when it can be. It may have secrets and
 * numbers of its own: so its host is asked before, and told before anything in it is found. What is
 * to be forgotten meanwhile waits, and is not found in any case.
 */
#pragma once

#include "cache/tier/object.h"
#include "cache/tier/tenant.h"
#include "edge/base/buf.h"
#include "edge/base/histogram.h"
#include "edge/base/meter.h"
#include "edge/loop/crew.h"

struct cold;
struct store;

enum cold_probe { COLD_ABSENT, COLD_PRESENT, COLD_UNSURE };
enum cold_state { COLD_OK, COLD_READ_ONLY, COLD_OFF, COLD_STATES };
enum admission { ADMIT_ALWAYS, ADMIT_SECOND_SIGHTING, ADMIT_HOT };

struct cold_options {
	const char *path;
	uint64_t size_bytes;
	enum admission admission;
	uint64_t
	    memory_bytes; /* ceiling of the process, a quarter of it for buffers here; 0 = none */
};

/* What a probe saw, so that the load which follows need not look for it again. */
enum { COLD_SIGHT_BYTES = 480 };
struct cold_sight {
	uint32_t moment; /* see forgets.h: when that was */
	uint32_t len;    /* of the record; 0 = there is none, or a larger one */
	char record[COLD_SIGHT_BYTES];
};

struct cold_load;
/* Runs ON_LOOP at load->home. object: a ref of its own, or NULL when it is not (validly) there. Its
 * body may still be filling, or be on disk only. */
typedef void cold_loaded_f(struct cold_load *, struct object *);

struct cold_load {
	/* the owner fills in, and leaves alone until `loaded` was called: there is no cancelling */
	struct loop *home;
	struct hash128 hash;
	struct slice key;
	uint64_t keep_up_to; /* a body of more bytes, and of more than a chunk, stays on disk */
	cold_loaded_f *loaded;
	struct cold_sight sight; /* of that hash; all zero = none */
	/* cold tier */
	struct job job;
	struct mail mail;
	struct store *store;
	struct object *object; /* crew to home */
	uint32_t moment;       /* see forgets.h: nothing asked to forget it since */
};

/* Who the store is for. thread: cold_open's, later the writer's. */
struct cold_host {
	void *arg; /* there until cold_close has returned */
	/* The secret of a store that is new; and the epoch that its numbers must be above. */
	void (*seed)(void *arg, struct hash_secret *ret_secret, uint32_t *ret_epoch);
	/* It is open, and nothing of it is found yet: cold_secret, cold_epoch, cold_recall may be
	 * called. What was noted in this life is written next. A failure closes it again. */
	enum err (*opened)(void *arg, struct cold *);
	/* Whether an object was not purged since it was asked for. thread: any that may block */
	bool (*stands)(void *arg, struct object *);
	/* What is left of an object's life, before anybody sees it; may call cold_recall. False: it
	 * is gone. thread: the store's readers' */
	bool (*admits)(void *arg, struct object *);
};

/*
 * Opens or makes the store in a directory: now, or as soon as that works; cold_state tells. host:
 * NULL = none. own: cold_close. fail: ERR_NO_MEMORY, ERR_SYSTEM.
 */
enum err cold_open(
    const struct cold_options *, const struct cold_host *host, struct cold **ret_cold);
/* Ends loads and writes out what is queued, then closes. The homes of loads must still be there. */
void cold_close(struct cold **);

/* The secret of this store's hashes, made at the first opening. thread: in cold_host.opened. */
struct hash_secret cold_secret(const struct cold *);
/* How often this store was opened: numbers that begin with it are larger than any of before.
 * thread: in cold_host.opened. */
uint32_t cold_epoch(const struct cold *);
enum cold_state cold_state(const struct cold *);
/* Changes the tenants' shares of the disk. thread: any. */
void cold_set_shares(struct cold *, const struct shares *);
/* A tenant's bytes of bodies on disk: TENANTS of them. */
const meter *cold_tenant_bytes(const struct cold *);
/* What ails it, in one word (trouble.h); empty when nothing does. Static. */
const char *cold_why(const struct cold *);
/* "ok", "read-only", "off". Static. */
const char *cold_state_word(enum cold_state);

/* Whether metadata is stored at that hash, as far as RAM knows. ret_sight: NULL = not wanted.
 * thread: any; never blocks. */
enum cold_probe cold_probe(struct cold *, struct hash128, struct cold_sight *ret_sight);
/* Reads an object. False when the crew's queue is full, or it is being forgotten: a miss. */
bool cold_load(struct cold *, struct cold_load *) ON_LOOP;
/* Has a thread that reads run a job of the tier's own (catalog.h), which gets the store. False as
 * cold_load says it. */
bool cold_look(struct cold *, struct job *, struct store **ret_store) ON_LOOP;
/*
 * Offers an object for storing: complete answers, and vary markers. Takes its own ref. If only the
 * head is new (its body is on disk already), only the metadata is written. False when it was not
 * admitted or the queue is full. thread: any.
 */
bool cold_store(struct cold *, struct object *, bool had_hits);
/*
 * Stores an object whose body is too large for RAM while it comes from the origin: its flow may
 * outgrow what it keeps. Gives the object its spool. What gets larger than `largest` bytes is given
 * up. False when it was not admitted, or cannot be read from its beginning any more. thread: any.
 */
bool cold_spool(struct cold *, struct object *, uint64_t largest);
/* The largest body that it should take, in bytes. */
uint64_t cold_largest(const struct cold *);
/* Removes what is at that hash, and the variants of a marker there. From now on it is not found;
 * after a crash that comes before the removal is logged it may be. thread: any. */
void cold_forget(struct cold *, struct hash128);
/* Whether nothing at that hash waits to be removed. thread: any. */
bool cold_is_forgotten(struct cold *, struct hash128);
/* For the tier's own files. */
struct store *cold_store_of(struct cold *);

/*
 * What was purged is noted on disk (journal.h), and recalled for what is loaded.
 */
struct journal_entry;
/* own: takes it. Entries are added in the order of their numbers. Never blocks. thread: any. */
void cold_note(struct cold *, struct journal_entry *);
/* How many entries wait to be written. */
uint64_t cold_note_depth(const struct cold *);
/* All numbers up to this one are noted durably, or at least as durably as what is stored. */
uint64_t cold_noted(const struct cold *);
/* Shows the patterns that are in force: number and text. thread: cold_host's opened. */
enum err cold_patterns(
    struct cold *, void (*show)(void *arg, uint64_t number, struct slice text), void *arg);
/* Shows entries of the log from `seq` on, until `show` answers false. fail: ERR_STORE_IO, also
 * while the store is not open; ERR_STORE_CORRUPT. thread: any that may block */
enum err cold_read_log(struct cold *, uint64_t seq,
    bool (*show)(void *arg, uint64_t seq, uint64_t number, struct slice text), void *arg);
/* The last sequence number of the log. */
uint64_t cold_last_seq(const struct cold *);
/* What is noted of a scope. False: the disk cannot be read. thread: any that may block, and
 * cold_host's. */
bool cold_recall(struct cold *, struct scope, struct purge_mark *ret_mark);

/* clang-format off */
#define COLD_METERS(X) \
	X(objects, GAUGE, "cache_objects", "tier=\"cold\"", "Objects in the tier (estimate).") \
	X(bytes, GAUGE, "cache_bytes", "tier=\"cold\"", "Bytes in the tier, overhead included.") \
	X(budget, GAUGE, "cache_budget_bytes", "tier=\"cold\"", "Bytes that the tier may have.") \
	X(evicted, COUNTER, "cache_evicted_bytes_total", "tier=\"cold\",why=\"size\"", "Bytes evicted.") \
	X(evicted_meta, COUNTER, "cache_evicted_bytes_total", "tier=\"cold\",why=\"metadata\"", "Bytes evicted.") \
	X(spared, GAUGE, "store_spared_bytes", "", "Bytes of files that were evicted and are still read from.") \
	X(stored, COUNTER, "store_writes_total", "kind=\"object\"", "Objects written.") \
	X(refreshed, COUNTER, "store_writes_total", "kind=\"head\"", "Heads rewritten.") \
	X(forgotten, COUNTER, "store_writes_total", "kind=\"delete\"", "Objects removed.") \
	X(loads, COUNTER, "store_reads_total", "result=\"found\"", "Objects read.") \
	X(load_misses, COUNTER, "store_reads_total", "result=\"absent\"", "Reads that found nothing valid.") \
	X(read_bytes, COUNTER, "store_read_bytes_total", "", "Bytes of bodies read from the store.") \
	X(admitted_always, COUNTER, "store_admissions_total", "verdict=\"admitted\",rule=\"always\"", "Objects offered for writing.") \
	X(admitted_seen, COUNTER, "store_admissions_total", "verdict=\"admitted\",rule=\"second-sighting\"", "Objects offered for writing.") \
	X(admitted_hit, COUNTER, "store_admissions_total", "verdict=\"admitted\",rule=\"hit\"", "Objects offered for writing.") \
	X(refused_seen, COUNTER, "store_admissions_total", "verdict=\"refused\",rule=\"second-sighting\"", "Objects offered for writing.") \
	X(refused_hot, COUNTER, "store_admissions_total", "verdict=\"refused\",rule=\"hot\"", "Objects offered for writing.") \
	X(refused_large, COUNTER, "store_admissions_total", "verdict=\"refused\",rule=\"size\"", "Objects offered for writing.") \
	X(not_admitted, COUNTER, "store_refused_total", "why=\"admission\"", "Objects not written.") \
	X(queue_full, COUNTER, "store_refused_total", "why=\"queue\"", "Objects not written.") \
	X(refused_ill, COUNTER, "store_refused_total", "why=\"disk\"", "Objects not written.") \
	X(failed, COUNTER, "store_errors_total", "", "Failed calls to the store.") \
	X(state, GAUGE, "store_state", "", "0 ok, 1 read-only, 2 off.") \
	X(queue_bytes, GAUGE, "store_queue_bytes", "", "Bytes waiting to be written.") \
	X(reads_queued, GAUGE, "store_queue_reads", "", "Reads waiting for a thread.") \
	X(notes_queued, GAUGE, "store_queue_notes", "", "Purges and invalidations that wait to be noted on disk.") \
	X(given_bodies, COUNTER, "store_given_bytes_total", "what=\"bodies\"", "Bytes given to the database to be written.") \
	X(given_records, COUNTER, "store_given_bytes_total", "what=\"records\"", "Bytes given to the database to be written.") \
	X(disk_bodies, COUNTER, "store_disk_written_bytes_total", "what=\"bodies\"", "Bytes written to files of the database, those written again included; to a hundredth of a GiB.") \
	X(disk_records, COUNTER, "store_disk_written_bytes_total", "what=\"records\"", "Bytes written to files of the database, those written again included; to a hundredth of a GiB.") \
	X(block_cache, GAUGE, "store_memory_bytes", "what=\"block-cache\"", "Memory of the database.") \
	X(memtables, GAUGE, "store_memory_bytes", "what=\"memtables\"", "Memory of the database.")
/* clang-format on */
struct cold_meters {
	METER_FIELDS(COLD_METERS)
};
/* How long calls to the database took, waiting for a thread not included. */
struct cold_times {
	struct histogram read;  /* of one record or chunk, from RAM or disk */
	struct histogram write; /* of one group of objects */
};
extern const struct meter_table cold_meter_table;
const struct cold_meters *cold_meters(const struct cold *);
/* One gauge for each state and what ails it, of which one is 1; with their labels. */
const meter *cold_states(const struct cold *);
size_t cold_states_count(void);
void cold_states_label(struct buf *, size_t index);
const struct cold_times *cold_times(const struct cold *);
/* Sets the gauges that nobody else keeps. thread: any; never blocks. */
void cold_measure(struct cold *);
