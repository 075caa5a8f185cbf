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
    struct store *s, struct stroll *w, struct slice value, stroll_f *show, void *arg)
{
	struct record record;
	struct object object;
	if (record_read(value, &record) != ERR_NONE || record.kind != OBJECT_ANSWER ||
	    !ledger_holds(&s->ledger, record.span))
		return ERR_NONE;
	if (!make(w, &record, &object))
		return ERR_NO_MEMORY;
	show(arg, &object, record.body_bytes);
	return ERR_NONE;
}

static enum err go(struct store *s, struct stroll *w, unsigned records, stroll_f *show, void *arg)
    ON_WORKER
{
	struct meta_key from = meta_key_of(w->from);
	struct slice key, value;
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
		made = meet(s, w, value, show, arg);
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

/* Shows what is at one hash. A marker's variants, if they are wanted, are shown in its place. */
static enum err show_at(struct store *s, struct stroll *w, struct hash128 hash, bool wants_variants,
    stroll_f *show, void *arg) ON_WORKER
{
	struct meta_key key = meta_key_of(hash);
	struct rocks_value value;
	struct record record;
	enum err err = ERR_NONE;
	enum rocks_look look = store_get(s, ROCKS_META, KEY_SLICE(key), &value);
	if (look != ROCKS_FOUND)
		return look == ROCKS_FAILED ? ERR_STORE_IO : ERR_NONE;
	w->from = hash;
	bool is_marker = record_read(value.bytes, &record) == ERR_NONE &&
	    record.kind == OBJECT_VARY;
	if (!is_marker)
		err = meet(s, w, value.bytes, show, arg);
	for (uint32_t i = 0; is_marker && wants_variants && !err; i++) {
		if (i == record_variant_count(&record))
			break;
		err = show_at(s, w, record_variant(&record, i), false, show, arg);
	}
	rocks_unpin(&value);
	return err;
}

enum err stroll_at(struct cold *c, struct stroll *w, struct hash128 hash, stroll_f *show, void *arg)
{
	struct store *s = cold_store_of(c);
	if (!health_may(&s->health, HEALTH_READS) || !gate_enter(&s->gate))
		return ERR_STORE_IO;
	enum err err = show_at(s, w, hash, true, show, arg);
	gate_leave(&s->gate);
	return err;
}
