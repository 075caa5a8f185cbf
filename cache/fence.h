/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence: which stored answers an invalidation has overtaken. Every invalidation gets the next
 * number; every object carries the number that held when its origin request started. An object is
 * valid when no invalidation of its key is newer: so an answer that was fetched before and arrives
 * after is never taken for fresh, however late it comes.
 *
 * Numbers are kept in a table of a fixed size: sets of eight cells, a key's set chosen by its hash.
 * Seven cells of a set hold a number and the rest of the hash that it is for, so keys that share a
 * set do not overtake each other. The eighth, the coarse one, holds for every key of the set: when
 * there is no cell left, the set's oldest number goes there. So the key of an old invalidation may
 * cost its neighbours a validation each, of what they fetched before it and no more; what was
 * overtaken stays so. A hit reads one number as a rule: the newest of its set.
 *
 * Sets can be kept by somebody else (the cold tier does) and be given back in the next life: then an
 * answer that was overtaken stays so.
 * thread: any, all of it.
 */
#pragma once

#include "cache/rule/key.h"
#include "edge/base/buf.h"

struct fence;

/* first: larger than every number given out before (in a former life). own: fence_free. */
struct fence *fence_new(uint64_t first);
void fence_free(struct fence **);
/* The number that holds now: for an origin request that starts. */
uint64_t fence_now(const struct fence *);
/* Overtakes everything of that primary key that was asked for until now. Returns the number. */
uint64_t fence_raise(struct fence *, struct hash128 primary);
/* Overtakes everything that was asked for until now, of all keys. */
void fence_raise_all(struct fence *);
/* Makes the number that holds now at least this one; what stands still stands. */
void fence_lift(struct fence *, uint64_t first);
/* The number of that primary key: what was asked for before it is overtaken. */
uint64_t fence_number(const struct fence *, struct hash128 primary);
/* Whether an object of that primary key and number still stands. */
bool fence_holds(const struct fence *, struct hash128 primary, uint64_t seq);

enum { FENCE_SETS = 8 * 1024 };
/* The set that a key's number is in: below FENCE_SETS. */
uint32_t fence_set_of(struct hash128 primary);
/* Appends what is to be kept of a set, as it is now. */
void fence_keep(struct fence *, uint32_t set, struct buf *to);
/* Gives back what was kept in a former life, in any order; before an answer of that life is judged. */
void fence_restore(struct fence *, struct slice kept);
