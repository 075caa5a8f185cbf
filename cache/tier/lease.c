/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/lease.h"

#include "cache/tier/store.h"

void leases_init(struct leases *l)
{
	lock_init(&l->lock);
	list_init(&l->held);
}

void leases_fini(struct leases *l)
{
	must(list_empty(&l->held));
	lock_fini(&l->lock);
}

/* Ids of a body only grow, so its next one tells. What is not written yet cannot be evicted. */
static bool is_there(struct spool *s, uint64_t at)
{
	uint64_t id;
	return spool_find(s, at, NULL, &id) != SPOOL_THERE ||
	    !ledger_is_below_low(&s->store->ledger, (struct span){ id, id });
}

/* Whoever evicts raises the low mark before he asks who needs what. So each lease that is given is
 * either seen then, or was refused here. */
bool lease_take(struct lease *lease, struct spool *s, uint64_t at, uint64_t end)
{
	struct leases *all = &s->store->leases;
	list_init(&lease->link);
	lease->spool = s;
	lease->at = at;
	lease->end = end;
	lock_take(&all->lock);
	bool is_given = is_there(s, at);
	if (is_given)
		list_append(&all->held, &lease->link);
	lock_drop(&all->lock);
	return is_given;
}

void lease_move(struct lease *lease, uint64_t at)
{
	atomic_store_explicit(&lease->at, at, memory_order_relaxed);
}

void lease_drop(struct lease *lease)
{
	if (!lease->spool)
		return;
	struct leases *all = &lease->spool->store->leases;
	lock_take(&all->lock);
	list_drop(&lease->link);
	lock_drop(&all->lock);
}

bool leases_are_none(struct leases *all)
{
	lock_take(&all->lock);
	bool is_none = list_empty(&all->held);
	lock_drop(&all->lock);
	return is_none;
}

bool leases_need(struct leases *all, struct span ids)
{
	bool is_needed = false;
	lock_take(&all->lock);
	LIST_EACH (link, &all->held) {
		struct lease *lease = LIST_OF(link, struct lease, link);
		uint64_t at = atomic_load_explicit(&lease->at, memory_order_relaxed);
		is_needed = spool_uses(lease->spool, at, lease->end, ids);
		if (is_needed)
			break;
	}
	lock_drop(&all->lock);
	return is_needed;
}
