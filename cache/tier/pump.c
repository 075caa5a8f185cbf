/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/pump.h"

#include "cache/tier/lease.h"
#include "cache/tier/store.h"

enum { WINDOW_BYTES = 2 * CHUNK_BYTES, PATIENCE_MS = 3000 };

struct pump {
	struct job job;
	struct bell bell; /* rung when there is room, or a chunk */
	struct spool_reader place;
	struct lease lease;
	/* fixed */
	struct spool *spool; /* counted */
	struct flow *into;   /* counted */
	uint64_t owner;
	uint64_t end;
	/* the thread that has the job */
	uint64_t at;
	struct flow_reader rest; /* behind the last byte on disk, where a stopped spool ends */
};

static void pump_free(struct pump *p)
{
	lease_drop(&p->lease);
	flow_detach(&p->rest);
	spool_leave(p->spool, &p->place);
	spool_unref(&p->spool);
	flow_unref(&p->into);
	free(p);
}

static void on_bell(struct bell *bell)
{
	struct pump *p = CONTAINER_OF(bell, struct pump, bell);
	crew_push(p->spool->store->readers, &p->job);
}

/* Brings what the reader wants of one chunk. */
static enum err bring(struct pump *p, uint64_t id) ON_WORKER
{
	struct store *store = p->spool->store;
	struct rocks_value value;
	struct slice bytes;
	/* A client has a part of it already: worth a wait, if the store is being opened anew. */
	if (!gate_wait(&store->gate, PATIENCE_MS))
		return ERR_STORE_IO;
	if (!p->lease.spool)
		(void)lease_take(&p->lease, p->spool, p->at, p->end);
	enum err err = store_chunk(store, id, p->owner, p->at / CHUNK_BYTES, &value, &bytes);
	if (err) {
		gate_leave(&store->gate);
		return err;
	}
	uint64_t start = p->at % CHUNK_BYTES;
	struct slice part = slice_from(bytes, (size_t)min_u64(start, bytes.len));
	part = slice_first(part, (size_t)min_u64(part.len, p->end - p->at));
	/* A chunk that is shorter than its place in the body: not what was stored. */
	err = part.len ? flow_write(p->into, part) : ERR_STORE_CORRUPT;
	p->at += part.len;
	lease_move(&p->lease, p->at);
	rocks_unpin(&value);
	gate_leave(&store->gate);
	return err;
}

/* Whether all that was asked for was brought. A body of unknown length ends where its spool does,
 * or its flow. */
static bool is_through(const struct pump *p)
{
	if (p->at == p->end)
		return true;
	if (p->rest.flow)
		return flow_state(p->rest.flow) == FLOW_COMPLETE &&
		    p->at == flow_filled(p->rest.flow);
	return spool_state(p->spool) == FLOW_COMPLETE &&
	    p->at == atomic_load_explicit(&p->spool->length, memory_order_relaxed);
}

/* Brings what is there of what is in RAM only. False: the bell will ring when there is more. */
static bool bring_rest(struct pump *p, enum err *ret_err)
{
	struct iovec iov;
	enum flow_state state;
	/* A reader who came from RAM may have had some of it. */
	uint64_t had = p->at - p->rest.offset;
	uint64_t most = had > 0 ? had : min_u64(p->end - p->at, CHUNK_BYTES);
	if (flow_peek(&p->rest, &iov, 1, most, &state) == 0) {
		*ret_err = state == FLOW_FAILED ? p->rest.flow->failure : ERR_NONE;
		return state != FLOW_FILLING || !flow_wait_bell(&p->rest, &p->bell, 1);
	}
	if (had == 0) {
		*ret_err = flow_write(p->into, slice_of(iov.iov_base, iov.iov_len));
		p->at += iov.iov_len;
	}
	flow_advance(&p->rest, iov.iov_len);
	return true;
}

/* Brings the next chunk, or goes on to where it will be. False: the bell will ring when it is
 * there. */
static bool bring_next(struct pump *p, enum err *ret_err) ON_WORKER
{
	uint64_t id;
	if (p->rest.flow)
		return bring_rest(p, ret_err);
	switch (spool_find(p->spool, p->at, &p->place, &id)) {
	case SPOOL_THERE: *ret_err = bring(p, id); return true;
	case SPOOL_LATER: return false;
	case SPOOL_REST:
		lease_drop(&p->lease);
		spool_cross(p->spool, &p->place, &p->rest);
		return true;
	case SPOOL_NEVER: break;
	}
	/* The end may just have come. */
	*ret_err = is_through(p) ? ERR_NONE : ERR_STORE_IO;
	return true;
}

/* A part that ends before its body does has none. */
static struct slice trailers(const struct pump *p)
{
	const struct flow *rest = p->rest.flow;
	if (rest)
		return flow_state(rest) == FLOW_COMPLETE ? rest->trailers : SLICE_NONE;
	return spool_state(p->spool) == FLOW_COMPLETE ? p->spool->trailers : SLICE_NONE;
}

static void end(struct pump *p, enum err err)
{
	if (err)
		flow_fail(p->into, err);
	else
		flow_finish(p->into, trailers(p));
	pump_free(p);
}

/* One turn: until the window is full, the chunk is not there yet, or all is done. A turn that has
 * rung for another one must not touch the pump again. */
static void work(struct job *job)
{
	role_worker();
	struct pump *p = CONTAINER_OF(job, struct pump, job);
	enum err err = ERR_NONE;
	while (!err && !is_through(p))
		if (flow_is_full_bell(p->into, &p->bell) || !bring_next(p, &err))
			return;
	end(p, err);
}

/* A store that is being opened anew gives none until it is: see bring. */
static bool take_lease(struct pump *p)
{
	struct gate *gate = &p->spool->store->gate;
	if (!gate_enter(gate))
		return true;
	bool is_given = lease_take(&p->lease, p->spool, p->at, p->end);
	gate_leave(gate);
	return is_given;
}

bool pump_start(struct spool *spool, uint64_t owner, uint64_t first, uint64_t end,
    struct flow_reader *reader, struct loop *home)
{
	uint64_t length = atomic_load_explicit(&spool->length, memory_order_acquire);
	struct pump *p = first < min_u64(end, length) ? malloc(sizeof(*p)) : NULL;
	if (!p)
		return false;
	*p = (struct pump){ .job = { .work = work }, .bell = { on_bell }, .owner = owner };
	p->place.bell = &p->bell;
	p->spool = spool_ref(spool);
	p->at = first;
	p->end = min_u64(end, length);
	p->into = flow_new_part(first, p->end, WINDOW_BYTES);
	/* Attached before anything is brought: a flow without a reader is given up. */
	bool starts = p->into && spool_enter(spool, &p->place, first) && take_lease(p) &&
	    flow_attach(reader, p->into, first, home);
	if (starts && crew_post(spool->store->readers, &p->job))
		return true;
	if (starts)
		flow_detach(reader);
	pump_free(p);
	return false;
}
