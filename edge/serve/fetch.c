/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/fetch.h"

#include "edge/serve/outcome.h"

enum { ARENA_BYTES = 512 * 1024 };

/* ---- life ---- */

static struct key copy_key(struct arena *arena, struct key key)
{
	return (struct key){ .text = arena_copy(arena, key.text), .hash = key.hash };
}

static void fetch_free(struct fetch *f) ON_LOOP
{
	if (f->client)
		f->client->fetch = NULL;
	if (f->claim)
		claim_fail(&f->claim, ERR_CANCELLED);
	list_drop(&f->link);
	tagging_fail(&f->tagging, ERR_CANCELLED);
	object_unref(&f->stored);
	object_unref(&f->object);
	flow_unref(&f->body);
	plan_unref(&f->plan);
	arena_fini(&f->arena);
	meter_sub(&f->worker->meters.fetches, 1);
	free(f);
}

/* Frees it, and tells its client that it is over. */
static void fetch_end(struct fetch *f, enum err failure) ON_LOOP
{
	struct fetch_client *client = f->client;
	fetch_free(f);
	if (client && client->on_over)
		client->on_over(client, failure);
}

/* ---- the exchange's events ---- */

static void on_interim(void *owner, const struct response *response)
{
	struct fetch *f = owner;
	if (f->client && f->client->on_interim)
		f->client->on_interim(f->client, response);
}

static struct flow *judge(struct fetch *f, const struct response *head) ON_LOOP
{
	struct response response = *head;
	enum reason from;
	f->times.response = f->worker->loop.wall;
	histogram_add(&f->worker->origin_seconds, f->worker->loop.now.us - f->began.us);
	fields_strip_hop(&response.fields);
	outcome_read_tags(f, &response);
	bool is_answer_to_us = response.status == 304 && f->stored && f->kind != FETCH_PRIVATE;
	/* A client that set no condition must never see the 304 itself: when there is no memory to
	 * merge it, on_end says so. */
	if (is_answer_to_us) {
		(void)outcome_refresh(f, &response);
		return NULL;
	}
	struct life life = life_of(&f->route->cache, &response, f->times, &f->arena, &from);
	return f->kind == FETCH_PRIVATE ? outcome_take_private(f, &response, &life)
					: outcome_take_shared(f, &response, &life);
}

static struct flow *on_head(void *owner, const struct response *head)
{
	role_loop();
	struct fetch *f = owner;
	f->is_in_event = true;
	struct flow *body = judge(f, head);
	f->is_in_event = false;
	/* The client left while it was told: on_end follows and lets go of the rest. */
	if (f->is_abandoned)
		flow_unref(&body);
	return body;
}

static void on_end(void *owner, enum err failure)
{
	role_loop();
	struct fetch *f = owner;
	f->is_in_event = true;
	bool had_head = f->times.response.ms != 0;
	if (f->object)
		cache_settle(f->worker->cache, f->object);
	if (f->object && flow_outgrew(f->object->body) && !f->object->spool)
		outcome_remember_pass(f, REASON_TOO_LARGE);
	if (failure == ERR_NONE)
		tagging_read(&f->tagging);
	else
		tagging_fail(&f->tagging, failure);
	if (!had_head && failure != ERR_NONE && !outcome_cover(f, 0)) {
		if (f->claim)
			claim_fail(&f->claim, failure);
		outcome_tell(
		    f, &(struct fetch_result){ .failure = failure, .reason = REASON_ORIGIN_ERROR });
	}
	/* An answer came, and there was no memory to make anything of it. */
	if (!f->is_told)
		outcome_tell(f, &(struct fetch_result){ .failure = ERR_NO_MEMORY });
	if (!had_head)
		outcome_suspect_write(f);
	fetch_end(f, failure);
}

static const struct exchange_events events = {
	.on_interim = on_interim,
	.on_head = on_head,
	.on_end = on_end,
};

/* ---- starting and leaving ---- */

/*
 * What was found may have been purged since, or while it was loaded: what is gone is not confirmed
 * by an origin. After `seq` is known: of what comes later, that tells.
 */
static void drop_if_gone(struct fetch *f)
{
	if (!f->stored)
		return;
	struct fence_ruling ruling = fence_judge(f->worker->cache->fence, f->stored);
	if (!ruling.stands && ruling.mode == PURGE_HARD)
		object_unref(&f->stored);
}

static struct fetch *fetch_new(struct worker *w, const struct fetch_spec *spec) ON_LOOP
{
	struct fetch *f = calloc(1, sizeof(*f));
	if (!f) {
		struct claim *claim = spec->claim;
		if (claim)
			claim_fail(&claim, ERR_NO_MEMORY);
		return NULL;
	}
	meter_add(&w->meters.fetches, 1);
	f->worker = w;
	list_append(&w->fetches, &f->link);
	f->plan = plan_ref(spec->plan);
	f->kind = spec->kind;
	f->route = spec->route;
	f->claim = spec->claim;
	f->reason = spec->reason;
	f->is_strict = spec->is_strict;
	f->seq = fence_now(w->cache->fence);
	f->began = w->loop.now;
	f->times.request = w->loop.wall;
	f->stored = spec->stored ? object_ref(spec->stored) : NULL;
	drop_if_gone(f);
	f->body = spec->body ? flow_ref(spec->body) : NULL;
	arena_init(&f->arena, ARENA_BYTES);
	f->key = copy_key(&f->arena, spec->key);
	f->at = copy_key(&f->arena, spec->at);
	struct fetch_spec own = *spec;
	own.stored = f->stored;
	if (ask_make(&f->ask, &f->arena, &own, f->plan->site.name))
		return f;
	fetch_free(f);
	return NULL;
}

static struct slice origin_host(const struct fetch *f)
{
	const struct origin_options *options = f->plan->site.origins->at;
	struct slice host = options[f->route->origin_index].host;
	return host.len ? host : f->ask.request.authority;
}

enum err fetch_start(struct worker *w, const struct fetch_spec *spec)
{
	struct fetch *f = fetch_new(w, spec);
	if (!f)
		return ERR_NO_MEMORY;
	struct exchange_spec exchange = {
		.request = &f->ask.request,
		.fields = &f->ask.fields,
		.host = origin_host(f),
		.body = f->body,
		.events = &events,
		.owner = f,
	};
	enum err e = exchange_start(
	    f->plan->origins[f->route->origin_index], &exchange, &f->exchange);
	if (e != ERR_NONE) {
		fetch_free(f);
		return e;
	}
	f->client = spec->client;
	if (f->client)
		f->client->fetch = f;
	return ERR_NONE;
}

void fetch_close_all(struct worker *w)
{
	LIST_EACH (link, &w->fetches) {
		struct fetch *f = LIST_OF(link, struct fetch, link);
		exchange_cancel(&f->exchange);
		fetch_end(f, ERR_CANCELLED);
	}
}

void fetch_leave(struct fetch_client *client)
{
	struct fetch *f = client->fetch;
	if (!f)
		return;
	client->fetch = NULL;
	f->client = NULL;
	/* What is stored, or may be yet, is worth finishing without its client. */
	bool is_useful = f->kind != FETCH_PRIVATE && (f->claim || f->object || f->tagging);
	f->is_abandoned = f->is_in_event && !is_useful;
	if (is_useful || f->is_in_event)
		return;
	if (f->times.response.ms == 0)
		outcome_suspect_write(f);
	exchange_cancel(&f->exchange);
	fetch_free(f);
}
