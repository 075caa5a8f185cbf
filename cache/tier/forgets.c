/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/forgets.h"

/* Whose hash a slot has: nobody's yet, or that of several. */
enum { SEVERAL = 0 };

/* The two halves of `asked`. */
struct asked {
	uint32_t count, who;
};

static struct asked unpack(uint64_t word)
{
	return (struct asked){ (uint32_t)(word >> 32), (uint32_t)word };
}

static uint64_t pack(struct asked a)
{
	return (uint64_t)a.count << 32 | a.who;
}

static struct forget_slot *slot_of(struct forgets *f, struct hash128 hash)
{
	return &f->slots[hash.hi % FORGET_SLOTS];
}

static uint32_t who_of(struct hash128 hash)
{
	return (uint32_t)hash.lo == SEVERAL ? 1 : (uint32_t)hash.lo;
}

static bool is_another(struct asked a, struct hash128 hash)
{
	return a.who != SEVERAL && a.who != who_of(hash);
}

static struct asked read_asked(struct forget_slot *s)
{
	return unpack(atomic_load_explicit(&s->asked, memory_order_acquire));
}

void forgets_begin(struct forgets *f, struct hash128 hash)
{
	struct forget_slot *s = slot_of(f, hash);
	uint64_t old = s->asked, next;
	do {
		struct asked a = unpack(old);
		bool is_alone = a.count == s->done || a.who == who_of(hash);
		next = pack((struct asked){ a.count + 1, is_alone ? who_of(hash) : SEVERAL });
	} while (!atomic_compare_exchange_weak(&s->asked, &old, next));
}

void forgets_end(struct forgets *f, struct hash128 hash)
{
	atomic_fetch_add_explicit(&slot_of(f, hash)->done, 1, memory_order_acq_rel);
}

bool forgets_moment(struct forgets *f, struct hash128 hash, uint32_t *ret_moment)
{
	struct forget_slot *s = slot_of(f, hash);
	/* done first: if a removal begins and ends between the two, they differ: at worst a
	 * miss. */
	uint32_t done = atomic_load_explicit(&s->done, memory_order_acquire);
	struct asked a = read_asked(s);
	*ret_moment = a.count;
	return a.count == done || is_another(a, hash);
}

/* Of two since then the slot knows only the latter. */
bool forgets_are_still(struct forgets *f, struct hash128 hash, uint32_t moment)
{
	struct asked a = read_asked(slot_of(f, hash));
	return a.count == moment || (a.count == moment + 1 && is_another(a, hash));
}
