/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/receipts.h"

void receipts_init(struct receipts *all)
{
	memset(all->of, 0, sizeof(all->of));
	all->last = 0;
	lock_init(&all->lock);
}

void receipts_fini(struct receipts *all)
{
	lock_fini(&all->lock);
}

/* NULL = it is gone. Unlike one that is empty, no purge is number 0. */
static struct receipt *find_locked(struct receipts *all, uint64_t seq)
{
	struct receipt *r = &all->of[seq % RECEIPTS];
	return seq > 0 && r->seq == seq ? r : NULL;
}

void receipts_put(struct receipts *all, const struct receipt *r)
{
	lock_take(&all->lock);
	all->of[r->seq % RECEIPTS] = *r;
	all->last = max_u64(all->last, r->seq);
	lock_drop(&all->lock);
}

bool receipts_get(struct receipts *all, uint64_t seq, struct receipt *ret)
{
	lock_take(&all->lock);
	const struct receipt *r = find_locked(all, seq);
	if (r)
		*ret = *r;
	lock_drop(&all->lock);
	return r != NULL;
}

uint64_t receipts_number(struct receipts *all, uint64_t seq)
{
	uint64_t number = 0, nearest = UINT64_MAX;
	lock_take(&all->lock);
	/* Numbers ascend as sequence numbers do: the next one that is known will do, if not the
	 * same. */
	for (size_t i = 0; i < RECEIPTS && nearest != seq; i++) {
		const struct receipt *r = &all->of[(seq + i) % RECEIPTS];
		if (r->seq >= seq && r->seq < nearest) {
			nearest = r->seq;
			number = r->number;
		}
	}
	lock_drop(&all->lock);
	return number;
}

void receipts_counted(struct receipts *all, uint64_t seq, const struct survey *v)
{
	lock_take(&all->lock);
	struct receipt *r = find_locked(all, seq);
	if (r) {
		r->is_counted = true;
		r->is_partial = v->err != ERR_NONE;
		r->objects = v->objects;
		r->variants = v->variants;
		r->bytes = v->bytes;
		r->sample_count = v->sample_count;
		memcpy(r->samples, v->samples, sizeof(r->samples));
	}
	lock_drop(&all->lock);
}

void receipts_swept(struct receipts *all, uint64_t seq)
{
	lock_take(&all->lock);
	struct receipt *r = find_locked(all, seq);
	if (r)
		r->is_swept = true;
	lock_drop(&all->lock);
}

void receipts_skipped(struct receipts *all, uint64_t seq)
{
	lock_take(&all->lock);
	struct receipt *r = find_locked(all, seq);
	if (r)
		r->is_skipped = true;
	lock_drop(&all->lock);
}

void receipts_refreshed(
    struct receipts *all, uint64_t seq, uint64_t queued, uint64_t refreshed, uint64_t failed)
{
	lock_take(&all->lock);
	struct receipt *r = find_locked(all, seq);
	if (r) {
		r->is_queued = true;
		r->queued = queued;
		r->refreshed = refreshed;
		r->failed = failed;
	}
	lock_drop(&all->lock);
}
