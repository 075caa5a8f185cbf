/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/export.h"

#include "cache/rule/vary.h"
#include "edge/admin/errand.h"
#include "edge/admin/object.h"
#include "edge/admin/query.h"
#include "edge/serve/deliver.h"

struct export
{
	struct errand errand;
	struct key key;       /* where it is looked for */
	struct fields fields; /* of the request that it would answer */
	bool is_variant;      /* key is one */
	bool is_body_only;
	struct cold_load load;
	struct object *object; /* counted; once it was found */
	struct delivery delivery;
	bool is_sending;
};

static struct export *export_of(struct errand *e)
{
	return CONTAINER_OF(e, struct export, errand);
}

/* ---- its life ---- */

static void stop_sending(struct export *x)
{
	if (x->is_sending)
		delivery_end(&x->delivery);
	x->is_sending = false;
}

static void drop(struct errand *e)
{
	struct export *x = export_of(e);
	stop_sending(x);
	object_unref(&x->object);
	object_unref(&x->load.object);
}

/* The client has all of it, or has gone. A letter on its way still has to come. */
static void on_left(struct errand *e)
{
	role_loop();
	struct export *x = export_of(e);
	if (!x->is_sending)
		return;
	stop_sending(x);
	if (!mail_is_posted(&x->delivery.wake))
		errand_end(e);
}

static void on_more(struct mail *m)
{
	role_loop();
	struct export *x = CONTAINER_OF(m, struct export, delivery.wake);
	if (x->errand.reply)
		stream_resume(x->errand.reply->stream);
	else
		errand_end(&x->errand);
}

static void refuse(struct export *x, uint16_t status, const char *why) ON_LOOP
{
	struct reply *r = x->errand.reply;
	errand_end(&x->errand);
	if (r)
		reply_problem(r, status, slice_str(why));
}

/* ---- sending ---- */

/* The status line and the fields, with the length that the store keeps apart from them. */
static struct slice head_of(struct export *x, bool has_length, uint64_t length)
{
	const struct object *o = x->object;
	char line[64] = "";
	if (has_length)
		snprintf(line, sizeof(line), "Content-Length: %" PRIu64 "\r\n", length);
	return arena_printf(&x->errand.arena, "HTTP/1.1 %u %.*s\r\n%.*s%s\r\n", o->status,
	    SLICE_ARG(status_reason(o->status)), SLICE_ARG(o->head), line);
}

static void begin_sending(struct export *x) ON_LOOP
{
	struct stream *stream = x->errand.reply->stream;
	struct delivery *d = &x->delivery;
	uint64_t length = 0;
	bool has_length = object_length(x->object, &length);
	struct slice text = x->is_body_only ? SLICE_NONE : head_of(x, has_length, length);
	mail_init(&d->wake, on_more);
	if (!delivery_begin(d, x->object, NULL, NULL, stream->home)) {
		refuse(x, 503, "its body is on its way, and the beginning has passed: ask again");
		return;
	}
	x->is_sending = true;
	d->source.trailers = NULL;
	d->text = text;
	struct answer answer = {
		.status = 200,
		.has_body = stream->request.method != METHOD_HEAD,
		.has_length = has_length,
		.length = length + text.len,
	};
	answer.lines[0] = arena_printf(&stream->arena,
	    "Date: %.29s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n",
	    loop_date(stream->home),
	    x->is_body_only ? "application/octet-stream" : "application/http");
	stream_answer(stream, &answer, &d->source);
}

/* ---- finding ---- */

static void seek(struct export *) ON_LOOP;

/* What was found at the key. own: takes the object. */
static void take(struct export *x, struct object *o) ON_LOOP
{
	struct arena *arena = &x->errand.arena;
	x->object = o;
	if (o->kind == OBJECT_ANSWER) {
		begin_sending(x);
	} else if (o->kind == OBJECT_PASS || x->is_variant) {
		refuse(x, 404, "nothing is stored: it was uncacheable a moment ago");
	} else {
		struct slice values = vary_values(&x->fields, o->spec, arena);
		x->key = key_of_variant(
		    x->key, values, cache_secret(x->errand.admin->options.cache), arena);
		x->is_variant = true;
		object_unref(&x->object);
		seek(x);
	}
}

static void on_loaded(struct cold_load *load, struct object *o)
{
	role_loop();
	struct export *x = CONTAINER_OF(load, struct export, load);
	if (o && x->errand.reply) {
		take(x, o);
		return;
	}
	object_unref(&o);
	refuse(x, 404,
	    x->is_variant
		? "no stored variant is for such a request: `object get` shows those there are"
		: "nothing is stored for this URL");
}

/* What is in RAM at the key, if it is any good. */
static struct object *find_hot(struct export *x)
{
	struct object *o = hot_peek(x->errand.admin->options.cache->hot, x->key.hash);
	bool is_it = o && slice_eq(o->key, x->key.text) && !object_is_broken(o);
	if (!is_it)
		object_unref(&o);
	return o;
}

static void seek(struct export *x)
{
	struct cache *cache = x->errand.admin->options.cache;
	struct object *o = find_hot(x);
	x->load = (struct cold_load){
		.home = x->errand.reply->stream->home,
		.hash = x->key.hash,
		.key = x->key.text,
		.loaded = on_loaded,
	};
	if (o)
		take(x, o);
	else if (x->errand.arena.overflow)
		refuse(x, 500, "the request does not fit into memory");
	else if (!cache->cold || cold_probe(cache->cold, x->key.hash, NULL) == COLD_ABSENT)
		on_loaded(&x->load, NULL);
	else if (!cold_load(cache->cold, &x->load))
		refuse(x, 503, "the disk is busy, or not well: ask again");
}

/* ---- asking ---- */

/* "Name: value" as a field of the request that it would answer. */
static bool read_header(struct export *x, struct slice line)
{
	struct slice name = slice_take_until(&line, ':');
	return slice_is_token(name) &&
	    fields_add(&x->fields, &x->errand.arena, field_id_of(name), name, slice_trim(line));
}

/* Why it cannot be done; NULL = it can. */
static const char *read_query(struct export *x) ON_LOOP
{
	struct arena *arena = &x->errand.arena;
	struct slice query = x->errand.reply->stream->request.query, name, value;
	struct slice url = query_value(query, SL("url"), arena);
	if (!object_key(x->errand.admin, url, arena, &x->key))
		return OBJECT_BAD_URL;
	while (query_take(&query, arena, &name, &value)) {
		if (slice_eq(name, SL("header")) && !read_header(x, value))
			return "header= must be a field, such as Accept-Language:de";
		if (slice_eq(name, SL("body")))
			x->is_body_only = slice_eq(value, SL("1"));
	}
	return NULL;
}

void export_object(struct admin *admin, struct reply *r)
{
	struct export *x = errand_new(admin, r, sizeof(*x), drop);
	if (!x)
		return;
	x->errand.left = on_left;
	const char *wrong = read_query(x);
	if (wrong)
		refuse(x, 400, wrong);
	else
		seek(x);
}
