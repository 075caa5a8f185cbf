/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log is the one door that purges come through. An order that is submitted gets its number of the
 * fence and is in force at once; it gets its sequence number when it is on disk, and then who asked
 * is told. The log is read back in the order of the sequence numbers. Where entries come from is this
 * file's business alone: a fleet that shares one log changes nothing but that.
 *
 *	purge_submit -> in force -> on disk -> in the audit log -> done -> counted -> refreshed
 *
 * Of the latest a receipt is kept, which goes on to tell how it fared; of those before, what the log
 * has.
 *
 * thread: any, but for purge_log_new and _free; `done` comes to the purge's home.
 */
#pragma once

#include "cache/cache.h"
#include "edge/loop/crew.h"
#include "edge/loop/loop.h"
#include "purge/order.h"

enum { PURGE_RECEIPTS = 1024, PURGE_SAMPLES = 10 };

struct purge_log;

/* One order on its way: embedded by who asks, who leaves it alone until `done`. */
struct purge {
	/* the owner sets */
	struct order *order; /* prepared; the owner's ref must stay until done */
	struct slice actor;  /* who asks; borrowed until done */
	struct loop *home;
	void (*done)(struct purge *); /* ON_LOOP of home */
	/* results */
	enum err err;    /* ERR_NONE; ERR_STORE_IO: in force, but not on disk; ERR_NO_MEMORY and
	                     ERR_BUSY: nothing was done */
	uint64_t seq;    /* 0 = it has none (yet) */
	uint64_t number; /* the fence's */
	struct wall at;  /* when it took force */
	int64_t disk_us; /* how long it took until it was on disk */
	/* the log's */
	struct mail mail;
	struct purge_log *log;
	struct mono began;
};

/* How a purge fared: what is known by now. */
struct receipt {
	uint64_t seq, number;
	struct wall at;
	int64_t disk_us;
	enum purge_mode mode;
	size_t scopes;
	bool has_pattern, is_swept; /* is_swept: its pattern is not needed any more */
	char actor[64], reason[256], deploy_id[64]; /* cut, if need be */
	/* what it matched */
	bool is_counted;
	uint64_t objects, variants, bytes;
	char samples[PURGE_SAMPLES][256];
	unsigned sample_count;
	/* the refresh */
	bool wants_refresh, is_refreshed; /* is_refreshed: it is over */
	uint64_t queued, refreshed, failed;
};

/*
 * It is there before the cache is opened, for the patterns that a store has. own: purge_log_free.
 * fail: NULL.
 */
struct purge_log *purge_log_new(struct cache *, struct loop *control);
/* Ends what goes on behind purges; none is submitted any more. Before the cache is closed. */
void purge_log_stop(struct purge_log *);
/* After the cache was closed. */
void purge_log_free(struct purge_log **);

void purge_submit(struct purge_log *, struct purge *);

/* Copies what is known of a purge. False: it is none of the latest. */
bool purge_receipt(struct purge_log *, uint64_t seq, struct receipt *ret_receipt);
/* Notes how far the refresh is, in the receipt. */
void purge_note_refresh(struct purge_log *, uint64_t seq, uint64_t queued, uint64_t refreshed,
    uint64_t failed, bool is_over);
/* Reads entries of the log, in the order of their numbers. Embedded by who asks. */
struct purge_listing {
	/* the owner sets, and leaves alone until `done` */
	uint64_t next;   /* from here on; then where the rest begins */
	uint64_t limit;  /* entries */
	struct buf text; /* takes them: JSON objects, with commas between */
	struct loop *home;
	void (*done)(struct purge_listing *); /* ON_LOOP of home */
	/* results */
	uint64_t shown;
	enum err err;
	/* the log's */
	struct purge_log *log;
	struct job job;
	struct mail mail;
};
/* False: too many ask. */
bool purge_list(struct purge_log *, struct purge_listing *);
/* The last sequence number; 0 = none. */
uint64_t purge_last(const struct purge_log *);
/* Writes a receipt as JSON. */
void receipt_write(const struct receipt *, struct buf *);
/*
 * The fence's number that an object must have been asked for at, or after, to be no older than that
 * purge: exact for the latest, and more than that for older ones. UINT64_MAX: that purge is not known
 * here (yet).
 */
uint64_t purge_number(struct purge_log *, uint64_t seq);
/* A pattern of a former life: cache_options.pattern. */
void purge_pattern(void *log, struct cache *, uint64_t number, struct slice text);

/* clang-format off */
#define PURGE_METERS(X) \
	X(soft, COUNTER, "purges_total", "mode=\"soft\"", "Purges that took force.") \
	X(hard, COUNTER, "purges_total", "mode=\"hard\"", "Purges that took force.") \
	X(not_durable, COUNTER, "purges_not_durable_total", "", "Purges that could not be written to disk when they took force.") \
	X(refused, COUNTER, "purges_refused_total", "", "Purges for which there was no memory, or too many patterns.") \
	X(scopes, COUNTER, "purge_scopes_total", "", "URLs, tags, prefixes and hosts purged.") \
	X(patterns, GAUGE, "purge_patterns", "", "Expressions and regular expressions that are not swept yet.") \
	X(last_seq, GAUGE, "purge_last_seq", "", "Sequence number of the last purge.")
/* clang-format on */
struct purge_meters {
	METER_FIELDS(PURGE_METERS)
};
extern const struct meter_table purge_meter_table;
const struct purge_meters *purge_meters(const struct purge_log *);
