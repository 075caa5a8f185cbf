/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journey of a request:
 *
 *	receive -> route -> redirect to https, or purge
 *	                 -> lookup -> hit
 *	                           -> hit, and a refresh in the background
 *	                           -> claim -> fetch (new, or to validate what is stored)
 *	                           |        -> load (it is on disk)
 *	                           |        -> join (somebody fetches or loads it already)
 *	                           -> pass (not for the cache)
 *	        ... -> answer -> log
 *
 * A step decides and names the next; what it decides about is done elsewhere: keys, freshness and
 * storability in cache/rule, finding and keeping in cache, asking the origin in fetch, bytes in
 * answer, deliver and the session. The request goes its way as a trip, which begins, ends, counts
 * and logs by itself; each decision leaves its reason code there.
 */
#include "edge/serve/journey.h"

#include "cache/rule/vary.h"
#include "edge/http/target.h"
#include "edge/serve/gate.h"
#include "edge/serve/purging.h"
#include "edge/serve/trip.h"

enum step {
	STEP_RECEIVE, /* take down what was asked */
	STEP_ROUTE,   /* whose request it is, and its key */
	STEP_LOOKUP,  /* what is stored for it */
	STEP_JUDGE,   /* whether that may be served */
	STEP_CLAIM,   /* who asks the origin */
	STEP_LOAD,    /* read it from the disk */
	STEP_FETCH,   /* ask the origin, for all who wait */
	STEP_PASS,    /* ask the origin, for this client alone */
	STEP_ANSWER,  /* compose and send */
	STEP_PURGE,   /* the client changes what is stored */
	STEP_DIVERT,  /* send the client to https */
	STEP_FAIL,    /* compose and send an error */
	STEP_WAIT,    /* an event goes on: a letter, a fetch's answer, the client */
};

/* How often a request looks again after what it waited for did not fit it; then it goes alone. */
enum { LOOKS_MAX = 3 };

static void run(struct trip *, enum step) ON_LOOP;

/* ---- receive, route ---- */

static enum step fail(struct trip *t, enum err why)
{
	t->failure = why;
	t->result = RESULT_ERROR;
	return STEP_FAIL;
}

static enum step step_receive(struct trip *t) ON_LOOP
{
	trip_keep_target(t);
	enum err refused = gate_receive(t->stream, &t->plan->site, &t->forwarded, &t->is_circling);
	if (refused != ERR_NONE)
		return fail(t, refused);
	t->control = control_of_request(&t->stream->request.fields);
	t->least = trip_least(t);
	return STEP_ROUTE;
}

static enum step pass(struct trip *t, struct slice forward, enum reason reason)
{
	t->forward = forward.len ? forward : SL("uri-miss");
	t->reason = reason;
	t->result = RESULT_PASS;
	return STEP_PASS;
}

static enum step step_route(struct trip *t)
{
	struct request *request = &t->stream->request;
	/* In normal form before anything is decided by it: the origin will see that form, too. */
	if (slice_starts(request->path, SL("/")))
		request->path = target_normal_path(request->path, &t->stream->arena);
	if (request->path.len == 0)
		return fail(t, ERR_HEAD_TOO_LARGE);
	t->route = route_find(t->plan->site.routes, request->authority, request->path);
	if (!t->route)
		return fail(t, ERR_NO_ROUTE);
	enum err refused = ERR_NONE;
	enum gate gate = gate_judge(t->stream, &t->route->security, &refused);
	if (gate != GATE_OPEN)
		return gate == GATE_REDIRECT ? STEP_DIVERT : fail(t, refused);
	t->query.key = key_make(
	    request, &t->route->cache, cache_secret(t->worker->cache), &t->stream->arena);
	if (t->query.key.text.len == 0)
		return fail(t, ERR_HEAD_TOO_LARGE);
	if (purging_is_asked(t))
		return STEP_PURGE;
	if (request->upgrade.len > 0 && t->route->websocket)
		return pass(t, SL("bypass"), REASON_TUNNEL);
	if (request->upgrade.len > 0 && request->version == 20)
		return fail(t, ERR_PROTOCOL_UNKNOWN); /* any 2xx would be taken for the switch */
	request->upgrade = SLICE_NONE;
	if (!t->route->cache.enabled)
		return pass(t, SL("bypass"), REASON_BYPASS);
	if (request->method != METHOD_GET && request->method != METHOD_HEAD)
		return pass(t, SL("method"), REASON_METHOD);
	if (request->framing != FRAMING_NONE)
		return pass(t, SL("bypass"), REASON_REQUEST_BODY);
	if (cond_is_for_origin(&request->fields))
		return pass(t, SL("request"), REASON_PRECONDITION);
	return STEP_LOOKUP;
}

