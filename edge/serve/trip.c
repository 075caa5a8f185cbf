/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/trip.h"

#include "edge/serve/gate.h"

enum { LINES_MAX = 64 * 1024 };

/* ---- what comes by itself and decides nothing ---- */

/* There is more of the body, or its end. */
static void on_more(struct mail *m)
{
	role_loop();
	struct trip *t = CONTAINER_OF(m, struct trip, delivery.wake);
	if (t->stream)
		stream_resume(t->stream);
	else
		trip_release(t);
}

static void on_leave(struct mail *m)
{
	role_loop();
	struct trip *t = CONTAINER_OF(m, struct trip, delivery.leave);
	if (t->stream)
		delivery_leave(&t->delivery);
	else
		trip_release(t);
}

static void on_interim(struct fetch_client *client, const struct response *response)
{
	role_loop();
	struct trip *t = CONTAINER_OF(client, struct trip, client);
	struct answer a = { .status = response->status };
	struct fields fields = response->fields;
	fields_strip_hop(&fields);
	for (uint32_t i = 0; i < fields.count; i++)
		a.lines[0] = arena_printf(&t->stream->arena, "%.*s%.*s: %.*s\r\n",
		    SLICE_ARG(a.lines[0]), SLICE_ARG(fields.at[i].name),
		    SLICE_ARG(fields.at[i].value));
	if (!t->stream->arena.overflow)
		stream_interim(t->stream, &a);
}

/* ---- begin ---- */

static struct trip *trip_new(struct worker *w, const struct trip_events *events)
{
	struct list *link = list_take_first(&w->spare_trips);
	if (link)
		return LIST_OF(link, struct trip, spare_link);
	struct trip *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	w->trips++;
	t->worker = w;
	t->head_us = -1;
	t->result = RESULT_PASS;
	list_init(&t->spare_link);
	buf_init(&t->lines, LINES_MAX);
	buf_init(&t->load_key, 0);
	mail_init(&t->wait.mail, events->on_claim);
	mail_init(&t->delivery.wake, on_more);
	mail_init(&t->delivery.leave, on_leave);
	list_init(&t->wait.link);
	list_init(&t->delivery.reader.link);
	deadline_init(&t->patience, events->on_patience_over);
	t->wait.home = &w->loop;
	t->load.loaded = events->on_loaded;
	t->check.done = events->on_checked;
	t->client.on_interim = on_interim;
	t->client.on_answer = events->on_answer;
	return t;
}

struct trip *trip_begin(struct stream *stream, const struct trip_events *events)
{
	struct front *front = stream->front;
	struct trip *t = trip_new(front->owner, events);
	if (!t)
		return NULL;
	stream->journey = t;
	t->stream = stream;
	t->plan = plan_ref(t->worker->plan);
	t->began = t->worker->loop.wall;
	t->query.sight = &t->load.sight;
	meter_add(&t->worker->meters.under_way, 1);
	return t;
}

void trip_keep_target(struct trip *t)
{
	const struct request *request = &t->stream->request;
	struct slice path = request->path, query = request->query;
	/* Path and query still lie side by side in the head. */
	bool is_whole = request->has_query && path.at + path.len + 1 == query.at;
	t->target = is_whole ? slice_of(path.at, path.len + 1 + query.len) : path;
}

/* ---- asking ---- */

struct fetch_spec trip_fetch_spec(struct trip *t, enum fetch_kind kind)
{
	return (struct fetch_spec){
		.kind = kind,
		.plan = t->plan,
		.route = t->route,
		.request = &t->stream->request,
		.control = &t->control,
		.forwarded = &t->forwarded,
		.key = t->query.key,
		.at = t->query.at,
		.stored = t->query.object,
		.reason = t->reason,
		.is_strict = t->least > 0,
	};
}

/* ---- the answer ---- */

void trip_keep_origin(struct trip *t, const struct fetch_result *result)
{
	size_t len = min_size(result->address.len, sizeof(t->address_text));
	if (len)
		memcpy(t->address_text, result->address.at, len);
	t->address = slice_of(t->address_text, len);
	len = min_size(result->detail.len, sizeof(t->detail_text));
	if (len)
		memcpy(t->detail_text, result->detail.at, len);
	t->detail = slice_of(t->detail_text, len);
	t->head_us = result->head_us;
	t->forward_status = result->status;
}

/* ---- what is found ---- */

uint64_t trip_least(const struct trip *t)
{
	uint64_t seq;
	struct slice text = fields_value(&t->stream->request.fields, FIELD_LARDER_MIN_SEQ);
	/* No purge has the number 0: who has seen none yet asks for none. */
	bool is_asked = text.at && slice_to_u64(text, &seq) && seq > 0;
	return is_asked ? purge_number(t->worker->purges, seq) : 0;
}

