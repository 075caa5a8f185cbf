/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journey of a request:
 *
 *	receive -> route -> lookup -> hit
 *	                           -> hit, and a refresh in the background
 *	                           -> claim -> fetch (new, or to validate what is stored)
 *	                           |        -> load (it is on disk)
 *	                           |        -> join (somebody fetches or loads it already)
 *	                           -> pass (not for the cache)
 *	        ... -> answer -> log
 *
 * A step decides and names the next; what it decides about is done elsewhere: keys, freshness and
 * storability in cache/rule, finding and keeping in cache, asking the origin in fetch, bytes in
 * answer, deliver and the session. Each decision leaves its reason code in the journey.
 */
#include "edge/serve/journey.h"

#include "cache/rule/vary.h"
#include "edge/serve/answer.h"
#include "edge/serve/fetch.h"

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
	STEP_FAIL,    /* compose and send an error */
	STEP_WAIT,    /* an event goes on: a letter, a fetch's answer, the client */
};

/* How often a request looks again after what it waited for did not fit it; then it goes alone. */
enum { LOOKS_MAX = 3, LINES_MAX = 64 * 1024 };

/* Larders in a row may share a name; a request that met it this often goes round in a circle. */
enum { LOOPS_MAX = 8 };

struct journey {
	struct worker *worker;
	struct stream *stream; /* NULL once the client is served or gone */
	struct plan *plan;
	struct list spare_link;
	const struct route *route;
	struct control control;
	struct forwarded forwarded; /* who asks, as far as that is believed */
	struct cache_query query;
	/* what is waited for */
	struct claim_wait wait;
	struct deadline patience; /* how long it may take until the joined fetch's answer begins */
	struct claim *claim;
	struct cold_load load;
	bool is_loading;
	struct fetch_client client;
	unsigned looks;
	/* what will be answered */
	struct object *object;
	enum err failure;
	enum result result;
	enum reason reason;
	struct slice forward; /* RFC 9211 fwd; empty = a hit */
	uint16_t forward_status;
	bool is_stored, is_collapsed, evaluates, is_circling, may_be_cold;
	struct buf lines;
	struct delivery delivery;
	struct text_source text;
	/* for the log */
	struct slice target;
	struct wall began;
	struct slice address;
	char address_text[64];
	int64_t head_us;
	uint16_t status;
};

static void run(struct journey *, enum step) ON_LOOP;

/* ---- receive, route ---- */

static struct forwarded judge_peer(const struct journey *j)
{
	const struct request *request = &j->stream->request;
	struct ip peer = { 0 };
	(void)ip_of_sockaddr(&j->stream->peer->any, &peer);
	return forwarded_judge(j->plan->site.trusted, peer, request->scheme, &request->fields);
}

/* The target as the client sent it: path and query still lie side by side in the head. */
static struct slice target_of(const struct request *request)
{
	struct slice path = request->path, query = request->query;
	bool is_whole = request->has_query && path.at + path.len + 1 == query.at;
	return is_whole ? slice_of(path.at, path.len + 1 + query.len) : path;
}

static enum step fail(struct journey *j, enum err why)
{
	j->failure = why;
	j->result = RESULT_ERROR;
	return STEP_FAIL;
}

static enum step step_receive(struct journey *j) ON_LOOP
{
	struct request *request = &j->stream->request;
	j->plan = plan_ref(j->worker->plan);
	j->began = j->worker->loop.wall;
	j->target = target_of(request);
	unsigned met = via_count(&request->fields, j->plan->site.name);
	if (met >= LOOPS_MAX)
		return fail(j, ERR_LOOP);
	j->is_circling = met > 0;
	j->forwarded = judge_peer(j);
	request->scheme = j->forwarded.scheme;
	j->control = control_of_request(&request->fields);
	return STEP_ROUTE;
}

static enum step pass(struct journey *j, struct slice forward, enum reason reason)
{
	j->forward = forward;
	j->reason = reason;
	j->result = RESULT_PASS;
	return STEP_PASS;
}

