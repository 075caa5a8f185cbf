/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/hot.h"

#include "cache/tier/ghost.h"

enum {
	SHARDS = 64,
	FIRST_PLACES = 64,
	HITS_MAX = 3,
	SMALL_SHARE = 10,   /* the small queue may have a tenth of the tier */
	LARGEST_SHARE = 16, /* and one object a sixteenth */
	LARGEST_HEAD = 64 * 1024,
	UNIT_BYTES = 64,
	ROOM_SHARE = 32,
	NOBODY = TENANTS,
};

enum queue { QUEUE_SMALL, QUEUE_MAIN, QUEUES };

struct shard {
	_Alignas(64) struct lock lock;
	/* under lock */
	uint32_t places; /* of the table; a power of two */
	uint32_t count;
	struct object **table; /* chained by hot_chain */
	struct ghosts ghosts;
	uint32_t stamps; /* given out; wraps */
	uint64_t units[QUEUES];
	struct list queues[TENANTS][QUEUES]; /* newest first */
};

struct hot {
	/* fixed */
	hot_evict_f *evict;
	void *arg;
	/* atomic */
	_Atomic uint64_t budget;
	_Atomic unsigned hand;    /* the shard that gives something up next */
	struct hot_meters meters; /* bytes is the sum that the budget bounds */
	meter tenant_bytes[TENANTS];
	struct share_table shares;

	struct shard shards[SHARDS];
};

#define METER_STRUCT struct hot_meters
static const struct meter_desc descs[] = METER_DESCS(HOT_METERS);
const struct meter_table hot_meter_table = { descs, COUNT_OF(descs) };

const struct hot_meters *hot_meters(const struct hot *hot)
{
	return &hot->meters;
}

#define NEEDS_LOCK THREAD_ATTR(requires_capability(s->lock))

static struct shard *shard_of(struct hot *hot, struct hash128 hash)
{
	return &hot->shards[hash.hi % SHARDS];
}

/* ---- the table ---- */

static struct object **place_locked(const struct shard *s, struct hash128 hash) NEEDS_LOCK
{
	return &s->table[hash.lo & (s->places - 1)];
}

static struct object *find_locked(const struct shard *s, struct hash128 hash) NEEDS_LOCK
{
	struct object *o = *place_locked(s, hash);
	while (o && !hash128_eq(o->hash, hash))
		o = o->hot_chain;
	return o;
}

/* Doubles the table; without memory chains get longer instead. Ghosts are not taken along: a table
 * that grows is not full of evictions yet. */
static void grow_locked(struct shard *s) NEEDS_LOCK
{
	uint32_t old_places = s->places;
	struct object **old = s->table;
	struct object **table = calloc(2 * (size_t)old_places, sizeof(struct object *));
	if (!table || !ghosts_resize(&s->ghosts, 2 * old_places)) {
		free(table);
		return;
	}
	s->table = table;
	s->places = 2 * old_places;
	for (uint32_t i = 0; i < old_places; i++) {
		for (struct object *o = old[i], *next; o; o = next) {
			next = o->hot_chain;
			struct object **place = place_locked(s, o->hash);
			o->hot_chain = *place;
			*place = o;
		}
	}
	free(old);
}

/* ---- the queues ---- */

static uint32_t units_of(const struct object *o)
{
	return (uint32_t)min_u64((object_bytes(o) + UNIT_BYTES - 1) / UNIT_BYTES, UINT32_MAX);
}

static void enqueue_locked(struct shard *s, struct object *o, enum queue queue) NEEDS_LOCK
{
	o->hot_queue = (uint8_t)queue;
	o->hot_stamp = s->stamps++;
	list_prepend(&s->queues[o->tenant][queue], &o->hot_link);
	s->units[queue] += o->hot_units;
}

static void dequeue_locked(struct shard *s, struct object *o) NEEDS_LOCK
{
	list_drop(&o->hot_link);
	s->units[o->hot_queue] -= o->hot_units;
}

