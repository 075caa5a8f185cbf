/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/purging.h"

enum { RECEIPT_BYTES = 64 * 1024 };

bool purging_is_asked(const struct trip *t)
{
	const struct request *request = &t->stream->request;
	return request->method == METHOD_OTHER && t->plan->site.purgers->count > 0 &&
	    slice_eq(request->method_name, SL("PURGE"));
}

static struct slice value_of(const struct trip *t, const char *name)
{
	const struct field *f = fields_find_name(&t->stream->request.fields, slice_str(name));
	return f ? f->value : SLICE_NONE;
}

static enum err add(struct order *o, struct order_list *list, struct slice item)
{
	if (list->count == ORDER_ITEMS)
		return ERR_TOO_MANY_TAGS;
	list->at[list->count++] = arena_copy(&o->arena, item);
	return o->arena.overflow ? ERR_NO_MEMORY : ERR_NONE;
}

static bool carries_tags(const struct field *f)
{
	return slice_eq_nocase(f->name, SL("Surrogate-Key")) ||
	    slice_eq_nocase(f->name, SL("xkey"));
}

/* As many tags as the lines can have: one byte each, and one between. */
static size_t room_for_tags(const struct fields *fields)
{
	size_t room = 0;
	for (uint32_t i = 0; i < fields->count; i++)
		if (carries_tags(&fields->at[i]))
			room += fields->at[i].value.len / 2 + 1;
	return min_size(room, ORDER_ITEMS);
}

/* All lines of both names together: a tag that was passed over would stay served. */
static enum err add_tags(struct order *o, const struct fields *fields)
{
	enum err err = ERR_NONE;
	for (uint32_t i = 0; !err && i < fields->count; i++) {
		struct slice rest = fields->at[i].value, tag;
		while (!err && carries_tags(&fields->at[i]) && slice_take_word(&rest, &tag))
			err = add(o, &o->tags, tag);
	}
	return err;
}

/* What the request says, as an order. */
static enum err fill_order(const struct trip *t, struct order *o)
{
	const struct fields *fields = &t->stream->request.fields;
	struct order_problem problem;
	o->mode = slice_eq(value_of(t, "Fastly-Soft-Purge"), SL("1")) ? PURGE_SOFT : PURGE_HARD;
	o->tags.at = arena_alloc(&o->arena, (room_for_tags(fields) + 1) * sizeof(*o->tags.at));
	o->files.at = arena_alloc(&o->arena, sizeof(*o->files.at));
	if (o->arena.overflow)
		return ERR_NO_MEMORY;
	enum err err = add_tags(o, fields);
	if (!err && o->tags.count == 0)
		err = add(o, &o->files, t->query.key.text);
	return err ? err : order_prepare(o, order_same_key, NULL, &problem);
}

/* As edge/admin/actor.h names an address. */
static struct slice actor_of(const struct trip *t, struct arena *arena)
{
	char text[IP_TEXT_MAX];
	ip_print(t->forwarded.peer, text);
	return arena_printf(arena, "tcp:%s", text);
}

enum err purging_begin(struct trip *t, void (*done)(struct purge *))
{
	if (!proxies_trust(t->plan->site.purgers, t->forwarded.peer))
		return ERR_PURGE_REFUSED;
	struct order *o = order_new();
	enum err err = o ? fill_order(t, o) : ERR_NO_MEMORY;
	struct slice actor = o ? actor_of(t, &o->arena) : SLICE_NONE;
	if (!err && !actor.len)
		err = ERR_NO_MEMORY;
	if (err) {
		order_unref(&o);
		return err;
	}
	t->purge = (struct purge){
		.order = o,
		.actor = actor,
		.home = &t->worker->loop,
		.done = done,
	};
	t->is_purging = true;
	purge_submit(t->worker->purges, &t->purge);
	return ERR_NONE;
}

enum err purging_end(struct trip *t)
{
	t->is_purging = false;
	order_unref(&t->purge.order);
	return t->purge.err;
}

void purging_answer(struct trip *t)
{
	struct note note = trip_note(t);
	struct answer_form form = trip_form(t);
	struct answer answer;
	struct receipt receipt;
	struct buf text;
	buf_init(&text, RECEIPT_BYTES);
	if (purge_receipt(t->worker->purges, t->purge.seq, &receipt))
		receipt_write(&receipt, &text);
	buf_add_char(&text, '\n');
	struct slice body = arena_copy(form.arena, buf_slice(&text));
	buf_fini(&text);
	answer_receipt(&form, t->purge.seq, body, &note, &t->text, &answer);
	t->result = RESULT_PURGE;
	t->status = answer.status;
	stream_answer(t->stream, &answer, &t->text.source);
}
