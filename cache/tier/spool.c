/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/spool.h"

#include "cache/tier/store.h"

enum { FIRST_EXTENTS = 4 };

struct spool *spool_new(struct store *store, uint64_t length)
{
	struct spool *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct spool){ .refs = 1, .store = store, .state = FLOW_FILLING, .length = length };
	lock_init(&s->lock);
	list_init(&s->readers);
	return s;
}

static enum err copy_trailers(struct spool *s, struct slice trailers)
{
	if (trailers.len == 0)
		return ERR_NONE;
	char *copy = malloc(trailers.len);
	if (!copy)
		return ERR_NO_MEMORY;
	memcpy(copy, trailers.at, trailers.len);
	s->trailers = slice_of(copy, trailers.len);
	return ERR_NONE;
}

struct spool *spool_of_record(struct store *store, const struct record *record)
{
	struct spool *s = spool_new(store, record->body_bytes);
	if (!s)
		return NULL;
	uint32_t count = record_extent_count(record);
	s->extents = malloc(count * sizeof(*s->extents));
	if (!s->extents) {
		spool_unref(&s);
		return NULL;
	}
	s->extent_count = s->extent_room = count;
	record_extents(record, s->extents);
	if (copy_trailers(s, record->trailers)) {
		spool_unref(&s);
		return NULL;
	}
	s->filled = record->body_bytes;
	s->state = FLOW_COMPLETE;
	return s;
}

struct spool *spool_ref(struct spool *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void spool_unref(struct spool **spool)
{
	struct spool *s = *spool;
	*spool = NULL;
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	must(list_empty(&s->readers) && !s->rest.flow);
	lock_fini(&s->lock);
	free(s->extents);
	free((void *)(uintptr_t)s->trailers.at);
	free(s);
}

/* ---- filling ---- */

static void ring_locked(struct spool *s)
{
	LIST_EACH (link, &s->readers) {
		struct spool_reader *r = LIST_OF(link, struct spool_reader, link);
		if (r->waits)
			r->bell->ring(r->bell);
		r->waits = false;
	}
}

/* What is on disk and no reader has come to. One that came from RAM may be in front of it. */
static uint64_t ahead_locked(const struct spool *s)
{
	uint64_t nearest = list_empty(&s->readers) ? s->filled : 0;
	LIST_EACH (link, &s->readers)
		nearest = max_u64(nearest, LIST_OF(link, struct spool_reader, link)->at);
	return s->filled - min_u64(s->filled, nearest);
}

static void release_locked(struct spool *s)
{
	struct bell *bell = s->hold;
	if (!bell || (spool_state(s) == FLOW_FILLING && ahead_locked(s) > s->hold_bytes))
		return;
	s->hold = NULL;
	bell->ring(bell);
}

bool spool_is_ahead(struct spool *s, uint64_t bytes, struct bell *bell)
{
	lock_take(&s->lock);
	bool is_ahead = spool_state(s) == FLOW_FILLING && ahead_locked(s) > bytes;
	s->hold = is_ahead ? bell : NULL;
	s->hold_bytes = bytes;
	lock_drop(&s->lock);
	return is_ahead;
}

void spool_release(struct spool *s)
{
	lock_take(&s->lock);
	s->hold = NULL;
	lock_drop(&s->lock);
}

static bool make_room_locked(struct spool *s)
{
	if (s->extent_count < s->extent_room)
		return true;
	uint32_t room = s->extent_room ? 2 * s->extent_room : FIRST_EXTENTS;
	struct extent *more = realloc(s->extents, room * sizeof(*more));
	if (!more)
		return false;
	s->extents = more;
	s->extent_room = room;
	return true;
}

/* Lengthens the last run, or begins one. */
static bool add_run_locked(struct spool *s, uint64_t first, uint32_t chunks)
{
	if (!make_room_locked(s))
		return false;
	must(s->extents != NULL);
	struct extent *last = s->extent_count ? &s->extents[s->extent_count - 1] : NULL;
	if (last && last->first + last->chunks == first)
		last->chunks += chunks;
	else
		s->extents[s->extent_count++] = (struct extent){ first, chunks,
			last ? last->before + last->chunks : 0 };
	return true;
}

enum err spool_grow(struct spool *s, uint64_t first, uint32_t chunks, uint64_t bytes)
{
	lock_take(&s->lock);
	bool grows = add_run_locked(s, first, chunks);
	if (grows) {
		s->filled += bytes;
		ring_locked(s);
	}
	lock_drop(&s->lock);
	return grows ? ERR_NONE : ERR_NO_MEMORY;
}

static void end_locked(struct spool *s, enum flow_state state)
{
	if (state == FLOW_COMPLETE)
		atomic_store_explicit(&s->length, s->filled, memory_order_relaxed);
	atomic_store_explicit(&s->state, state, memory_order_release);
	ring_locked(s);
	release_locked(s);
}

static void end(struct spool *s, enum flow_state state)
{
	lock_take(&s->lock);
	end_locked(s, state);
	lock_drop(&s->lock);
}

enum err spool_finish(struct spool *s, struct slice trailers)
{
	uint64_t length = atomic_load_explicit(&s->length, memory_order_relaxed);
	bool is_whole = length == FLOW_LENGTH_UNKNOWN || length == s->filled;
	enum err err = is_whole ? copy_trailers(s, trailers) : ERR_ORIGIN_TRUNCATED;
	end(s, err ? FLOW_FAILED : FLOW_COMPLETE);
	return err;
}

void spool_fail(struct spool *s)
{
	end(s, FLOW_FAILED);
}

void spool_stop(struct spool *s, struct flow_reader *from)
{
	lock_take(&s->lock);
	must(from->offset == s->filled);
	LIST_EACH (link, &s->readers)
		if (LIST_OF(link, struct spool_reader, link)->at + SPOOL_WAIT_BYTES < s->filled)
			list_drop(link);
	if (!list_empty(&s->readers))
		flow_hand_over(&s->rest, from);
	end_locked(s, FLOW_FAILED);
	lock_drop(&s->lock);
}

struct extents spool_extents(const struct spool *s)
{
	must(spool_state(s) == FLOW_COMPLETE);
	return (struct extents){ s->extents, s->extent_count };
}

/* ---- reading ---- */

bool spool_enter(struct spool *s, struct spool_reader *r, uint64_t at)
{
	lock_take(&s->lock);
	bool enters = spool_state(s) != FLOW_FAILED || s->rest.flow;
	r->at = at;
	r->waits = false;
	if (enters) {
		list_append(&s->readers, &r->link);
		release_locked(s);
	}
	lock_drop(&s->lock);
	return enters;
}

static void leave_locked(struct spool *s, struct spool_reader *r)
{
	list_drop(&r->link);
	r->waits = false;
	release_locked(s);
	if (list_empty(&s->readers))
		flow_detach(&s->rest);
}

void spool_leave(struct spool *s, struct spool_reader *r)
{
	lock_take(&s->lock);
	if (r->link.next)
		leave_locked(s, r);
	lock_drop(&s->lock);
}

void spool_cross(struct spool *s, struct spool_reader *r, struct flow_reader *to)
{
	lock_take(&s->lock);
	flow_attach_beside(to, &s->rest);
	leave_locked(s, r);
	lock_drop(&s->lock);
}

static bool id_of_locked(const struct spool *s, uint64_t chunk, uint64_t *ret_id)
{
	uint32_t from = 0, to = s->extent_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		const struct extent *e = &s->extents[middle];
		if (chunk < e->before) {
			to = middle;
		} else if (chunk - e->before >= e->chunks) {
			from = middle + 1;
		} else {
			*ret_id = e->first + (chunk - e->before);
			return true;
		}
	}
	return false;
}