/* Puts an object that is not there into table, queue and sum. */
static void link_locked(
    struct hot *hot, struct shard *s, struct object *o, enum queue queue) NEEDS_LOCK
{
	if (s->count >= s->places)
		grow_locked(s);
	struct object **place = place_locked(s, o->hash);
	o->hot_chain = *place;
	*place = o;
	s->count++;
	enqueue_locked(s, o, queue);
	meter_add_shared(&hot->meters.objects, 1);
	meter_add_shared(&hot->meters.bytes, (uint64_t)o->hot_units * UNIT_BYTES);
	meter_add_shared(&hot->tenant_bytes[o->tenant], (uint64_t)o->hot_units * UNIT_BYTES);
}

/* Takes an object out of all of them; its ref is the caller's now. */
static void unlink_locked(struct hot *hot, struct shard *s, struct object *o) NEEDS_LOCK
{
	struct object **at = place_locked(s, o->hash);
	while (*at != o)
		at = &(*at)->hot_chain;
	*at = o->hot_chain;
	o->hot_chain = NULL;
	s->count--;
	dequeue_locked(s, o);
	meter_sub_shared(&hot->meters.objects, 1);
	meter_sub_shared(&hot->meters.bytes, (uint64_t)o->hot_units * UNIT_BYTES);
	meter_sub_shared(&hot->tenant_bytes[o->tenant], (uint64_t)o->hot_units * UNIT_BYTES);
}

/* ---- ghosts ---- */

/* They are believed while less than a main queue's worth of bytes was remembered after them. */
static uint64_t ghost_span(const struct hot *hot)
{
	uint64_t budget = atomic_load_explicit(&hot->budget, memory_order_relaxed);
	return budget / SHARDS / UNIT_BYTES * (SMALL_SHARE - 1) / SMALL_SHARE;
}

/* ---- eviction ---- */

static uint64_t part_of_budget(const struct hot *hot, const _Atomic uint32_t *part)
{
	return share_part(atomic_load_explicit(&hot->budget, memory_order_relaxed), part);
}

/* Whether a tenant may lose something: to `only` itself, or to others with more than its own. */
static bool may_lose(const struct hot *hot, unsigned tenant, unsigned only)
{
	if (only != NOBODY)
		return tenant == only;
	return meter_read(&hot->tenant_bytes[tenant]) >
	    part_of_budget(hot, &hot->shares.min[tenant]);
}

/* The oldest object of a queue, of all tenants that may lose one. */
static struct object *oldest_locked(
    const struct hot *hot, struct shard *s, enum queue queue, unsigned only) NEEDS_LOCK
{
	struct object *oldest = NULL;
	unsigned tenants = tenant_count();
	for (unsigned i = 0; i < tenants; i++) {
		struct list *own = &s->queues[i][queue];
		if (list_empty(own) || !may_lose(hot, i, only))
			continue;
		struct object *o = LIST_OF(own->prev, struct object, hot_link);
		if (!oldest || (int32_t)(o->hot_stamp - oldest->hot_stamp) < 0)
			oldest = o;
	}
	return oldest;
}

static void requeue_locked(struct shard *s, struct object *o, enum queue queue) NEEDS_LOCK
{
	dequeue_locked(s, o);
	enqueue_locked(s, o, queue);
}

/* The oldest object of the small queue that nobody asked for again; others go to the main queue.
 * `keep`, which just came, stays. */
static struct object *small_victim_locked(
    const struct hot *hot, struct shard *s, const struct object *keep, unsigned only) NEEDS_LOCK
{
	struct object *oldest;
	while ((oldest = oldest_locked(hot, s, QUEUE_SMALL, only)) != NULL) {
		if (oldest == keep)
			return NULL;
		if (oldest->hot_hits == 0)
			return oldest;
		oldest->hot_hits = 0;
		requeue_locked(s, oldest, QUEUE_MAIN);
	}
	return NULL;
}

/* The oldest of the main queue without hits since its last turn. */
static struct object *main_victim_locked(
    const struct hot *hot, struct shard *s, const struct object *keep, unsigned only) NEEDS_LOCK
{
	struct object *oldest;
	while ((oldest = oldest_locked(hot, s, QUEUE_MAIN, only)) != NULL) {
		if (oldest->hot_hits == 0)
			return oldest == keep ? NULL : oldest;
		oldest->hot_hits--;
		requeue_locked(s, oldest, QUEUE_MAIN);
	}
	return NULL;
}

