/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/object.h"

#include "cache/tier/pump.h"

/* What malloc keeps beside each block. */
enum { MALLOC_OVERHEAD = 16 };

/* Copies a text to *at and moves *at behind it. */
static struct slice place(char **at, struct slice text)
{
	struct slice copy = slice_of(*at, text.len);
	if (text.len > 0)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return copy;
}

/* ---- tags ---- */

static uint32_t count_tags(struct slice text)
{
	uint32_t count = 0;
	while (text.len)
		count += slice_take_until(&text, '\n').len > 0;
	return count;
}

size_t object_tags_bytes(struct slice text)
{
	return text.len ? sizeof(struct object_tags) + count_tags(text) * sizeof(uint64_t) : 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

void object_tags_write(struct object_tags *tags, struct slice text)
{
	*tags = (struct object_tags){ .text = text };
	while (text.len) {
		struct slice tag = slice_take_until(&text, '\n');
		if (tag.len)
			tags->ids[tags->count++] = scope_tag_id(tag);
	}
	qsort(tags->ids, tags->count, sizeof(tags->ids[0]), by_value);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < tags->count; i++)
		if (kept == 0 || tags->ids[i] != tags->ids[kept - 1])
			tags->ids[kept++] = tags->ids[i];
	tags->count = kept;
}

/* ---- life ---- */

static uint64_t texts_bytes(struct slice key, const struct object_texts *t)
{
	return key.len + t->head.len + t->spec.len + t->values.len + t->tags.len;
}

static uint64_t own_bytes(size_t texts, uint32_t variants)
{
	return sizeof(struct object) + variants * sizeof(struct hash128) + texts;
}

struct object *object_new(
    enum object_kind kind, struct key key, struct object_texts texts, uint32_t variants)
{
	size_t tags = object_tags_bytes(texts.tags);
	struct object *o = malloc(own_bytes(tags + texts_bytes(key.text, &texts), variants));
	if (!o)
		return NULL;
	*o = (struct object){ .refs = 1, .kind = kind, .hash = key.hash };
	list_init(&o->hot_link);
	o->validators.last_modified = o->validators.date = WALL_NEVER;
	o->variants = (struct hash128 *)(o + 1);
	o->variant_count = variants;
	if (tags)
		o->tags = (struct object_tags *)(o->variants + variants);
	char *at = (char *)(o->variants + variants) + tags;
	o->key = place(&at, key.text);
	o->head = place(&at, texts.head);
	o->spec = place(&at, texts.spec);
	o->values = place(&at, texts.values);
	if (tags)
		object_tags_write(o->tags, place(&at, texts.tags));
	return o;
}

struct object *object_ref(struct object *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void object_unref(struct object **object)
{
	struct object *o = *object;
	*object = NULL;
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	flow_unref(&o->body);
	struct spool *spool = o->spool;
	spool_unref(&spool);
	free(o);
}

static struct spool *spool_of(const struct object *o)
{
	return atomic_load_explicit(&o->spool, memory_order_acquire);
}

void object_share_body(struct object *to, const struct object *from)
{
	must(to->body == NULL && to->spool == NULL);
	struct spool *spool = spool_of(from);
	if (from->body)
		to->body = flow_ref(from->body);
	to->spool = spool ? spool_ref(spool) : NULL;
	to->cold_first = from->cold_first;
}

struct object *object_with_tags(const struct object *o, struct slice tags)
{
	struct object *new = object_new(o->kind, (struct key){ o->key, o->hash },
	    (struct object_texts){ o->head, o->spec, o->values, tags }, 0);
	if (!new)
		return NULL;
	new->status = o->status;
	new->reason = o->reason;
	new->life = o->life;
	new->validators = o->validators;
	if (o->validators.etag.len)
		new->validators.etag.at = new->head.at + (o->validators.etag.at - o->head.at);
	new->seq = o->seq;
	new->tenant = o->tenant;
	object_share_body(new, o);
	return new;
}

bool object_has_body(const struct object *o)
{
	return o->body || spool_of(o);
}

struct slice object_trailers(const struct object *o)
{
	const struct spool *spool = spool_of(o);
	if (spool)
		return spool->trailers;
	return o->body ? o->body->trailers : SLICE_NONE;
}

/* As far as the flow knows it. */
static uint64_t length_in_ram(const struct flow *f)
{
	if (f->length == FLOW_LENGTH_UNKNOWN && flow_state(f) == FLOW_COMPLETE)
		return flow_filled(f);
	return f->length;
}

bool object_length(const struct object *o, uint64_t *ret_bytes)
{
	const struct spool *spool = spool_of(o);
	uint64_t bytes = o->body ? length_in_ram(o->body) : spool ? spool->length : 0;
	if (bytes == FLOW_LENGTH_UNKNOWN)
		return false;
	*ret_bytes = bytes;
	return true;
}

bool object_is_complete(const struct object *o)
{
	const struct spool *spool = spool_of(o);
	if (spool)
		return spool_state(spool) == FLOW_COMPLETE;
	return !o->body || (flow_state(o->body) == FLOW_COMPLETE && !flow_outgrew(o->body));
}

bool object_is_broken(const struct object *o)
{
	struct spool *spool = spool_of(o);
	if (spool)
		return !spool_is_readable(spool);
	return o->body && flow_state(o->body) == FLOW_FAILED;
}

bool object_attach(const struct object *o, uint64_t first, uint64_t end, struct flow_reader *reader,
    struct loop *home)
{
	return (o->body && flow_attach(reader, o->body, first, home)) ||
	    object_attach_disk(o, first, end, reader, home);
}

bool object_attach_disk(const struct object *o, uint64_t first, uint64_t end,
    struct flow_reader *reader, struct loop *home)
{
	struct spool *spool = spool_of(o);
	return spool && pump_start(spool, o->hash.lo, first, end, reader, home);
}

bool object_fields(const struct object *o, struct fields *ret_fields, struct arena *arena)
{
	*ret_fields = (struct fields){ 0 };
	struct slice lines = o->head;
	while (lines.len > 0) {
		struct slice value = slice_take_line(&lines);
		struct slice name = slice_take_until(&value, ':');
		if (!fields_add(ret_fields, arena, field_id_of(name), name, slice_trim(value)))
			return false;
	}
	return true;
}

uint64_t object_bytes(const struct object *o)
{
	struct object_texts texts = { o->head, o->spec, o->values, object_tags(o) };
	size_t tags = o->tags ? sizeof(*o->tags) + o->tags->count * sizeof(o->tags->ids[0]) : 0;
	uint64_t bytes = own_bytes(texts_bytes(o->key, &texts) + tags, o->variant_count) +
	    MALLOC_OVERHEAD;
	/* What is on disk only passes through RAM in a window. */
	if (!o->body || spool_of(o))
		return bytes;
	uint64_t body;
	if (!object_length(o, &body))
		body = flow_filled(o->body);
	uint64_t pieces = body / FLOW_PIECE_BYTES + 1;
	return bytes + sizeof(struct flow) + body +
	    pieces * (sizeof(struct flow_piece) + MALLOC_OVERHEAD);
}
