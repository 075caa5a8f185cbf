/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/filling.h"

enum { LEAST_AHEAD_BYTES = 4 * CHUNK_BYTES };

struct filling *filling_begin(
    struct store *store, struct object *o, uint64_t largest, struct bell *bell)
{
	struct filling *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->bell = bell;
	f->largest = largest;
	f->spool = spool_new(store, o->body->length);
	if (!f->spool || !flow_attach(&f->from, o->body, 0, NULL)) {
		filling_free(&f);
		return NULL;
	}
	flow_shed(o->body);
	atomic_store_explicit(&o->spool, spool_ref(f->spool), memory_order_release);
	return f;
}

void filling_free(struct filling **filling)
{
	struct filling *f = *filling;
	/* Until then somebody may ring, and ask it. */
	flow_detach(&f->from);
	if (f->spool)
		spool_release(f->spool);
	*filling = NULL;
	spool_unref(&f->spool);
	free(f);
}

/* Whether one of those who read what is on disk must come nearer first: nobody follows in RAM. */
static bool is_too_far_ahead(struct filling *f)
{
	uint64_t left = f->largest - min_u64(f->largest, f->from.offset);
	return f->from.flow->length == FLOW_LENGTH_UNKNOWN && flow_is_alone(&f->from) &&
	    spool_is_ahead(f->spool, max_u64(left, LEAST_AHEAD_BYTES), f->bell);
}

void filling_await(struct filling *f)
{
	atomic_store_explicit(&f->is_awaited, true, memory_order_release);
	/* Who waits for a reader is told only of the end by the flow. */
	uint64_t wanted = is_too_far_ahead(f) ? UINT64_MAX - f->from.offset : CHUNK_BYTES;
	if (!flow_wait_bell(&f->from, f->bell, wanted))
		f->bell->ring(f->bell);
}

bool filling_is_first_ring(struct filling *f)
{
	return atomic_exchange_explicit(&f->is_awaited, false, memory_order_acq_rel);
}

uint64_t filling_next(struct filling *f, uint64_t most)
{
	/* Asked in this order: what is there when the state is complete is all. */
	enum flow_state state = flow_state(f->from.flow);
	uint64_t there = flow_filled(f->from.flow) - f->from.offset;
	uint64_t part = min_u64(there, most);
	f->is_broken = state == FLOW_FAILED;
	f->is_large = f->from.offset + part > f->largest;
	f->is_last = state == FLOW_COMPLETE && part == there;
	f->bytes = f->is_last ? part : part - part % CHUNK_BYTES;
	if (f->is_broken || f->is_large)
		f->bytes = 0;
	return f->bytes;
}

/* Who is in RAM stays there. What failed to be written is gone from RAM: who reads it is cut. */
static void give_up(struct filling *f, enum err err)
{
	flow_unshed(f->from.flow);
	if (err)
		spool_fail(f->spool);
	else
		spool_stop(f->spool, &f->from);
}

enum filling_end filling_end_part(struct filling *f, struct extent run, enum err err)
{
	if (!err && f->is_broken)
		err = ERR_CANCELLED;
	if (!err && f->bytes > 0)
		err = spool_grow(f->spool, run.first, run.chunks, f->bytes);
	if (err || f->is_large) {
		give_up(f, err);
		return FILLING_FAILED;
	}
	if (!f->is_last)
		return FILLING_GOES_ON;
	return spool_finish(f->spool, f->from.flow->trailers) ? FILLING_FAILED : FILLING_WHOLE;
}
