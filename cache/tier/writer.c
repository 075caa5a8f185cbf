/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/writer.h"

#include <time.h>
#define XXH_STATIC_LINKING_ONLY /* its state on our stack */
#include <xxhash.h>

#include "cache/tier/evict.h"
#include "cache/tier/filling.h"
#include "edge/base/thread.h"

enum {
	IOVECS = 32,       /* of a chunk: pieces are never so small that it takes more */
	HELD_MAX = 100000, /* removals that wait for the disk to be well */
	IDLE_MS = 5000,
	NAP_US = 2000,
	BUSY_MS = 1000, /* something is to be done soon */
};

/* One thing to write. */
struct entry {
	struct list link;
	struct object *object; /* counted; NULL: forget the hash */
	struct hash128 hash;
	uint64_t bytes; /* as counted in the queue */
	/* writer */
	struct extent run; /* the object's chunks, or of its spool those of this group */
	uint64_t place;    /* with no chunks */
	bool is_left_out;  /* its record was not written */
	/* a body that is written while it comes */
	struct filling *filling; /* NULL = it is in RAM */
	struct bell bell;        /* the filling's */
	struct writer *writer;
};

struct writer {
	/* fixed */
	struct store *store;
	pthread_t thread;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct list queue;
	uint64_t queue_bytes;
	bool is_ending;
	/* writer */
	struct rocks_batch *body, *meta;
	uint64_t body_bytes;  /* in `body` */
	uint64_t group_bytes; /* written or in the batches, of this group */
	enum err group_err;   /* the group's first failure: nothing of it counts */
	struct list todo;     /* taken from the queue */
	struct list group;    /* in the batches */
	struct list held;     /* removals that failed: for when the disk is well again */
	unsigned held_count;
	struct buf record;
	struct evict evict;
};

/* ---- the queue ---- */

/* False, and the entry is the caller's still, when it does not fit. */
static bool enqueue(struct writer *w, struct entry *e)
{
	lock_take(&w->lock);
	/* An object larger than the queue may wait alone. What brings no body of its own may
	 * always. */
	bool fits = w->queue_bytes == 0 ||
	    w->queue_bytes + e->bytes <= w->store->sizes.queue_bytes || e->bytes == 0;
	if (fits) {
		bool was_empty = list_empty(&w->queue);
		list_append(&w->queue, &e->link);
		w->queue_bytes += e->bytes;
		meter_set(&w->store->meters.queue_bytes, w->queue_bytes);
		if (was_empty)
			pthread_cond_signal(&w->more);
	}
	lock_drop(&w->lock);
	return fits;
}

bool writer_store(struct writer *w, struct object *object)
{
	struct entry *e = malloc(sizeof(*e));
	if (!e)
		return false;
	*e = (struct entry){ .object = object_ref(object), .hash = object->hash };
	e->bytes = object_bytes(object) + sizeof(*e);
	if (enqueue(w, e))
		return true;
	object_unref(&e->object);
	free(e);
	return false;
}

void writer_forget(struct writer *w, struct hash128 hash)
{
	struct entry *e = must_alloc(sizeof(*e));
	*e = (struct entry){ .hash = hash };
	forgets_begin(&w->store->forgets, hash);
	must(enqueue(w, e));
}

static struct timespec deadline_in(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	return t;
}

/* Waits for entries, at most `ms`, and takes all. False: the writer ends and nothing is left. */
static bool take(struct writer *w, int64_t ms)
{
	struct timespec until = deadline_in(ms);
	lock_take(&w->lock);
	int timeout = 0;
	while (list_empty(&w->todo) && list_empty(&w->queue) && !w->is_ending && timeout == 0)
		timeout = pthread_cond_timedwait(&w->more, &w->lock.mutex, &until);
	list_move_all(&w->todo, &w->queue);
	bool goes_on = !list_empty(&w->todo) || !w->is_ending;
	lock_drop(&w->lock);
	return goes_on;
}

