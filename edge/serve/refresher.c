/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/refresher.h"

#include "cache/rule/vary.h"
#include "edge/serve/trip.h"

enum { ARENA_BYTES = 512 * 1024 };

/* ---- the end ---- */

static void end(struct refresher *r, enum refresh_outcome outcome) ON_LOOP
{
	struct worker *w = r->worker;
	r->outcome = outcome;
	if (r->claim)
		claim_end(&r->claim, CLAIM_LOOK, NULL, REASON_NONE);
	object_unref(&r->object);
	object_unref(&r->query.object);
	plan_unref(&r->plan);
	arena_fini(&r->arena);
	w->refreshers--;
	mail_post(r->home, &r->back);
	if (w->is_closing)
		trip_close_all(w);
}

/* ---- the fetch ---- */

static void on_answer(struct fetch_client *client, const struct fetch_result *result)
{
	struct refresher *r = CONTAINER_OF(client, struct refresher, client);
	struct object *object = result->object;
	if (result->is_stored)
		r->object = object;
	else
		object_unref(&object);
	/* One that was confirmed may share a body that another fetch still fills. */
	r->outcome = result->is_validated && result->is_stored ? REFRESH_DONE : REFRESH_FAILED;
}

/* Its body came to its end; of one that goes to the disk, the writer has still to get there. */
static bool is_kept(const struct object *o)
{
	return o->spool ? !object_is_broken(o) : object_is_complete(o);
}

static void on_over(struct fetch_client *client, enum err failure)
{
	role_loop();
	struct refresher *r = CONTAINER_OF(client, struct refresher, client);
	if (r->object && failure == ERR_NONE && is_kept(r->object))
		r->outcome = REFRESH_DONE;
	end(r, r->outcome);
}

static void fetch(struct refresher *r) ON_LOOP
{
	struct worker *w = r->worker;
	const struct control control = control_none();
	/* Who asks is this machine. */
	struct forwarded forwarded = { .scheme = r->request.scheme };
	must(ip_parse(SL("127.0.0.1"), &forwarded.peer));
	forwarded.client = forwarded.peer;
	const struct fetch_spec spec = {
		.kind = FETCH_REFRESH,
		.plan = r->plan,
		.route = r->route,
		.request = &r->request,
		.control = &control,
		.forwarded = &forwarded,
		.key = r->query.key,
		.at = r->query.at,
		.stored = r->query.object,
		.claim = r->claim,
		.client = &r->client,
	};
	r->claim = NULL;
	meter_add(&w->meters.refreshes, 1);
	if (fetch_start(w, &spec) != ERR_NONE)
		end(r, REFRESH_FAILED);
}

/* ---- the claim ---- */

static bool is_fresh(const struct refresher *r, const struct cache_query *found)
{
	enum reason reason;
	const struct control control = control_none();
	const struct life life = cache_life(found->object, &found->ruling);
	return fresh_judge(&life, &control, r->worker->loop.wall, &reason) == FRESH_SERVE;
}

/* Between the look and the claim somebody may have fetched it. */
static bool is_overtaken(struct refresher *r)
{
	struct cache_query again = r->query;
	again.object = NULL;
	again.is_ram_only = true;
	bool is_there = cache_find(r->worker->cache, &again) == CACHE_FOUND && is_fresh(r, &again);
	object_unref(&again.object);
	return is_there;
}

static void claim(struct refresher *r) ON_LOOP
{
	struct cache *cache = r->worker->cache;
	const struct fence *fence = cache->fence;
	uint64_t purged = fence_number(fence, r->query.key.text);
	struct claim_times times = { fence_now(fence), max_u64(purged, r->number) };
	enum claim_outcome outcome = claim_take(
	    cache->claims, r->query.at.hash, times, NULL, 0, &r->claim);
	if (outcome != CLAIM_MINE)
		end(r, outcome == CLAIM_TAKEN ? REFRESH_UNNEEDED : REFRESH_FAILED);
	else if (is_overtaken(r))
		end(r, REFRESH_UNNEEDED);
	else
		fetch(r);
}

/* ---- looking ---- */

