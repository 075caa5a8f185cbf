/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/record.h"

#include <xxhash.h>

enum {
	AT_FIRST = 8,
	AT_CHECK = 24,
	AT_CHECKED = 28,
	TEXTS = 7,
	VARIANT_BYTES = 16,
	EXTENT_BYTES = 12,
	UNUSED_BYTES = 4,
};
enum { FLAG_NO_CACHE = 1, FLAG_MUST_REVALIDATE = 2, FLAG_IMMUTABLE = 4, FLAGS = 7 };

uint32_t record_check(struct slice bytes)
{
	must(bytes.len >= AT_CHECKED);
	uint64_t front = XXH3_64bits(bytes.at, AT_CHECK);
	return (uint32_t)XXH3_64bits_withSeed(bytes.at + AT_CHECKED, bytes.len - AT_CHECKED, front);
}

/* ---- writing ---- */

static void put(struct buf *to, uint64_t number, size_t bytes)
{
	char le[8];
	for (size_t i = 0; i < bytes; i++)
		le[i] = (char)(number >> (8 * i));
	buf_add(to, slice_of(le, bytes));
}

static void put_wall(struct buf *to, struct wall w)
{
	put(to, (uint64_t)w.ms, 8);
}

static unsigned flags_of(const struct life *life)
{
	return (life->no_cache ? FLAG_NO_CACHE : 0U) |
	    (life->must_revalidate ? FLAG_MUST_REVALIDATE : 0U) |
	    (life->immutable ? FLAG_IMMUTABLE : 0U);
}

static void put_life(struct buf *to, const struct life *life)
{
	put_wall(to, life->response_time);
	put_wall(to, life->born);
	put_wall(to, life->fresh_until);
	put_wall(to, life->swr_until);
	put_wall(to, life->sie_until);
	put_wall(to, life->keep_until);
}

static void put_validators(struct buf *to, const struct object *o)
{
	const struct validators *v = &o->validators;
	put_wall(to, v->last_modified);
	put_wall(to, v->date);
	put(to, v->etag.len ? (uint64_t)(v->etag.at - o->head.at) : 0, 4);
	put(to, v->etag.len, 4);
}

static void put_check(struct buf *to, size_t start)
{
	char *record = to->at + start;
	uint32_t sum = record_check(slice_of(record, to->len - start));
	for (size_t i = 0; i < 4; i++)
		record[AT_CHECK + i] = (char)(sum >> (8 * i));
}

/* The fixed part up to the body's length: what and where. */
static void put_front(
    struct buf *to, const struct object *o, struct extents runs, uint64_t place, uint64_t body)
{
	const struct extent *last = runs.count ? &runs.at[runs.count - 1] : NULL;
	put(to, RECORD_VERSION, 1);
	put(to, o->kind, 1);
	put(to, o->status, 2);
	put(to, o->reason, 2);
	put(to, flags_of(&o->life), 2);
	put(to, last ? runs.at[0].first : place, 8);
	put(to, last ? last->first + last->chunks - 1 : 0, 8);
	put(to, 0, 4);
	put(to, 0, UNUSED_BYTES);
	put(to, body, 8);
}

void record_write(struct buf *to, const struct object *o, struct extents runs, uint64_t place)
{
	size_t start = to->len;
	uint64_t body = 0;
	must(object_length(o, &body));
	const struct slice texts[] = { o->key, o->head, o->spec, o->values, object_trailers(o),
		object_tags(o) };
	uint32_t extra = runs.count > 1 ? runs.count : 0;
	put_front(to, o, runs, place, body);
	put(to, o->seq, 8);
	put_life(to, &o->life);
	put_validators(to, o);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		put(to, texts[i].len, 4);
	put(to, extra * EXTENT_BYTES, 4);
	put(to, o->variant_count, 4);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		buf_add(to, texts[i]);
	for (uint32_t i = 0; i < extra; i++) {
		put(to, runs.at[i].first, 8);
		put(to, runs.at[i].chunks, 4);
	}
	for (uint32_t i = 0; i < o->variant_count; i++) {
		put(to, o->variants[i].hi, 8);
		put(to, o->variants[i].lo, 8);
	}
	if (!to->overflow)
		put_check(to, start);
}

/* ---- reading ---- */

/* Takes a number off the front. Asking past the end gives 0 and leaves the slice broken. */
static uint64_t take(struct slice *s, size_t bytes)
{
	if (s->len < bytes) {
		*s = SLICE_NONE;
		return 0;
	}
	uint64_t number = 0;
	for (size_t i = 0; i < bytes; i++)
		number |= (uint64_t)(unsigned char)s->at[i] << (8 * i);
	*s = slice_from(*s, bytes);
	return number;
}

static struct wall take_wall(struct slice *s)
{
	return (struct wall){ (int64_t)take(s, 8) };
}

static bool take_text(struct slice *s, size_t len, struct slice *ret_text)
{
	if (len > s->len)
		return false;
	*ret_text = slice_first(*s, len);
	*s = slice_from(*s, len);
	return true;
}

static void take_life(struct slice *s, unsigned flags, struct life *life)
{
	life->response_time = take_wall(s);
	life->born = take_wall(s);
	life->fresh_until = take_wall(s);
	life->swr_until = take_wall(s);
	life->sie_until = take_wall(s);
	life->keep_until = take_wall(s);
	life->no_cache = flags & FLAG_NO_CACHE;
	life->must_revalidate = flags & FLAG_MUST_REVALIDATE;
	life->immutable = flags & FLAG_IMMUTABLE;
}

