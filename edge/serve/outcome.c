/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/outcome.h"

#include "cache/purging.h"
#include "cache/rule/storable.h"
#include "cache/rule/vary.h"
#include "edge/http/date.h"
#include "edge/http/sf.h"
#include "edge/serve/keep.h"

enum {
	PASS_WINDOW_BYTES = 256 * 1024,  /* how far an origin may be ahead of a slow client */
	SPOOL_WINDOW_BYTES = 512 * 1024, /* ... and of the disk */
	SHORT_KEEP_BYTES = 64 * 1024,    /* what is kept in RAM while that is short */
};

/* ---- answers ---- */

void outcome_tell(struct fetch *f, struct fetch_result *result) ON_LOOP
{
	f->is_told = true;
	if (!f->client) {
		object_unref(&result->object);
		return;
	}
	if (f->exchange) {
		result->address = exchange_address(f->exchange);
		result->detail = exchange_detail(f->exchange);
	}
	result->head_us = f->worker->loop.now.us - f->began.us;
	f->client->on_answer(f->client, result);
}

static struct slice date_now(struct fetch *f) ON_LOOP
{
	return slice_of(loop_date(&f->worker->loop), DATE_LEN);
}

void outcome_read_tags(struct fetch *f, struct response *response)
{
	const struct tag_policy *policy = &f->route->cache.tags;
	f->names_tags = tags_are_named(policy, &response->fields);
	f->has_all_tags = tags_of(policy, response, f->ask.request.path, &f->arena, &f->tags);
	tags_strip(policy, &response->fields);
}

/* Whether an answer may be stored, and why not. */
static enum reason may_store(struct fetch *f, const struct request *request,
    const struct response *response, const struct life *life) ON_LOOP
{
	enum reason reason = storable_judge(&f->route->cache, request, response, life, &f->arena);
	return reason == REASON_STORED && !f->has_all_tags ? REASON_TAGS_TOO_LARGE : reason;
}

static uint64_t body_length(const struct response *response)
{
	if (response->framing == FRAMING_LENGTH)
		return response->content_length;
	return response->framing == FRAMING_NONE ? 0 : FLOW_LENGTH_UNKNOWN;
}

/* Whether an answer's tags are in its body, too. One without a byte says nothing. */
static bool needs_body(const struct fetch *f, const struct response *response)
{
	return body_length(response) > 0 && tags_need_body(&f->route->cache.tags, response);
}

/* As may_store, of an answer that comes with its own body. */
static enum reason may_store_body(
    struct fetch *f, const struct response *response, const struct life *life) ON_LOOP
{
	enum reason reason = may_store(f, &f->ask.request, response, life);
	if (reason != REASON_STORED || !needs_body(f, response))
		return reason;
	/* It was asked for without (ask.c). */
	struct slice coding = fields_value(&response->fields, FIELD_CONTENT_ENCODING);
	if (coding.len > 0 && !slice_eq_nocase(coding, SL("identity")))
		return REASON_TAGS_UNREADABLE;
	uint64_t length = body_length(response);
	bool is_large = length != FLOW_LENGTH_UNKNOWN && length > tagging_room(f->worker->cache);
	return is_large ? REASON_TAGS_TOO_LARGE : REASON_STORED;
}

/*
 * What updates a stored answer and says nothing of tags leaves those that it has. What does say
 * something does not repeat those of the body: all that there were stay, since which of them came
 * from there is not known.
 */
static void keep_tags(struct fetch *f, const struct response *merged)
{
	const struct tag_policy *policy = &f->route->cache.tags;
	struct slice stored = object_tags(f->stored);
	if (!f->names_tags) {
		f->tags = stored;
		f->has_all_tags = true;
	} else if (f->has_all_tags && tags_need_body(policy, merged)) {
		f->has_all_tags = tags_join(policy, f->tags, stored, &f->arena, &f->tags);
	}
}

