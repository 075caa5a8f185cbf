/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RocksDB as the cold tier uses it, and nothing more: column families with the options that were
 * measured, gets, batches, iterators, and what the eviction of whole files needs. The only
 * file that knows rocksdb/c.h.
 *
 *	ROCKS_CONTROL  epoch, secret and the like; a few records
 *	ROCKS_META     hash -> record; logged, LZ4, filtered, cached; stale ones go with compaction
 *	ROCKS_FENCE    scope and mode -> number: what was purged; logged, filtered; see journal.h
 *	ROCKS_PURGES   sequence number -> what was asked; logged
 *	ROCKS_BODY     chunk id -> chunk; not logged, not compressed; ids only grow, so that files never
 *	               overlap and compaction only moves them. So is each further log
 *
 * Failures: ERR_STORE_IO, ERR_STORE_CORRUPT, and at the opening ERR_STORE_LOCKED. rocks_why has
 * RocksDB's own words.
 */
#pragma once

#include "cache/tier/sizes.h"
#include "edge/base/err.h"
#include "edge/base/slice.h"

/* ROCKS_BODY and those after it: logs, of which there is one at first. */
enum { ROCKS_LOGS = 64 };
enum rocks_family {
	ROCKS_CONTROL,
	ROCKS_META,
	ROCKS_FENCE,
	ROCKS_PURGES,
	ROCKS_BODY,
	ROCKS_FAMILIES = ROCKS_BODY + ROCKS_LOGS
};

struct rocks;
struct rocks_batch;
struct rocks_walk;

/* Whether compaction may drop this record of ROCKS_META or ROCKS_FENCE. thread: RocksDB's own. */
typedef bool rocks_stale_f(const void *arg, enum rocks_family, struct slice value);

struct rocks_options {
	const char *path;
	const struct sizes *sizes;
	bool direct_writes; /* past the page cache; rocks_can_write_direct tells */
	rocks_stale_f *is_stale;
	const void *arg;
};

/* Makes the folder if need be, and tells whether its file system takes direct writes (tmpfs may
 * not). */
bool rocks_can_write_direct(const char *path);

/* own: rocks_close, after all values, batches and walks were given back. */
enum err rocks_open(const struct rocks_options *, struct rocks **ret_rocks);
/* Writes memtables out and closes. */
void rocks_close(struct rocks **);
/* Deletes the database in a folder, and no file of another name. */
enum err rocks_destroy(const char *path);
/* How many logs there are. thread: the writer. */
unsigned rocks_log_count(const struct rocks *);
/* Makes one more. thread: the writer. */
enum err rocks_add_log(struct rocks *);
/* RocksDB's words for the last failure on this thread. Borrowed until the next one. */
const char *rocks_why(void);

/* ---- reading. thread: any ---- */

enum rocks_look {
	ROCKS_ABSENT,
	ROCKS_FOUND,
	ROCKS_UNSURE, /* not in memory; it may be on disk */
	ROCKS_FAILED,
};

struct rocks_value {
	struct slice bytes;
	void *pin;
};

/* Looks a key up. in_memory: never blocks, and may be unsure. own: rocks_unpin after
 * ROCKS_FOUND. */
enum rocks_look rocks_get(struct rocks *, enum rocks_family, struct slice key, bool in_memory,
    struct rocks_value *ret_value, enum err *ret_err);
void rocks_unpin(struct rocks_value *);

/* Walks keys upward from `from`, on the state of now: what is deleted meanwhile is still seen.
 * own: rocks_walk_free. */
struct rocks_walk *rocks_walk_new(struct rocks *, enum rocks_family, struct slice from);
void rocks_walk_free(struct rocks_walk **);
/* The record it stands on; false at the end, and after a failure: ret_err tells. */
bool rocks_walk_at(
    const struct rocks_walk *, struct slice *ret_key, struct slice *ret_value, enum err *ret_err);
void rocks_walk_next(struct rocks_walk *);

/* Copies the last key, when it has 8 bytes, as a big-endian number. 0 = the family is empty. */
enum err rocks_last_id(struct rocks *, enum rocks_family, uint64_t *ret_id);

/* ---- writing. Logs of bodies: one thread ---- */

enum rocks_safety {
	ROCKS_UNLOGGED, /* there after the memtable was flushed */
	ROCKS_LOGGED,   /* there after a crash of Larder */
	ROCKS_SYNCED,   /* there after a loss of power */
};

struct rocks_batch *rocks_batch_new(void);
void rocks_batch_free(struct rocks_batch **);
/* Adds a record; its value is the parts, joined. */
void rocks_batch_put(struct rocks_batch *, struct rocks *, enum rocks_family, struct slice key,
    const struct slice *parts, size_t part_count);
void rocks_batch_delete(struct rocks_batch *, struct rocks *, enum rocks_family, struct slice key);
void rocks_batch_clear(struct rocks_batch *);
/* Writes all of a batch or nothing, and empties it either way. */
enum err rocks_write(struct rocks *, struct rocks_batch *, enum rocks_safety);
uint64_t rocks_batch_bytes(struct rocks_batch *);
/* Starts to write the memtable out; does not wait. */
enum err rocks_flush(struct rocks *, enum rocks_family);

/* ---- space ---- */

struct rocks_file {
	uint64_t first_id, last_id; /* smallest and largest key */
	uint64_t bytes;
};

uint64_t rocks_disk_bytes(struct rocks *, enum rocks_family);
uint64_t rocks_memtable_bytes(struct rocks *, enum rocks_family);
uint64_t rocks_key_estimate(struct rocks *, enum rocks_family);
/* Bytes in the cache of blocks, filters and index. thread: any. */
uint64_t rocks_cached_bytes(struct rocks *);
/* What flushes and compactions of a family wrote since the opening, to a hundredth of a GiB: for
 * the exact number RocksDB's statistics would have to be on, at a fifth of a probe's time. */
uint64_t rocks_written_bytes(struct rocks *, enum rocks_family);
/* The files of all logs, of each the oldest first, in the order of last_id. own: free(). NULL:
 * there is none. */
struct rocks_file *rocks_files(struct rocks *, size_t *ret_count);
/* Deletes those files of a log that hold ids from `first` on and below `end` only. */
enum err rocks_delete_files(struct rocks *, enum rocks_family, uint64_t first, uint64_t end);
/* Asks for a compaction of ROCKS_META: much of it is stale. */
void rocks_suggest_compaction(struct rocks *);

/* Keys that sort as the numbers do. */
struct rocks_id {
	char bytes[8];
};
struct rocks_id rocks_id_of(uint64_t);
