/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/record.h"

#include <xxhash.h>

enum {
	AT_FIRST = 8,
	AT_CHUNKS = 16,
	AT_CHECK = 20,
	AT_CHECKED = 24,
	TEXTS = 5,
	VARIANT_BYTES = 16
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

void record_write(struct buf *to, const struct object *o, struct span span, uint64_t digest)
{
	size_t start = to->len;
	uint64_t body = 0;
	must(object_length(o, &body));
	struct slice trailers = o->body ? o->body->trailers : SLICE_NONE;
	const struct slice texts[TEXTS] = { o->key, o->head, o->spec, o->values, trailers };
	put(to, RECORD_VERSION, 1);
	put(to, o->kind, 1);
	put(to, o->status, 2);
	put(to, o->reason, 2);
	put(to, flags_of(&o->life), 2);
	put(to, span.first, 8);
	put(to, span.chunks, 4);
	put(to, 0, 4);
	put(to, body, 8);
	put(to, digest, 8);
	put(to, o->seq, 8);
	put_life(to, &o->life);
	put_validators(to, o);
	for (size_t i = 0; i < TEXTS; i++)
		put(to, texts[i].len, 4);
	put(to, o->variant_count, 4);
	for (size_t i = 0; i < TEXTS; i++)
		buf_add(to, texts[i]);
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
	struct slice *const texts[TEXTS] = { &r->key, &r->head, &r->spec, &r->values,
		&r->trailers };
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
	r.span.chunks = (uint32_t)take(&s, 4);
	s = slice_from(s, 4);
	r.body_bytes = take(&s, 8);
	r.digest = take(&s, 8);
	r.seq = take(&s, 8);
	take_life(&s, flags, &r.life);
	r.validators.last_modified = take_wall(&s);
	r.validators.date = take_wall(&s);
	uint64_t etag_at = take(&s, 4), etag_len = take(&s, 4);
	if (kind < OBJECT_ANSWER || kind > OBJECT_VARY || reason >= REASON_COUNT || flags > FLAGS ||
	    r.span.chunks != chunks_of(r.body_bytes) || !take_texts(&s, etag_at, etag_len, &r))
		return ERR_STORE_CORRUPT;
	r.kind = (enum object_kind)kind;
	r.reason = (enum reason)reason;
	*ret_record = r;
	return ERR_NONE;
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
	struct object *o = object_new(r->kind, (struct key){ r->key, hash }, r->head, r->spec,
	    r->values, record_variant_count(r));
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
	ret_span->chunks = (uint32_t)take(&s, 4);
	return true;
}
