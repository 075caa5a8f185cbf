/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: one fetcher, many waiters. Whoever needs what is not stored claims its hash. The first
 * gets the claim and fetches; the others join and get a letter when the claim ends, which is when
 * the fetched answer's *head* is known (they then follow its body), or when it turns out that they
 * must go on their own. A claim never outlives its fetch, and nobody waits without bound: the
 * number of waiters is limited and the journey's own deadline ends a wait.
 *
 * Between a look into the cache and a claim another claim of that hash may have come and gone: who
 * gets CLAIM_MINE looks once more before it fetches.
 *
 * thread: any, but for the waiter's letter, which comes to its home loop.
 */
#pragma once

#include "cache/tier/object.h"

struct claims;
struct claim;

enum claim_outcome {
	CLAIM_MINE,   /* fetch, then claim_end */
	CLAIM_JOINED, /* a letter will come */
	CLAIM_TAKEN,  /* somebody fetches, and the caller did not want to wait */
	CLAIM_FULL,   /* too many wait already */
};

enum claim_end {
	CLAIM_PENDING,
	CLAIM_ANSWERED, /* an object, good for everyone who waited and whom it fits */
	CLAIM_LOOK,     /* loaded from the cold tier: judge the object, or without one look again */
	CLAIM_RELEASED, /* nothing to share: each goes on its own, at once */
};

/* The fence's numbers when a claim is taken. */
struct claim_times {
	uint64_t now;    /* of the fence */
	uint64_t oldest; /* of the key */
};

struct claim_wait {
	struct list link;
	/* the owner sets deliver and home before claim_take */
	struct mail mail;
	struct loop *home;
	struct claim *claim; /* counted, from CLAIM_JOINED to claim_leave */
};

/* own: claims_free, after all claims have ended. fail: NULL without memory. */
struct claims *claims_new(void);
void claims_free(struct claims **);

/*
 * Claims a hash. A claim that is older than the key's number is for those who came before that
 * invalidation: who comes after it begins a new one. wait: how to be told if somebody else has the
 * claim; NULL = do not wait. Without memory it is CLAIM_FULL: fetch without a claim.
 * own: CLAIM_MINE gives a claim to end with claim_end; CLAIM_JOINED one to leave with claim_leave.
 */
enum claim_outcome claim_take(struct claims *, struct hash128, struct claim_times,
    struct claim_wait *wait, uint64_t max_waiters, struct claim **ret_claim);
/* Ends a claim and wakes all who wait. object: for CLAIM_ANSWERED, borrowed. Nulls the claim. */
void claim_end(struct claim **, enum claim_end, struct object *, enum reason);
/* Ends a claim because its fetch failed: all who wait learn why. */
void claim_fail(struct claim **, enum err);
/* Why the joined claim failed; ERR_NONE when it did not. */
enum err claim_failure(const struct claim_wait *);
/* How the joined claim ended. ret_object: a ref, or NULL. CLAIM_PENDING = not yet. */
enum claim_end claim_result(
    const struct claim_wait *, struct object **ret_object, enum reason *ret_reason);
/* Leaves, before or after the letter: none is posted any more (one that is posted already still
 * arrives: see mail.h). No effect when not joined. */
void claim_leave(struct claim_wait *);
