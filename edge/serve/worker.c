/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/worker.h"

#include <sys/random.h>

#include "edge/serve/arrival.h"
#include "edge/serve/fetch.h"
#include "edge/serve/journey.h"
#include "edge/serve/tagging.h"
#include "edge/serve/trip.h"

enum { HEAD_MAX = 512 * 1024 };
/* Few taggers: a body takes up to 50 MB of RAM while one parses it. */
enum { TAGGERS = 2, BODIES_QUEUED = 256 };

// clang-format off
#define METER_STRUCT struct serve_meters
static const struct meter_desc meter_descs[] = METER_DESCS(SERVE_METERS);
// clang-format on
const struct meter_table serve_meter_table = { meter_descs, COUNT_OF(meter_descs) };

struct slice result_name(enum result result)
{
	static const struct slice names[RESULT_COUNT] = {
		[RESULT_HIT] = { "hit", 3 },
		[RESULT_STALE] = { "stale", 5 },
		[RESULT_REVALIDATED] = { "revalidated", 11 },
		[RESULT_MISS] = { "miss", 4 },
		[RESULT_COLLAPSED] = { "collapsed", 9 },
		[RESULT_PASS] = { "pass", 4 },
		[RESULT_REDIRECT] = { "redirect", 8 },
		[RESULT_PURGE] = { "purge", 5 },
		[RESULT_ERROR] = { "error", 5 },
	};
	return names[result];
}

struct crew *taggers_new(void)
{
	return crew_new("tag", TAGGERS, BODIES_QUEUED);
}

enum err worker_init(struct worker *w, unsigned index, struct cache *cache, struct crew *taggers,
    _Atomic uint64_t *connections)
{
	*w = (struct worker){ .cache = cache, .taggers = taggers };
	list_init(&w->spare_trips);
	list_init(&w->fetches);
	list_init(&w->taggings);
	buf_init(&w->lines, HEAD_MAX);
	if (getrandom(&w->next_id, sizeof(w->next_id), 0) != (ssize_t)sizeof(w->next_id))
		return ERR_SYSTEM;
	enum err e = loop_init(&w->loop, "larder-worker", index, w);
	if (e == ERR_NONE)
		e = tls_local_init(&w->tls);
	if (e != ERR_NONE)
		return e;
	return front_init(&w->front, &w->loop, &journey_events, w, connections);
}

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
	role_loop();
	struct worker *w = listener->owner;
	size_t index = (size_t)(listener - w->listeners);
	must(index < w->plan->site.entrance_count);
	arrival_accept(&w->front, &w->tls, &w->plan->site.entrances[index], fd, peer);
}

enum err worker_listen(struct worker *w, struct slice address)
{
	if (w->listener_count == LISTENERS_MAX)
		return ERR_BUSY;
	enum err e = listener_open(
	    &w->listeners[w->listener_count], &w->loop, address, on_accept, w);
	if (e == ERR_NONE)
		w->listener_count++;
	return e;
}

enum err worker_set_site(struct worker *w, const struct site *site)
{
	struct plan *plan = plan_new(&w->loop, site, &w->origin_meters, &w->tls, w->plan);
	if (!plan)
		return ERR_NO_MEMORY;
	plan_unref(&w->plan);
	w->plan = plan;
	front_set_limits(&w->front, plan->site.limits);
	return ERR_NONE;
}

void worker_open(struct worker *w)
{
	for (size_t i = 0; i < w->listener_count; i++)
		listener_start(&w->listeners[i]);
}

static void close_listeners(struct worker *w) ON_LOOP
{
	while (w->listener_count > 0)
		listener_close(&w->listeners[--w->listener_count]);
}

void worker_drain(struct worker *w, void (*on_drained)(struct front *))
{
	close_listeners(w);
	w->front.on_drained = on_drained;
	front_drain(&w->front);
}

void worker_close(struct worker *w)
{
	close_listeners(w);
	w->front.on_drained = NULL;
	front_fini(&w->front);
	fetch_close_all(w);
	tagging_close_all(w);
	plan_unref(&w->plan);
	w->is_closing = true;
	trip_close_all(w);
}

void worker_fini(struct worker *w)
{
	buf_fini(&w->lines);
	tls_local_fini(&w->tls);
	loop_fini(&w->loop);
}
