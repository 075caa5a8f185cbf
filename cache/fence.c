/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.h"

enum { SETS = FENCE_SETS, CELLS = 8, COARSE = 0, LOCKS = 64 };

struct cell {
	_Atomic uint64_t tag;    /* whose number it is; of no meaning in the coarse cell */
	_Atomic uint64_t number; /* 0 = empty */
};

struct fence {
	/* atomic */
	_Atomic uint64_t now;
	/* atomic; written under the set's lock */
	_Atomic uint64_t newest[SETS]; /* of a set's numbers; apart, for it is all a hit reads */
	struct cell cells[SETS][CELLS];

	struct lock locks[LOCKS];
};

/* A set as it is kept, in the machine's order. Without padding: it is written as it is. */
struct kept {
	uint64_t set;
	struct {
		uint64_t tag, number;
	} cells[CELLS];
};
_Static_assert(sizeof(struct kept) == (1 + 2 * CELLS) * sizeof(uint64_t), "written as it is");

/* What a fence of 65,536 slots without tags kept. Its slots were more of the same bits of the hash:
 * each is a part of one set, and coarse there. A set is kept over the slot of its own number, which
 * it has in it by then; the other slots stay as they are and do no harm, for they do not grow. */
struct kept_slot {
	uint32_t slot, unused;
	uint64_t number;
};

/* ---- life ---- */

struct fence *fence_new(uint64_t first)
{
	struct fence *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->now = first;
	for (int i = 0; i < LOCKS; i++)
		lock_init(&f->locks[i]);
	return f;
}

void fence_free(struct fence **fence)
{
	struct fence *f = *fence;
	*fence = NULL;
	if (!f)
		return;
	for (int i = 0; i < LOCKS; i++)
		lock_fini(&f->locks[i]);
	free(f);
}

/* ---- raising ---- */

uint64_t fence_now(const struct fence *f)
{
	return f->now;
}

uint32_t fence_set_of(struct hash128 primary)
{
	return primary.hi % SETS;
}

static struct lock *lock_of(struct fence *f, uint32_t set)
{
	return &f->locks[set % LOCKS];
}

static void lift(_Atomic uint64_t *number, uint64_t to)
{
	if (*number < to)
		*number = to;
}

/* The cell of that tag, or else the oldest: an empty one, while there is one. */
static struct cell *cell_for(struct cell *set, uint64_t tag)
{
	struct cell *oldest = &set[COARSE + 1];
	for (struct cell *c = oldest; c < set + CELLS; c++) {
		if (c->tag == tag)
			return c;
		if (c->number < oldest->number)
			oldest = c;
	}
	return oldest;
}

/*
 * Puts a number where fence_number, which takes no lock, finds it. That reads a cell's tag, then its
 * number, and the coarse cell last; here it is the coarse cell first. So who no longer finds its tag
 * finds its number in the coarse cell; who finds its tag finds a number that is its own or the
 * newcomer's, which is newer: one validation too many, while a raise is under way.
 */
static void put_locked(struct fence *f, uint32_t set, uint64_t tag, uint64_t number)
{
	struct cell *cells = f->cells[set];
	struct cell *own = cell_for(cells, tag);
	if (own->tag != tag) {
		lift(&cells[COARSE].number, own->number);
		own->tag = tag;
	}
	lift(&own->number, number);
	/* Last: who sees it looks into the cells. */
	lift(&f->newest[set], number);
}

uint64_t fence_raise(struct fence *f, struct hash128 primary)
{
	uint32_t set = fence_set_of(primary);
	struct lock *lock = lock_of(f, set);
	lock_take(lock);
	/* Under the lock: a set's numbers come in their order, none is older than those it has. */
	uint64_t number = atomic_fetch_add(&f->now, 1) + 1;
	put_locked(f, set, primary.lo, number);
	lock_drop(lock);
	return number;
}

void fence_raise_all(struct fence *f)
{
	uint64_t number = atomic_fetch_add(&f->now, 1) + 1;
	for (uint32_t set = 0; set < SETS; set++) {
		struct lock *lock = lock_of(f, set);
		lock_take(lock);
		lift(&f->cells[set][COARSE].number, number);
		lift(&f->newest[set], number);
		lock_drop(lock);
	}
}

void fence_lift(struct fence *f, uint64_t first)
{
	uint64_t now = atomic_load(&f->now);
	while (now < first && !atomic_compare_exchange_weak(&f->now, &now, first))
		;
}

/* ---- asking ---- */

uint64_t fence_number(const struct fence *f, struct hash128 primary)
{
	const struct cell *cells = f->cells[fence_set_of(primary)];
	uint64_t number = 0;
	for (int i = COARSE + 1; i < CELLS; i++)
		if (cells[i].tag == primary.lo)
			number = max_u64(number, cells[i].number);
	return max_u64(number, cells[COARSE].number);
}

bool fence_holds(const struct fence *f, struct hash128 primary, uint64_t seq)
{
	return likely(seq >= f->newest[fence_set_of(primary)]) || seq >= fence_number(f, primary);
}

/* ---- keeping ---- */

void fence_keep(struct fence *f, uint32_t set, struct buf *to)
{
	struct kept kept = { .set = set % SETS };
	struct cell *cells = f->cells[kept.set];
	struct lock *lock = lock_of(f, set);
	lock_take(lock);
	for (int i = 0; i < CELLS; i++) {
		kept.cells[i].tag = cells[i].tag;
		kept.cells[i].number = cells[i].number;
	}
	lock_drop(lock);
	buf_add(to, slice_of((const char *)&kept, sizeof(kept)));
}

static void restore_locked(struct fence *f, uint32_t set, const struct kept *kept)
{
	lift(&f->cells[set][COARSE].number, kept->cells[COARSE].number);
	lift(&f->newest[set], kept->cells[COARSE].number);
	for (int i = COARSE + 1; i < CELLS; i++)
		if (kept->cells[i].number != 0)
			put_locked(f, set, kept->cells[i].tag, kept->cells[i].number);
}

static struct kept kept_of(struct slice bytes)
{
	struct kept kept = { 0 }; /* with no number in it: nothing is restored */
	struct kept_slot former;
	if (bytes.len == sizeof(kept)) {
		memcpy(&kept, bytes.at, sizeof(kept));
	} else if (bytes.len == sizeof(former)) {
		memcpy(&former, bytes.at, sizeof(former));
		kept.set = former.slot;
		kept.cells[COARSE].number = former.number;
	}
	return kept;
}

void fence_restore(struct fence *f, struct slice bytes)
{
	const struct kept kept = kept_of(bytes);
	uint32_t set = kept.set % SETS;
	struct lock *lock = lock_of(f, set);
	lock_take(lock);
	restore_locked(f, set, &kept);
	lock_drop(lock);
}
