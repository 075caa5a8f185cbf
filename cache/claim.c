/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/claim.h"

enum { SHARDS = 16, PLACES = 1024 };

struct claim {
	_Atomic uint32_t refs; /* the owner's, and one each who waits */
	/* fixed */
	struct claim_shard *shard;
	struct hash128 hash;
	uint64_t seq;
	/* under the shard's lock */
	bool is_listed; /* false once a newer claim has its place */
	struct claim *chain;
	struct list waiters;
	uint64_t waiting;
	/* fixed once `end` is not CLAIM_PENDING */
	struct object *object; /* counted */
	enum reason reason;
	enum err failure;
	_Atomic enum claim_end end;
};

struct claim_shard {
	_Alignas(64) struct lock lock;
	/* under lock */
	struct claim *places[PLACES];
};

struct claims {
	struct claim_shard shards[SHARDS];
};

#define NEEDS_LOCK THREAD_ATTR(requires_capability(s->lock))

struct claims *claims_new(void)
{
	struct claims *all = aligned_alloc(_Alignof(struct claims), sizeof(*all));
	if (!all)
		return NULL;
	*all = (struct claims){ 0 };
	for (int i = 0; i < SHARDS; i++)
		lock_init(&all->shards[i].lock);
	return all;
}

void claims_free(struct claims **claims)
{
	if (!*claims)
		return;
	for (int i = 0; i < SHARDS; i++)
		lock_fini(&(*claims)->shards[i].lock);
	free(*claims);
	*claims = NULL;
}

static struct claim **place_locked(struct claim_shard *s, struct hash128 hash) NEEDS_LOCK
{
	struct claim **at = &s->places[hash.lo % PLACES];
	while (*at && !hash128_eq((*at)->hash, hash))
		at = &(*at)->chain;
	return at;
}

static struct claim *claim_new(struct claim_shard *s, struct hash128 hash, uint64_t seq)
{
	struct claim *c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct claim){ .refs = 1, .shard = s, .hash = hash, .seq = seq, .is_listed = true };
	list_init(&c->waiters);
	return c;
}

static void claim_unref(struct claim **claim)
{
	struct claim *c = *claim;
	*claim = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	object_unref(&c->object);
	free(c);
}

static enum claim_outcome join_locked(UNUSED struct claim_shard *s, struct claim *c,
    struct claim_wait *wait, uint64_t max_waiters) NEEDS_LOCK
{
	if (!wait)
		return CLAIM_TAKEN;
	if (c->waiting >= max_waiters)
		return CLAIM_FULL;
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	c->waiting++;
	wait->claim = c;
	list_append(&c->waiters, &wait->link);
	return CLAIM_JOINED;
}

/* A newer claim takes the place; this one goes on for those who wait for it. */
static void unlist_locked(UNUSED struct claim_shard *s, struct claim **place) NEEDS_LOCK
{
	struct claim *old = *place;
	*place = old->chain;
	old->is_listed = false;
}

enum claim_outcome claim_take(struct claims *all, struct hash128 hash, struct claim_times times,
    struct claim_wait *wait, uint64_t max_waiters, struct claim **ret_claim)
{
	struct claim_shard *s = &all->shards[hash.hi % SHARDS];
	enum claim_outcome outcome;
	lock_take(&s->lock);
	struct claim **place = place_locked(s, hash);
	if (*place && (*place)->seq < times.oldest) {
		unlist_locked(s, place);
		place = place_locked(s, hash);
	}
	if (*place) {
		outcome = join_locked(s, *place, wait, max_waiters);
	} else {
		struct claim *c = claim_new(s, hash, times.now);
		outcome = c ? CLAIM_MINE : CLAIM_FULL;
		if (c) {
			*place = c;
			*ret_claim = c;
		}
	}
	lock_drop(&s->lock);
	return outcome;
}

static void wake_locked(UNUSED struct claim_shard *s, struct claim *c) NEEDS_LOCK
{
	LIST_EACH (link, &c->waiters) {
		struct claim_wait *wait = LIST_OF(link, struct claim_wait, link);
		list_drop(link);
		/* Under the lock, so that one who leaves knows whether a letter is on its way. */
		mail_post(wait->home, &wait->mail);
	}
	c->waiting = 0;
}

static void finish(struct claim **claim, enum claim_end end, struct object *object,
    enum reason reason, enum err failure)
{
	struct claim *c = *claim;
	struct claim_shard *s = c->shard;
	lock_take(&s->lock);
	if (c->is_listed)
		*place_locked(s, c->hash) = c->chain;
	c->object = object ? object_ref(object) : NULL;
	c->reason = reason;
	c->failure = failure;
	atomic_store_explicit(&c->end, end, memory_order_release);
	wake_locked(s, c);
	lock_drop(&s->lock);
	claim_unref(claim);
}

void claim_end(struct claim **claim, enum claim_end end, struct object *object, enum reason reason)
{
	must(end != CLAIM_PENDING &&
	    (end == CLAIM_ANSWERED ? object != NULL : end == CLAIM_LOOK || !object));
	finish(claim, end, object, reason, ERR_NONE);
}

void claim_fail(struct claim **claim, enum err failure)
{
	finish(claim, CLAIM_RELEASED, NULL, REASON_ORIGIN_ERROR, failure);
}

enum err claim_failure(const struct claim_wait *wait)
{
	return wait->claim->failure;
}

enum claim_end claim_result(
    const struct claim_wait *wait, struct object **ret_object, enum reason *ret_reason)
{
	struct claim *c = wait->claim;
	enum claim_end end = atomic_load_explicit(&c->end, memory_order_acquire);
	if (end == CLAIM_PENDING)
		return end;
	*ret_object = c->object ? object_ref(c->object) : NULL;
	*ret_reason = c->reason;
	return end;
}

void claim_leave(struct claim_wait *wait)
{
	if (!wait->claim)
		return;
	struct claim_shard *s = wait->claim->shard;
	lock_take(&s->lock);
	if (!list_empty(&wait->link)) {
		list_drop(&wait->link);
		wait->claim->waiting--;
	}
	lock_drop(&s->lock);
	claim_unref(&wait->claim);
}