static enum step step_route(struct journey *j)
{
	struct request *request = &j->stream->request;
	j->route = route_find(j->plan->site.routes, request->authority, request->path);
	if (!j->route)
		return fail(j, ERR_NO_ROUTE);
	j->query.key = key_make(
	    request, &j->route->cache, j->worker->cache->secret, &j->stream->arena);
	if (j->query.key.text.len == 0)
		return fail(j, ERR_HEAD_TOO_LARGE);
	if (!j->route->cache.enabled)
		return pass(j, SL("bypass"), REASON_BYPASS);
	if (request->method != METHOD_GET && request->method != METHOD_HEAD)
		return pass(j, SL("method"), REASON_METHOD);
	if (request->framing != FRAMING_NONE)
		return pass(j, SL("bypass"), REASON_REQUEST_BODY);
	if (cond_is_for_origin(&request->fields))
		return pass(j, SL("request"), REASON_PRECONDITION);
	return STEP_LOOKUP;
}

/* ---- lookup, judge ---- */

/* Nothing usable is stored: the origin is asked, unless the client forbids it. */
static enum step miss(struct journey *j, struct slice forward, enum reason reason)
{
	const struct request *request = &j->stream->request;
	if (j->control.only_if_cached) {
		j->reason = REASON_ONLY_IF_CACHED;
		return fail(j, ERR_ONLY_IF_CACHED);
	}
	if (request->method == METHOD_HEAD)
		return pass(j, forward, reason);
	if (j->control.no_store)
		return pass(j, forward, REASON_REQUEST_NO_STORE);
	/* RFC 9110 14.2 lets a range go unheeded; but a client that wants the end of a film should
	 * not wait for its beginning. So a range of what is not stored is the origin's to answer. */
	if (!j->query.object && fields_find(&request->fields, FIELD_RANGE))
		return pass(j, forward, REASON_PARTIAL_REQUEST);
	j->forward = forward;
	j->reason = reason;
	j->result = RESULT_MISS;
	return STEP_CLAIM;
}

/* Answers to credentials were not for everyone; those to requests without may be. */
static bool is_known_uncacheable(const struct journey *j)
{
	return j->query.reason != REASON_AUTHORIZATION ||
	    fields_find(&j->stream->request.fields, FIELD_AUTHORIZATION);
}

/* A range, or a condition that a fetch for everyone would not pass on. */
static bool asks_for_less(const struct fields *fields)
{
	for (uint32_t i = 0; i < fields->count; i++)
		if (fields->at[i].id == FIELD_RANGE ||
		    (field_traits(fields->at[i].id) & FIELD_VALIDATOR))
			return true;
	return false;
}

/*
 * The key was uncacheable a moment ago: nobody waits for anybody. But the answer is looked at anew,
 * and stored if it may be now: one bad answer does not close a key.
 */
static enum step ask_alone(struct journey *j)
{
	const struct request *request = &j->stream->request;
	bool is_plain = request->method == METHOD_GET && !j->control.no_store &&
	    !j->control.only_if_cached && !asks_for_less(&request->fields);
	enum step step = pass(j, SL("uri-miss"), REASON_KNOWN_UNCACHEABLE);
	return is_plain ? STEP_FETCH : step;
}

static enum step step_lookup(struct journey *j)
{
	struct cache_query *query = &j->query;
	query->request = &j->stream->request.fields;
	query->arena = &j->stream->arena;
	query->now = j->worker->loop.wall;
	object_unref(&query->object);
	j->may_be_cold = false;
	switch (cache_find(j->worker->cache, query)) {
	case CACHE_FOUND: return STEP_JUDGE;
	case CACHE_COLD: j->may_be_cold = true; return STEP_CLAIM;
	case CACHE_PASS:
		if (is_known_uncacheable(j))
			return ask_alone(j);
		break;
	case CACHE_MISS: break;
	}
	return query->varies ? miss(j, SL("vary-miss"), REASON_VARY_MISS)
			     : miss(j, SL("uri-miss"), REASON_URI_MISS);
}

static enum step hit(struct journey *j, enum result result)
{
	j->result = result;
	j->evaluates = true;
	j->object = object_ref(j->query.object);
	return STEP_ANSWER;
}