static enum spool_look look_locked(const struct spool *s, uint64_t at, uint64_t *ret_id)
{
	if (spool_state(s) == FLOW_FAILED && !s->rest.flow)
		return SPOOL_NEVER;
	if (at < s->filled && id_of_locked(s, at / CHUNK_BYTES, ret_id))
		return SPOOL_THERE;
	if (spool_state(s) == FLOW_FILLING)
		return SPOOL_LATER;
	return s->rest.flow ? SPOOL_REST : SPOOL_NEVER;
}

enum spool_look spool_find(
    struct spool *s, uint64_t at, struct spool_reader *reader, uint64_t *ret_id)
{
	lock_take(&s->lock);
	bool is_cut = reader && list_empty(&reader->link);
	enum spool_look look = is_cut ? SPOOL_NEVER : look_locked(s, at, ret_id);
	if (reader) {
		reader->at = at;
		reader->waits = look == SPOOL_LATER;
		release_locked(s);
	}
	lock_drop(&s->lock);
	return look;
}

/* Whether one of its chunks, wherever, is from `first` to `last`. */
static bool has_id_locked(const struct spool *s, uint64_t first, uint64_t last)
{
	uint32_t from = 0, to = s->extent_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		const struct extent *e = &s->extents[middle];
		if (e->first + e->chunks > first)
			to = middle;
		else
			from = middle + 1;
	}
	return from < s->extent_count && s->extents[from].first <= last;
}

bool spool_span(struct spool *s, uint64_t at, uint64_t end, struct span *ret_span)
{
	lock_take(&s->lock);
	end = min_u64(end, s->filled);
	bool is_there = at < end && id_of_locked(s, at / CHUNK_BYTES, &ret_span->first) &&
	    id_of_locked(s, (end - 1) / CHUNK_BYTES, &ret_span->last);
	lock_drop(&s->lock);
	return is_there;
}

bool spool_has(struct spool *s, struct span ids)
{
	lock_take(&s->lock);
	bool has = has_id_locked(s, ids.first, ids.last);
	lock_drop(&s->lock);
	return has;
}

bool spool_is_readable(struct spool *s)
{
	enum flow_state state = spool_state(s);
	if (state != FLOW_COMPLETE)
		return state == FLOW_FILLING;
	if (s->extent_count == 0 || !gate_enter(&s->store->gate))
		return false;
	/* Another database may have come in its place, with fewer logs. */
	const struct ledger *ledger = &s->store->ledger;
	uint64_t first = s->extents[0].first;
	bool is_there = ledger_has_log_of(ledger, first) && !ledger_is_parting(ledger, first);
	gate_leave(&s->store->gate);
	return is_there;
}
