/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/purging.h"

enum { RECEIPT_BYTES = 64 * 1024, ACTOR_BYTES = 64 };

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

static struct slice same_key(UNUSED void *arg, struct slice url, struct arena *arena)
{
	return arena_copy(arena, url);
}

static bool add(struct order *o, struct order_list *list, struct slice item)
{
	if (list->count == ORDER_ITEMS)
		return false;
	list->at[list->count++] = arena_copy(&o->arena, item);
	return !o->arena.overflow;
}

static bool add_tags(struct order *o, struct slice tags)
{
	while (tags.len) {
		struct slice tag = slice_trim(slice_take_until(&tags, ' '));
		if (tag.len && !add(o, &o->tags, tag))
			return false;
	}
	return true;
}

/* What the request says, as an order. */
static bool fill_order(const struct trip *t, struct order *o)
{
	struct slice tags = value_of(t, "Surrogate-Key"), xkey = value_of(t, "xkey");
	size_t room = 1 + tags.len / 2 + xkey.len / 2 + 2;
	o->mode = slice_eq(value_of(t, "Fastly-Soft-Purge"), SL("1")) ? PURGE_SOFT : PURGE_HARD;
	o->tags.at = arena_alloc(&o->arena, room * sizeof(*o->tags.at));
	o->files.at = arena_alloc(&o->arena, sizeof(*o->files.at));
	if (o->arena.overflow || !add_tags(o, tags) || !add_tags(o, xkey))
		return false;
	return o->tags.count > 0 || add(o, &o->files, t->query.key.text);
}

enum err purging_begin(struct trip *t, void (*done)(struct purge *))
{
	struct order_problem problem;
	if (!proxies_trust(t->plan->site.purgers, t->forwarded.peer))
		return ERR_PURGE_REFUSED;
	struct order *o = order_new();
	if (!o || !fill_order(t, o) || order_prepare(o, same_key, NULL, &problem) != ERR_NONE) {
		order_unref(&o);
		return ERR_NO_MEMORY;
	}
	char *actor = arena_bytes(&o->arena, ACTOR_BYTES);
	size_t len = actor ? address_print(t->stream->peer, actor, ACTOR_BYTES) : 0;
	t->purge = (struct purge){
		.order = o,
		.actor = slice_of(actor, len),
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