/* ---- lookup, judge ---- */

/* Nothing usable is stored: the origin is asked, unless the client forbids it. */
static enum step miss(struct trip *t, struct slice forward, enum reason reason)
{
	const struct request *request = &t->stream->request;
	if (t->control.only_if_cached) {
		t->reason = REASON_ONLY_IF_CACHED;
		return fail(t, ERR_ONLY_IF_CACHED);
	}
	if (request->method == METHOD_HEAD)
		return pass(t, forward, reason);
	if (t->control.no_store)
		return pass(t, forward, REASON_REQUEST_NO_STORE);
	/* RFC 9110 14.2 lets a range go unheeded; but a client that wants the end of a film should
	 * not wait for its beginning. A range of what is not stored is the origin's. */
	if (!t->query.object && fields_find(&request->fields, FIELD_RANGE))
		return pass(t, forward, REASON_PARTIAL_REQUEST);
	t->forward = forward;
	t->reason = reason;
	t->result = RESULT_MISS;
	return STEP_CLAIM;
}

/*
 * The key was uncacheable a moment ago: nobody waits for anybody. But the answer is looked at anew,
 * and stored if it may be now: one bad answer does not close a key.
 */
static enum step ask_alone(struct trip *t)
{
	const struct request *request = &t->stream->request;
	if (t->control.only_if_cached)
		return fail(t, ERR_ONLY_IF_CACHED);
	bool is_plain = request->method == METHOD_GET && !t->control.no_store &&
	    !trip_asks_for_less(t);
	enum step step = pass(t, SL("uri-miss"), REASON_KNOWN_UNCACHEABLE);
	return is_plain ? STEP_FETCH : step;
}

static enum step step_lookup(struct trip *t) ON_LOOP
{
	struct cache_query *query = &t->query;
	query->request = &t->stream->request.fields;
	query->arena = &t->stream->arena;
	query->now = t->worker->loop.wall;
	object_unref(&query->object);
	t->may_be_cold = false;
	switch (cache_find(t->worker->cache, query)) {
	case CACHE_FOUND: return trip_asks_disk(t) ? STEP_WAIT : STEP_JUDGE;
	case CACHE_COLD: t->may_be_cold = true; return STEP_CLAIM;
	case CACHE_PASS:
		if (trip_is_uncacheable(t))
			return ask_alone(t);
		break;
	case CACHE_MISS: break;
	}
	return query->varies ? miss(t, SL("vary-miss"), REASON_VARY_MISS)
			     : miss(t, SL("uri-miss"), REASON_URI_MISS);
}

static enum step hit(struct trip *t, enum result result)
{
	t->result = result;
	t->evaluates = true;
	t->object = object_ref(t->query.object);
	return STEP_ANSWER;
}

static void refresh(struct trip *t) ON_LOOP;

static enum step step_judge(struct trip *t) ON_LOOP
{
	enum reason reason;
	switch (trip_judge(t, &reason)) {
	case FRESH_SERVE:
		t->reason = reason;
		return hit(t, reason == REASON_FRESH ? RESULT_HIT : RESULT_STALE);
	case FRESH_SERVE_REFRESH:
		t->reason = reason;
		if (!gate_replays(t->stream))
			refresh(t);
		return hit(t, RESULT_STALE);
	case FRESH_VALIDATE:
		return miss(t, reason_is_request(reason) ? SL("request") : SL("stale"), reason);
	case FRESH_GONE: break;
	}
	object_unref(&t->query.object);
	return miss(t, SL("uri-miss"), REASON_URI_MISS);
}

/* ---- claim, load, fetch, pass ---- */

/*
 * Between the look into the cache and the claim, another worker may have fetched, published and
 * ended its claim. Who claims looks again, once, and finds what came in between.
 */
static enum step second_look(struct trip *t)
{
	if (t->looks == 0 && trip_sees_newer(t)) {
		claim_end(&t->claim, CLAIM_LOOK, NULL, REASON_NONE);
		t->looks++;
		return STEP_LOOKUP;
	}
	/* A marker and its variant are two loads; the same one twice finds no more than once. */
	bool is_loaded = hash128_eq(t->load.hash, t->query.at.hash);
	return t->may_be_cold && !is_loaded ? STEP_LOAD : STEP_FETCH;
}