/* Makes an object of an answer's head. */
static struct object *make_object(struct fetch *f, const struct response *response,
    const struct life *life, enum reason reason, bool is_stored) ON_LOOP
{
	bool targeted;
	struct control control = storable_control(&f->route->cache, response, &f->arena, &targeted);
	bool keeps_length = f->ask.request.method == METHOD_HEAD || response->status == 304;
	struct slice head = keep_head(&f->worker->lines, &response->fields,
	    &(struct keep){
		.control = &control,
		.is_stored = is_stored,
		.keeps_length = keeps_length,
		.date = date_now(f),
	    });
	struct slice spec = SLICE_NONE, values = SLICE_NONE;
	struct key at = f->key;
	if (is_stored && vary_spec(&response->fields, &f->arena, &spec) == VARY_YES) {
		values = vary_values(&f->ask.request.fields, spec, &f->arena);
		at = key_of_variant(f->key, values, cache_secret(f->worker->cache), &f->arena);
	}
	bool fits = !f->arena.overflow && !f->worker->lines.overflow;
	struct object *o = !fits ? NULL
				 : object_new(OBJECT_ANSWER, at,
				       (struct object_texts){ .head = head,
					   .spec = spec,
					   .values = values,
					   .tags = is_stored ? f->tags : SLICE_NONE },
				       0);
	if (!o)
		return NULL;
	o->status = response->status;
	o->reason = reason;
	o->life = *life;
	o->seq = f->seq;
	o->tenant = tenant_of(f->route->share);
	struct fields own;
	if (object_fields(o, &own, &f->arena))
		o->validators = validators_of(&own, f->times.response);
	return o;
}

/* ---- what an answer becomes ---- */

static void end_claim(
    struct fetch *f, enum claim_end how, struct object *object, enum reason reason)
{
	if (f->claim)
		claim_end(&f->claim, how, object, reason);
}

/* The origin failed, or said that it did: a stale copy answers if it may (RFC 5861 4). */
bool outcome_cover(struct fetch *f, uint16_t status) ON_LOOP
{
	if (!f->stored || f->is_strict ||
	    !cache_may_cover_error(
		f->worker->cache, f->stored, &f->ask.control, f->worker->loop.wall))
		return false;
	end_claim(f, CLAIM_ANSWERED, f->stored, REASON_STALE_IF_ERROR);
	outcome_tell(f,
	    &(struct fetch_result){ .object = object_ref(f->stored),
		.reason = REASON_STALE_IF_ERROR,
		.status = status });
	return true;
}

/* Whether those who waited may have the answer of another's request: only what is fresh. What must
 * be validated on each use is for the one that asked (RFC 9111 4, 5.2.2.4). */
static bool is_for_all(const struct fetch *f, const struct life *life)
{
	return !life->no_cache && wall_before(f->times.response, life->fresh_until);
}

/* Publishes, and tells everyone who waits; the client that asked gets `own`. */
static void publish(struct fetch *f, struct object *o, struct object *own, uint16_t status,
    bool is_validated) ON_LOOP
{
	struct fetch_result result = {
		.object = object_ref(own),
		.reason = o->reason,
		.status = status,
		.is_stored = true,
		.is_validated = is_validated,
	};
	struct fence_ruling ruling = cache_publish(
	    f->worker->cache, f->key, o, f->route->cache.max_variants);
	/* It is for those who asked before the purge; who joined after it looks again. */
	if (!ruling.stands) {
		result.is_stored = false;
		result.reason = ruling.mode == PURGE_INVALID ? REASON_INVALIDATED : REASON_PURGED;
	}
	if (is_for_all(f, &o->life))
		end_claim(f, CLAIM_ANSWERED, o, o->reason);
	else
		end_claim(f, CLAIM_RELEASED, NULL, REASON_NO_CACHE);
	outcome_tell(f, &result);
}

static bool is_of_request(enum reason reason)
{
	return reason == REASON_REQUEST_NO_STORE || reason == REASON_AUTHORIZATION ||
	    reason == REASON_METHOD;
}

/* A 304: the stored answer stands, with the fields that came (RFC 9111 4.3.4). */
bool outcome_refresh(struct fetch *f, struct response *response) ON_LOOP
{
	struct fields stored;
	struct response merged = { .status = f->stored->status, .version = response->version };
	enum reason from;
	if (!object_fields(f->stored, &stored, &f->arena) ||
	    !keep_merge(&merged.fields, &f->arena, &stored, &response->fields, date_now(f)))
		return false;
	struct life life = life_of(&f->route->cache, &merged, f->times, &f->arena, &from);
	keep_tags(f, &merged);
	enum reason reason = may_store(f, &f->ask.request, &merged, &life);
	bool is_stored = reason == REASON_STORED;
	struct object *o = make_object(f, &merged, &life, reason, true);
	if (!o)
		return false;
	object_share_body(o, f->stored);
	if (is_stored) {
		publish(f, o, o, 304, true);
		/* A body that is still filling is settled by its own fetch. */
		if (object_is_complete(o))
			cache_settle(f->worker->cache, o);
	} else {
		/* It may be delivered this once, not kept: the origin took its permission back. */
		if (!is_of_request(reason))
			cache_drop(f->worker->cache, f->stored);
		end_claim(f, CLAIM_RELEASED, NULL, reason);
		outcome_tell(f,
		    &(struct fetch_result){ .object = object_ref(o),
			.reason = reason,
			.status = 304,
			.is_validated = true });
	}
	object_unref(&o);
	return true;
}

