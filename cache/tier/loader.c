/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/loader.h"

#define XXH_STATIC_LINKING_ONLY /* its state on our stack */
#include <xxhash.h>

#include "cache/tier/writer.h"

enum outcome {
	DONE,
	ABSENT, /* or the disk failed, or there is no memory: a miss */
	BROKEN, /* it is there and does not check: a miss, and nobody need find it again */
};

/* One object on its way from the disk. The load it is for may be gone after `send`. */
struct reading {
	struct store *store;
	struct object *object;  /* counted */
	struct rocks_value pin; /* what `record` points into */
	struct record record;
	struct rocks_walk *walk; /* of several chunks */
	uint32_t next;           /* chunk */
	XXH3_state_t digest;
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

/* Makes the object, with a body that is to be filled. */
static enum outcome make_object(struct reading *r, struct hash128 hash)
{
	struct object *o = r->object = record_object(&r->record, hash);
	if (!o)
		return ABSENT;
	o->cold_digest = r->record.digest;
	o->cold_chunks = r->record.span.chunks;
	o->cold_first = r->record.span.first;
	o->cold_has_head = true;
	if (o->kind == OBJECT_ANSWER)
		o->body = flow_new(r->record.body_bytes, FLOW_KEEP_ALL, 0);
	return o->kind == OBJECT_ANSWER && !o->body ? ABSENT : DONE;
}

static enum outcome read_head(struct reading *r, const struct cold_load *load) ON_WORKER
{
	struct meta_key key = meta_key_of(load->hash);
	if (!find(r->store, ROCKS_META, KEY_SLICE(key), &r->pin))
		return ABSENT;
	if (record_read(r->pin.bytes, &r->record) != ERR_NONE)
		return broken(r);
	if (!ledger_holds(&r->store->ledger, r->record.span) || !slice_eq(r->record.key, load->key))
		return ABSENT;
	return make_object(r, load->hash);
}

/* ---- the chunks ---- */

static bool is_chunk(const struct reading *r, struct slice value)
{
	struct chunk_head head;
	uint64_t left = r->record.body_bytes - (uint64_t)r->next * CHUNK_BYTES;
	if (value.len < sizeof(head))
		return false;
	memcpy(&head, value.at, sizeof(head));
	return head.owner == r->object->hash.lo && head.index == r->next &&
	    head.bytes == min_u64(left, CHUNK_BYTES) && value.len == sizeof(head) + head.bytes;
}

static enum outcome fill(struct reading *r, struct slice value) ON_WORKER
{
	if (!is_chunk(r, value))
		return broken(r);
	struct slice bytes = slice_from(value, CHUNK_HEAD_BYTES);
	XXH3_64bits_update(&r->digest, bytes.at, bytes.len);
	r->next++;
	return flow_write(r->object->body, bytes) == ERR_NONE ? DONE : ABSENT;
}

static enum outcome fill_only_chunk(struct reading *r) ON_WORKER
{
	struct rocks_id id = rocks_id_of(r->record.span.first);
	struct rocks_value value;
	if (!find(r->store, ROCKS_BODY, KEY_SLICE(id), &value))
		return ABSENT;
	enum outcome outcome = fill(r, value.bytes);
	rocks_unpin(&value);
	return outcome;
}

/* Of several chunks. The first may have been evicted a moment ago; if it is there, so are the
 * others, and stay: the walk sees the log as it was when it began. */
static enum outcome fill_next_chunk(struct reading *r) ON_WORKER
{
	struct rocks_id id = rocks_id_of(r->record.span.first + r->next);
	struct slice key, value;
	struct mono began = mono_now();
	enum err err;
	if (r->walk)
		rocks_walk_next(r->walk);
	else
		r->walk = rocks_walk_new(r->store->rocks, ROCKS_BODY, KEY_SLICE(id));
	bool is_there = rocks_walk_at(r->walk, &key, &value, &err);
	histogram_add_shared(&r->store->times.read, mono_now().us - began.us);
	store_tell(r->store, HEALTH_READS, err);
	return is_there && slice_eq(key, KEY_SLICE(id)) ? fill(r, value) : ABSENT;
}

/* After the last chunk. */
static enum outcome finish(struct reading *r)
{
	if (r->record.kind != OBJECT_ANSWER)
		return DONE;
	if (r->record.body_bytes > 0 && XXH3_64bits_digest(&r->digest) != r->record.digest)
		return broken(r);
	flow_finish(r->object->body, r->record.trailers);
	return DONE;
}

/* ---- the load ---- */

/* Everything up to the moment when the load can be answered. */
static enum outcome begin(struct reading *r, const struct cold_load *load) ON_WORKER
{
	enum outcome outcome = read_head(r, load);
	if (outcome == DONE && r->record.span.chunks > 1)
		return fill_next_chunk(r);
	if (outcome == DONE && r->record.span.chunks == 1)
		outcome = fill_only_chunk(r);
	return outcome == DONE ? finish(r) : outcome;
}

/* The rest, while the answer is on its way. */
static enum outcome follow(struct reading *r) ON_WORKER
{
	enum outcome outcome = DONE;
	while (outcome == DONE && r->next < r->record.span.chunks)
		outcome = fill_next_chunk(r);
	if (outcome == DONE)
		outcome = finish(r);
	if (outcome != DONE)
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
	rocks_walk_free(&r->walk);
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
	XXH3_64bits_reset(&r.digest);
	enum outcome outcome = begin(&r, load);
	bool is_found = outcome == DONE;
	meter_add_shared(is_found ? &store->meters.loads : &store->meters.load_misses, 1);
	answer(load, is_found ? r.object : NULL);
	if (is_found && r.next < r.record.span.chunks)
		outcome = follow(&r);
	if (outcome == BROKEN)
		writer_forget(store->writer, hash, NULL);
	release(&r);
}