static struct object *victim_locked(
    const struct hot *hot, struct shard *s, const struct object *keep, unsigned only) NEEDS_LOCK
{
	uint64_t all = s->units[QUEUE_SMALL] + s->units[QUEUE_MAIN];
	struct object *victim = NULL;
	if (s->units[QUEUE_SMALL] * SMALL_SHARE > all)
		victim = small_victim_locked(hot, s, keep, only);
	if (!victim)
		victim = main_victim_locked(hot, s, keep, only);
	return victim ? victim : small_victim_locked(hot, s, keep, only);
}

static void count_eviction(struct hot *hot, bool had_hits, unsigned only)
{
	struct hot_meters *m = &hot->meters;
	meter *why = had_hits ? &m->evicted_main : &m->evicted_small;
	meter_add_shared(only == NOBODY ? why : &m->evicted_share, 1);
}

/* Evicts one object of a shard. False when it has none to give. */
static bool evict_one(struct hot *hot, struct shard *s, const struct object *keep, unsigned only)
{
	lock_take(&s->lock);
	struct object *victim = victim_locked(hot, s, keep, only);
	/* What reached the main queue was asked for again. */
	bool had_hits = victim && victim->hot_queue == QUEUE_MAIN;
	if (victim) {
		if (!had_hits)
			ghosts_remember(&s->ghosts, victim->hash, victim->hot_units);
		unlink_locked(hot, s, victim);
	}
	lock_drop(&s->lock);
	if (!victim)
		return false;
	count_eviction(hot, had_hits, only);
	if (hot->evict)
		hot->evict(hot->arg, victim, had_hits);
	object_unref(&victim);
	return true;
}

/* Whether the tier, or a tenant in it, has more than it may. */
static bool is_over(const struct hot *hot, unsigned tenant)
{
	if (tenant == NOBODY)
		return meter_read(&hot->meters.bytes) >
		    atomic_load_explicit(&hot->budget, memory_order_relaxed);
	return meter_read(&hot->tenant_bytes[tenant]) >
	    part_of_budget(hot, &hot->shares.max[tenant]);
}

/* Evicts until the bound holds: from the own shard first, then from each in turn. */
static void shrink(struct hot *hot, struct shard *own, const struct object *keep, unsigned only)
{
	struct shard *s = own;
	for (unsigned refused = 0; refused <= SHARDS && is_over(hot, only);) {
		refused = evict_one(hot, s, keep, only) ? 0 : refused + 1;
		unsigned turn = atomic_fetch_add_explicit(&hot->hand, 1, memory_order_relaxed);
		s = &hot->shards[turn % SHARDS];
	}
}

static void make_room(struct hot *hot, struct shard *own, const struct object *keep)
{
	if (keep && keep->tenant != 0)
		shrink(hot, own, keep, keep->tenant);
	shrink(hot, own, keep, NOBODY);
}

/* ---- the tier ---- */

static bool shard_init(struct shard *s)
{
	lock_init(&s->lock);
	s->places = FIRST_PLACES;
	s->table = calloc(FIRST_PLACES, sizeof(struct object *));
	for (int i = 0; i < TENANTS * QUEUES; i++)
		list_init(&s->queues[i / QUEUES][i % QUEUES]);
	return ghosts_resize(&s->ghosts, FIRST_PLACES) && s->table;
}

static void shard_fini(struct shard *s)
{
	for (int i = 0; i < TENANTS * QUEUES; i++) {
		LIST_EACH (link, &s->queues[i / QUEUES][i % QUEUES]) {
			struct object *o = LIST_OF(link, struct object, hot_link);
			list_drop(link);
			object_unref(&o);
		}
	}
	free(s->table);
	free(s->ghosts.at);
	lock_fini(&s->lock);
}

struct hot *hot_new(uint64_t budget_bytes, hot_evict_f *evict, void *arg)
{
	struct hot *hot = aligned_alloc(_Alignof(struct hot), sizeof(*hot));
	if (!hot)
		return NULL;
	*hot = (struct hot){ .evict = evict, .arg = arg, .budget = budget_bytes };
	bool ok = true;
	share_table_init(&hot->shares);
	for (int i = 0; i < SHARDS; i++)
		ok &= shard_init(&hot->shards[i]);
	if (!ok)
		hot_free(&hot);
	return hot;
}