/* Whether the client, not the age of what is stored, asks for the origin (RFC 9211 2.2). */
static bool is_asked_for(enum reason reason)
{
	return reason == REASON_REQUEST_NO_CACHE || reason == REASON_REQUEST_MAX_AGE ||
	    reason == REASON_REQUEST_MIN_FRESH;
}

static void refresh(struct journey *j) ON_LOOP;

static enum step step_judge(struct journey *j) ON_LOOP
{
	const struct object *stored = j->query.object;
	enum reason reason = REASON_INVALIDATED;
	enum fresh_verdict verdict = FRESH_VALIDATE;
	if (!j->query.is_overtaken)
		verdict = fresh_judge(&stored->life, &j->control, j->worker->loop.wall, &reason);
	switch (verdict) {
	case FRESH_SERVE:
		j->reason = reason;
		return hit(j, reason == REASON_FRESH ? RESULT_HIT : RESULT_STALE);
	case FRESH_SERVE_REFRESH:
		j->reason = reason;
		refresh(j);
		return hit(j, RESULT_STALE);
	case FRESH_VALIDATE:
		return miss(j, is_asked_for(reason) ? SL("request") : SL("stale"), reason);
	case FRESH_GONE: break;
	}
	object_unref(&j->query.object);
	return miss(j, SL("uri-miss"), REASON_URI_MISS);
}

/* ---- claim, load, fetch, pass ---- */

/*
 * Between the look into the cache and the claim, another worker may have fetched, published and
 * ended its claim. Who claims looks again, once, and finds what came in between.
 */
static enum step second_look(struct journey *j)
{
	const struct object *before = j->query.object;
	struct cache_query again = j->query;
	again.object = NULL;
	again.is_ram_only = true;
	enum cache_outcome outcome = cache_find(j->worker->cache, &again);
	bool is_new = outcome == CACHE_FOUND && again.object != before && !again.is_overtaken;
	object_unref(&again.object);
	if (is_new && j->looks == 0) {
		claim_end(&j->claim, CLAIM_LOOK, NULL, REASON_NONE);
		j->looks++;
		return STEP_LOOKUP;
	}
	/* A marker and its variant are two loads; the same one twice finds no more than once. */
	bool is_loaded = hash128_eq(j->load.hash, j->query.at.hash);
	return j->may_be_cold && !is_loaded ? STEP_LOAD : STEP_FETCH;
}

static struct claim_times claim_times(const struct journey *j)
{
	const struct fence *fence = j->worker->cache->fence;
	return (struct claim_times){ fence_now(fence), fence_number(fence, j->query.key.hash) };
}

static enum step step_claim(struct journey *j) ON_LOOP
{
	const struct cache_policy *policy = &j->route->cache;
	struct cache *cache = j->worker->cache;
	/* Round and round: a request that we have seen before might wait for itself. */
	struct claim_wait *wait = j->is_circling ? NULL : &j->wait;
	switch (claim_take(cache->claims, j->query.at.hash, claim_times(j), wait,
	    policy->max_waiters, &j->claim)) {
	case CLAIM_MINE: return second_look(j);
	case CLAIM_JOINED:
		j->is_collapsed = true;
		meter_add(&j->worker->meters.waits, 1);
		deadline_set(&j->worker->loop, &j->patience, policy->wait_ms);
		return STEP_WAIT;
	case CLAIM_TAKEN:
	case CLAIM_FULL: break;
	}
	return pass(j, j->forward.len ? j->forward : SL("uri-miss"), REASON_WAIT_LIMIT);
}

static enum step step_load(struct journey *j) ON_LOOP
{
	j->load.home = &j->worker->loop;
	j->load.hash = j->query.at.hash;
	j->load.key = j->query.at.text;
	j->is_loading = cold_load(j->worker->cache->cold, &j->load);
	return j->is_loading ? STEP_WAIT : STEP_FETCH;
}

static struct fetch_spec fetch_spec(struct journey *j, enum fetch_kind kind)
{
	return (struct fetch_spec){
		.kind = kind,
		.route = j->route,
		.request = &j->stream->request,
		.control = &j->control,
		.forwarded = &j->forwarded,
		.key = j->query.key,
		.at = j->query.at,
		.stored = j->query.object,
		.reason = j->reason,
	};
}

