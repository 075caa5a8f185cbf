/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be forgotten is not found from the moment on when that is asked, though its record
 * goes later. Hashes share slots, of which each knows one hash: two in one slot that are asked for
 * at a time, or a third while something is read, cost a miss, never a find.
 *
 * thread: any, all of it.
 */
#pragma once

#include "cache/rule/hash.h"

enum { FORGET_SLOTS = 16 * 1024 };

struct forget_slot {
	/* how often it was asked for, and behind that whose hash it was: one word, see forgets.c */
	_Atomic uint64_t asked;
	_Atomic uint32_t done; /* of those */
};

struct forgets {
	struct forget_slot slots[FORGET_SLOTS];
};

/* From now on a hash is not found. */
void forgets_begin(struct forgets *, struct hash128);
/* Its record is gone: once for each forgets_begin. */
void forgets_end(struct forgets *, struct hash128);
/* Names this moment for a hash; false while it is being forgotten. */
bool forgets_moment(struct forgets *, struct hash128, uint32_t *ret_moment);
/* Whether nothing asked to forget it since that moment. */
bool forgets_are_still(struct forgets *, struct hash128, uint32_t moment);