/* A body that nobody keeps. */
static struct flow *new_passing_body(const struct response *response)
{
	return flow_new(body_length(response), 0, PASS_WINDOW_BYTES);
}

/* It did not say how long it would be: to the disk, if it may, or only through. */
static void on_outgrow(struct bell *bell)
{
	struct fetch *f = CONTAINER_OF(bell, struct fetch, outgrow);
	(void)cache_spool(f->worker->cache, f->object);
}

/* Gives an object that is to be stored its body: in RAM, or if that is too large, on disk. */
static bool give_body(struct fetch *f, const struct response *response, struct object *o) ON_LOOP
{
	struct cache *cache = f->worker->cache;
	uint64_t length = body_length(response);
	uint64_t keep = min_u64(cache_hot_largest(cache), cache->max_object_bytes);
	if (cache_flight(cache) != CACHE_ROOMY)
		keep = min_u64(keep, SHORT_KEEP_BYTES);
	bool is_large = length != FLOW_LENGTH_UNKNOWN && length > keep;
	o->body = flow_new(
	    length, is_large ? 0 : keep, cache->cold ? SPOOL_WINDOW_BYTES : PASS_WINDOW_BYTES);
	if (o->body && length == FLOW_LENGTH_UNKNOWN) {
		f->outgrow.ring = on_outgrow;
		flow_on_outgrow(o->body, &f->outgrow);
	}
	return o->body && (!is_large || cache_spool(cache, o));
}

/*
 * What the client that asked gets of a stored answer: the same, unless fields were left out of it
 * because they are private or not to be reused (RFC 9111 5.2.2.4, 5.2.2.7). Those are for it.
 */
static struct object *own_copy(
    struct fetch *f, const struct response *response, struct object *stored) ON_LOOP
{
	bool targeted;
	struct control control = storable_control(&f->route->cache, response, &f->arena, &targeted);
	struct object *own = NULL;
	if (control.private_names.len > 0 || control.no_cache_names.len > 0)
		own = make_object(f, response, &stored->life, stored->reason, false);
	if (!own)
		return object_ref(stored);
	object_share_body(own, stored);
	return own;
}

/* Remembers that this key does not collapse, so that those who come next do not wait for
 * nothing. */
void outcome_remember_pass(struct fetch *f, enum reason reason) ON_LOOP
{
	int64_t ms = f->route->cache.uncacheable_ms;
	if (f->kind != FETCH_PRIVATE && ms > 0)
		cache_remember_pass(
		    f->worker->cache, f->at, wall_add(f->worker->loop.wall, ms), reason);
}

/* An answer for this client only. */
static struct flow *pass(struct fetch *f, const struct response *response, const struct life *life,
    enum reason reason) ON_LOOP
{
	if (!f->client || f->kind == FETCH_REFRESH) {
		outcome_tell(
		    f, &(struct fetch_result){ .reason = reason, .status = response->status });
		return NULL;
	}
	struct object *o = make_object(f, response, life, reason, false);
	bool has_body = response->framing != FRAMING_NONE;
	if (o && has_body)
		o->body = new_passing_body(response);
	if (!o || (has_body && !o->body)) {
		object_unref(&o);
		return NULL;
	}
	/* The body's ref for the exchange; the object's own may go with the client. */
	struct flow *body = has_body ? flow_ref(o->body) : NULL;
	outcome_tell(
	    f, &(struct fetch_result){ .object = o, .reason = reason, .status = response->status });
	return body;
}

/* More came than is searched for tags. */
static void on_outgrow_tagging(struct bell *bell)
{
	role_loop();
	struct fetch *f = CONTAINER_OF(bell, struct fetch, outgrow);
	tagging_give_up(&f->tagging, REASON_TAGS_TOO_LARGE);
}

/* An answer with a body that has to be searched. Takes the claim when it can be. */
static struct tagging *new_tagging(
    struct fetch *f, const struct response *response, struct object *o) ON_LOOP
{
	uint64_t room = tagging_room(f->worker->cache);
	o->body = flow_new(body_length(response), room, PASS_WINDOW_BYTES);
	struct tagging *tagging = !o->body ? NULL
					   : tagging_new(f->worker,
						 &(struct tagging_spec){
						     .plan = f->plan,
						     .route = f->route,
						     .key = f->key,
						     .at = f->at,
						     .object = o,
						     .stored = f->stored,
						     .claim = f->claim,
						 });
	if (!tagging)
		return NULL;
	f->claim = NULL;
	f->outgrow.ring = on_outgrow_tagging;
	flow_on_outgrow(o->body, &f->outgrow);
	return tagging;
}

