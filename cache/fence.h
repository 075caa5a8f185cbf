/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence: which stored answers an invalidation has overtaken. Every invalidation gets the next
 * number; every object carries the number that held when its origin request started. An object is
 * valid when no invalidation of its key is newer: so an answer that was fetched before and arrives
 * after is never taken for fresh, however late it comes.
 *
 * Numbers are kept in a fixed array indexed by the primary key's hash. Two keys in one slot share
 * a number: the cost of a collision is one validation too many, never one too few.
 *
 * The numbers of slots can be kept by somebody else (the cold tier does) and be given back in the
 * next life: then an answer that was overtaken stays so.
 * thread: any, all of it.
 */
#pragma once

#include "cache/rule/key.h"

struct fence;

/* first: larger than every number given out before (in a former life). own: fence_free. */
struct fence *fence_new(uint64_t first);
void fence_free(struct fence **);
/* The number that holds now: for an origin request that starts. */
uint64_t fence_now(const struct fence *);
/* Overtakes everything of that primary key that was asked for until now. Returns the number. */
uint64_t fence_raise(struct fence *, struct hash128 primary);
/* The slot that a key's number is kept in: below 65,536. */
uint32_t fence_slot(struct hash128 primary);
/* Gives a slot the number it had in a former life. */
void fence_restore(struct fence *, uint32_t slot, uint64_t number);
/* The number of that primary key: what was asked for before it is overtaken. */
uint64_t fence_number(const struct fence *, struct hash128 primary);
/* Whether an object of that primary key and number still stands. */
bool fence_holds(const struct fence *, struct hash128 primary, uint64_t seq);