static enum step step_claim(struct trip *t) ON_LOOP
{
	const struct cache_policy *policy = &t->route->cache;
	struct cache *cache = t->worker->cache;
	/* Round and round: a request that we have seen before might wait for itself. */
	struct claim_wait *wait = t->is_circling ? NULL : &t->wait;
	switch (claim_take(cache->claims, t->query.at.hash, trip_claim_times(t), wait,
	    policy->max_waiters, &t->claim)) {
	case CLAIM_MINE: return second_look(t);
	case CLAIM_JOINED:
		t->is_collapsed = true;
		meter_add(&t->worker->meters.waits, 1);
		deadline_set(&t->worker->loop, &t->patience, policy->wait_ms);
		return STEP_WAIT;
	case CLAIM_TAKEN:
	case CLAIM_FULL: break;
	}
	return pass(t, t->forward, REASON_WAIT_LIMIT);
}

static enum step step_load(struct trip *t) ON_LOOP
{
	t->load.home = &t->worker->loop;
	t->load.hash = t->query.at.hash;
	/* The store's readers compare it when the client, and its arena, may be gone. */
	buf_clear(&t->load_key);
	buf_add(&t->load_key, t->query.at.text);
	t->load.key = buf_slice(&t->load_key);
	t->load.keep_up_to = cache_keep_up_to(t->worker->cache, t->load.hash);
	t->is_loading = cold_load(t->worker->cache->cold, &t->load);
	return t->is_loading ? STEP_WAIT : STEP_FETCH;
}

static enum step step_fetch(struct trip *t) ON_LOOP
{
	struct fetch_spec spec = trip_fetch_spec(t, FETCH_SHARED);
	enum err barred = trip_bars_origin(t);
	if (barred != ERR_NONE) {
		if (t->claim)
			claim_end(&t->claim, CLAIM_LOOK, NULL, REASON_NONE);
		return fail(t, barred);
	}
	spec.claim = t->claim;
	spec.client = &t->client;
	t->claim = NULL;
	t->evaluates = true;
	t->result = RESULT_MISS;
	if (t->forward.len == 0) /* it was said to be on disk, and was not */
		t->forward = t->query.varies ? SL("vary-miss") : SL("uri-miss");
	enum err e = fetch_start(t->worker, &spec);
	return e == ERR_NONE ? STEP_WAIT : fail(t, e);
}

static enum step step_pass(struct trip *t) ON_LOOP
{
	struct fetch_spec spec = trip_fetch_spec(t, FETCH_PRIVATE);
	if (trip_lacks_memory(t))
		return fail(t, ERR_BUSY);
	if (gate_replays(t->stream))
		return fail(t, ERR_TOO_EARLY);
	if (t->stream->request.method != METHOD_HEAD)
		spec.stored = NULL;
	spec.body = t->stream->body;
	spec.client = &t->client;
	enum err e = fetch_start(t->worker, &spec);
	if (e != ERR_NONE)
		return fail(t, e);
	stream_want_body(t->stream);
	return STEP_WAIT;
}

/* Asks the origin behind the client's back, unless somebody does so already (RFC 5861 3). */
static void refresh(struct trip *t)
{
	struct fetch_spec spec = trip_fetch_spec(t, FETCH_REFRESH);
	struct cache *cache = t->worker->cache;
	if (claim_take(cache->claims, t->query.at.hash, trip_claim_times(t), NULL, 0,
		&spec.claim) != CLAIM_MINE)
		return;
	meter_add(&t->worker->meters.refreshes, 1);
	/* A refresh that cannot start costs nobody anything: the next request tries again. */
	(void)fetch_start(t->worker, &spec);
}

/* ---- what was waited for ---- */

/* The answer of a fetch that others began: does it fit this request? (RFC 9111 4.1) */
static enum step take_joined(struct trip *t, struct object *object, enum reason reason)
{
	const struct fields *fields = &t->stream->request.fields;
	bool fits = object->spec.len == 0 ||
	    slice_eq(vary_values(fields, object->spec, &t->stream->arena), object->values);
	if (!fits || !trip_may_take(t, object, reason)) {
		object_unref(&object);
		t->is_collapsed = false;
		return t->looks > LOOKS_MAX ? pass(t, SL("vary-miss"), REASON_VARY_MISS)
					    : STEP_LOOKUP;
	}
	t->object = object;
	t->reason = reason == REASON_STALE_IF_ERROR ? reason : REASON_COLLAPSED;
	t->result = reason == REASON_STALE_IF_ERROR ? RESULT_STALE : RESULT_COLLAPSED;
	t->evaluates = true;
	return STEP_ANSWER;
}