/* The entries' room in the queue is free again once they are dealt with. */
static void give_room(struct writer *w, uint64_t bytes)
{
	lock_take(&w->lock);
	w->queue_bytes -= bytes;
	meter_set(&w->store->meters.queue_bytes, w->queue_bytes);
	lock_drop(&w->lock);
}

/* ---- groups ---- */

static void fail_group(struct writer *w, enum err err)
{
	if (!w->group_err)
		w->group_err = err;
}

/* Looks after the size, too: one body may be larger than a group. */
static void write_bodies(struct writer *w) ON_WORKER
{
	if (w->body_bytes == 0)
		return;
	w->evict.written_bytes += w->body_bytes;
	w->body_bytes = 0;
	fail_group(w, store_write(w->store, w->body, ROCKS_UNLOGGED));
	fail_group(w, evict_tend(&w->evict, w->store, mono_now()));
}

static void free_entry(struct entry *e)
{
	list_drop(&e->link);
	object_unref(&e->object);
	free(e);
}

static void mark_stored(struct writer *w, const struct entry *e)
{
	struct object *o = e->object;
	uint64_t first = e->run.chunks ? e->run.first : e->place;
	bool is_new_body = o->spool ? e->writer != NULL : o->cold_first != first;
	meter_add_shared(is_new_body ? &w->store->meters.stored : &w->store->meters.refreshed, 1);
	if (!o->spool)
		o->cold_first = first;
	o->cold_has_head = true;
}

static void mark_forgotten(struct writer *w, const struct entry *e)
{
	meter_add_shared(&w->store->meters.forgotten, 1);
	forgets_end(&w->store->forgets, e->hash);
}

/* ---- bodies that come ---- */

static void on_part(struct bell *bell)
{
	struct entry *e = CONTAINER_OF(bell, struct entry, bell);
	if (filling_is_first_ring(e->filling))
		must(enqueue(e->writer, e));
}

bool writer_spool(struct writer *w, struct object *o, uint64_t largest)
{
	struct entry *e = calloc(1, sizeof(*e));
	if (!e)
		return false;
	*e = (struct entry){ .hash = o->hash, .bell = { on_part }, .writer = w };
	list_init(&e->link);
	e->filling = filling_begin(w->store, o, largest, &e->bell);
	if (!e->filling) {
		free(e);
		return false;
	}
	e->object = object_ref(o);
	filling_await(e->filling);
	return true;
}

/* After its last part the entry is that of an object whose record is to be written. */
static void end_part(struct writer *w, struct entry *e, enum err err)
{
	list_drop(&e->link);
	switch (filling_end_part(e->filling, e->run, err)) {
	case FILLING_GOES_ON: filling_await(e->filling); break;
	case FILLING_WHOLE:
		filling_free(&e->filling);
		must(enqueue(w, e));
		break;
	case FILLING_FAILED:
		filling_free(&e->filling);
		free_entry(e);
		break;
	}
}

/* ---- how entries end ---- */

/* What was not stored is dropped; a removal waits, and one too many is given up: its hash is not
 * found in this life. */
static void end_failed(struct writer *w, struct entry *e)
{
	if (e->object || w->held_count >= HELD_MAX) {
		free_entry(e);
		return;
	}
	list_drop(&e->link);
	list_append(&w->held, &e->link);
	w->held_count++;
}

static void end_entry(struct writer *w, struct entry *e, enum err err)
{
	if (e->filling) {
		end_part(w, e, err);
		return;
	}
	if (err) {
		end_failed(w, e);
		return;
	}
	if (!e->object)
		mark_forgotten(w, e);
	else if (!e->is_left_out)
		mark_stored(w, e);
	free_entry(e);
}

/* Writes the group's records, now that its bodies are in. */
static void write_records(struct writer *w) ON_WORKER
{
	w->evict.written_bytes += rocks_batch_bytes(w->meta);
	if (w->group_err)
		rocks_batch_clear(w->meta);
	else
		fail_group(w, store_write(w->store, w->meta, ROCKS_LOGGED));
}

