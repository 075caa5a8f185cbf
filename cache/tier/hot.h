/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot tier: objects in RAM by hash, in shards with a lock each, evicted by S3-FIFO within one
 * budget of bytes. New objects enter a small queue; what is asked for again there moves to the main
 * queue, what is not leaves, and its hash is remembered for a while in a ghost queue: a return from
 * there goes straight to the main queue. A hit only raises a two-bit count.
 *
 * Tenants (tenant.h) may have a part of the budget guaranteed, and a most: who is at or below its
 * guarantee loses nothing to others, who is over its most makes room for itself. Among all who may
 * lose, the next to go is the one that S3-FIFO would take if there were no tenants.
 *
 * What is read from the disk enters at the second time that it is read within the ghosts' memory,
 * or while there is room.
 *
 * An object may be in the tier while its body is still filling. One larger than a sixteenth of the
 * budget (and 64 KiB for its head) is not taken. Locks are leaves: no callback runs and no object
 * is freed under them.
 *
 * thread: any, all of it.
 */
#pragma once

#include "cache/tier/object.h"
#include "cache/tier/tenant.h"
#include "edge/base/meter.h"

struct hot;

/* What an evicted object is handed to (the cold tier's admission). Called without a lock.
 * had_hits: it was asked for again since it came. */
typedef void hot_evict_f(void *arg, struct object *, bool had_hits);

#define HOT_METERS(X)                                                                              \
	X(objects, GAUGE, "cache_objects", "tier=\"hot\"", "Objects in the tier.")                 \
	X(bytes, GAUGE, "cache_bytes", "tier=\"hot\"", "Bytes in the tier, overhead included.")    \
	X(evicted_small, COUNTER, "cache_evictions_total", "tier=\"hot\",why=\"small\"",           \
	    "Objects evicted.")                                                                    \
	X(evicted_main, COUNTER, "cache_evictions_total", "tier=\"hot\",why=\"main\"",             \
	    "Objects evicted.")                                                                    \
	X(evicted_share, COUNTER, "cache_evictions_total", "tier=\"hot\",why=\"share\"",           \
	    "Objects evicted.")                                                                    \
	X(promoted, COUNTER, "cache_promotions_total", "verdict=\"promoted\"",                     \
	    "Objects read from the disk, by whether RAM took them.")                               \
	X(unpromoted, COUNTER, "cache_promotions_total", "verdict=\"first-sight\"",                \
	    "Objects read from the disk, by whether RAM took them.")                               \
	X(refused, COUNTER, "cache_refused_total", "tier=\"hot\",why=\"too-large\"",               \
	    "Objects not taken.")
struct hot_meters {
	METER_FIELDS(HOT_METERS)
};

/* own: hot_free. evict may be NULL. fail: NULL without memory. */
struct hot *hot_new(uint64_t budget_bytes, hot_evict_f *evict, void *arg);
void hot_free(struct hot **);

/* The object at that hash whose key text is the same, or NULL. own: a ref for the caller. */
struct object *hot_get(struct hot *, struct hash128, struct slice key);
/* Whatever is at that hash, or NULL; no hit. own: a ref for the caller. */
struct object *hot_peek(struct hot *, struct hash128);

/* A place in the tier, in an order that means nothing. The beginning is all zero. */
struct hot_place {
	uint32_t shard, place;
};
enum { HOT_PAGE = 2000 };
/*
 * Gives out what is there from a place on, and moves the place on; returns how many. What shares a
 * place comes together: it may be a few more than wanted, which is half of HOT_PAGE at most. `to`
 * has room for HOT_PAGE. From page to page what stays is met once, also when the tier's table grew
 * meanwhile. own: a ref of each for the caller.
 */
size_t hot_page(struct hot *, struct hot_place *, struct object **to, size_t wanted);
bool hot_place_is_end(const struct hot_place *);
/* Puts an object, in place of what is at its hash. Takes its own ref. Evicts to stay in budget. */
void hot_put(struct hot *, struct object *);
/* Puts an object if `expected` (NULL = nothing) is what is at its hash; else false. */
bool hot_swap(struct hot *, const struct object *expected, struct object *);
/* Notes that an object of so many bytes was read from the disk; whether that makes it worth RAM. */
bool hot_sight(struct hot *, struct hash128, uint64_t bytes);
/* What hot_sight would say, and nothing is noted. */
bool hot_would_take(struct hot *, struct hash128, uint64_t bytes);
/* Counts an object's bytes anew: its body is complete now. No effect when it is no longer there. */
void hot_settle(struct hot *, struct object *);
/* The largest object that is taken, in bytes, but for its head. */
uint64_t hot_largest(const struct hot *);
/* Removes this very object, if it is still the one at its hash. */
void hot_remove(struct hot *, const struct object *);
/* Removes whatever is at that hash. */
void hot_forget(struct hot *, struct hash128);
/* Changes the budget; evicts down to it. */
void hot_set_budget(struct hot *, uint64_t bytes);

/* Changes the tenants' shares; what is over its most leaves with the next objects that come. */
void hot_set_shares(struct hot *, const struct shares *);
/* A tenant's bytes in the tier: TENANTS of them. */
const meter *hot_tenant_bytes(const struct hot *);

extern const struct meter_table hot_meter_table;
const struct hot_meters *hot_meters(const struct hot *);
