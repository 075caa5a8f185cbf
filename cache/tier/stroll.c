/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/stroll.h"

#include "cache/tier/store.h"

void stroll_init(struct stroll *w)
{
	*w = (struct stroll){ 0 };
}

void stroll_fini(struct stroll *w)
{
	free(w->tags);
	w->tags = NULL;
}

static struct object_tags *room_for(struct stroll *w, struct slice text)
{
	size_t needed = object_tags_bytes(text);
	if (needed > w->tags_room) {
		free(w->tags);
		w->tags_room = 2 * needed;
		w->tags = malloc(w->tags_room);
	}
	return (struct object_tags *)(void *)w->tags;
}

/* The object of a record, in place. False without memory. */
static bool make(struct stroll *w, const struct record *r, struct object *ret_object)
{
	*ret_object = (struct object){
		.kind = r->kind,
		.status = r->status,
		.hash = w->from,
		.key = r->key,
		.spec = r->spec,
		.values = r->values,
		.life = r->life,
		.seq = r->seq,
	};
	if (!r->tags.len)
		return true;
	struct object_tags *tags = room_for(w, r->tags);
	if (!tags)
		return false;
	object_tags_write(tags, r->tags);
	ret_object->tags = tags;
	return true;
}

static enum err meet(
    struct store *s, struct stroll *w, const struct record *r, stroll_f *show, void *arg)
{
	struct object object;
	if (r->kind != OBJECT_ANSWER || !ledger_holds(&s->ledger, r->span))
		return ERR_NONE;
	if (!make(w, r, &object))
		return ERR_NO_MEMORY;
	show(arg, &object, r->body_bytes);
	return ERR_NONE;
}

static enum err go(struct store *s, struct stroll *w, unsigned records, stroll_f *show, void *arg)
    ON_WORKER
{
	struct meta_key from = meta_key_of(w->from);
	struct slice key, value;
	struct record record;
	enum err err = ERR_NONE, made = ERR_NONE;
	struct rocks_walk *walk = rocks_walk_new(s->rocks, ROCKS_META, KEY_SLICE(from));
	for (unsigned i = 0; !made; i++, rocks_walk_next(walk)) {
		w->is_over = !rocks_walk_at(walk, &key, &value, &err);
		if (w->is_over)
			break;
		if (key.len != sizeof(w->from))
			continue;
		memcpy(&w->from, key.at, sizeof(w->from));
		if (i >= records)
			break; /* the next part begins here */
		if (record_read(value, &record) == ERR_NONE)
			made = meet(s, w, &record, show, arg);
	}
	rocks_walk_free(&walk);
	store_tell(s, HEALTH_READS, err);
	return err ? err : made;
}

enum err stroll_on(struct cold *c, struct stroll *w, unsigned records, stroll_f *show, void *arg)
{
	struct store *s = cold_store_of(c);
	if (!health_may(&s->health, HEALTH_READS) || !gate_enter(&s->gate))
		return ERR_STORE_IO;
	enum err err = go(s, w, records, show, arg);
	gate_leave(&s->gate);
	return err;
}

/* What is at a hash: read, while the value is held. False: nothing that is sound, or an error. */
static bool look(struct store *s, struct hash128 hash, struct rocks_value *value,
    struct record *ret_record, enum err *ret_err) ON_WORKER
{
	struct meta_key key = meta_key_of(hash);
	enum rocks_look look = store_get(s, ROCKS_META, KEY_SLICE(key), value);
	*ret_err = look == ROCKS_FAILED ? ERR_STORE_IO : ERR_NONE;
	if (look != ROCKS_FOUND)
		return false;
	if (record_read(value->bytes, ret_record) == ERR_NONE)
		return true;
	rocks_unpin(value);
	return false;
}

enum err stroll_at(struct cold *c, struct stroll *w, struct hash128 hash, stroll_f *show, void *arg)
{
	struct store *s = cold_store_of(c);
	struct rocks_value value;
	struct record record;
	enum err err;
	if (!health_may(&s->health, HEALTH_READS) || !gate_enter(&s->gate))
		return ERR_STORE_IO;
	w->from = hash;
	if (look(s, hash, &value, &record, &err)) {
		err = meet(s, w, &record, show, arg);
		rocks_unpin(&value);
	}
	gate_leave(&s->gate);
	return err;
}

enum err stroll_variants(struct cold *c, struct hash128 hash, struct buf *to)
{
	struct store *s = cold_store_of(c);
	struct rocks_value value;
	struct record record;
	enum err err;
	if (!health_may(&s->health, HEALTH_READS) || !gate_enter(&s->gate))
		return ERR_STORE_IO;
	if (look(s, hash, &value, &record, &err)) {
		for (uint32_t i = 0; i < record_variant_count(&record); i++) {
			struct hash128 variant = record_variant(&record, i);
			buf_add(to, slice_of((const char *)&variant, sizeof(variant)));
		}
		rocks_unpin(&value);
	}
	gate_leave(&s->gate);
	return err;
}