/* Answers to credentials were not for everyone; those to requests without may be. */
bool trip_is_uncacheable(const struct trip *t)
{
	return t->query.reason != REASON_AUTHORIZATION ||
	    fields_have_credentials(&t->stream->request.fields);
}

enum fresh_verdict trip_judge(const struct trip *t, enum reason *ret_reason)
{
	const struct object *stored = t->query.object;
	const struct fence_ruling *ruling = &t->query.ruling;
	const struct life life = cache_life(stored, ruling);
	enum fresh_verdict verdict = fresh_judge(
	    &life, &t->control, t->worker->loop.wall, ret_reason);
	if (unlikely(stored->seq < t->least) && verdict != FRESH_GONE) {
		*ret_reason = REASON_REQUEST_MIN_SEQ;
		return FRESH_VALIDATE;
	}
	if (unlikely(!ruling->stands) && verdict == FRESH_VALIDATE &&
	    !reason_is_request(*ret_reason))
		*ret_reason = ruling->mode == PURGE_SOFT ? REASON_PURGED : REASON_INVALIDATED;
	return verdict;
}

enum err trip_bars_origin(struct trip *t)
{
	if (t->control.only_if_cached)
		return ERR_ONLY_IF_CACHED;
	if (gate_replays(t->stream))
		return ERR_TOO_EARLY;
	return trip_lacks_memory(t) ? ERR_BUSY : ERR_NONE;
}

bool trip_asks_disk(struct trip *t)
{
	if (likely(!t->query.ruling.is_unsure) || t->was_checked)
		return false;
	t->was_checked = true;
	t->check.home = &t->worker->loop;
	t->is_checking = cache_recall(t->worker->cache, &t->check, t->query.object);
	return t->is_checking;
}

bool trip_sees_newer(struct trip *t)
{
	struct cache_query again = t->query;
	again.object = NULL;
	again.is_ram_only = true;
	enum cache_outcome outcome = cache_find(t->worker->cache, &again);
	bool is_new = outcome == CACHE_FOUND && again.object != t->query.object &&
	    again.ruling.stands && again.object->seq >= t->least;
	object_unref(&again.object);
	return is_new;
}

bool trip_may_take(const struct trip *t, struct object *object, enum reason reason)
{
	struct cache *cache = t->worker->cache;
	if (object->seq < t->least)
		return false;
	return reason == REASON_STALE_IF_ERROR
	    ? cache_may_cover_error(cache, object, &t->control, t->worker->loop.wall)
	    : fence_judge(cache->fence, object).stands;
}

struct claim_times trip_claim_times(const struct trip *t)
{
	const struct fence *fence = t->worker->cache->fence;
	uint64_t purged = fence_number(fence, t->query.key.text);
	return (struct claim_times){ fence_now(fence), max_u64(purged, t->least) };
}

/* What is left of the life of what is delivered. */
static struct life trip_life(const struct trip *t)
{
	bool was_found = t->object && t->object == t->query.object;
	return was_found ? cache_life(t->object, &t->query.ruling) : t->object->life;
}

static void note_age(const struct trip *t, struct note *note)
{
	const struct wall now = t->worker->loop.wall;
	const struct life life = trip_life(t);
	note->age_s = life_age_s(&life, now);
	note->has_age = t->forward.len == 0 || t->is_collapsed || note->age_s > 0;
	note->status.ttl_s = life_ttl_s(&life, now);
	note->status.has_ttl = t->is_stored || note->is_from_store;
}

/* A hit is an answer that was not forwarded (RFC 9211 2.1). A stale copy in an outage is none: the
 * request went to the origin first. But it came from the store, which is what X-Cache tells. */
struct note trip_note(const struct trip *t)
{
	bool is_hit = t->forward.len == 0 && t->failure == ERR_NONE;
	struct note note = {
		.status = {
			.name = t->plan->site.name,
			.hit = is_hit,
			.fwd = t->forward,
			.fwd_status = t->forward_status,
			.stored = t->is_stored,
			.collapsed = t->is_collapsed,
			.detail = reason_name(t->reason),
		},
		.is_from_store = is_hit ||
		    (t->failure == ERR_NONE && t->reason == REASON_STALE_IF_ERROR),
		.policy = t->route ? &t->route->cache : NULL,
	};
	if (t->failure != ERR_NONE)
		note.status.detail = slice_str(err_name(t->failure));
	else if (t->reason == REASON_FRESH || t->reason == REASON_URI_MISS ||
	    t->reason == REASON_VARY_MISS || t->reason == REASON_STALE)
		note.status.detail = SLICE_NONE; /* says no more than hit or fwd */
	if (t->route && t->route->cache.cache_status_key)
		note.status.key = t->query.key.text;
	if (t->object)
		note_age(t, &note);
	return note;
}

