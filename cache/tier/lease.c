/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/lease.h"

#include "cache/tier/store.h"

enum { PATIENCE_MS = 60 * 1000 };

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

/* ---- one lease ---- */

/* Ids of a body only grow, so its next one tells. What is not written yet cannot be evicted. */
static bool is_there(struct spool *s, uint64_t at)
{
	uint64_t id;
	const struct ledger *ledger = &s->store->ledger;
	return spool_find(s, at, NULL, &id) != SPOOL_THERE ||
	    (ledger_has_log_of(ledger, id) &&
		!ledger_is_below_low(ledger, (struct span){ id, id }));
}

/* Whoever evicts raises the low mark before he asks who needs what. So each lease that is given is
 * either seen then, or was refused here. */
bool lease_take(struct lease *lease, struct spool *s, uint64_t at, uint64_t end)
{
	struct leases *all = &s->store->leases;
	list_init(&lease->link);
	lease->spool = s;
	lease->end = end;
	lease_move(lease, at);
	lock_take(&all->lock);
	bool is_given = is_there(s, at);
	if (is_given)
		list_append(&all->held, &lease->link);
	lock_drop(&all->lock);
	return is_given;
}

void lease_move(struct lease *lease, uint64_t at)
{
	if (!lease->spool)
		return;
	atomic_store_explicit(&lease->at, at, memory_order_relaxed);
	atomic_store_explicit(&lease->moved_us, mono_now().us, memory_order_relaxed);
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

/* ---- all of them ---- */

struct need {
	struct spool *spool; /* counted */
	struct span span;
};

static bool need_of(struct lease *lease, struct mono now, struct need *ret_need)
{
	struct mono moved = { atomic_load_explicit(&lease->moved_us, memory_order_relaxed) };
	uint64_t at = atomic_load_explicit(&lease->at, memory_order_relaxed);
	if (mono_ms_since(moved, now) >= PATIENCE_MS ||
	    !spool_span(lease->spool, at, lease->end, &ret_need->span))
		return false;
	ret_need->spool = spool_ref(lease->spool);
	return true;
}

static size_t count_locked(const struct leases *all)
{
	size_t count = 0;
	for (const struct list *link = all->held.next; link != &all->held; link = link->next)
		count++;
	return count;
}

/* Event loops take leases: the lock is held to look at each once, not for each file. */
struct needs leases_needs(struct leases *all, struct mono now)
{
	struct needs needs = { 0 };
	lock_take(&all->lock);
	size_t count = count_locked(all);
	needs.each = count ? malloc(count * sizeof(*needs.each)) : NULL;
	if (needs.each)
		LIST_EACH (link, &all->held) {
			struct lease *lease = LIST_OF(link, struct lease, link);
			needs.count += need_of(lease, now, &needs.each[needs.count]);
		}
	lock_drop(&all->lock);
	return needs;
}

void needs_fini(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		spool_unref(&needs->each[i].spool);
	free(needs->each);
	*needs = (struct needs){ 0 };
}

bool needs_any_of(const struct needs *needs, struct span ids)
{
	for (size_t i = 0; i < needs->count; i++) {
		const struct need *need = &needs->each[i];
		struct span both = { max_u64(need->span.first, ids.first),
			min_u64(need->span.last, ids.last) };
		if (both.first <= both.last && spool_has(need->spool, both))
			return true;
	}
	return false;
}
