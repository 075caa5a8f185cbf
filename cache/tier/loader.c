/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/loader.h"

#include "cache/tier/spool.h"
#include "cache/tier/writer.h"

enum outcome {
	DONE,
	ABSENT, /* or the disk failed, or there is no memory: a miss */
	BROKEN, /* it is there and does not check: a miss, and nobody need find it again */
	GONE,   /* it was purged: likewise */
};

/* One object on its way from the disk. The load it is for may be gone after `send`. */
struct reading {
	struct store *store;
	struct object *object;  /* counted */
	struct rocks_value pin; /* what `record` points into */
	struct record record;
	struct spool *spool; /* counted: where the chunks are */
	struct lease lease;  /* on more than one chunk */
	uint32_t next;       /* chunk */
	uint32_t chunks;     /* to be read: none of a body that stays on disk */
};

/* ---- the record ---- */

static bool find(struct store *s, enum rocks_family family, struct slice key,
    struct rocks_value *ret_value) ON_WORKER
{
	return store_get(s, family, key, ret_value) == ROCKS_FOUND;
}

static enum outcome broken(struct reading *r)
{
	store_tell(r->store, HEALTH_READS, ERR_STORE_CORRUPT);
	return BROKEN;
}

/* The body is to come to RAM, or stays where it is. */
static enum outcome give_body(struct reading *r, const struct cold_load *load)
{
	struct object *o = r->object;
	uint64_t bytes = r->record.body_bytes;
	r->spool = spool_of_record(r->store, &r->record);
	if (!r->spool)
		return ABSENT;
	if (bytes > max_u64(load->keep_up_to, CHUNK_BYTES)) {
		o->spool = spool_ref(r->spool);
		return DONE;
	}
	r->chunks = (uint32_t)chunks_of(bytes);
	if (r->chunks > 1 && !lease_take(&r->lease, r->spool, 0, bytes))
		return ABSENT;
	o->body = flow_new(bytes, FLOW_KEEP_ALL, 0);
	/* In one run it need not be written again when it leaves RAM. */
	if (record_extent_count(&r->record) <= 1)
		o->cold_first = r->record.span.first;
	return o->body ? DONE : ABSENT;
}

static enum outcome make_object(struct reading *r, const struct cold_load *load)
{
	struct object *o = r->object = record_object(&r->record, load->hash);
	if (!o)
		return ABSENT;
	o->cold_has_head = true;
	o->tenant = ledger_tenant_of(&r->store->ledger, r->record.span.first);
	if (o->kind == OBJECT_ANSWER)
		return give_body(r, load);
	o->cold_first = r->record.span.first;
	return DONE;
}

/* The load's sight goes with it, and so may serve only what needs no record later. */
static bool was_seen(struct reading *r, const struct cold_load *load)
{
	struct slice seen = slice_of(load->sight.record, load->sight.len);
	return seen.len > 0 && record_read(seen, &r->record) == ERR_NONE &&
	    r->record.body_bytes <= CHUNK_BYTES;
}

static enum outcome find_record(struct reading *r, const struct cold_load *load) ON_WORKER
{
	struct meta_key key = meta_key_of(load->hash);
	if (was_seen(r, load))
		return DONE;
	if (!find(r->store, ROCKS_META, KEY_SLICE(key), &r->pin))
		return ABSENT;
	return record_read(r->pin.bytes, &r->record) == ERR_NONE ? DONE : broken(r);
}

static enum outcome read_head(struct reading *r, const struct cold_load *load) ON_WORKER
{
	enum outcome outcome = find_record(r, load);
	if (outcome != DONE)
		return outcome;
	if (!ledger_holds(&r->store->ledger, r->record.span) || !slice_eq(r->record.key, load->key))
		return ABSENT;
	outcome = make_object(r, load);
	if (outcome == DONE && !store_admits(r->store, r->object))
		return GONE;
	return outcome;
}

/* ---- the chunks ---- */

static enum outcome fill_next_chunk(struct reading *r) ON_WORKER
{
	struct rocks_value value;
	struct slice bytes;
	uint64_t id;
	struct flow *body = r->object->body;
	if (spool_find(r->spool, (uint64_t)r->next * CHUNK_BYTES, NULL, &id) != SPOOL_THERE)
		return ABSENT;
	enum err err = store_chunk(r->store, id, r->object->hash.lo, r->next, &value, &bytes);
	if (err)
		return err == ERR_STORE_CORRUPT ? BROKEN : ABSENT;
	uint64_t left = r->record.body_bytes - (uint64_t)r->next * CHUNK_BYTES;
	bool fits = bytes.len == min_u64(left, CHUNK_BYTES);
	if (fits)
		err = flow_write(body, bytes);
	rocks_unpin(&value);
	r->next++;
	lease_move(&r->lease, (uint64_t)r->next * CHUNK_BYTES);
	if (!fits)
		return broken(r);
	return err ? ABSENT : DONE;
}

/* After the last chunk. */
static void finish(struct reading *r)
{
	if (r->object->body)
		flow_finish(r->object->body, r->record.trailers);
}

/* ---- the load ---- */

/* Everything up to the moment when the load can be answered. */
static enum outcome begin(struct reading *r, const struct cold_load *load) ON_WORKER
{
	enum outcome outcome = read_head(r, load);
	if (outcome == DONE && r->chunks > 0)
		outcome = fill_next_chunk(r);
	if (outcome == DONE && r->next == r->chunks)
		finish(r);
	return outcome;
}

/* The rest, while the answer is on its way. */
static enum outcome follow(struct reading *r) ON_WORKER
{
	enum outcome outcome = DONE;
	while (outcome == DONE && r->next < r->chunks)
		outcome = fill_next_chunk(r);
	if (outcome == DONE)
		finish(r);
	else
		flow_fail(r->object->body, outcome == BROKEN ? ERR_STORE_CORRUPT : ERR_STORE_IO);
	return outcome;
}

/* Mails the outcome home. From then on the load is its owner's again. */
static void answer(struct cold_load *load, struct object *object)
{
	load->object = object ? object_ref(object) : NULL;
	mail_post(load->home, &load->mail);
}

static void release(struct reading *r)
{
	lease_drop(&r->lease);
	spool_unref(&r->spool);
	if (r->pin.pin)
		rocks_unpin(&r->pin);
	object_unref(&r->object);
}

void loader_work(struct job *job)
{
	role_worker();
	struct cold_load *load = CONTAINER_OF(job, struct cold_load, job);
	struct hash128 hash = load->hash;
	struct store *store = load->store;
	struct reading r = { .store = store };
	/* Inside to the end of its body. A store that closes is left to do so: a miss. */
	bool is_inside = gate_enter(&store->gate);
	enum outcome outcome = is_inside ? begin(&r, load) : ABSENT;
	bool is_found = outcome == DONE;
	meter_add_shared(is_found ? &store->meters.loads : &store->meters.load_misses, 1);
	answer(load, is_found ? r.object : NULL);
	if (is_found && r.next < r.chunks)
		outcome = follow(&r);
	if (outcome == BROKEN || outcome == GONE)
		writer_forget(store->writer, hash);
	release(&r);
	if (is_inside)
		gate_leave(&store->gate);
}
