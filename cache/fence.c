/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.h"

enum { SLOTS = 64 * 1024 };

struct fence {
	_Atomic uint64_t now;
	_Atomic uint64_t slots[SLOTS]; /* the newest invalidation there; 0 = none in this life */
};

struct fence *fence_new(uint64_t first)
{
	struct fence *f = calloc(1, sizeof(*f));
	if (f)
		f->now = first;
	return f;
}

void fence_free(struct fence **f)
{
	free(*f);
	*f = NULL;
}

uint64_t fence_now(const struct fence *f)
{
	return f->now;
}

uint32_t fence_slot(struct hash128 primary)
{
	return primary.hi % SLOTS;
}

void fence_restore(struct fence *f, uint32_t slot, uint64_t number)
{
	f->slots[slot % SLOTS] = number;
}

uint64_t fence_raise(struct fence *f, struct hash128 primary)
{
	_Atomic uint64_t *slot = &f->slots[fence_slot(primary)];
	uint64_t number = atomic_fetch_add(&f->now, 1) + 1;
	uint64_t there = *slot;
	/* Of two raisers of one slot the higher number stays, whoever comes last. */
	while (there < number && !atomic_compare_exchange_weak(slot, &there, number))
		;
	return number;
}

uint64_t fence_number(const struct fence *f, struct hash128 primary)
{
	return f->slots[fence_slot(primary)];
}

bool fence_holds(const struct fence *f, struct hash128 primary, uint64_t seq)
{
	return seq >= fence_number(f, primary);
}