/* The joined fetch failed: nobody asks again for each who waited. What is stored may still do. */
static enum step take_joined_failure(struct trip *t, enum err failure)
{
	struct object *stored = t->query.object;
	if (!stored || stored->seq < t->least ||
	    !cache_may_cover_error(t->worker->cache, stored, &t->control, t->worker->loop.wall))
		return fail(t, failure);
	t->reason = REASON_STALE_IF_ERROR;
	return hit(t, RESULT_STALE);
}

/* What came from the disk is judged as if it had been found in RAM, whether RAM took it or not. */
static void take_loaded(struct trip *t, struct object *object)
{
	object_unref(&t->query.object);
	t->query.object = object;
	t->query.ruling = fence_judge(t->worker->cache->fence, object);
}

static enum step take_claim_end(struct trip *t)
{
	struct object *object = NULL;
	enum reason reason = REASON_NONE;
	enum claim_end end = claim_result(&t->wait, &object, &reason);
	enum err failure = claim_failure(&t->wait);
	deadline_clear(&t->patience);
	claim_leave(&t->wait);
	t->looks++;
	switch (end) {
	case CLAIM_ANSWERED: return take_joined(t, object, reason);
	case CLAIM_LOOK:
		t->is_collapsed = false;
		if (object) {
			take_loaded(t, object);
			return STEP_JUDGE;
		}
		return t->looks > LOOKS_MAX ? pass(t, t->forward, REASON_WAIT_LIMIT) : STEP_LOOKUP;
	case CLAIM_RELEASED:
		if (reason == REASON_ORIGIN_ERROR)
			return take_joined_failure(t, failure);
		t->is_collapsed = false;
		return pass(t, t->forward, reason);
	case CLAIM_PENDING: break;
	}
	return STEP_WAIT;
}

static void on_claim(struct mail *m)
{
	role_loop();
	struct trip *t = CONTAINER_OF(m, struct trip, wait.mail);
	if (!t->stream)
		trip_release(t);
	else if (t->wait.claim)
		run(t, take_claim_end(t));
}

static void on_patience_over(struct deadline *d)
{
	role_loop();
	struct trip *t = CONTAINER_OF(d, struct trip, patience);
	claim_leave(&t->wait);
	t->is_collapsed = false;
	run(t, pass(t, t->forward, REASON_WAIT_TIMEOUT));
}

/* The disk told what was purged of what RAM has. */
static void on_checked(struct cache_check *check)
{
	role_loop();
	struct trip *t = CONTAINER_OF(check, struct trip, check);
	t->is_checking = false;
	if (!t->stream)
		trip_release(t);
	else
		run(t, STEP_LOOKUP);
}

static void on_loaded(struct cold_load *load, struct object *object)
{
	role_loop();
	struct trip *t = CONTAINER_OF(load, struct trip, load);
	bool is_answer = object && object->kind == OBJECT_ANSWER;
	bool is_given_up = !object && t->stream && !trip_asks_for_all(t);
	t->is_loading = false;
	t->looks++;
	if (object)
		cache_promote(t->worker->cache, object);
	if (object || !t->stream || is_given_up)
		claim_end(&t->claim, CLAIM_LOOK, is_answer ? object : NULL, REASON_NONE);
	enum step next = !object ? STEP_FETCH : is_answer ? STEP_JUDGE : STEP_LOOKUP;
	if (is_given_up)
		next = miss(t, SL("uri-miss"), REASON_URI_MISS);
	if (is_answer)
		take_loaded(t, object);
	else
		object_unref(&object);
	if (!t->stream)
		trip_release(t);
	else
		run(t, next);
}

static void on_answer(struct fetch_client *client, const struct fetch_result *result)
{
	role_loop();
	struct trip *t = CONTAINER_OF(client, struct trip, client);
	trip_keep_origin(t, result);
	if (!result->object) {
		t->reason = REASON_ORIGIN_ERROR;
		run(t, fail(t, result->failure));
		return;
	}
	t->object = result->object;
	t->is_stored = result->is_stored;
	if (result->reason == REASON_STALE_IF_ERROR) {
		t->reason = REASON_STALE_IF_ERROR;
		t->result = RESULT_STALE;
	} else if (result->is_validated) {
		t->reason = REASON_NOT_MODIFIED;
		t->result = RESULT_REVALIDATED;
	} else if (!result->is_stored && result->reason != REASON_STORED) {
		if (t->reason != REASON_KNOWN_UNCACHEABLE)
			t->reason = result->reason;
		t->result = RESULT_PASS;
	}
	run(t, STEP_ANSWER);
}

/* ---- purge ---- */

