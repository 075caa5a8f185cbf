/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shelf is a cache with both tiers and a loop that loads from the cold one, as a worker of Larder
 * would. A fetch is one load: it probes, loads, follows the body to its end and checks each byte
 * against what the number's goods are.
 */
#pragma once

#include "cache/cache.h"
#include "edge/loop/loop.h"
#include "tools/bench/kit/goods.h"

struct shelf {
	struct cache cache;
	struct loop loop;
};

/* Opens; aborts with a line if the store does not. Admission: always. own: shelf_close. */
void shelf_open(struct shelf *, const char *path, uint64_t size_bytes, uint64_t hot_bytes);
void shelf_close(struct shelf *);

enum fetch_outcome {
	FETCH_ABSENT,  /* the probe said so, or the load did */
	FETCH_REFUSED, /* the readers' queue was full */
	FETCH_WHOLE,
	FETCH_BROKEN, /* the body ended early, with a failure that was told */
	FETCH_WRONG,  /* bytes that are not the object's: what must never be */
};

struct fetch;
typedef void fetch_done_f(struct fetch *);

struct fetch {
	/* fixed: the owner's */
	struct shelf *shelf;
	fetch_done_f *done; /* runs ON_LOOP on the shelf's loop */
	void *owner;
	/* while it runs, and what came of it */
	uint64_t number;
	enum fetch_outcome outcome;
	uint64_t bytes;   /* of the body, that came */
	int64_t probe_ns; /* that the probe took */
	int64_t begun_ns; /* when the load began */
	int64_t first_ns; /* from there until it could be answered */
	char text[GOODS_KEY_ROOM];
	struct cold_load load;
	struct object *object; /* counted */
	struct flow_reader from;
	struct mail more;
};

/* Begins to fetch a number. False when it ended at once: `done` is not called then. */
bool fetch_begin(struct fetch *, uint64_t number) ON_LOOP;
/* Fetches one and waits for it. thread: any but the loop's. */
enum fetch_outcome shelf_fetch(struct shelf *, uint64_t number);