static void end_group(struct writer *w) ON_WORKER
{
	if (list_empty(&w->group))
		return;
	if (w->store->rocks) {
		write_bodies(w);
		write_records(w);
		store_tell(w->store, HEALTH_WRITES, w->group_err);
	} else {
		fail_group(w, ERR_STORE_IO); /* and nothing was added: see write_group */
	}
	uint64_t freed = 0;
	LIST_EACH (link, &w->group) {
		struct entry *e = LIST_OF(link, struct entry, link);
		freed += e->bytes;
		e->bytes = 0;
		end_entry(w, e, w->group_err);
	}
	give_room(w, freed);
	w->store->is_measured = false;
	w->group_bytes = 0;
	w->group_err = ERR_NONE;
}

/* ---- what goes into a group ---- */

/* Puts the next chunk of a body into the batch, straight from its pieces. */
static void add_chunk(
    struct writer *w, struct flow_reader *from, struct chunk_head head, uint64_t id)
{
	struct iovec iov[IOVECS];
	struct slice parts[1 + IOVECS];
	enum flow_state state;
	XXH3_state_t digest;
	XXH3_64bits_reset(&digest);
	int n = flow_peek(from, iov, IOVECS, head.bytes, &state);
	uint64_t sum = 0;
	for (int i = 0; i < n; i++) {
		parts[1 + i] = slice_of(iov[i].iov_base, iov[i].iov_len);
		XXH3_64bits_update(&digest, iov[i].iov_base, iov[i].iov_len);
		sum += iov[i].iov_len;
	}
	must(sum == head.bytes);
	head.digest = XXH3_64bits_digest(&digest);
	parts[0] = slice_of((const char *)&head, sizeof(head));
	struct rocks_id key = rocks_id_of(id);
	enum rocks_family family = ledger_family(ledger_log_of(id));
	rocks_batch_put(w->body, w->store->rocks, family, KEY_SLICE(key), parts, 1 + (size_t)n);
	flow_advance(from, sum);
	w->body_bytes += sum + sizeof(head);
	w->group_bytes += sum + sizeof(head);
}

/* The log of an object's tenant. */
static unsigned log_of(struct writer *w, const struct entry *e) ON_WORKER
{
	struct store *s = w->store;
	unsigned log;
	enum err err = ledger_log_for(&s->ledger, s->rocks, e->object->tenant, &log);
	fail_group(w, err);
	return err ? 0 : log;
}

/* Gives the next `bytes` of a body their ids, from chunk `index` on, and puts them into batches. */
static struct extent add_chunks(struct writer *w, const struct entry *e, struct flow_reader *from,
    uint64_t bytes, uint64_t index) ON_WORKER
{
	uint32_t chunks = (uint32_t)chunks_of(bytes);
	struct extent run = { ledger_take(&w->store->ledger, log_of(w, e), chunks), chunks, 0 };
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t left = bytes - (uint64_t)i * CHUNK_BYTES;
		struct chunk_head head = {
			.owner = e->hash.lo,
			.index = (uint32_t)index + i,
			.bytes = (uint32_t)min_u64(left, CHUNK_BYTES),
		};
		add_chunk(w, from, head, run.first + i);
		if (w->body_bytes >= w->store->sizes.group_bytes)
			write_bodies(w);
	}
	return run;
}

static void add_body(struct writer *w, struct entry *e, uint64_t bytes) ON_WORKER
{
	struct flow_reader from;
	if (bytes == 0) {
		e->place = ledger_take(&w->store->ledger, log_of(w, e), 0);
		return;
	}
	must(flow_attach(&from, e->object->body, 0, NULL));
	e->run = add_chunks(w, e, &from, bytes, 0);
	flow_detach(&from);
}