/* The texts, and the etag, which is a part of one. */
static bool take_texts(struct slice *s, uint64_t etag_at, uint64_t etag_len, struct record *r)
{
	struct slice *const texts[TEXTS] = { &r->key, &r->head, &r->spec, &r->values, &r->trailers,
		&r->tags, &r->extents };
	size_t lens[TEXTS];
	for (size_t i = 0; i < TEXTS; i++)
		lens[i] = (size_t)take(s, 4);
	uint64_t variants = take(s, 4) * VARIANT_BYTES;
	for (size_t i = 0; i < TEXTS; i++)
		if (!take_text(s, lens[i], texts[i]))
			return false;
	if (etag_at + etag_len > r->head.len)
		return false;
	r->validators.etag = slice_first(slice_from(r->head, (size_t)etag_at), (size_t)etag_len);
	r->variants = *s;
	return variants == s->len;
}

static bool is_sound(struct slice bytes)
{
	if (bytes.len < RECORD_FIXED_BYTES || bytes.at[0] != RECORD_VERSION)
		return false;
	struct slice check = slice_from(bytes, AT_CHECK);
	return record_check(bytes) == (uint32_t)take(&check, 4);
}

/* Whether the runs make up the body, one after the other, from the span's first to its last id. */
static bool are_extents_sound(const struct record *r)
{
	uint64_t chunks = chunks_of(r->body_bytes), sum = 0, next = r->span.first;
	if (chunks > UINT32_MAX || r->span.first > UINT64_MAX - chunks)
		return false;
	if (r->extents.len == 0)
		return r->span.last == (chunks ? r->span.first + chunks - 1 : 0);
	if (r->extents.len % EXTENT_BYTES != 0 || r->extents.len == EXTENT_BYTES)
		return false;
	struct slice s = r->extents;
	while (s.len > 0) {
		uint64_t first = take(&s, 8), count = take(&s, 4);
		if (first < next || count == 0 || count > UINT64_MAX - first)
			return false;
		if (sum == 0 && first != r->span.first)
			return false;
		next = first + count;
		sum += count;
	}
	return sum == chunks && next == r->span.last + 1;
}

enum err record_read(struct slice bytes, struct record *ret_record)
{
	if (!is_sound(bytes))
		return ERR_STORE_CORRUPT;
	struct record r = { 0 };
	struct slice s = slice_from(bytes, 1);
	uint64_t kind = take(&s, 1);
	r.status = (uint16_t)take(&s, 2);
	uint64_t reason = take(&s, 2);
	unsigned flags = (unsigned)take(&s, 2);
	r.span.first = take(&s, 8);
	r.span.last = take(&s, 8);
	s = slice_from(s, 4);
	uint64_t unused = take(&s, UNUSED_BYTES);
	r.body_bytes = take(&s, 8);
	r.seq = take(&s, 8);
	take_life(&s, flags, &r.life);
	r.validators.last_modified = take_wall(&s);
	r.validators.date = take_wall(&s);
	uint64_t etag_at = take(&s, 4), etag_len = take(&s, 4);
	if (kind < OBJECT_ANSWER || kind > OBJECT_VARY || reason >= REASON_COUNT || flags > FLAGS ||
	    unused || !take_texts(&s, etag_at, etag_len, &r) || !are_extents_sound(&r))
		return ERR_STORE_CORRUPT;
	r.kind = (enum object_kind)kind;
	r.reason = (enum reason)reason;
	*ret_record = r;
	return ERR_NONE;
}

uint32_t record_extent_count(const struct record *r)
{
	if (r->extents.len == 0)
		return r->body_bytes ? 1 : 0;
	return (uint32_t)(r->extents.len / EXTENT_BYTES);
}

void record_extents(const struct record *r, struct extent *to)
{
	uint32_t before = 0;
	if (r->extents.len == 0 && r->body_bytes)
		*to = (struct extent){ r->span.first, (uint32_t)chunks_of(r->body_bytes), 0 };
	for (struct slice s = r->extents; s.len > 0; to++) {
		to->first = take(&s, 8);
		to->chunks = (uint32_t)take(&s, 4);
		to->before = before;
		before += to->chunks;
	}
}

uint32_t record_variant_count(const struct record *r)
{
	return (uint32_t)(r->variants.len / VARIANT_BYTES);
}

struct hash128 record_variant(const struct record *r, uint32_t index)
{
	struct slice s = slice_from(r->variants, (size_t)index * VARIANT_BYTES);
	uint64_t hi = take(&s, 8);
	return (struct hash128){ hi, take(&s, 8) };
}

struct object *record_object(const struct record *r, struct hash128 hash)
{
	struct object *o = object_new(r->kind, (struct key){ r->key, hash },
	    (struct object_texts){
		.head = r->head, .spec = r->spec, .values = r->values, .tags = r->tags },
	    record_variant_count(r));
	if (!o)
		return NULL;
	o->status = r->status;
	o->reason = r->reason;
	o->life = r->life;
	o->seq = r->seq;
	o->validators = r->validators;
	if (r->validators.etag.len > 0)
		o->validators.etag.at = o->head.at + (r->validators.etag.at - r->head.at);
	for (uint32_t i = 0; i < o->variant_count; i++)
		o->variants[i] = record_variant(r, i);
	return o;
}

bool record_span(struct slice bytes, struct span *ret_span)
{
	if (bytes.len < RECORD_FIXED_BYTES || bytes.at[0] != RECORD_VERSION)
		return false;
	struct slice s = slice_from(bytes, AT_FIRST);
	ret_span->first = take(&s, 8);
	ret_span->last = take(&s, 8);
	return true;
}