static enum step step_fetch(struct journey *j) ON_LOOP
{
	struct fetch_spec spec = fetch_spec(j, FETCH_SHARED);
	if (j->control.only_if_cached) {
		claim_end(&j->claim, CLAIM_RELEASED, NULL, REASON_ONLY_IF_CACHED);
		return fail(j, ERR_ONLY_IF_CACHED);
	}
	spec.claim = j->claim;
	spec.client = &j->client;
	j->claim = NULL;
	j->evaluates = true;
	j->result = RESULT_MISS;
	if (j->forward.len == 0) /* it was said to be on disk, and was not */
		j->forward = j->query.varies ? SL("vary-miss") : SL("uri-miss");
	enum err e = fetch_start(j->worker, &spec);
	return e == ERR_NONE ? STEP_WAIT : fail(j, e);
}

static enum step step_pass(struct journey *j) ON_LOOP
{
	struct fetch_spec spec = fetch_spec(j, FETCH_PRIVATE);
	if (j->stream->request.method != METHOD_HEAD)
		spec.stored = NULL;
	spec.body = j->stream->body;
	spec.client = &j->client;
	enum err e = fetch_start(j->worker, &spec);
	if (e != ERR_NONE)
		return fail(j, e);
	stream_want_body(j->stream);
	return STEP_WAIT;
}

/* Asks the origin behind the client's back, unless somebody does so already (RFC 5861 3). */
static void refresh(struct journey *j)
{
	struct fetch_spec spec = fetch_spec(j, FETCH_REFRESH);
	struct cache *cache = j->worker->cache;
	if (claim_take(cache->claims, j->query.at.hash, claim_times(j), NULL, 0, &spec.claim) !=
	    CLAIM_MINE)
		return;
	meter_add(&j->worker->meters.refreshes, 1);
	/* A refresh that cannot start costs nobody anything: the next request tries again. */
	(void)fetch_start(j->worker, &spec);
}

/* ---- what was waited for ---- */

/* The answer of a fetch that others began: does it fit this request? (RFC 9111 4.1) */
static enum step take_joined(struct journey *j, struct object *object, enum reason reason)
{
	const struct fields *fields = &j->stream->request.fields;
	if (object->spec.len > 0 &&
	    !slice_eq(vary_values(fields, object->spec, &j->stream->arena), object->values)) {
		object_unref(&object);
		j->is_collapsed = false;
		return j->looks > LOOKS_MAX ? pass(j, SL("vary-miss"), REASON_VARY_MISS)
					    : STEP_LOOKUP;
	}
	j->object = object;
	j->reason = reason == REASON_STALE_IF_ERROR ? reason : REASON_COLLAPSED;
	j->result = reason == REASON_STALE_IF_ERROR ? RESULT_STALE : RESULT_COLLAPSED;
	j->evaluates = true;
	return STEP_ANSWER;
}

/* The joined fetch failed: nobody asks again for each who waited. What is stored may still do. */
static enum step take_joined_failure(struct journey *j, enum err failure)
{
	struct object *stored = j->query.object;
	if (!stored || j->query.is_overtaken ||
	    !fresh_may_cover_error(&stored->life, &j->control, j->worker->loop.wall))
		return fail(j, failure);
	j->reason = REASON_STALE_IF_ERROR;
	return hit(j, RESULT_STALE);
}

/* What came from the disk is judged as if it had been found in RAM, whether RAM took it or not. */
static void take_loaded(struct journey *j, struct object *object)
{
	const struct cache *cache = j->worker->cache;
	object_unref(&j->query.object);
	j->query.object = object;
	j->query.is_overtaken = !fence_holds(cache->fence, j->query.key.hash, object->seq);
}

static enum step take_claim_end(struct journey *j)
{
	struct object *object = NULL;
	enum reason reason = REASON_NONE;
	struct slice forward = j->forward.len ? j->forward : SL("uri-miss");
	enum claim_end end = claim_result(&j->wait, &object, &reason);
	enum err failure = claim_failure(&j->wait);
	deadline_clear(&j->patience);
	claim_leave(&j->wait);
	j->looks++;
	switch (end) {
	case CLAIM_ANSWERED: return take_joined(j, object, reason);
	case CLAIM_LOOK:
		j->is_collapsed = false;
		if (object) {
			take_loaded(j, object);
			return STEP_JUDGE;
		}
		return j->looks > LOOKS_MAX ? pass(j, forward, REASON_WAIT_LIMIT) : STEP_LOOKUP;
	case CLAIM_RELEASED:
		if (reason == REASON_ORIGIN_ERROR)
			return take_joined_failure(j, failure);
		j->is_collapsed = false;
		return pass(j, forward, reason);
	case CLAIM_PENDING: break;
	}
	return STEP_WAIT;
}

