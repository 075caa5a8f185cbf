/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.h"

#include <sys/random.h>

#include "cache/purging.h"
#include "cache/rule/vary.h"
#include "cache/tier/journal.h"

enum { SWAP_TRIES = 8, EPOCH_BITS = 40 };

/* ---- between the tiers ---- */

static void offer(struct cache *c, struct object *object, bool had_hits)
{
	/* Under a former secret nobody would find it. */
	if (c->cold && hash128_eq(hash_siphash(cache_secret(c), object->key), object->hash))
		cold_store(c->cold, object, had_hits);
}

static void on_hot_evict(void *arg, struct object *object, bool had_hits)
{
	/* What nobody asked for again was offered when it was complete: that was enough. */
	if (had_hits)
		offer(arg, object, true);
}

/* ---- the store's secret and numbers ---- */

static enum err use_secret(struct cache *c, struct hash_secret secret)
{
	struct cache_secret *s = malloc(sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	*s = (struct cache_secret){ secret, c->secret };
	atomic_store(&c->secret, s);
	return ERR_NONE;
}

static bool is_in_use(const struct cache *c, struct hash_secret secret)
{
	struct hash_secret now = cache_secret(c);
	return memcmp(&now, &secret, sizeof(now)) == 0;
}

/* A store that is new takes our secret, and numbers above all that we gave out: what it will hold
 * has those, and the next life's are to be larger still. */
static void on_store_seed(void *arg, struct hash_secret *ret_secret, uint32_t *ret_epoch)
{
	const struct cache *c = arg;
	*ret_secret = cache_secret(c);
	*ret_epoch = (uint32_t)(fence_now(c->fence) >> EPOCH_BITS);
}

static void on_pattern(void *arg, uint64_t number, struct slice text)
{
	struct cache *c = arg;
	if (c->pattern)
		c->pattern(c->pattern_arg, c, number, text);
	else
		fence_put(
		    c->fence, scope_all(), (struct purge_act){ PURGE_INVALID, wall_now() }, number);
}

/* What this life purged under numbers that are not those of a store with other objects in it. */
static enum err note_early(struct cache *c, struct cold *cold, uint64_t first)
{
	int early = atomic_load(&c->early);
	struct journal_entry *e = early ? journal_entry_new(1, SLICE_NONE) : NULL;
	if (!e)
		return early ? ERR_NO_MEMORY : ERR_NONE;
	e->scopes[0] = scope_all();
	e->act = (struct purge_act){ (enum purge_mode)(early - 1), wall_now() };
	e->number = first;
	e->is_of_before = true;
	cold_note(cold, e);
	return ERR_NONE;
}

/*
 * The store is open, at the start or later, and nothing of it can be found yet. One that has our
 * secret is new, or was open before in this life: what was purged until now waits to be noted in
 * it. Another has what former lives stored, with all that they purged; what this life purged before
 * says nothing about that: then everything there is overtaken, once.
 */
static enum err on_store_open(void *arg, struct cold *cold)
{
	struct cache *c = arg;
	uint64_t first = (uint64_t)cold_epoch(cold) << EPOCH_BITS;
	fence_lift(c->fence, first);
	if (is_in_use(c, cold_secret(cold)))
		return ERR_NONE;
	fence_begin(c->fence, first);
	enum err err = cold_patterns(cold, on_pattern, c);
	if (!err)
		err = note_early(c, cold, first);
	/* Last: if it fails before, all of it is to be done again. */
	return err ? err : use_secret(c, cold_secret(cold));
}

static bool on_store_stands(void *arg, struct object *o)
{
	struct cache *c = arg;
	return fence_judge(c->fence, o).stands;
}

/* What was purged while it was on disk alone is found out here, once. */
static bool on_store_admit(void *arg, struct object *o)
{
	struct cache *c = arg;
	role_worker();
	struct fence_ruling ruling = cache_ask_disk(c, o);
	return ruling.stands || ruling.mode != PURGE_HARD;
}

/* ---- life ---- */

static enum err start_secret(struct cache *c)
{
	struct hash_secret secret;
	if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return ERR_SYSTEM;
	return use_secret(c, secret);
}

static enum err open_cold(struct cache *c, const struct cache_options *o)
{
	const struct cold_host host = {
		.arg = c,
		.seed = on_store_seed,
		.opened = on_store_open,
		.stands = on_store_stands,
		.admits = on_store_admit,
	};
	struct cold_options options = o->cold;
	options.memory_bytes = o->memory_bytes;
	return options.path ? cold_open(&options, &host, &c->cold) : ERR_NONE;
}

enum err cache_init(struct cache *c, const struct cache_options *o)
{
	*c = (struct cache){
		.max_object_bytes = o->max_object_bytes,
		.pattern = o->pattern,
		.pattern_arg = o->pattern_arg,
	};
	c->fence = fence_new(1);
	c->hot = hot_new(o->hot_bytes, on_hot_evict, c);
	c->claims = claims_new();
	enum err err = c->hot && c->claims && c->fence ? start_secret(c) : ERR_NO_MEMORY;
	if (!err)
		err = open_cold(c, o);
	if (err) {
		cache_fini(c);
		return err;
	}
	c->flight_bytes = UINT64_MAX / 4;
	if (c->max_object_bytes == 0)
		c->max_object_bytes = c->cold ? cold_largest(c->cold) : UINT64_MAX;
	return ERR_NONE;
}

void cache_fini(struct cache *c)
{
	claims_free(&c->claims);
	hot_free(&c->hot);
	cold_close(&c->cold);
	fence_free(&c->fence);
	struct cache_secret *s = c->secret;
	while (s) {
		struct cache_secret *former = s->former;
		free(s);
		s = former;
	}
	c->secret = NULL;
}

void cache_set_shares(struct cache *c, const struct shares *shares)
{
	hot_set_shares(c->hot, shares);
	if (c->cold)
		cold_set_shares(c->cold, shares);
}

void cache_set_flight(struct cache *c, uint64_t bytes)
{
	atomic_store_explicit(&c->flight_bytes, bytes, memory_order_relaxed);
}

enum cache_flight cache_flight(const struct cache *c)
{
	uint64_t bodies = flow_bytes_in_memory(), hot = meter_read(&hot_meters(c->hot)->bytes);
	uint64_t part = atomic_load_explicit(&c->flight_bytes, memory_order_relaxed);
	uint64_t flight = bodies > hot ? bodies - hot : 0;
	return flight <= part ? CACHE_ROOMY : flight <= 2 * part ? CACHE_SHORT : CACHE_FULL;
}

/* ---- finding ---- */

static bool is_live(const struct object *o, struct wall now)
{
	switch (o->kind) {
	case OBJECT_ANSWER: return !wall_before(o->life.keep_until, now);
	case OBJECT_PASS: return wall_before(now, o->life.fresh_until);
	case OBJECT_VARY: break;
	}
	return true;
}

/* What the hot tier has at a key and is not past its time. */
static struct object *find_live(struct cache *c, struct key at, struct wall now)
{
	struct object *o = hot_get(c->hot, at.hash, at.text);
	bool is_broken = o && object_is_broken(o);
	if (!o || (!is_broken && is_live(o, now)))
		return o;
	/* What broke on its way is no answer; what is on disk may be whole. */
	if (o->kind == OBJECT_PASS || is_broken)
		hot_remove(c->hot, o);
	else
		cache_drop(c, o);
	object_unref(&o);
	return NULL;
}

/* Follows a marker to the variant that this request would get. */
static struct object *find_variant(struct cache *c, struct cache_query *q, struct object *marker)
{
	struct slice values = vary_values(q->request, marker->spec, q->arena);
	q->varies = true;
	q->at = key_of_variant(q->key, values, cache_secret(c), q->arena);
	object_unref(&marker);
	return find_live(c, q->at, q->now);
}

static enum cache_outcome not_in_ram(
    struct cache *c, struct hash128 hash, struct cold_sight *ret_sight)
{
	bool may_be = c->cold && cold_probe(c->cold, hash, ret_sight) != COLD_ABSENT;
	return may_be ? CACHE_COLD : CACHE_MISS;
}

enum cache_outcome cache_find(struct cache *c, struct cache_query *q)
{
	q->at = q->key;
	q->varies = false;
	q->object = NULL;
	struct object *o = find_live(c, q->key, q->now);
	if (o && o->kind == OBJECT_VARY)
		o = find_variant(c, q, o);
	if (!o)
		return q->is_ram_only ? CACHE_MISS : not_in_ram(c, q->at.hash, q->sight);
	if (o->kind == OBJECT_PASS) {
		q->reason = o->reason;
		object_unref(&o);
		return CACHE_PASS;
	}
	q->ruling = fence_judge(c->fence, o);
	if (unlikely(!q->ruling.stands) && q->ruling.mode == PURGE_HARD) {
		cache_drop(c, o);
		object_unref(&o);
		return CACHE_MISS;
	}
	q->object = o;
	return CACHE_FOUND;
}

/* ---- markers ---- */

static void forget(struct cache *c, struct hash128 hash)
{
	hot_forget(c->hot, hash);
	if (c->cold)
		cold_forget(c->cold, hash);
}

static bool has_variant(const struct object *marker, struct hash128 hash)
{
	for (uint32_t i = 0; marker && i < marker->variant_count; i++)
		if (hash128_eq(marker->variants[i], hash))
			return true;
	return false;
}

/* Removes the variants of `old` that `marker` (NULL = none) does not name. */
static void forget_left_out(struct cache *c, const struct object *old, const struct object *marker)
{
	for (uint32_t i = 0; old && i < old->variant_count; i++)
		if (!has_variant(marker, old->variants[i]))
			forget(c, old->variants[i]);
}

/* A marker for one more variant, after those of `old`, if it has any; at most `max` in all. */
static struct object *extend_marker(
    const struct object *old, struct key primary, const struct object *variant, uint64_t max)
{
	bool is_same_spec = old && slice_eq(old->spec, variant->spec);
	uint32_t had = is_same_spec ? old->variant_count : 0;
	uint32_t kept = (uint32_t)min_u64(had, max > 0 ? max - 1 : 0);
	struct object *marker = object_new(
	    OBJECT_VARY, primary, (struct object_texts){ .spec = variant->spec }, kept + 1);
	if (!marker)
		return NULL;
	for (uint32_t i = 0; i < kept; i++)
		marker->variants[i] = old->variants[had - kept + i];
	marker->variants[kept] = variant->hash;
	marker->life.keep_until = WALL_FOREVER;
	marker->seq = variant->seq;
	return marker;
}

/* Puts `marker` in place of `old`, and removes what only `old` led to. False: `old` is no longer
 * what is there. */
static bool replace_marker(struct cache *c, const struct object *old, struct object *marker)
{
	if (!hot_swap(c->hot, old, marker))
		return false;
	forget_left_out(c, old, marker);
	/* An answer that did not vary must not come back in the marker's place. */
	if (c->cold && old && old->kind == OBJECT_ANSWER)
		cold_forget(c->cold, old->hash);
	return true;
}

/* One attempt to have the variant named by the marker at its primary key. */
static bool try_mark(
    struct cache *c, struct key primary, const struct object *variant, uint64_t max)
{
	struct object *old = hot_get(c->hot, primary.hash, primary.text);
	bool is_marked = old && old->kind == OBJECT_VARY && slice_eq(old->spec, variant->spec) &&
	    has_variant(old, variant->hash);
	struct object *marker = is_marked ? object_ref(old)
					  : extend_marker(old, primary, variant, max);
	bool done = is_marked || !marker || replace_marker(c, old, marker);
	/* Offered each time, as its variants are: then it is admitted when they are. */
	if (done && marker)
		offer(c, marker, false);
	object_unref(&marker);
	object_unref(&old);
	return done;
}

/* ---- publishing ---- */

static void publish_variant(struct cache *c, struct key primary, struct object *o, uint64_t max)
{
	/* Others publish variants of this key at the same time. One that never gets through is no
	 * worse than one that was evicted. */
	for (int tries = 0; tries < SWAP_TRIES && !try_mark(c, primary, o, max); tries++)
		;
	hot_put(c->hot, o);
}

static void publish_only(struct cache *c, struct object *o)
{
	struct object *old = hot_get(c->hot, o->hash, o->key);
	hot_put(c->hot, o);
	if (old && old->kind == OBJECT_VARY) {
		forget_left_out(c, old, NULL);
		if (c->cold)
			cold_forget(c->cold, o->hash);
	}
	object_unref(&old);
}

struct fence_ruling cache_publish(
    struct cache *c, struct key primary, struct object *o, uint64_t max_variants)
{
	struct fence_ruling ruling = fence_judge(c->fence, o);
	if (ruling.stands && o->spec.len > 0)
		publish_variant(c, primary, o, max_variants);
	else if (ruling.stands)
		publish_only(c, o);
	return ruling;
}

uint64_t cache_hot_largest(const struct cache *c)
{
	return hot_largest(c->hot);
}

uint64_t cache_keep_up_to(struct cache *c, struct hash128 hash)
{
	uint64_t largest = hot_largest(c->hot);
	return hot_would_take(c->hot, hash, largest) ? largest : 0;
}

bool cache_spool(struct cache *c, struct object *o)
{
	return c->cold && cold_spool(c->cold, o, c->max_object_bytes);
}

void cache_settle(struct cache *c, struct object *o)
{
	/* The writer reads on to its end. */
	if (o->spool) {
		hot_settle(c->hot, o);
		return;
	}
	if (!object_is_complete(o)) {
		/* Only from RAM: an older answer on disk is as good as it was. */
		hot_remove(c->hot, o);
		return;
	}
	hot_settle(c->hot, o);
	offer(c, o, false);
}

/* Whether an answer may still be served, fresh or stale. A marker leads to answers that may. */
static bool is_servable(const struct object *o, struct wall now)
{
	const struct life *l = &o->life;
	return o->kind == OBJECT_VARY ||
	    (o->kind == OBJECT_ANSWER &&
		(wall_before(now, l->fresh_until) || wall_before(now, l->swr_until) ||
		    wall_before(now, l->sie_until)));
}

void cache_remember_pass(struct cache *c, struct key at, struct wall until, enum reason reason)
{
	struct object *old = hot_get(c->hot, at.hash, at.text);
	bool hides = old ? is_servable(old, wall_now())
			 : not_in_ram(c, at.hash, NULL) == CACHE_COLD;
	struct object *pass = hides ? NULL
				    : object_new(OBJECT_PASS, at, (struct object_texts){ 0 }, 0);
	if (pass) {
		pass->reason = reason;
		pass->life.fresh_until = pass->life.keep_until = until;
		/* If something came meanwhile, it is newer than what we know. */
		hot_swap(c->hot, old, pass);
	}
	object_unref(&pass);
	object_unref(&old);
}

/*
 * Whether a loaded object is worth RAM. One whose body stays on disk though it would fit is not: it
 * would stand in the way of its own body, which is brought when it is read again.
 */
static bool is_worth_ram(struct cache *c, const struct object *o)
{
	uint64_t bytes = 0;
	if (o->kind != OBJECT_ANSWER)
		return true;
	bool knows = object_length(o, &bytes);
	bool waits = o->spool && bytes <= hot_largest(c->hot);
	return hot_sight(c->hot, o->hash, o->spool ? object_bytes(o) : bytes) && knows && !waits;
}

void cache_promote(struct cache *c, struct object *o)
{
	struct object *old = hot_get(c->hot, o->hash, o->key);
	if ((!old || old->kind == OBJECT_PASS) && is_worth_ram(c, o))
		hot_swap(c->hot, old, o);
	object_unref(&old);
}

/* ---- removing ---- */

uint64_t cache_invalidate(struct cache *c, struct key primary)
{
	const struct scope scope = scope_url(primary.text);
	const struct cache_purge invalidation = {
		.scopes = &scope,
		.scope_count = 1,
		.act = { PURGE_INVALID, wall_now() },
	};
	uint64_t number;
	/* Without memory it is in force at least. */
	if (cache_purge(c, &invalidation, &number) != ERR_NONE)
		number = fence_raise(c->fence, &scope, 1, invalidation.act, NULL, NULL);
	primary.hash = hash_siphash(cache_secret(c), primary.text);
	struct object *old = hot_get(c->hot, primary.hash, primary.text);
	forget_left_out(c, old, NULL);
	forget(c, primary.hash);
	object_unref(&old);
	return number;
}

bool cache_may_cover_error(
    struct cache *c, struct object *o, const struct control *request, struct wall now)
{
	struct fence_ruling ruling = fence_judge(c->fence, o);
	const struct life life = cache_life(o, &ruling);
	return (ruling.stands || ruling.mode == PURGE_SOFT) &&
	    fresh_may_cover_error(&life, request, now);
}

void cache_drop(struct cache *c, struct object *o)
{
	hot_remove(c->hot, o);
	if (c->cold)
		cold_forget(c->cold, o->hash);
}