static void delete_record(struct writer *w, struct hash128 hash)
{
	struct meta_key key = meta_key_of(hash);
	rocks_batch_delete(w->meta, w->store->rocks, ROCKS_META, KEY_SLICE(key));
}

/* Takes away what an object that is left out would have replaced: it is older still, and was not
 * served any more. What somebody fetched after the purge stays. */
static void remove_older(struct writer *w, const struct entry *e) ON_WORKER
{
	struct meta_key key = meta_key_of(e->hash);
	struct rocks_value value;
	struct record record;
	enum err err;
	if (rocks_get(w->store->rocks, ROCKS_META, KEY_SLICE(key), false, &value, &err) !=
	    ROCKS_FOUND)
		return;
	bool is_older = record_read(value.bytes, &record) == ERR_NONE &&
	    record.seq < e->object->seq;
	rocks_unpin(&value);
	if (is_older)
		delete_record(w, e->hash);
}

static void add_record(struct writer *w, struct entry *e, struct extents runs) ON_WORKER
{
	/* Purged since it was offered. What a pattern matched must not come in behind it, either:
	 * once all that is stored was gone through, nobody looks for it again (fence.h). */
	e->is_left_out = !store_stands(w->store, e->object);
	if (e->is_left_out) {
		remove_older(w, e);
		return;
	}
	buf_clear(&w->record);
	record_write(&w->record, e->object, runs, e->place);
	if (w->record.overflow) {
		fail_group(w, ERR_NO_MEMORY);
		return;
	}
	struct meta_key key = meta_key_of(e->hash);
	struct slice value = buf_slice(&w->record);
	rocks_batch_put(w->meta, w->store->rocks, ROCKS_META, KEY_SLICE(key), &value, 1);
	w->group_bytes += value.len;
}

/* A body that is on disk already, by an older head or from a load, is not written again. */
static bool has_stored_body(const struct writer *w, struct entry *e, uint64_t bytes)
{
	uint64_t first = e->object->cold_first;
	uint32_t chunks = (uint32_t)chunks_of(bytes);
	if (first == 0)
		return false;
	e->place = first;
	e->run = (struct extent){ first, chunks, 0 };
	return ledger_holds(
	    &w->store->ledger, (struct span){ first, chunks ? first + chunks - 1 : 0 });
}

static void add_object(struct writer *w, struct entry *e) ON_WORKER
{
	uint64_t bytes = 0;
	struct spool *spool = e->object->spool;
	if (spool) {
		/* A new head of what is there. */
		add_record(w, e, spool_extents(spool));
		return;
	}
	must(object_length(e->object, &bytes));
	if (!has_stored_body(w, e, bytes))
		add_body(w, e, bytes);
	add_record(w, e, (struct extents){ &e->run, e->run.chunks ? 1 : 0 });
}

/* The next part of a body that comes. */
static void add_part(struct writer *w, struct entry *e) ON_WORKER
{
	struct flow_reader *from = &e->filling->from;
	uint64_t index = from->offset / CHUNK_BYTES;
	uint64_t bytes = filling_next(e->filling, w->store->sizes.group_bytes);
	if (bytes > 0)
		e->run = add_chunks(w, e, from, bytes, index);
}

/* Puts the removal of a record into the batch, and of its variants' if it is a marker's. */
static void add_removal(struct writer *w, const struct entry *e) ON_WORKER
{
	struct meta_key key = meta_key_of(e->hash);
	struct rocks_value value;
	struct record record;
	enum err err;
	if (rocks_get(w->store->rocks, ROCKS_META, KEY_SLICE(key), false, &value, &err) ==
	    ROCKS_FOUND) {
		if (record_read(value.bytes, &record) == ERR_NONE)
			for (uint32_t i = 0; i < record_variant_count(&record); i++)
				delete_record(w, record_variant(&record, i));
		rocks_unpin(&value);
	}
	delete_record(w, e->hash);
	w->group_bytes += sizeof(key);
}