static void release(struct journey *) ON_LOOP;

static void on_claim(struct mail *m)
{
	role_loop();
	struct journey *j = CONTAINER_OF(m, struct journey, wait.mail);
	if (!j->stream)
		release(j);
	else if (j->wait.claim)
		run(j, take_claim_end(j));
}

static void on_patience_over(struct deadline *d)
{
	role_loop();
	struct journey *j = CONTAINER_OF(d, struct journey, patience);
	claim_leave(&j->wait);
	j->is_collapsed = false;
	run(j, pass(j, j->forward.len ? j->forward : SL("uri-miss"), REASON_WAIT_TIMEOUT));
}

static void on_loaded(struct cold_load *load, struct object *object)
{
	role_loop();
	struct journey *j = CONTAINER_OF(load, struct journey, load);
	bool is_answer = object && object->kind == OBJECT_ANSWER;
	j->is_loading = false;
	j->looks++;
	if (object)
		cache_promote(j->worker->cache, object);
	if (object || !j->stream)
		claim_end(&j->claim, CLAIM_LOOK, is_answer ? object : NULL, REASON_NONE);
	enum step next = !object ? STEP_FETCH : is_answer ? STEP_JUDGE : STEP_LOOKUP;
	if (is_answer)
		take_loaded(j, object);
	else
		object_unref(&object);
	if (!j->stream)
		release(j);
	else
		run(j, next);
}

static void on_fetch_interim(struct fetch_client *client, const struct response *response)
{
	role_loop();
	struct journey *j = CONTAINER_OF(client, struct journey, client);
	struct answer a = { .status = response->status };
	struct fields fields = response->fields;
	fields_strip_hop(&fields);
	for (uint32_t i = 0; i < fields.count; i++)
		a.lines[0] = arena_printf(&j->stream->arena, "%.*s%.*s: %.*s\r\n",
		    SLICE_ARG(a.lines[0]), SLICE_ARG(fields.at[i].name),
		    SLICE_ARG(fields.at[i].value));
	if (!j->stream->arena.overflow)
		stream_interim(j->stream, &a);
}

static void note_origin(struct journey *j, const struct fetch_result *result)
{
	size_t len = min_size(result->address.len, sizeof(j->address_text));
	if (len)
		memcpy(j->address_text, result->address.at, len);
	j->address = slice_of(j->address_text, len);
	j->head_us = result->head_us;
	j->forward_status = result->status;
}

static void on_fetch_answer(struct fetch_client *client, const struct fetch_result *result)
{
	role_loop();
	struct journey *j = CONTAINER_OF(client, struct journey, client);
	note_origin(j, result);
	if (!result->object) {
		j->reason = REASON_ORIGIN_ERROR;
		run(j, fail(j, result->failure));
		return;
	}
	j->object = result->object;
	j->is_stored = result->is_stored;
	if (result->reason == REASON_STALE_IF_ERROR) {
		j->reason = REASON_STALE_IF_ERROR;
		j->result = RESULT_STALE;
	} else if (result->is_validated) {
		j->reason = REASON_NOT_MODIFIED;
		j->result = RESULT_REVALIDATED;
	} else if (!result->is_stored) {
		if (j->reason != REASON_KNOWN_UNCACHEABLE)
			j->reason = result->reason;
		j->result = RESULT_PASS;
	}
	run(j, STEP_ANSWER);
}

/* ---- answer, fail ---- */

/* A hit is an answer that was not forwarded; a stale copy in an outage counts as one too, since
 * what is delivered came from the store (RFC 9211 2.1). */
