/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The governor keeps the process under one ceiling of memory. It looks at what the system says the
 * process has in RAM, several times a second, and gives the hot tier what is left: so whatever else
 * takes memory - connections, TLS, bodies on their way, memtables, the holes in the heap - is paid
 * for, whether somebody counted it or not. The tier shrinks at once and in steps; it grows only
 * while it is full, and leaves a sixteenth of the ceiling free for what may come between two looks.
 *
 * Bodies on their way have a part of the ceiling: see cache_flight. thread: the control loop.
 */
#pragma once

#include <ev.h>

#include "cache/cache.h"
#include "edge/loop/loop.h"

/* clang-format off */
#define GOVERNOR_METERS(X) \
	X(limit, GAUGE, "memory_limit_bytes", "", "The ceiling of the process's memory.") \
	X(hot, GAUGE, "memory_bytes", "part=\"hot\"", "Memory by what takes it.") \
	X(store, GAUGE, "memory_bytes", "part=\"store\"", "Memory by what takes it.") \
	X(other, GAUGE, "memory_bytes", "part=\"other\"", "Memory by what takes it.") \
	X(budget, GAUGE, "cache_budget_bytes", "tier=\"hot\"", "What the tier may take now.") \
	X(trims, COUNTER, "memory_trims_total", "", "Times the heap's holes were given back.")
/* clang-format on */
struct governor_meters {
	METER_FIELDS(GOVERNOR_METERS)
};
extern const struct meter_table governor_meter_table;

struct governor {
	/* home loop */
	struct loop *home;
	struct cache *cache;
	uint64_t limit; /* bytes */
	uint64_t cap;   /* of the hot tier */
	uint64_t budget;
	struct mono trimmed;
	bool is_pressed; /* the hot tier is at its floor, and that is not enough */
	struct ev_timer tick;
	struct governor_meters meters;
};

/* The ceiling as the operator gave it: bytes, or a part of what there is. */
uint64_t governor_limit(uint64_t setting);
/* What the hot tier may take at the start, before anything is known. cap: 0 = none. */
uint64_t governor_first_budget(uint64_t limit, uint64_t cap);

void governor_start(struct governor *, struct loop *, struct cache *, uint64_t limit, uint64_t cap)
    ON_LOOP;
/* Other bounds, from now on. */
void governor_set(struct governor *, uint64_t limit, uint64_t cap) ON_LOOP;
void governor_stop(struct governor *) ON_LOOP;