/* Writes what there is to do, up to a group's worth. */
static void write_group(struct writer *w) ON_WORKER
{
	while (!list_empty(&w->todo) && w->group_bytes < w->store->sizes.group_bytes) {
		struct entry *e = LIST_OF(list_take_first(&w->todo), struct entry, link);
		list_append(&w->group, &e->link);
		if (!w->store->rocks)
			continue;
		if (e->filling)
			add_part(w, e);
		else if (e->object)
			add_object(w, e);
		else
			add_removal(w, e);
	}
	end_group(w);
}

/* ---- the thread ---- */

/* What was held comes first, now that it can be written. */
static void release_held(struct writer *w)
{
	if (w->held_count == 0 || !health_is_well(&w->store->health, HEALTH_WRITES))
		return;
	list_move_all(&w->held, &w->todo);
	list_move_all(&w->todo, &w->held);
	w->held_count = 0;
}

static void tend(struct writer *w) ON_WORKER
{
	struct mono now = mono_now();
	if (mount_tend(w->store, now)) {
		evict_init(&w->evict, &w->store->sizes);
		meter_set(&w->store->meters.spared, 0);
	}
	if (!w->store->rocks)
		return;
	store_measure(w->store, now);
	mount_try_again(w->store);
	release_held(w);
	if (!health_is_well(&w->store->health, HEALTH_WRITES))
		return;
	enum err err = evict_tend(&w->evict, w->store, now);
	if (!err)
		err = evict_flush(&w->evict, w->store, now);
	if (err)
		store_tell(w->store, HEALTH_WRITES, err);
}

static int64_t patience_ms(const struct writer *w)
{
	bool is_well = store_state(w->store) == COLD_OK;
	return w->evict.deletes || !is_well || !w->store->is_measured ? BUSY_MS : IDLE_MS;
}

/*
 * Under a stream of small objects this thread would be woken for each of them: a switch of threads
 * costs more than the object. So it lets some gather; a queue that fills is not kept waiting.
 */
static void nap(const struct writer *w)
{
	static const struct timespec span = { .tv_nsec = NAP_US * 1000 };
	if (list_empty(&w->todo))
		nanosleep(&span, NULL);
}

static void *thread_main(void *arg)
{
	struct writer *w = arg;
	role_worker();
	pthread_setname_np(pthread_self(), "store-write");
	tend(w);
	while (take(w, patience_ms(w))) {
		write_group(w);
		tend(w);
		nap(w);
	}
	return NULL;
}

static void free_parts(struct writer *w)
{
	/* A reader may have asked for a removal when the thread was through. */
	list_move_all(&w->held, &w->queue);
	LIST_EACH (link, &w->held)
		free_entry(LIST_OF(link, struct entry, link));
	rocks_batch_free(&w->body);
	rocks_batch_free(&w->meta);
	buf_fini(&w->record);
	pthread_cond_destroy(&w->more);
	lock_fini(&w->lock);
	free(w);
}

struct writer *writer_new(struct store *store)
{
	struct writer *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	cond_init_mono(&w->more);
	lock_init(&w->lock);
	list_init(&w->queue);
	list_init(&w->todo);
	list_init(&w->group);
	list_init(&w->held);
	buf_init(&w->record, 0);
	w->store = store;
	w->body = rocks_batch_new();
	w->meta = rocks_batch_new();
	evict_init(&w->evict, &store->sizes);
	if (thread_start(&w->thread, thread_main, w))
		return w;
	free_parts(w);
	return NULL;
}

void writer_end(struct writer *w)
{
	if (!w)
		return;
	lock_take(&w->lock);
	w->is_ending = true;
	pthread_cond_signal(&w->more);
	lock_drop(&w->lock);
	pthread_join(w->thread, NULL);
}

void writer_free(struct writer **writer)
{
	if (*writer)
		free_parts(*writer);
	*writer = NULL;
}