static struct note make_note(const struct journey *j)
{
	bool is_hit = j->forward.len == 0 || j->reason == REASON_STALE_IF_ERROR;
	struct note note = {
		.status = {
			.name = j->plan->site.name,
			.hit = is_hit && j->failure == ERR_NONE,
			.fwd = j->forward,
			.fwd_status = j->forward_status,
			.stored = j->is_stored,
			.collapsed = j->is_collapsed,
			.detail = reason_name(j->reason),
		},
		.policy = j->route ? &j->route->cache : NULL,
	};
	if (j->failure != ERR_NONE)
		note.status.detail = slice_str(err_name(j->failure));
	else if (j->reason == REASON_FRESH || j->reason == REASON_URI_MISS ||
	    j->reason == REASON_VARY_MISS || j->reason == REASON_STALE)
		note.status.detail = SLICE_NONE; /* says no more than hit or fwd */
	if (j->route && j->route->cache.cache_status_key)
		note.status.key = j->query.key.text;
	return note;
}

static struct answer_form make_form(struct journey *j)
{
	buf_clear(&j->lines);
	return (struct answer_form){
		.arena = &j->stream->arena,
		.lines = &j->lines,
		.home = &j->worker->loop,
		.request = &j->stream->request,
		.evaluates = j->evaluates,
	};
}

static enum step step_answer(struct journey *j) ON_LOOP
{
	struct wall now = j->worker->loop.wall;
	const struct life *life = &j->object->life;
	struct note note = make_note(j);
	struct answer_form form = make_form(j);
	struct answer answer;
	note.age_s = life_age_s(life, now);
	note.has_age = j->forward.len == 0 || j->is_collapsed || note.age_s > 0;
	note.status.ttl_s = life_ttl_s(life, now);
	note.status.has_ttl = j->is_stored || note.status.hit;
	if (!answer_object(&form, j->object, &note, &j->delivery, &answer)) {
		bool too_late = !form.arena->overflow && j->result != RESULT_PASS;
		object_unref(&j->object);
		return too_late ? pass(j, SL("uri-miss"), REASON_TOO_LARGE)
				: fail(j, ERR_NO_MEMORY);
	}
	j->status = answer.status;
	stream_answer(j->stream, &answer, &j->delivery.source);
	return STEP_WAIT;
}

static enum step step_fail(struct journey *j) ON_LOOP
{
	struct note note = make_note(j);
	struct answer_form form = make_form(j);
	struct answer answer;
	answer_failure(&form, j->failure, &note, &j->text, &answer);
	j->status = answer.status;
	stream_answer(j->stream, &answer, &j->text.source);
	return STEP_WAIT;
}

/* ---- the driver ---- */

static const struct {
	const char *name;
	enum step (*run)(struct journey *);
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
	[STEP_FAIL] = { "fail", step_fail },
};

/* The only place that moves a journey on. A journey may be over, and gone, when this returns. */
static void run(struct journey *j, enum step step)
{
	while (step != STEP_WAIT) {
		struct slice about = j->query.key.text;
		must_context(steps[step].name, about.at, about.len);
		step = steps[step].run(j);
	}
	must_context(NULL, NULL, 0);
}

/* ---- begin and end ---- */

/* There is more of the body, or its end. */
static void on_more(struct mail *m)
{
	role_loop();
	struct journey *j = CONTAINER_OF(m, struct journey, delivery.wake);
	if (j->stream)
		stream_resume(j->stream);
	else
		release(j);
}

static struct journey *journey_new(struct worker *w)
{
	struct list *link = list_take_first(&w->spare_journeys);
	if (link)
		return LIST_OF(link, struct journey, spare_link);
	struct journey *j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->worker = w;
	list_init(&j->spare_link);
	buf_init(&j->lines, LINES_MAX);
	mail_init(&j->wait.mail, on_claim);
	mail_init(&j->delivery.wake, on_more);
	list_init(&j->wait.link);
	list_init(&j->delivery.reader.link);
	deadline_init(&j->patience, on_patience_over);
	j->wait.home = &w->loop;
	j->load.loaded = on_loaded;
	j->client.on_interim = on_fetch_interim;
	j->client.on_answer = on_fetch_answer;
	return j;
}