void hot_free(struct hot **hot)
{
	if (!*hot)
		return;
	for (int i = 0; i < SHARDS; i++)
		shard_fini(&(*hot)->shards[i]);
	free(*hot);
	*hot = NULL;
}

struct object *hot_get(struct hot *hot, struct hash128 hash, struct slice key)
{
	struct shard *s = shard_of(hot, hash);
	lock_take(&s->lock);
	struct object *o = find_locked(s, hash);
	if (o && slice_eq(o->key, key)) {
		object_ref(o);
		/* One writer at a time, for the lock: no locked addition. */
		uint32_t hits = atomic_load_explicit(&o->hits, memory_order_relaxed);
		atomic_store_explicit(&o->hits, hits + 1, memory_order_relaxed);
		if (o->hot_hits < HITS_MAX)
			o->hot_hits++;
	} else {
		o = NULL;
	}
	lock_drop(&s->lock);
	return o;
}

uint64_t hot_largest(const struct hot *hot)
{
	return atomic_load_explicit(&hot->budget, memory_order_relaxed) / LARGEST_SHARE;
}

struct object *hot_peek(struct hot *hot, struct hash128 hash)
{
	struct shard *s = shard_of(hot, hash);
	lock_take(&s->lock);
	struct object *o = find_locked(s, hash);
	if (o)
		object_ref(o);
	lock_drop(&s->lock);
	return o;
}

bool hot_place_is_end(const struct hot_place *at)
{
	return at->shard >= SHARDS;
}

/* The place after this one; 0 = there is none. Counts from the top bit down: when the table
 * doubles, a place that was met has become two that count as met, and so on. */
static uint32_t place_after(uint32_t place, uint32_t places)
{
	for (uint32_t bit = places / 2; bit > 0; bit /= 2) {
		place ^= bit;
		if (place & bit)
			break;
	}
	return place;
}

/* Whole places only: where a chain is cut nobody could go on. False: that was the last place. */
static bool page_locked(const struct shard *s, uint32_t *place, struct object **to, size_t wanted,
    size_t *count) NEEDS_LOCK
{
	size_t end = *count + wanted;
	while (*place < s->places && *count < end) {
		for (struct object *o = s->table[*place]; o && *count < end + HOT_PAGE / 2;
		     o = o->hot_chain)
			to[(*count)++] = object_ref(o);
		*place = place_after(*place, s->places);
		if (*place == 0)
			return false;
	}
	return *place < s->places;
}

size_t hot_page(struct hot *hot, struct hot_place *at, struct object **to, size_t wanted)
{
	size_t count = 0;
	must(wanted <= HOT_PAGE / 2);
	while (!hot_place_is_end(at) && count < wanted) {
		struct shard *s = &hot->shards[at->shard];
		lock_take(&s->lock);
		bool goes_on = page_locked(s, &at->place, to, wanted - count, &count);
		lock_drop(&s->lock);
		if (!goes_on)
			*at = (struct hot_place){ at->shard + 1, 0 };
	}
	return count;
}

static bool is_too_large(const struct hot *hot, uint32_t units)
{
	return (uint64_t)units * UNIT_BYTES > hot_largest(hot) + LARGEST_HEAD;
}

/* Puts `o` at its hash, in the place that `old` leaves, if any. Takes a ref of `o`. */
static void exchange_locked(struct hot *hot, struct shard *s, struct object *old, struct object *o,
    uint32_t units) NEEDS_LOCK
{
	enum queue queue = ghosts_recall(&s->ghosts, o->hash, ghost_span(hot)) ? QUEUE_MAIN
									       : QUEUE_SMALL;
	o->hot_hits = 0;
	if (old) {
		/* A new version is as popular as the old one was. */
		queue = old->hot_queue;
		o->hot_hits = old->hot_hits;
		o->hits = old->hits;
		unlink_locked(hot, s, old);
	}
	o->hot_units = units;
	link_locked(hot, s, object_ref(o), queue);
}

