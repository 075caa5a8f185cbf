/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/tagging.h"

#include "cache/rule/json_path.h"
#include "edge/serve/trip.h"

enum {
	ARENA_BYTES = 256 * 1024,
	SHORT_BYTES = 64 * 1024, /* what is searched while RAM is short */
};

struct tagging {
	/* fixed */
	struct worker *worker;
	struct plan *plan;
	const struct cache_policy *policy;
	struct key key, at;
	struct object *object; /* with the tags of its head */
	/* home loop */
	struct list link; /* in the worker's, while it is with the taggers */
	struct object *stored;
	struct claim *claim;
	struct mail mail;
	struct job job;
	/* atomic */
	_Atomic bool is_unwanted; /* the worker closes */
	/* the job's until its letter, else home loop */
	struct arena arena;
	struct slice tags;
	bool has_tags;
};

uint64_t tagging_room(struct cache *cache)
{
	uint64_t room = min_u64(JSON_TEXT_BYTES, cache->max_object_bytes);
	if (!cache->cold)
		room = min_u64(room, cache_hot_largest(cache));
	return cache_flight(cache) == CACHE_ROOMY ? room : min_u64(room, SHORT_BYTES);
}

/* ---- on the crew ---- */

/* The whole body as one text. own: buf_fini, of what was copied. False: no memory. */
static bool gather(struct flow_reader *reader, struct buf *copy, struct slice *ret_text)
{
	struct iovec iov[16];
	enum flow_state state;
	uint64_t bytes = flow_filled(reader->flow);
	int n = flow_peek(reader, iov, COUNT_OF(iov), UINT64_MAX, &state);
	if (n == 1 && iov[0].iov_len == bytes) {
		*ret_text = slice_of(iov[0].iov_base, bytes);
		return true;
	}
	while (n > 0) {
		uint64_t taken = 0;
		for (int i = 0; i < n; i++) {
			buf_add(copy, slice_of(iov[i].iov_base, iov[i].iov_len));
			taken += iov[i].iov_len;
		}
		flow_advance(reader, taken);
		n = flow_peek(reader, iov, COUNT_OF(iov), UINT64_MAX, &state);
	}
	*ret_text = buf_slice(copy);
	return copy->len == bytes;
}

static bool search(struct tagging *t) ON_WORKER
{
	struct flow_reader reader;
	struct buf copy;
	struct slice text;
	t->tags = object_tags(t->object);
	if (flow_filled(t->object->body) == 0)
		return true;
	/* At rest, so it needs no loop. */
	if (!flow_attach(&reader, t->object->body, 0, NULL))
		return false;
	buf_init(&copy, JSON_TEXT_BYTES);
	bool found = gather(&reader, &copy, &text) &&
	    tags_of_json(&t->policy->tags, text, t->tags, &t->arena, &t->tags);
	buf_fini(&copy);
	flow_detach(&reader);
	return found;
}

static void work_search(struct job *job)
{
	role_worker();
	struct tagging *t = CONTAINER_OF(job, struct tagging, job);
	t->has_tags = !atomic_load_explicit(&t->is_unwanted, memory_order_relaxed) && search(t);
	mail_post(&t->worker->loop, &t->mail);
}

/* ---- life ---- */

static void on_searched(struct mail *);

struct tagging *tagging_new(struct worker *w, const struct tagging_spec *spec)
{
	struct tagging *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	arena_init(&t->arena, ARENA_BYTES);
	t->key = (struct key){ arena_copy(&t->arena, spec->key.text), spec->key.hash };
	t->at = (struct key){ arena_copy(&t->arena, spec->at.text), spec->at.hash };
	if (t->arena.overflow) {
		arena_fini(&t->arena);
		free(t);
		return NULL;
	}
	t->worker = w;
	t->plan = plan_ref(spec->plan);
	t->policy = &spec->route->cache;
	t->object = object_ref(spec->object);
	t->stored = spec->stored ? object_ref(spec->stored) : NULL;
	t->claim = spec->claim;
	t->job.work = work_search;
	mail_init(&t->mail, on_searched);
	list_init(&t->link);
	return t;
}

