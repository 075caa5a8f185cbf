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
	list_init(&s->waits);
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
	must(list_empty(&s->waits));
	lock_fini(&s->lock);
	free(s->extents);
	free((void *)(uintptr_t)s->trailers.at);
	free(s);
}

/* ---- filling ---- */

static void ring_locked(struct spool *s)
{
	LIST_EACH (link, &s->waits) {
		struct spool_wait *wait = LIST_OF(link, struct spool_wait, link);
		list_drop(link);
		wait->bell->ring(wait->bell);
	}
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

static void end(struct spool *s, enum flow_state state)
{
	lock_take(&s->lock);
	if (state == FLOW_COMPLETE)
		atomic_store_explicit(&s->length, s->filled, memory_order_relaxed);
	atomic_store_explicit(&s->state, state, memory_order_release);
	ring_locked(s);
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

struct extents spool_extents(const struct spool *s)
{
	must(spool_state(s) == FLOW_COMPLETE);
	return (struct extents){ s->extents, s->extent_count };
}

/* ---- reading ---- */

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

enum spool_look spool_find(struct spool *s, uint64_t at, struct spool_wait *wait, uint64_t *ret_id)
{
	enum spool_look look = SPOOL_NEVER;
	lock_take(&s->lock);
	if (spool_state(s) == FLOW_FAILED)
		look = SPOOL_NEVER;
	else if (at < s->filled && id_of_locked(s, at / CHUNK_BYTES, ret_id))
		look = SPOOL_THERE;
	else if (spool_state(s) == FLOW_FILLING)
		look = SPOOL_LATER;
	if (look == SPOOL_LATER && wait)
		list_append(&s->waits, &wait->link);
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