/* hot_put and hot_swap. any: whatever is there may be replaced. */
static bool put(struct hot *hot, struct object *o, bool any, const struct object *expected)
{
	struct shard *s = shard_of(hot, o->hash);
	uint32_t units = units_of(o);
	bool fits = !is_too_large(hot, units);
	lock_take(&s->lock);
	struct object *old = find_locked(s, o->hash);
	bool swaps = (any || old == expected) && old != o;
	if (swaps && fits)
		exchange_locked(hot, s, old, o, units);
	else if (swaps && old)
		unlink_locked(hot, s, old);
	lock_drop(&s->lock);
	if (!swaps)
		return old == o;
	object_unref(&old);
	if (fits)
		make_room(hot, s, o);
	else
		meter_add_shared(&hot->meters.refused, 1);
	return true;
}

void hot_put(struct hot *hot, struct object *o)
{
	put(hot, o, true, NULL);
}

bool hot_swap(struct hot *hot, const struct object *expected, struct object *o)
{
	return put(hot, o, false, expected);
}

static void recount_locked(
    struct hot *hot, struct shard *s, struct object *o, uint32_t units) NEEDS_LOCK
{
	uint64_t more = (uint64_t)units - o->hot_units; /* wraps when it is less: sums wrap back */
	s->units[o->hot_queue] += more;
	meter_add_shared(&hot->meters.bytes, more * UNIT_BYTES);
	o->hot_units = units;
}

void hot_settle(struct hot *hot, struct object *o)
{
	struct shard *s = shard_of(hot, o->hash);
	uint32_t units = units_of(o);
	lock_take(&s->lock);
	bool there = find_locked(s, o->hash) == o;
	if (there)
		recount_locked(hot, s, o, units);
	lock_drop(&s->lock);
	if (there && is_too_large(hot, units))
		hot_remove(hot, o);
	else if (there)
		make_room(hot, s, o);
}

void hot_remove(struct hot *hot, const struct object *o)
{
	struct shard *s = shard_of(hot, o->hash);
	lock_take(&s->lock);
	struct object *found = find_locked(s, o->hash);
	if (found == o)
		unlink_locked(hot, s, found);
	else
		found = NULL;
	lock_drop(&s->lock);
	object_unref(&found);
}

void hot_forget(struct hot *hot, struct hash128 hash)
{
	struct shard *s = shard_of(hot, hash);
	lock_take(&s->lock);
	struct object *found = find_locked(s, hash);
	if (found)
		unlink_locked(hot, s, found);
	lock_drop(&s->lock);
	object_unref(&found);
}

/* ---- what is read from the disk ---- */

/* Room that is more than what the last one to go has left. */
static bool has_room(const struct hot *hot, uint64_t bytes)
{
	uint64_t budget = atomic_load_explicit(&hot->budget, memory_order_relaxed);
	return meter_read(&hot->meters.bytes) + bytes <= budget - budget / ROOM_SHARE;
}

bool hot_would_take(struct hot *hot, struct hash128 hash, uint64_t bytes)
{
	if (has_room(hot, bytes))
		return true;
	struct shard *s = shard_of(hot, hash);
	lock_take(&s->lock);
	bool known = ghosts_know(&s->ghosts, hash, ghost_span(hot));
	lock_drop(&s->lock);
	return known;
}

bool hot_sight(struct hot *hot, struct hash128 hash, uint64_t bytes)
{
	struct shard *s = shard_of(hot, hash);
	bool takes = has_room(hot, bytes);
	if (!takes) {
		lock_take(&s->lock);
		takes = ghosts_know(&s->ghosts, hash, ghost_span(hot));
		if (!takes)
			ghosts_remember(&s->ghosts, hash,
			    (uint32_t)min_u64(bytes / UNIT_BYTES + 1, UINT32_MAX));
		lock_drop(&s->lock);
	}
	meter_add_shared(takes ? &hot->meters.promoted : &hot->meters.unpromoted, 1);
	return takes;
}

/* ---- bounds ---- */

void hot_set_shares(struct hot *hot, const struct shares *shares)
{
	share_table_set(&hot->shares, shares);
}

const meter *hot_tenant_bytes(const struct hot *hot)
{
	return hot->tenant_bytes;
}

void hot_set_budget(struct hot *hot, uint64_t bytes)
{
	atomic_store_explicit(&hot->budget, bytes, memory_order_relaxed);
	make_room(hot, &hot->shards[0], NULL);
}
