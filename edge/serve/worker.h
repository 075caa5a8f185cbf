/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one event loop with its listeners, its clients, its side of the origins, its counters.
 * Workers share the cache and nothing else.
 */
#pragma once

#include "cache/cache.h"
#include "edge/base/histogram.h"
#include "edge/loop/crew.h"
#include "edge/loop/listen.h"
#include "edge/serve/access.h"
#include "edge/serve/plan.h"
#include "edge/tls/local.h"
#include "edge/wire/session.h"

/* What became of a request, for the log and the metrics. */
enum result {
	RESULT_HIT,
	RESULT_STALE,
	RESULT_REVALIDATED,
	RESULT_MISS,
	RESULT_COLLAPSED,
	RESULT_PASS,
	RESULT_REDIRECT,
	RESULT_PURGE,
	RESULT_ERROR,
	RESULT_COUNT,
};
struct slice result_name(enum result);

/* clang-format off */
#define SERVE_METERS(X) \
	X(requests, COUNTER, "http_requests_total", "", "Requests answered or given up.") \
	X(aborted, COUNTER, "http_requests_aborted_total", "", "Requests whose client left, or whose answer was cut.") \
	X(under_way, GAUGE, "http_requests_under_way", "", "Requests under way.") \
	X(refused, COUNTER, "memory_refusals_total", "", "Requests refused while bodies on their way filled their part of the memory.") \
	X(refreshes, COUNTER, "cache_refreshes_total", "", "Background refreshes started.") \
	X(fetches, GAUGE, "cache_fetches_under_way", "", "Fetches under way.") \
	X(waits, COUNTER, "cache_waits_total", "", "Requests that joined a fetch under way.") \
	X(untagged, COUNTER, "cache_untagged_total", "", "Answers not stored because the tags in their body could not be read.") \
	X(invalidations, COUNTER, "cache_invalidations_total", "", "Keys invalidated by unsafe requests.")
/* clang-format on */
struct serve_meters {
	METER_FIELDS(SERVE_METERS)
};
extern const struct meter_table serve_meter_table;

enum { LISTENERS_MAX = 16 };

struct purge_log;

struct worker {
	struct loop loop;
	/* fixed after init */
	struct cache *cache;
	struct purge_log *purges;
	struct crew *taggers;                /* see tagging.h */
	_Atomic(struct access_log *) access; /* NULL = off */
	/* home loop */
	struct front front;
	struct tls_local tls;
	struct plan *plan;
	struct list spare_trips;
	unsigned trips;      /* under way, spare, and those that wait for a letter */
	unsigned refreshers; /* here (refresher.h) */
	bool is_closing;
	struct list fetches;  /* under way */
	struct list taggings; /* bodies with the taggers */
	struct buf lines;     /* of the head that is being made */
	uint64_t next_id; /* of requests: random start, so that ids of workers and runs differ */
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	/* home loop writes, the scraper reads */
	struct serve_meters meters;
	struct origin_meters origin_meters;
	meter results[RESULT_COUNT][REASON_COUNT];
	struct histogram request_seconds, origin_seconds;
};

/* Makes the threads that search bodies for tags: one crew for all workers. own: crew_free, when
 * they have stopped. fail: NULL. */
struct crew *taggers_new(void);
/* Readies a worker that does not run yet. fail: ERR_SYSTEM, ERR_NO_MEMORY. */
enum err worker_init(struct worker *, unsigned index, struct cache *, struct crew *taggers,
    _Atomic uint64_t *connections);
/* Opens a listener; the address gets the port that the kernel chose. fail: as listener_open. */
enum err worker_listen(struct worker *, struct slice address);
/* Serves by this site from now on. Takes over the caller's hold. fail: ERR_NO_MEMORY: as before. */
enum err worker_set_site(struct worker *, const struct site *) ON_LOOP;
/* Takes connections from now on. */
void worker_open(struct worker *) ON_LOOP;
/* Takes no more; `on_drained` is called when the last client has gone. */
void worker_drain(struct worker *, void (*on_drained)(struct front *)) ON_LOOP;
/* Lets go of everything, then stops the loop: not before the last letter to a trip or a refresher
 * has come, such as a load's, which nobody else would take. */
void worker_close(struct worker *) ON_LOOP;
void worker_fini(struct worker *);