bool trip_asks_for_less(const struct trip *t)
{
	const struct fields *fields = &t->stream->request.fields;
	for (uint32_t i = 0; i < fields->count; i++)
		if (fields->at[i].id == FIELD_RANGE ||
		    (field_traits(fields->at[i].id) & FIELD_VALIDATOR))
			return true;
	return false;
}

bool trip_asks_for_all(const struct trip *t)
{
	const struct request *request = &t->stream->request;
	return request->method == METHOD_GET && !t->control.no_store &&
	    !t->control.only_if_cached && !fields_find(&request->fields, FIELD_RANGE);
}

struct answer_form trip_form(struct trip *t)
{
	buf_clear(&t->lines);
	return (struct answer_form){
		.arena = &t->stream->arena,
		.lines = &t->lines,
		.home = &t->worker->loop,
		.request = &t->stream->request,
		.evaluates = t->evaluates,
		.security = t->route ? &t->route->security : NULL,
	};
}

/* ---- end ---- */

static void count(struct trip *t, enum err failure, struct mono now)
{
	struct worker *w = t->worker;
	meter_add(&w->meters.requests, 1);
	meter_sub(&w->meters.under_way, 1);
	meter_add(&w->results[t->result][t->reason], 1);
	if (failure != ERR_NONE)
		meter_add(&w->meters.aborted, 1);
	if (t->status != 101) /* a tunnel lasts as long as its ends like */
		histogram_add(&w->request_seconds, now.us - t->stream->began.us);
}

static void write_log(const struct trip *t, enum err failure, struct mono now)
{
	struct access_log *log = atomic_load_explicit(&t->worker->access, memory_order_relaxed);
	const struct stream *stream = t->stream;
	if (!log)
		return;
	struct access_entry entry = {
		.at = t->began,
		.client = stream->peer,
		.request = &stream->request,
		.target_path = t->target,
		.status = t->status,
		.bytes_out = stream->bytes_out,
		.bytes_in = stream->bytes_in,
		.duration_us = now.us - stream->began.us,
		.result = result_name(t->result),
		.reason = t->reason,
		.failure = t->failure != ERR_NONE ? t->failure : failure,
		.age_s = t->object ? life_age_s(&t->object->life, t->began) : INT64_MIN,
		.ttl_s = t->object ? life_ttl_s(&t->object->life, t->began) : INT64_MIN,
		.origin = t->address,
		.origin_us = t->head_us,
		.route = t->route ? t->route->path : SLICE_NONE,
		.tls = stream->secure ? stream->secure->version : SLICE_NONE,
	};
	char id[17];
	snprintf(id, sizeof(id), "%016" PRIx64, t->worker->next_id++);
	entry.id = id;
	access_write(log, &entry);
}

/* Readies a trip for its next request. */
static void reset(struct trip *t) ON_LOOP
{
	plan_unref(&t->plan);
	object_unref(&t->object);
	object_unref(&t->query.object);
	t->route = NULL;
	t->query = (struct cache_query){ 0 };
	t->looks = 0;
	t->load.hash = (struct hash128){ 0 };
	t->failure = ERR_NONE;
	t->reason = REASON_NONE;
	t->result = RESULT_PASS;
	t->forward = t->address = t->detail = t->target = SLICE_NONE;
	t->forward_status = t->status = 0;
	t->is_stored = t->is_collapsed = t->evaluates = t->was_checked = false;
	t->head_us = -1;
}

bool trip_lacks_memory(struct trip *t)
{
	bool is_full = cache_flight(t->worker->cache) == CACHE_FULL;
	if (is_full)
		meter_add(&t->worker->meters.refused, 1);
	return is_full;
}

void trip_release(struct trip *t)
{
	if (mail_is_posted(&t->wait.mail) || mail_is_posted(&t->delivery.wake) ||
	    mail_is_posted(&t->delivery.leave) || t->is_loading || t->is_checking || t->is_purging)
		return;
	struct worker *w = t->worker;
	reset(t);
	list_prepend(&w->spare_trips, &t->spare_link);
	if (w->is_closing)
		trip_close_all(w);
}

void trip_end(struct trip *t, enum err failure)
{
	struct mono now = mono_now();
	count(t, failure, now);
	write_log(t, failure, now);
	t->stream->journey = NULL;
	t->stream = NULL;
	deadline_clear(&t->patience);
	claim_leave(&t->wait);
	delivery_end(&t->delivery);
	fetch_leave(&t->client);
	trip_release(t);
}

void trip_close_all(struct worker *w)
{
	LIST_EACH (link, &w->spare_trips) {
		struct trip *t = LIST_OF(link, struct trip, spare_link);
		list_drop(&t->spare_link);
		buf_fini(&t->lines);
		buf_fini(&t->load_key);
		free(t);
		w->trips--;
	}
	if (w->trips == 0 && w->refreshers == 0 && list_empty(&w->taggings))
		loop_stop(&w->loop);
}