static void weigh(struct refresher *r) ON_LOOP
{
	if (is_fresh(r, &r->query))
		end(r, REFRESH_UNNEEDED);
	else
		claim(r);
}

/* It may be on disk. False: it cannot be read, or was, without success. */
static bool load(struct refresher *r) ON_LOOP
{
	struct cache *cache = r->worker->cache;
	if (hash128_eq(r->load.hash, r->query.at.hash))
		return false;
	r->load.home = &r->worker->loop;
	r->load.hash = r->query.at.hash;
	r->load.key = r->query.at.text;
	r->load.keep_up_to = cache_keep_up_to(cache, r->load.hash);
	return cold_load(cache->cold, &r->load);
}

/* Answers for that URL vary by something else now: what was purged is not found any more. */
static bool is_lost(const struct refresher *r)
{
	const struct cache_query *query = &r->query;
	struct slice values = slice_from(query->at.text, query->key.text.len + 1);
	return query->varies && !slice_eq(values, r->item.values);
}

static void look(struct refresher *r) ON_LOOP
{
	struct cache_query *query = &r->query;
	query->now = r->worker->loop.wall;
	enum cache_outcome outcome = cache_find(r->worker->cache, query);
	if (outcome == CACHE_PASS || is_lost(r)) {
		end(r, REFRESH_UNNEEDED);
		return;
	}
	switch (outcome) {
	case CACHE_FOUND: weigh(r); return;
	case CACHE_COLD:
		if (load(r))
			return;
		break;
	case CACHE_PASS:
	case CACHE_MISS: break;
	}
	claim(r);
}

static void on_loaded(struct cold_load *l, struct object *object)
{
	role_loop();
	struct refresher *r = CONTAINER_OF(l, struct refresher, load);
	if (r->worker->is_closing) {
		object_unref(&object);
		end(r, REFRESH_FAILED);
		return;
	}
	if (object)
		cache_promote(r->worker->cache, object);
	if (object && object->kind == OBJECT_ANSWER) {
		r->query.object = object;
		r->query.ruling = fence_judge(r->worker->cache->fence, object);
		weigh(r);
		return;
	}
	object_unref(&object);
	look(r);
}

/* ---- the beginning ---- */

/* Makes the request that its answer was for. False: by these settings there is none. */
static bool ask_as_then(struct refresher *r) ON_LOOP
{
	struct cache *cache = r->worker->cache;
	struct request *request = &r->request;
	if (!key_request(arena_copy(&r->arena, r->item.url), request) ||
	    !vary_request(r->item.spec, r->item.values, &request->fields, &r->arena))
		return false;
	r->route = route_find(r->plan->site.routes, request->authority, request->path);
	if (!r->route || !r->route->cache.enabled)
		return false;
	r->query.key = key_make(request, &r->route->cache, cache_secret(cache), &r->arena);
	r->query.request = &request->fields;
	r->query.arena = &r->arena;
	r->query.sight = &r->load.sight;
	return slice_eq(r->query.key.text, r->item.url);
}

static bool lacks_memory(struct worker *w) ON_LOOP
{
	bool is_full = cache_flight(w->cache) == CACHE_FULL;
	if (is_full)
		meter_add(&w->meters.refused, 1);
	return is_full;
}

static void on_out(struct mail *m)
{
	role_loop();
	struct refresher *r = CONTAINER_OF(m, struct refresher, out);
	struct worker *w = r->worker;
	w->refreshers++;
	arena_init(&r->arena, ARENA_BYTES);
	if (w->is_closing || lacks_memory(w)) {
		end(r, REFRESH_FAILED);
		return;
	}
	r->plan = plan_ref(w->plan);
	if (ask_as_then(r))
		look(r);
	else
		end(r, r->arena.overflow ? REFRESH_FAILED : REFRESH_UNNEEDED);
}

static void on_back(struct mail *m)
{
	struct refresher *r = CONTAINER_OF(m, struct refresher, back);
	r->done(r);
}

void refresher_send(struct refresher *r)
{
	mail_init(&r->out, on_out);
	mail_init(&r->back, on_back);
	r->load.loaded = on_loaded;
	r->client.on_answer = on_answer;
	r->client.on_over = on_over;
	mail_post(&r->worker->loop, &r->out);
}
