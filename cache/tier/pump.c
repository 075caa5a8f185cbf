/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/pump.h"

#include "cache/tier/lease.h"
#include "cache/tier/store.h"

enum { WINDOW_BYTES = 2 * CHUNK_BYTES, PATIENCE_MS = 3000 };

struct pump {
	struct job job;
	struct bell bell; /* rung when there is room, or a chunk */
	struct spool_wait wait;
	struct lease lease;
	/* fixed */
	struct spool *spool; /* counted */
	struct flow *into;   /* counted */
	uint64_t owner;
	uint64_t end;
	/* the thread that has the job */
	uint64_t at;
};

static void pump_free(struct pump *p)
{
	lease_drop(&p->lease);
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

/* Whether all that was asked for was brought. A body of unknown length ends where its spool
 * does. */
static bool is_through(const struct pump *p)
{
	if (p->at == p->end)
		return true;
	return spool_state(p->spool) == FLOW_COMPLETE &&
	    p->at == atomic_load_explicit(&p->spool->length, memory_order_relaxed);
}

static void end(struct pump *p, enum err err)
{
	if (err)
		flow_fail(p->into, err);
	else
		flow_finish(p->into, p->spool->trailers);
	pump_free(p);
}

/* One turn: until the window is full, the chunk is not there yet, or all is done. A turn that has
 * rung for another one must not touch the pump again. */
static void work(struct job *job)
{
	role_worker();
	struct pump *p = CONTAINER_OF(job, struct pump, job);
	enum err err = ERR_NONE;
	while (!err && !is_through(p)) {
		uint64_t id;
		if (flow_is_full_bell(p->into, &p->bell))
			return;
		switch (spool_find(p->spool, p->at, &p->wait, &id)) {
		case SPOOL_THERE: err = bring(p, id); break;
		case SPOOL_LATER: return;
		case SPOOL_NEVER:
			if (!is_through(p))
				err = ERR_STORE_IO;
			break;
		}
	}
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
	p->wait.bell = &p->bell;
	p->spool = spool_ref(spool);
	p->at = first;
	p->end = min_u64(end, length);
	p->into = flow_new_part(first, p->end, WINDOW_BYTES);
	/* Attached before anything is brought: a flow without a reader is given up. */
	bool starts = p->into && take_lease(p) && flow_attach(reader, p->into, first, home);
	if (starts && crew_post(spool->store->readers, &p->job))
		return true;
	if (starts)
		flow_detach(reader);
	pump_free(p);
	return false;
}