static void on_purged(struct purge *p)
{
	role_loop();
	struct trip *t = CONTAINER_OF(p, struct trip, purge);
	enum err err = purging_end(t);
	if (!t->stream)
		trip_release(t);
	else if (err)
		run(t, fail(t, err));
	else
		purging_answer(t);
}

static enum step step_purge(struct trip *t) ON_LOOP
{
	enum err refused = purging_begin(t, on_purged);
	return refused ? fail(t, refused) : STEP_WAIT;
}

/* ---- answer, fail ---- */

static enum step step_answer(struct trip *t) ON_LOOP
{
	struct note note = trip_note(t);
	struct answer_form form = trip_form(t);
	struct answer answer;
	if (!answer_object(&form, t->object, &note, &t->delivery, &answer)) {
		/* A body on its way to the disk is past its beginning, and not there yet. */
		bool is_old = !t->client.fetch || t->result == RESULT_REVALIDATED;
		bool too_late = !form.arena->overflow && !form.lines->overflow && is_old;
		delivery_end(&t->delivery);
		object_unref(&t->object);
		if (!too_late)
			return fail(t, ERR_NO_MEMORY);
		fetch_leave(&t->client);
		t->is_stored = false;
		return pass(t, SL("uri-miss"), REASON_TOO_LARGE);
	}
	t->status = answer.status;
	stream_answer(t->stream, &answer, &t->delivery.source);
	return STEP_WAIT;
}

static enum step step_divert(struct trip *t) ON_LOOP
{
	struct slice location = gate_location(t->stream, &t->route->security, t->target);
	struct note note = trip_note(t);
	struct answer_form form = trip_form(t);
	struct answer answer;
	if (!location.at)
		return fail(t, t->stream->arena.overflow ? ERR_HEAD_TOO_LARGE : ERR_BAD_HOST);
	answer_redirect(&form, location, &note, &t->text, &answer);
	t->result = RESULT_REDIRECT;
	t->status = answer.status;
	stream_answer(t->stream, &answer, &t->text.source);
	return STEP_WAIT;
}

static enum step step_fail(struct trip *t) ON_LOOP
{
	struct note note = trip_note(t);
	struct answer_form form = trip_form(t);
	struct answer answer;
	answer_failure(&form, t->failure, &note, &t->text, &answer);
	t->status = answer.status;
	stream_answer(t->stream, &answer, &t->text.source);
	return STEP_WAIT;
}

/* ---- the driver ---- */

static const struct {
	const char *name;
	enum step (*run)(struct trip *);
} steps[] = {
	[STEP_RECEIVE] = { "receive", step_receive },
	[STEP_ROUTE] = { "route", step_route },
	[STEP_LOOKUP] = { "lookup", step_lookup },
	[STEP_JUDGE] = { "judge", step_judge },
	[STEP_CLAIM] = { "claim", step_claim },
	[STEP_LOAD] = { "load", step_load },
	[STEP_FETCH] = { "fetch", step_fetch },
	[STEP_PASS] = { "pass", step_pass },
	[STEP_ANSWER] = { "answer", step_answer },
	[STEP_PURGE] = { "purge", step_purge },
	[STEP_DIVERT] = { "divert", step_divert },
	[STEP_FAIL] = { "fail", step_fail },
};

/* The only place that moves a trip on. A trip may be over, and gone, when this returns. */
static void run(struct trip *t, enum step step)
{
	while (step != STEP_WAIT) {
		struct slice about = t->query.key.text;
		must_context(steps[step].name, about.at, about.len);
		step = steps[step].run(t);
	}
	must_context(NULL, NULL, 0);
}

/* ---- begin and end ---- */

static const struct trip_events events = {
	.on_claim = on_claim,
	.on_patience_over = on_patience_over,
	.on_loaded = on_loaded,
	.on_checked = on_checked,
	.on_answer = on_answer,
	.on_purged = on_purged,
};

static void on_request(struct stream *stream)
{
	role_loop();
	struct trip *t = trip_begin(stream, &events);
	if (t)
		run(t, STEP_RECEIVE);
	else
		stream_cut(stream, ERR_NO_MEMORY);
}

static void on_refused(struct stream *stream, enum err why)
{
	role_loop();
	struct trip *t = trip_begin(stream, &events);
	if (t)
		run(t, fail(t, why));
	else
		stream_cut(stream, ERR_NO_MEMORY);
}

static void on_done(struct stream *stream, enum err failure)
{
	role_loop();
	if (stream->journey)
		trip_end(stream->journey, failure);
}

const struct stream_events journey_events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_done = on_done,
};
