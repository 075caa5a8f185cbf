/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refresher has one stored answer fetched again, as a purge wants it (refreshing.h): by its key,
 * and for a variant by the request that it was for. It is a letter from the control loop to a
 * worker, and back:
 *
 *	refresher_send -> worker: look -> [load] -> claim -> fetch -> home: done
 *
 * The worker does what it would do for a client whose answer is stale: it looks in RAM and on disk,
 * asks the origin with the validators of what it found, and stores the answer under the fence's
 * number of now. But nobody waits, and what stands as fresh by now is left alone: somebody was
 * faster.
 *
 * Who a variant was for is not known, but what the origin told them apart by: those fields go out
 * as they came then, others do not.
 *
 * `done` comes once, whatever happens, as long as both loops turn; a worker that closes answers
 * what it has, and stops when that is done.
 */
#pragma once

#include "edge/serve/fetch.h"

enum refresh_outcome {
	REFRESH_DONE,     /* a new answer is stored, or what is stored was confirmed */
	REFRESH_UNNEEDED, /* it is fresh, being fetched, or nobody could ask for it any more */
	REFRESH_FAILED,   /* the origin failed, or its answer may not be stored */
};

/* What is to be fetched again: texts of the stored answer. */
struct refresh_item {
	struct slice url;          /* of its key (key_url) */
	struct slice spec, values; /* of its Vary; empty = it does not vary */
};

struct refresher {
	/* the owner sets, and leaves alone until `done` */
	struct worker *worker;
	struct loop *home;
	struct refresh_item item; /* borrowed */
	uint64_t number; /* of the fence: a fetch that began before it is none that refreshes */
	void (*done)(struct refresher *); /* ON_LOOP of home */
	/* results */
	enum refresh_outcome outcome;
	/* on their way */
	struct mail out, back;
	/* worker's loop */
	struct arena arena;
	struct plan *plan;
	const struct route *route;
	struct request request;
	struct cache_query query;
	struct cold_load load;
	struct claim *claim;
	struct fetch_client client;
	struct object *object; /* what the fetch stored */
};

/* Sends it to its worker. thread: home. */
void refresher_send(struct refresher *);
