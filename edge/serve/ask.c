/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/ask.h"

#include "edge/http/websocket.h"

/* The part of a request that outlives its client. */
static bool copy_request(struct request *to, struct arena *arena, const struct request *from)
{
	*to = *from;
	to->method_name = arena_copy(arena, from->method_name);
	to->scheme = arena_copy(arena, from->scheme);
	to->authority = arena_copy(arena, from->authority);
	to->path = arena_copy(arena, from->path);
	to->query = arena_copy(arena, from->query);
	if (!fields_clone(&to->fields, arena, &from->fields))
		return false;
	for (uint32_t i = 0; i < to->fields.count; i++) {
		struct field *field = &to->fields.at[i];
		field->name = arena_copy(arena, field->name);
		field->value = arena_copy(arena, field->value);
	}
	return !arena->overflow;
}

/* A refresh stores for everyone, whatever the client's own request was: it carries none of the
 * wishes of the client that happened to come by. Credentials it keeps: an origin that asks for them
 * would refuse it, and what it answers to them is stored only if it may be shared. */
static void make_own(struct ask *ask)
{
	struct request *request = &ask->request;
	request->method = METHOD_GET;
	request->method_name = SL("GET");
	fields_remove(&request->fields, FIELD_CACHE_CONTROL);
	fields_remove(&request->fields, FIELD_PRAGMA);
	ask->control = control_none();
}

/* Whether a client's field stays at home: what this hop ends, what a shared fetch asks in its own
 * name (conditions and ranges are judged against the whole answer, here), and what we write. */
static bool stays_home(const struct ask *ask, const struct fetch_spec *spec, enum field_id id)
{
	bool asks_in_own_name = spec->kind != FETCH_PRIVATE && ask->request.method == METHOD_GET;
	if (asks_in_own_name && ((field_traits(id) & FIELD_VALIDATOR) || id == FIELD_RANGE))
		return true;
	return id == FIELD_HOST || id == FIELD_CONTENT_LENGTH || id == FIELD_EXPECT;
}

/* Bodies are searched for tags, which a coding would hide (RFC 9110 12.5.3). */
static bool wants_plain(const struct fetch_spec *spec)
{
	const struct cache_policy *policy = &spec->route->cache;
	return policy->enabled && tags_read_bodies(&policy->tags);
}

/* RFC 9111 4.3.1: our own condition, with the validators as the origin wrote them. */
static void add_validators(struct ask *ask, struct arena *arena, const struct object *object)
{
	struct fields stored;
	if (!object || ask->request.method != METHOD_GET || !object_fields(object, &stored, arena))
		return;
	struct slice etag = fields_value(&stored, FIELD_ETAG);
	struct slice modified = fields_value(&stored, FIELD_LAST_MODIFIED);
	if (etag.at)
		fields_put(&ask->fields, arena, FIELD_IF_NONE_MATCH, etag);
	if (modified.at)
		fields_put(&ask->fields, arena, FIELD_IF_MODIFIED_SINCE, modified);
}

static bool add_fields(struct ask *ask, struct arena *arena, const struct fetch_spec *spec)
{
	struct fields all;
	if (!fields_clone(&all, arena, &ask->request.fields))
		return false;
	fields_strip_hop(&all);
	if (wants_plain(spec)) {
		fields_remove(&all, FIELD_ACCEPT_ENCODING);
		fields_put(&ask->fields, arena, FIELD_ACCEPT_ENCODING, SL("identity"));
	}
	for (uint32_t i = 0; i < all.count; i++) {
		const struct field *field = &all.at[i];
		if (!stays_home(ask, spec, field->id) &&
		    !fields_add(&ask->fields, arena, field->id, field->name, field->value))
			return false;
	}
	return true;
}

bool ask_make(
    struct ask *ask, struct arena *arena, const struct fetch_spec *spec, struct slice our_name)
{
	*ask = (struct ask){ .control = *spec->control };
	if (!copy_request(&ask->request, arena, spec->request))
		return false;
	if (spec->kind == FETCH_REFRESH)
		make_own(ask);
	if (!add_fields(ask, arena, spec))
		return false;
	add_validators(ask, arena, spec->stored);
	const struct request *request = &ask->request;
	if (request->upgrade.len > 0 && !websocket_ask(&ask->fields, arena, request->version))
		return false;
	return forwarded_write(&ask->fields, arena, spec->forwarded, &ask->request, our_name) &&
	    !arena->overflow;
}
