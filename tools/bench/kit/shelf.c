/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/shelf.h"

#include <semaphore.h>

#include "tools/bench/kit/spread.h"

/* ---- life ---- */

static void start_nothing(UNUSED struct loop *loop, UNUSED void *arg)
{
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	loop_stop(loop_current());
}

void shelf_open(struct shelf *s, const char *path, uint64_t size_bytes, uint64_t hot_bytes)
{
	struct cache_options options = {
		.cold = { .path = path, .size_bytes = size_bytes, .admission = ADMIT_ALWAYS },
		.hot_bytes = hot_bytes,
	};
	/* Why the store does not open, it says itself. */
	if (cache_init(&s->cache, &options) || cold_state(s->cache.cold) != COLD_OK)
		exit(1);
	must(loop_init(&s->loop, "shelf", 0, NULL) == ERR_NONE);
	must(loop_spawn(&s->loop, start_nothing, NULL) == ERR_NONE);
}

void shelf_close(struct shelf *s)
{
	struct mail stop;
	mail_init(&stop, on_stop);
	/* The homes of loads must still be there when the cache goes. */
	cache_fini(&s->cache);
	mail_post(&s->loop, &stop);
	loop_join(&s->loop);
	loop_fini(&s->loop);
}

/* ---- one fetch ---- */

static void end(struct fetch *f, enum fetch_outcome outcome) ON_LOOP
{
	f->outcome = outcome;
	object_unref(&f->object);
	f->done(f);
}

/* Takes and checks what has come. FETCH_ABSENT: more is to come. */
static enum fetch_outcome take(struct fetch *f)
{
	struct iovec iov[8];
	enum flow_state state;
	int n;
	while ((n = flow_peek(&f->from, iov, COUNT_OF(iov), UINT64_MAX, &state)) > 0) {
		for (int i = 0; i < n; i++) {
			struct slice got = slice_of(iov[i].iov_base, iov[i].iov_len);
			if (!goods_match(f->number, f->bytes, got))
				return FETCH_WRONG;
			f->bytes += got.len;
			flow_advance(&f->from, got.len);
		}
	}
	if (state == FLOW_FAILED)
		return FETCH_BROKEN;
	return state == FLOW_COMPLETE ? FETCH_WHOLE : FETCH_ABSENT;
}

static void follow(struct fetch *f) ON_LOOP
{
	enum fetch_outcome outcome;
	do
		outcome = take(f);
	while (outcome == FETCH_ABSENT && !flow_wait(&f->from, &f->more));
	if (outcome == FETCH_ABSENT)
		return;
	flow_detach(&f->from);
	uint64_t length = 0;
	bool is_whole = object_length(f->object, &length) && length == f->bytes;
	end(f, outcome == FETCH_WHOLE && !is_whole ? FETCH_WRONG : outcome);
}

static void on_more(struct mail *m)
{
	role_loop();
	follow(CONTAINER_OF(m, struct fetch, more));
}

static void on_loaded(struct cold_load *load, struct object *object)
{
	role_loop();
	struct fetch *f = CONTAINER_OF(load, struct fetch, load);
	f->first_ns = now_ns() - f->begun_ns;
	f->object = object;
	if (!object)
		end(f, FETCH_ABSENT);
	else if (!goods_head_matches(object, f->number))
		end(f, FETCH_WRONG);
	else if (!object_attach(object, 0, UINT64_MAX, &f->from, f->load.home))
		end(f, FETCH_BROKEN);
	else
		follow(f);
}

bool fetch_begin(struct fetch *f, uint64_t number)
{
	struct cold *cold = f->shelf->cache.cold;
	struct key key = goods_key(cache_secret(&f->shelf->cache), number, f->text);
	f->number = number;
	f->bytes = 0;
	f->object = NULL;
	mail_init(&f->more, on_more);
	f->load = (struct cold_load){
		.home = &f->shelf->loop,
		.hash = key.hash,
		.key = key.text,
		.keep_up_to = cache_keep_up_to(&f->shelf->cache, key.hash),
		.loaded = on_loaded,
	};
	f->outcome = FETCH_ABSENT;
	int64_t begin = now_ns();
	enum cold_probe probe = cold_probe(cold, key.hash, &f->load.sight);
	f->begun_ns = now_ns();
	f->probe_ns = f->begun_ns - begin;
	if (probe == COLD_ABSENT)
		return false;
	f->outcome = FETCH_REFUSED;
	return cold_load(cold, &f->load);
}

/* ---- waiting for one ---- */

struct errand {
	struct fetch fetch;
	struct mail start;
	sem_t done;
};

static void on_errand_done(struct fetch *f)
{
	sem_post(&CONTAINER_OF(f, struct errand, fetch)->done);
}

static void on_errand(struct mail *m)
{
	role_loop();
	struct errand *e = CONTAINER_OF(m, struct errand, start);
	if (!fetch_begin(&e->fetch, e->fetch.number))
		sem_post(&e->done);
}

enum fetch_outcome shelf_fetch(struct shelf *s, uint64_t number)
{
	struct errand e = { .fetch = { .shelf = s, .done = on_errand_done, .number = number } };
	sem_init(&e.done, 0, 0);
	mail_init(&e.start, on_errand);
	mail_post(&s->loop, &e.start);
	while (sem_wait(&e.done) != 0)
		;
	sem_destroy(&e.done);
	return e.fetch.outcome;
}
