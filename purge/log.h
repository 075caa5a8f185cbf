/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log is the one door that purges come through. An order that is submitted gets its number of
 * the fence and is in force at once; it gets its sequence number when it is on disk, and then who
 * asked is told. The log is read back in the order of the sequence numbers. Where entries come from
 * is this file's business alone: a fleet that shares one log changes nothing but that.
 *
 *	purge_submit -> in force -> on disk -> in the audit log -> done -> counted -> refreshed
 *
 * Of the latest a receipt is kept, which goes on to tell how it fared; of those before, what the
 * log has.
 *
 * thread: any, but for purge_log_new and _free; `done` comes to the purge's home.
 */
#pragma once

#include "cache/purging.h"
#include "edge/loop/crew.h"
#include "edge/loop/loop.h"
#include "purge/receipts.h"

struct audit;
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
	struct job job;
	struct mail mail;
	struct purge_log *log;
	struct mono began;
};

/*
 * It is there before the cache is opened, for the patterns that a store has. own: purge_log_free.
 * fail: NULL.
 */
struct purge_log *purge_log_new(struct cache *, struct loop *control);
/* From the first purge on, each that took force gets its line there before `done`, also one that is
 * not on disk; one that fails is said in the receipt. What it matched is a later line. Before the
 * first purge. own: the log stays the caller's, until purge_log_free. fail: false, without
 * memory. */
bool purge_log_set_audit(struct purge_log *, struct audit *);
/* The cache is open: what goes on behind purges begins. fail: ERR_SYSTEM. */
enum err purge_log_start(struct purge_log *) ON_LOOP;
/* Ends what goes on behind purges; none is submitted any more. Before the cache is closed.
 * Accepts NULL. */
void purge_log_stop(struct purge_log *) ON_LOOP;
/* After the cache was closed; who submitted must be there still, or be told of it. */
void purge_log_free(struct purge_log **);

void purge_submit(struct purge_log *, struct purge *);

/* Who counts, for those who ask before they purge. */
struct surveyor *purge_surveyor(const struct purge_log *);
/*
 * What is to be refreshed after a soft purge: `refresh` gets it, on the control loop, most asked
 * for first, lent for the call. It tells how that goes by purge_refreshed.
 */
typedef void purge_refresh_f(
    void *arg, uint64_t seq, uint64_t origin_rps, const struct survey_item *, size_t count);
void purge_log_set_refresh(struct purge_log *, purge_refresh_f *, void *arg);
void purge_refreshed(
    struct purge_log *, uint64_t seq, uint64_t queued, uint64_t refreshed, uint64_t failed);
/* Copies what is known of a purge. False: it is none of the latest. */
bool purge_receipt(struct purge_log *, uint64_t seq, struct receipt *ret_receipt);
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
/*
 * The fence's number that an object must have been asked for at, or after, to be no older than that
 * purge: exact for the latest. Of one that has no receipt (any more, or yet) it is the number that
 * holds now: whatever was asked for before the last change of the fence is too old then.
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