static void tagging_free(struct tagging **tagging) ON_LOOP
{
	struct tagging *t = *tagging;
	*tagging = NULL;
	must(!t->claim);
	list_drop(&t->link);
	object_unref(&t->object);
	object_unref(&t->stored);
	plan_unref(&t->plan);
	arena_fini(&t->arena);
	free(t);
}

/* ---- how it ends ---- */

void tagging_fail(struct tagging **tagging, enum err failure)
{
	if (!*tagging)
		return;
	if ((*tagging)->claim)
		claim_fail(&(*tagging)->claim, failure);
	tagging_free(tagging);
}

/* It is not stored; those who wait go on alone. */
static void release(struct tagging **tagging, enum reason reason) ON_LOOP
{
	struct tagging *t = *tagging;
	meter_add(&t->worker->meters.untagged, 1);
	if (t->claim)
		claim_end(&t->claim, CLAIM_RELEASED, NULL, reason);
	tagging_free(tagging);
}

/* As with an answer whose head forbids storing: what was stored is superseded (RFC 9111 4.3.3), and
 * who comes next does not wait for nothing. */
void tagging_give_up(struct tagging **tagging, enum reason reason)
{
	struct tagging *t = *tagging;
	if (!t)
		return;
	struct worker *w = t->worker;
	struct wall now = w->loop.wall;
	if (t->stored)
		cache_drop(w->cache, t->stored);
	/* A write's answer was not looked for in the store. */
	if (t->policy->uncacheable_ms > 0 && t->at.text.len > 0)
		cache_remember_pass(
		    w->cache, t->at, wall_add(now, t->policy->uncacheable_ms), reason);
	release(tagging, reason);
}

static void publish(struct tagging **tagging, struct object *o) ON_LOOP
{
	struct tagging *t = *tagging;
	struct cache *cache = t->worker->cache;
	/* What was purged meanwhile must not take the place of what was fetched since. */
	bool stands = fence_judge(cache->fence, o).stands;
	if (stands) {
		cache_publish(cache, t->key, o, t->policy->max_variants);
		cache_settle(cache, o);
	}
	if (t->claim && stands)
		claim_end(&t->claim, CLAIM_ANSWERED, o, o->reason);
	else if (t->claim)
		claim_end(&t->claim, CLAIM_LOOK, NULL, REASON_NONE);
	tagging_free(tagging);
}

static void on_searched(struct mail *m)
{
	role_loop();
	struct tagging *t = CONTAINER_OF(m, struct tagging, mail);
	struct worker *w = t->worker;
	struct object *o = t->has_tags ? object_with_tags(t->object, t->tags) : NULL;
	if (w->is_closing)
		tagging_fail(&t, ERR_CANCELLED);
	else if (o)
		publish(&t, o);
	else if (t->has_tags)
		release(&t, REASON_TAGS_UNREADABLE);
	else
		tagging_give_up(&t, REASON_TAGS_UNREADABLE);
	object_unref(&o);
	if (w->is_closing)
		trip_close_all(w);
}

void tagging_read(struct tagging **tagging)
{
	struct tagging *t = *tagging;
	if (!t)
		return;
	if (!object_is_complete(t->object)) {
		/* Nobody was left to fill it for. */
		tagging_fail(tagging, ERR_CANCELLED);
		return;
	}
	if (!crew_post(t->worker->taggers, &t->job)) {
		/* For now: that says nothing of the next one, nor of what is stored. */
		release(tagging, REASON_TAGS_UNREADABLE);
		return;
	}
	list_append(&t->worker->taggings, &t->link);
	*tagging = NULL;
}

void tagging_close_all(struct worker *w)
{
	LIST_EACH (link, &w->taggings) {
		struct tagging *t = LIST_OF(link, struct tagging, link);
		atomic_store_explicit(&t->is_unwanted, true, memory_order_relaxed);
	}
}