/* Readies a journey for its next request. */
static void reset(struct journey *j) ON_LOOP
{
	plan_unref(&j->plan);
	object_unref(&j->object);
	object_unref(&j->query.object);
	j->route = NULL;
	j->query = (struct cache_query){ 0 };
	j->looks = 0;
	j->load.hash = (struct hash128){ 0 };
	j->failure = ERR_NONE;
	j->reason = REASON_NONE;
	j->result = RESULT_PASS;
	j->forward = j->address = j->target = SLICE_NONE;
	j->forward_status = j->status = 0;
	j->is_stored = j->is_collapsed = j->evaluates = false;
	j->head_us = -1;
}

/* Gives a journey back once no letter to it is on its way any more. */
static void release(struct journey *j)
{
	if (mail_is_posted(&j->wait.mail) || mail_is_posted(&j->delivery.wake) || j->is_loading)
		return;
	reset(j);
	list_prepend(&j->worker->spare_journeys, &j->spare_link);
}

static void write_log(const struct journey *j, enum err failure, struct mono now)
{
	struct access_log *log = atomic_load_explicit(&j->worker->access, memory_order_relaxed);
	const struct stream *stream = j->stream;
	if (!log)
		return;
	struct access_entry entry = {
		.at = j->began,
		.client = stream->peer,
		.request = &stream->request,
		.target_path = j->target,
		.status = j->status,
		.bytes_out = stream->bytes_out,
		.bytes_in = stream->bytes_in,
		.duration_us = now.us - stream->began.us,
		.result = result_name(j->result),
		.reason = j->reason,
		.failure = j->failure != ERR_NONE ? j->failure : failure,
		.age_s = j->object ? life_age_s(&j->object->life, j->began) : INT64_MIN,
		.ttl_s = j->object ? life_ttl_s(&j->object->life, j->began) : INT64_MIN,
		.origin = j->address,
		.origin_us = j->head_us,
		.route = j->route ? j->route->path : SLICE_NONE,
	};
	char id[17];
	snprintf(id, sizeof(id), "%016" PRIx64, j->worker->next_id++);
	entry.id = id;
	access_write(log, &entry);
}

static void count(struct journey *j, enum err failure, struct mono now)
{
	struct worker *w = j->worker;
	meter_add(&w->meters.requests, 1);
	meter_sub(&w->meters.under_way, 1);
	meter_add(&w->results[j->result][j->reason], 1);
	if (failure != ERR_NONE)
		meter_add(&w->meters.aborted, 1);
	histogram_add(&w->request_seconds, now.us - j->stream->began.us);
}

static void on_done(struct stream *stream, enum err failure)
{
	role_loop();
	struct journey *j = stream->journey;
	if (!j)
		return;
	struct mono now = mono_now();
	count(j, failure, now);
	write_log(j, failure, now);
	stream->journey = NULL;
	j->stream = NULL;
	deadline_clear(&j->patience);
	claim_leave(&j->wait);
	delivery_end(&j->delivery);
	fetch_leave(&j->client);
	release(j);
}

static struct journey *begin(struct stream *stream)
{
	struct front *front = stream->front;
	struct journey *j = journey_new(front->owner);
	if (!j)
		return NULL;
	stream->journey = j;
	j->stream = stream;
	j->head_us = -1;
	meter_add(&j->worker->meters.under_way, 1);
	return j;
}

static void on_request(struct stream *stream)
{
	role_loop();
	struct journey *j = begin(stream);
	if (j)
		run(j, STEP_RECEIVE);
	else
		stream_cut(stream, ERR_NO_MEMORY);
}

static void on_refused(struct stream *stream, enum err why)
{
	role_loop();
	struct journey *j = begin(stream);
	if (!j) {
		stream_cut(stream, ERR_NO_MEMORY);
		return;
	}
	j->plan = plan_ref(j->worker->plan);
	j->began = j->worker->loop.wall;
	run(j, fail(j, why));
}

const struct stream_events journey_events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_done = on_done,
};

void journey_close_all(struct worker *w)
{
	struct list *link;
	while ((link = list_take_first(&w->spare_journeys))) {
		struct journey *j = LIST_OF(link, struct journey, spare_link);
		buf_fini(&j->lines);
		free(j);
	}
}
