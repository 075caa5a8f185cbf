/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/governor.h"

#include <malloc.h>

#include "edge/base/log.h"
#include "edge/base/memory.h"
#include "edge/conf/field.h"

enum {
	TICK_MS = 50,
	TRIM_MS = 500, /* giving back what is free holds up everyone who allocates */
	FLOOR_SHARE = 8,
	STEP_SHARE =
	    20, /* no more than that much at a time: evicting takes the control loop's time */
	SPARE_SHARE = 16,
	FLIGHT_SHARE = 4,
};

#define METER_STRUCT struct governor_meters
static const struct meter_desc descs[] = METER_DESCS(GOVERNOR_METERS);
const struct meter_table governor_meter_table = { descs, COUNT_OF(descs) };

uint64_t governor_limit(uint64_t setting)
{
	return max_u64(conf_memory_of(setting, memory_there_is()), 16 * MIB);
}

uint64_t governor_first_budget(uint64_t limit, uint64_t cap)
{
	return cap ? min_u64(cap, limit) : limit / 2;
}

static uint64_t hot_bytes(const struct governor *g)
{
	return meter_read(&hot_meters(g->cache->hot)->bytes);
}

static void set_budget(struct governor *g, uint64_t budget)
{
	budget = max_u64(min_u64(budget, g->cap), min_u64(g->limit / FLOOR_SHARE, g->cap));
	if (budget == g->budget)
		return;
	g->budget = budget;
	meter_set(&g->meters.budget, budget);
	hot_set_budget(g->cache->hot, budget);
}

/* What eviction freed may be in holes that only this gives back. */
static void trim(struct governor *g)
{
	if (mono_ms_since(g->trimmed, g->home->now) < TRIM_MS)
		return;
	g->trimmed = g->home->now;
	meter_add(&g->meters.trims, 1);
	malloc_trim(0);
}

static void tell_pressure(struct governor *g, bool is_pressed, uint64_t resident)
{
	if (is_pressed && !g->is_pressed)
		log_warn("memory: %" PRIu64 " MiB in use where memory-limit is %" PRIu64
			 " MiB, and the hot tier is as small as it gets; fewer connections, a "
			 "smaller store.size or a higher memory-limit would help",
		    resident / MIB, g->limit / MIB);
	else if (!is_pressed && g->is_pressed)
		log_info("memory: under memory-limit again");
	g->is_pressed = is_pressed;
}

static void shrink(struct governor *g, uint64_t excess)
{
	uint64_t from = min_u64(g->budget, hot_bytes(g));
	set_budget(g, from - min_u64(from, min_u64(excess, g->limit / STEP_SHARE)));
	trim(g);
}

/* A tier that is not full needs no more; what is free is there for it. */
static void grow(struct governor *g, uint64_t room)
{
	if (hot_bytes(g) >= g->budget - g->budget / SPARE_SHARE)
		set_budget(g, g->budget + min_u64(room / 2, g->limit / STEP_SHARE));
}

static void show(struct governor *g, uint64_t resident)
{
	uint64_t hot = hot_bytes(g), store = 0;
	if (g->cache->cold) {
		const struct cold_meters *m = cold_meters(g->cache->cold);
		store = meter_read(&m->memtables) + meter_read(&m->block_cache);
	}
	meter_set(&g->meters.hot, hot);
	meter_set(&g->meters.store, store);
	meter_set(&g->meters.other, resident > hot + store ? resident - hot - store : 0);
}

static void on_tick(UNUSED struct ev_loop *ev, struct ev_timer *tick, UNUSED int events)
{
	role_loop();
	struct governor *g = CONTAINER_OF(tick, struct governor, tick);
	uint64_t resident = memory_resident(), aim = g->limit - g->limit / SPARE_SHARE;
	if (resident > g->limit)
		shrink(g, resident - g->limit);
	else if (resident < aim)
		grow(g, aim - resident);
	bool is_floor = g->budget <= g->limit / FLOOR_SHARE;
	tell_pressure(g, is_floor && resident > g->limit, resident);
	show(g, resident);
}

void governor_set(struct governor *g, uint64_t limit, uint64_t cap)
{
	uint64_t there = memory_there_is();
	if (limit > there)
		log_warn("memory: memory-limit is %" PRIu64 " MiB, and there are %" PRIu64
			 " MiB for this process; the system may end it before the limit holds",
		    limit / MIB, there / MIB);
	g->limit = limit;
	g->cap = cap ? min_u64(cap, limit) : limit;
	meter_set(&g->meters.limit, limit);
	cache_set_flight(g->cache, limit / FLIGHT_SHARE);
	set_budget(g, cap ? cap : g->budget);
}

void governor_start(
    struct governor *g, struct loop *home, struct cache *cache, uint64_t limit, uint64_t cap)
{
	*g = (struct governor){ .home = home, .cache = cache };
	g->budget = governor_first_budget(limit, cap);
	meter_set(&g->meters.budget, g->budget);
	governor_set(g, limit, cap);
	ev_timer_init(&g->tick, on_tick, TICK_MS / 1000.0, TICK_MS / 1000.0);
	ev_timer_start(home->ev, &g->tick);
}

void governor_stop(struct governor *g)
{
	if (g->home)
		ev_timer_stop(g->home->ev, &g->tick);
}
