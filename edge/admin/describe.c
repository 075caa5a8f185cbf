/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/describe.h"

#include <time.h>

#include "cache/rule/tags.h"

enum { TAGS_SHOWN = 100 };

const struct object *sight_object(const struct sight *s)
{
	return s->hot ? s->hot : s->cold->object;
}

static void add_moment(struct buf *to, const char *name, struct wall w)
{
	buf_addf(to, ",\"%s\":", name);
	char text[WALL_TEXT];
	if (wall_write(w, text))
		buf_addf(to, "\"%s\"", text);
	else
		buf_add(to, SL("null"));
}

static void add_text(struct buf *to, const char *name, struct slice text)
{
	buf_addf(to, ",\"%s\":", name);
	if (text.len)
		buf_add_json(to, text);
	else
		buf_add(to, SL("null"));
}

static void add_tiers(struct buf *to, const struct sight *s)
{
	bool is_cold = s->cold || s->is_cold;
	buf_addf(to, ",\"tiers\":[%s%s%s]", s->hot ? "\"hot\"" : "", s->hot && is_cold ? "," : "",
	    is_cold ? "\"cold\"" : "");
}

const char *describe_state(const struct life *life, struct wall now)
{
	if (life_is_fresh(life, now))
		return life->no_cache ? "validate" : "fresh";
	if (wall_before(now, life->swr_until))
		return "stale-while-revalidate";
	if (wall_before(now, life->sie_until))
		return "stale-if-error";
	return wall_before(now, life->keep_until) ? "stale" : "gone";
}

/* "accept-language,foo" with ":de\n\n" is {"accept-language":"de","foo":null}: see vary.h. */
static void add_values(struct buf *to, struct slice spec, struct slice values)
{
	const char *comma = "";
	struct slice name;
	buf_add(to, SL(",\"values\":{"));
	while (slice_take_member(&spec, &name)) {
		struct slice value = slice_take_until(&values, '\n');
		buf_add(to, slice_str(comma));
		buf_add_json(to, name);
		buf_add_char(to, ':');
		if (slice_take_char(&value, ':'))
			buf_add_json(to, value);
		else
			buf_add(to, SL("null"));
		comma = ",";
	}
	buf_add_char(to, '}');
}

static void add_body(struct buf *to, const struct sight *s)
{
	uint64_t bytes = 0;
	bool is_known = !s->hot || object_length(s->hot, &bytes);
	if (!s->hot)
		bytes = s->cold->body_bytes;
	if (is_known)
		buf_addf(to, ",\"body_bytes\":%" PRIu64, bytes);
	else
		buf_add(to, SL(",\"body_bytes\":null"));
	bool is_complete = !s->hot || object_is_complete(s->hot);
	buf_addf(to, ",\"is_complete\":%s", is_complete ? "true" : "false");
}

static void add_tags(struct buf *to, const struct sight *s)
{
	const struct object *o = sight_object(s);
	struct slice tags = object_tags(o), tag;
	const char *comma = "";
	buf_addf(to, ",\"tags_count\":%u", o->tags ? o->tags->count : 0);
	if (!s->shows_tags)
		return;
	buf_add(to, SL(",\"tags\":["));
	for (int i = 0; i < TAGS_SHOWN && tags_take(&tags, &tag); i++) {
		buf_add(to, slice_str(comma));
		buf_add_json(to, tag);
		comma = ",";
	}
	buf_add_char(to, ']');
}

static void add_answer(struct buf *to, const struct sight *s, struct wall now)
{
	const struct object *o = sight_object(s);
	const struct life *life = &o->life;
	buf_addf(to, ",\"status\":%u,\"state\":\"%s\",\"age_seconds\":%" PRIi64, o->status,
	    describe_state(life, now), life_age_s(life, now));
	add_body(to, s);
	add_moment(to, "born", life->born);
	add_moment(to, "fresh_until", life->fresh_until);
	add_moment(to, "stale_while_revalidate_until", life->swr_until);
	add_moment(to, "stale_if_error_until", life->sie_until);
	add_moment(to, "keep_until", life->keep_until);
	add_text(to, "etag", o->validators.etag);
	add_moment(to, "last_modified", o->validators.last_modified);
	add_tags(to, s);
	if (o->spec.len) {
		add_text(to, "vary", o->spec);
		add_values(to, o->spec, o->values);
	}
}

static void add_kind(struct buf *to, const struct sight *s, struct wall now)
{
	const struct object *o = sight_object(s);
	switch (o->kind) {
	case OBJECT_ANSWER:
		buf_add(to, SL(",\"kind\":\"answer\""));
		add_answer(to, s, now);
		break;
	case OBJECT_VARY:
		buf_addf(to, ",\"kind\":\"vary\",\"variants\":%u", o->variant_count);
		add_text(to, "vary", o->spec);
		break;
	case OBJECT_PASS:
		buf_add(to, SL(",\"kind\":\"uncacheable\""));
		add_moment(to, "until", o->life.fresh_until);
		break;
	}
}

void describe(struct buf *to, const struct sight *s, struct wall now)
{
	const struct object *o = sight_object(s);
	buf_add(to, SL("{\"url\":"));
	buf_add_json(to, key_url(o->key));
	add_tiers(to, s);
	add_kind(to, s, now);
	add_text(to, "reason", reason_name(o->reason));
	buf_addf(to, ",\"seq\":%" PRIu64 ",\"is_overtaken\":%s", o->seq,
	    s->is_overtaken ? "true" : "false");
	if (s->hot)
		buf_addf(to, ",\"hits\":%" PRIu64 ",\"memory_bytes\":%" PRIu64, (uint64_t)o->hits,
		    object_bytes(o));
	if (s->cold)
		buf_addf(to, ",\"disk_place\":\"%016" PRIx64 "\"", s->cold->place);
	buf_add_char(to, '}');
}