/* A storable answer whose tags are in its body: for its own client as it comes, and published once
 * they are known. Until then those who may have it, too, wait for the claim. */
static struct flow *store_later(
    struct fetch *f, const struct response *response, const struct life *life) ON_LOOP
{
	struct object *o = make_object(f, response, life, REASON_STORED, true);
	if (!is_for_all(f, life))
		end_claim(f, CLAIM_RELEASED, NULL, REASON_NO_CACHE);
	f->tagging = o ? new_tagging(f, response, o) : NULL;
	if (!f->tagging) {
		object_unref(&o);
		end_claim(f, CLAIM_RELEASED, NULL, REASON_TAGS_TOO_LARGE);
		return pass(f, response, life, REASON_TAGS_TOO_LARGE);
	}
	struct flow *body = flow_ref(o->body);
	outcome_tell(f,
	    &(struct fetch_result){ .object = own_copy(f, response, o),
		.reason = REASON_STORED,
		.status = response->status });
	object_unref(&o);
	return body;
}

/* A storable answer: published while it fills. */
static struct flow *store(struct fetch *f, const struct response *response, const struct life *life)
    ON_LOOP
{
	if (needs_body(f, response))
		return store_later(f, response, life);
	struct object *o = make_object(f, response, life, REASON_STORED, true);
	if (!o || !give_body(f, response, o)) {
		object_unref(&o);
		if (!f->worker->cache->cold)
			outcome_remember_pass(f, REASON_TOO_LARGE);
		end_claim(f, CLAIM_RELEASED, NULL, REASON_TOO_LARGE);
		return pass(f, response, life, REASON_TOO_LARGE);
	}
	f->object = object_ref(o);
	struct flow *body = flow_ref(o->body);
	struct object *own = own_copy(f, response, o);
	publish(f, o, own, response->status, false);
	object_unref(&own);
	object_unref(&o);
	return body;
}

/* The groups that a write changed, by its answer's word (RFC 9875 3): those of the same origin. */
static void invalidate_groups(struct fetch *f, const struct response *response) ON_LOOP
{
	struct sf_list list;
	struct slice name = SL("Cache-Group-Invalidation");
	struct slice text = fields_join_name(&response->fields, &f->arena, name);
	if (!text.len || !sf_parse_list(text, &f->arena, &list))
		return;
	struct scope *scopes = arena_alloc(&f->arena, list.count * sizeof(*scopes));
	struct slice authority, path;
	size_t count = 0;
	scope_split(f->key.text, &authority, &path);
	for (uint32_t i = 0; scopes && i < list.count; i++)
		if (list.at[i].kind == SF_STRING)
			scopes[count++] = scope_group(authority, scope_tag_id(list.at[i].text));
	const struct cache_purge purge = {
		.scopes = scopes, .scope_count = count, .act = { PURGE_INVALID, wall_now() }
	};
	uint64_t number;
	if (count > 0 && cache_purge(f->worker->cache, &purge, &number) != ERR_NONE)
		fence_raise(f->worker->cache->fence, scopes, count, purge.act, NULL, NULL);
}

/* A final answer to a write: what it changed is not served any more (RFC 9111 4.4). Returns the
 * fence's number; 0 when nothing was changed. */
static uint64_t invalidate(struct fetch *f, const struct response *response) ON_LOOP
{
	static const enum field_id references[] = { FIELD_LOCATION, FIELD_CONTENT_LOCATION };
	struct cache *cache = f->worker->cache;
	if (!method_invalidates(f->ask.request.method, response->status))
		return 0;
	uint64_t number = cache_invalidate(cache, f->key);
	meter_add(&f->worker->meters.invalidations, 1);
	for (size_t i = 0; i < COUNT_OF(references); i++) {
		struct slice value = fields_value(&response->fields, references[i]);
		struct key key;
		if (value.at &&
		    key_of_reference(&f->ask.request, value, &f->route->cache, cache_secret(cache),
			&f->arena, &key) &&
		    !slice_eq(key.text, f->key.text))
			cache_invalidate(cache, key);
	}
	invalidate_groups(f, response);
	return number;
}

/* A HEAD's answer says the same as the stored one, or that the stored one is old (RFC 9111
 * 4.3.5). */
