/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/filling.h"

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
	*filling = NULL;
	flow_detach(&f->from);
	spool_unref(&f->spool);
	free(f);
}

void filling_await(struct filling *f)
{
	if (!flow_wait_bell(&f->from, f->bell, CHUNK_BYTES))
		f->bell->ring(f->bell);
}

uint64_t filling_next(struct filling *f, uint64_t most)
{
	/* Asked in this order: what is there when the state is complete is all. */
	enum flow_state state = flow_state(f->from.flow);
	uint64_t there = flow_filled(f->from.flow) - f->from.offset;
	uint64_t part = min_u64(there, most);
	f->is_over = state == FLOW_FAILED || f->from.offset + part > f->largest;
	f->is_last = state == FLOW_COMPLETE && part == there;
	f->bytes = f->is_over ? 0 : f->is_last ? part : part - part % CHUNK_BYTES;
	return f->bytes;
}

enum filling_end filling_end_part(struct filling *f, struct extent run, enum err err)
{
	if (!err && f->is_over)
		err = ERR_CANCELLED;
	if (!err && f->bytes > 0)
		err = spool_grow(f->spool, run.first, run.chunks, f->bytes);
	if (err) {
		spool_fail(f->spool);
		return FILLING_FAILED;
	}
	if (!f->is_last)
		return FILLING_GOES_ON;
	return spool_finish(f->spool, f->from.flow->trailers) ? FILLING_FAILED : FILLING_WHOLE;
}
