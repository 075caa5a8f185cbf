/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache as the journey sees it: one per process, over both tiers. It knows where objects are
 * and which of them fit a request; whether one may be served is the rules' business (cache/rule).
 *
 * A key that varies has a marker at its own hash, with the names of the fields and the hashes of
 * its variants; the variants are at hashes of their own. The fence is asked for the URL,
 * for all variants alike. The fence's numbers are noted in the cold tier, so that what was
 * overtaken stays so after a restart.
 *
 * Hashes are made with a secret of the store's. One that opens late may have another than the one
 * in use: from then on the store's is used, and what RAM has under the former is not found any more
 * and ages out. Nothing that was invalidated before comes back from that store: see on_store_open.
 */
#pragma once

#include "cache/claim.h"
#include "cache/fence.h"
#include "cache/tier/cold.h"
#include "cache/tier/hot.h"

/* A secret that is or was in use. It stays where it is to the end. */
struct cache_secret {
	/* fixed */
	struct hash_secret secret;
	struct cache_secret *former;
};

struct cache {
	/* fixed after init */
	struct hot *hot;
	struct cold *cold; /* NULL = RAM only */
	struct claims *claims;
	struct fence *fence;
	uint64_t max_object_bytes;
	void (*pattern)(void *arg, struct cache *, uint64_t number, struct slice text);
	void *pattern_arg;
	/* atomic */
	_Atomic uint64_t flight_bytes; /* of bodies on their way, before new ones are not kept */
	_Atomic(struct cache_secret *) secret;
	_Atomic int early; /* mode + 1 of what was purged before there was a store; 0 = nothing */
	_Atomic uint64_t purges; /* sequence number, of those without a store */
};

struct cache_options {
	struct cold_options cold; /* path NULL = RAM only */
	uint64_t hot_bytes;
	uint64_t memory_bytes;     /* ceiling of the process: the cold tier's buffers obey it */
	uint64_t max_object_bytes; /* 0 = a sixteenth of the store; of RAM without one */
	/* A store that opens has a pattern in force: it is to be added again (fence_readd), and
	 * retired in the end. thread: cache_init's, or the store's. NULL = it is not known here:
	 * all that is older has to be validated. */
	void (*pattern)(void *arg, struct cache *, uint64_t number, struct slice text);
	void *pattern_arg;
};

enum cache_outcome {
	CACHE_MISS,
	CACHE_FOUND, /* object fits the request and was not purged away; its freshness is not judged */
	CACHE_PASS, /* the key was uncacheable a moment ago: do not wait for others */
	CACHE_COLD, /* may be on disk at `at`: claim that hash and load. What is loaded goes to
	                cache_promote, then look again; a load that gives nothing is a miss */
};

/* What is asked and what was found. */
struct cache_query {
	struct key key;               /* the primary key */
	const struct fields *request; /* for Vary */
	struct arena *arena;
	struct wall now;
	bool is_ram_only;         /* do not look whether it may be on disk */
	struct cold_sight *sight; /* what was seen there, with CACHE_COLD; NULL = not wanted */
	/* results */
	struct object *object;      /* a ref, with CACHE_FOUND */
	struct key at;              /* where this request's answer is or would be: what to claim */
	bool varies;                /* the key is known to vary (`at` is a variant key) */
	struct fence_ruling ruling; /* with CACHE_FOUND: what is left of its life, see fence_life */
	enum reason reason;         /* with CACHE_PASS: why it is uncacheable */
};

/* Opens both tiers. A store that cannot be opened leaves RAM only for as long; it says so itself.
 * own: cache_fini. fail: ERR_NO_MEMORY, ERR_SYSTEM. */
enum err cache_init(struct cache *, const struct cache_options *);
void cache_fini(struct cache *);

/* What keys are hashed with. It may change at any moment: a request's keys may be of two secrets,
 * which is a miss. thread: any. */
static inline struct hash_secret cache_secret(const struct cache *c)
{
	return atomic_load_explicit(&c->secret, memory_order_acquire)->secret;
}
/* Divides both tiers anew. thread: any. */
void cache_set_shares(struct cache *, const struct shares *);

/*
 * Bodies on their way, from origins and from the disk, have a part of the memory, too. Past it
 * (CACHE_SHORT) what comes new is not gathered in RAM; past twice of it (CACHE_FULL) nothing that
 * needs a body should begin. thread: any.
 */
enum cache_flight { CACHE_ROOMY, CACHE_SHORT, CACHE_FULL };
void cache_set_flight(struct cache *, uint64_t bytes);
enum cache_flight cache_flight(const struct cache *);

/* Finds what fits the request. thread: any; never blocks. */
enum cache_outcome cache_find(struct cache *, struct cache_query *);

/*
 * Publishes an answer whose head is known: in the hot tier, under a vary marker if it varies (the
 * marker is made or extended; with more than max_variants the oldest variant goes). Its body may
 * still be filling; cache_settle says when it is complete. One that was purged on its way is left
 * out: somebody who asked after that purge may have put a newer one there already, and to be served
 * stale it would stand in for that. Gives whether it stands.
 */
struct fence_ruling cache_publish(
    struct cache *, struct key primary, struct object *, uint64_t max_variants);
/* Stores an answer on disk only, while it comes: it is too large for RAM. False: it cannot be. */
bool cache_spool(struct cache *, struct object *);
/* The largest body that the hot tier takes, in bytes. */
uint64_t cache_hot_largest(const struct cache *);
/* Up to which size a body that is on disk at that hash is worth RAM, in bytes. */
uint64_t cache_keep_up_to(struct cache *, struct hash128);
/* The body has ended: a whole one is counted and offered to the cold tier, any other removed. */
void cache_settle(struct cache *, struct object *);
/* Remembers that the key where an answer would be (cache_query.at) is uncacheable until `until`;
 * not if that hid a stored answer that may still be served stale. */
void cache_remember_pass(struct cache *, struct key at, struct wall until, enum reason);
/* A loaded object enters the hot tier, unless something newer is there. */
void cache_promote(struct cache *, struct object *);
/* Invalidates all of a primary key (RFC 9111 4.4): nothing of it is served unvalidated again. The
 * text counts: its hash may be of a former secret. Returns the fence's number. */
uint64_t cache_invalidate(struct cache *, struct key primary);
/* Whether it may be served although the origin failed (fresh.h), purged or not. */
bool cache_may_cover_error(
    struct cache *, struct object *, const struct control *request, struct wall now);
/* What is left of the life of an object that was found. */
static inline struct life cache_life(const struct object *o, const struct fence_ruling *ruling)
{
	return likely(ruling->stands) ? o->life : fence_life(o->life, ruling);
}
/* Removes one object: found broken, or replaced by an answer that may not be stored. */
void cache_drop(struct cache *, struct object *);