static void update_by_head(struct fetch *f, const struct response *response) ON_LOOP
{
	struct fields stored;
	struct response merged = { .status = 200, .version = response->version };
	uint64_t length = 0;
	/* What a write has overtaken is not made young again by a HEAD; and an origin that fails,
	 * or answers the client's own condition, says nothing of what is stored. */
	if (!f->stored || f->stored->status != 200 || response->status == 304 ||
	    response->status >= 500 || !object_is_complete(f->stored) ||
	    !object_length(f->stored, &length) || !object_fields(f->stored, &stored, &f->arena) ||
	    !fence_judge(f->worker->cache->fence, f->stored).stands)
		return;
	bool agrees = response->status == 200 && storable_head_agrees(&stored, length, response);
	if (!agrees ||
	    !keep_merge(&merged.fields, &f->arena, &stored, &response->fields, date_now(f))) {
		cache_drop(f->worker->cache, f->stored);
		return;
	}
	enum reason from;
	struct request get = f->ask.request;
	get.method = METHOD_GET;
	struct life life = life_of(&f->route->cache, &merged, f->times, &f->arena, &from);
	keep_tags(f, &merged);
	enum reason reason = may_store(f, &get, &merged, &life);
	if (reason != REASON_STORED) {
		if (!is_of_request(reason))
			cache_drop(f->worker->cache, f->stored);
		return;
	}
	struct object *o = make_object(f, &merged, &life, REASON_STORED, true);
	if (!o)
		return;
	object_share_body(o, f->stored);
	cache_publish(f->worker->cache, f->key, o, f->route->cache.max_variants);
	cache_settle(f->worker->cache, o);
	object_unref(&o);
}

/* Whether nothing that a write's answer is was purged since that was asked for. */
static bool stands_yet(
    struct fetch *f, const struct response *response, const struct life *life, uint64_t now) ON_LOOP
{
	if (f->seq == now)
		return true;
	if (needs_body(f, response))
		return false; /* its tags are not known yet */
	struct object *o = make_object(f, response, life, REASON_STORED, true);
	bool stands = o && fence_judge(f->worker->cache->fence, o).stands;
	object_unref(&o);
	return stands;
}

/* An answer to a request of FETCH_PRIVATE. */
struct flow *outcome_take_private(
    struct fetch *f, const struct response *response, const struct life *life) ON_LOOP
{
	if (f->ask.request.method == METHOD_HEAD) {
		update_by_head(f, response);
		return pass(f, response, life, f->reason);
	}
	/* RFC 9110 9.3.3: a POST's answer that says it is the resource's new state serves GET. */
	bool is_state = f->ask.request.method == METHOD_POST && f->route->cache.enabled &&
	    may_store_body(f, response, life) == REASON_STORED;
	uint64_t before = fence_now(f->worker->cache->fence);
	bool stands = is_state && stands_yet(f, response, life, before);
	uint64_t number = invalidate(f, response);
	/* Another write or a purge between the two may make the answer old, too. */
	if (!stands || number != before + 1)
		return pass(f, response, life, f->reason);
	/* It is what the write made, so the write's own number does not overtake it. */
	f->seq = number;
	return store(f, response, life);
}

/* The statuses that stale-if-error covers (RFC 5861 4). */
static bool is_error(uint16_t status)
{
	return status == 500 || (status >= 502 && status <= 504);
}

/* An answer to a request whose answer may be stored. */
struct flow *outcome_take_shared(
    struct fetch *f, const struct response *response, const struct life *life) ON_LOOP
{
	enum reason reason = may_store_body(f, response, life);
	/* A 5xx never takes the place of a good copy while that may still be served. */
	if (is_error(response->status) && outcome_cover(f, response->status))
		return NULL;
	uint64_t length = response->framing == FRAMING_LENGTH ? response->content_length : 0;
	if (reason == REASON_STORED && length > f->worker->cache->max_object_bytes)
		reason = REASON_TOO_LARGE;
	if (reason == REASON_STORED)
		return store(f, response, life);
	/* What was stored is superseded by an answer that may not be (RFC 9111 4.3.3); unless it is
	 * the request that forbids storing, which says nothing of the answers of others. */
	if (f->stored && response->status < 500 && !is_of_request(reason))
		cache_drop(f->worker->cache, f->stored);
	if (reason == REASON_AUTHORIZATION || !is_of_request(reason))
		outcome_remember_pass(f, reason);
	end_claim(f, CLAIM_RELEASED, NULL, reason);
	return pass(f, response, life, reason);
}

/* A write without an answer may have been done all the same: what is stored is not trusted. */
void outcome_suspect_write(struct fetch *f)
{
	if (!method_is_safe(f->ask.request.method))
		cache_invalidate(f->worker->cache, f->key);
}
