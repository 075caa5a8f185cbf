/* SPDX-License-Identifier: Apache-2.0 */
/* A cache to survey: what there is in it, orders, surveys and purges. */
#pragma once

#include "cache/purging.h"
#include "purge/survey.c"
#include "test/unit/cache/tier/stores.h"

static struct cache cache;
static struct surveyor *surveyor;

/* ---- what there is ---- */

enum tiers { RAM = 1, DISK = 2 };

static inline void begin(enum tiers tiers)
{
	struct cache_options o = { .hot_bytes = 64 * MIB };
	if (tiers & DISK)
		o.cold = (struct cold_options){ .path = dir, .size_bytes = GIB };
	must(cache_init(&cache, &o) == ERR_NONE);
	surveyor = surveyor_new(&cache, SURVEYOR_PROMPT);
	must(surveyor != NULL);
}

static inline void end_all(void)
{
	surveyor_free(&surveyor);
	cache_fini(&cache);
}

/* A life ends, and the store is opened by the next. */
static inline void restart(void)
{
	end_all();
	begin(DISK);
}

static inline struct key key_at(const char *url)
{
	struct slice text = slice_str(url);
	return (struct key){ text, hash_siphash(cache_secret(&cache), text) };
}

/* An answer of so many bytes that is asked for now. */
static inline struct object *answer_with(
    const char *url, const char *spec, const char *tags, uint64_t bytes)
{
	struct object_texts texts = { .spec = slice_str(spec), .tags = slice_str(tags) };
	struct object *o = object_new(OBJECT_ANSWER, key_at(url), texts, 0);
	o->status = 200;
	o->seq = fence_now(cache.fence);
	o->life.response_time = o->life.born = wall_now();
	o->life.fresh_until = o->life.keep_until = wall_add(wall_now(), 3600 * 1000);
	o->life.sie_until = o->life.swr_until = o->life.keep_until;
	o->body = sample_body(1, bytes);
	return o;
}

static inline struct object *answer(const char *url, const char *tags, uint64_t bytes)
{
	return answer_with(url, "", tags, bytes);
}

static inline const char *url_of(unsigned n)
{
	static char text[64];
	snprintf(text, sizeof(text), "http://shop.example/p/%u", n);
	return text;
}

/* own: takes the object. */
static inline void put(struct object *o, enum tiers tiers)
{
	if (tiers & RAM)
		hot_put(cache.hot, o);
	while (tiers & DISK && !cold_store(cache.cold, o, true))
		usleep(500);
	object_unref(&o);
}

/* Answers 0 to count - 1: of 10 bytes each, every third with the tag "third", all with "all". */
static inline void put_many(unsigned count, enum tiers tiers)
{
	for (unsigned i = 0; i < count; i++)
		put(answer(url_of(i), i % 3 == 0 ? "all\nthird" : "all", 10), tiers);
	if (tiers & DISK)
		settle(cache.cold);
}

/* ---- pages with variants ---- */

static inline struct hash128 put_variant(const char *url, unsigned n, enum tiers tiers)
{
	char text[64];
	snprintf(text, sizeof(text), "%s\n:%u\n", url, n);
	put(answer_with(text, "foo", "", 3), tiers);
	return key_at(text).hash;
}

static inline void put_marker(
    const char *url, const struct hash128 *variants, uint32_t count, enum tiers tiers)
{
	struct object *marker = object_new(
	    OBJECT_VARY, key_at(url), (struct object_texts){ .spec = SL("foo") }, count);
	memcpy(marker->variants, variants, count * sizeof(*variants));
	marker->seq = fence_now(cache.fence);
	marker->life.keep_until = WALL_FOREVER;
	put(marker, tiers);
}

/* One with two variants. */
static inline void put_page(const char *url, enum tiers tiers)
{
	struct hash128 variants[] = { put_variant(url, 0, tiers), put_variant(url, 1, tiers) };
	put_marker(url, variants, 2, tiers);
}

/* ---- orders and surveys ---- */

static inline struct order *order_of(const char *json)
{
	struct order *o = NULL;
	struct order_problem problem;
	CU_ASSERT_EQUAL_FATAL(order_read(slice_str(json), &o, &problem), ERR_NONE);
	CU_ASSERT_EQUAL_FATAL(order_prepare(o, order_same_key, NULL, &problem), ERR_NONE);
	return o;
}

struct asking {
	struct survey survey;
	sem_t done;
};

static inline void on_asked(struct survey *v)
{
	role_loop();
	CU_ASSERT_PTR_EQUAL(loop_current(), &home);
	sem_post(&CONTAINER_OF(v, struct asking, survey)->done);
}

static inline bool ask_first(struct asking *a)
{
	sem_init(&a->done, 0, 0);
	a->survey.home = &home;
	a->survey.done = on_asked;
	return survey_begin(surveyor, &a->survey);
}

static inline void wait_for(struct asking *a)
{
	while (sem_wait(&a->done) != 0)
		;
	sem_destroy(&a->done);
}

/* Begins and waits. own: survey_fini. */
static inline void ask(struct asking *a, struct order *order, uint64_t before)
{
	a->survey.order = order;
	a->survey.before = before;
	CU_ASSERT_FATAL(ask_first(a));
	wait_for(a);
}

static inline struct survey counted(const char *json, uint64_t before)
{
	struct asking a = { 0 };
	struct order *o = order_of(json);
	ask(&a, o, before);
	survey_fini(&a.survey);
	order_unref(&o);
	return a.survey;
}

static inline uint64_t previewed(const char *json)
{
	struct survey v = counted(json, UINT64_MAX);
	CU_ASSERT_EQUAL(v.err, ERR_NONE);
	return v.objects;
}

#define THIRD "{\"tags\":[\"third\"]}"
#define ALL "{\"everything\":true}"
#define SEVENS "{\"regex\":\"/p/[0-9]*7$\",\"mode\":\"hard\"}"
#define SEVENS_SOFT "{\"regex\":\"/p/[0-9]*7$\"}"

/* ---- purges ---- */

static _Atomic unsigned told;

static inline void on_told(
    UNUSED void *arg, enum err err, UNUSED uint64_t number, UNUSED uint64_t seq)
{
	CU_ASSERT_EQUAL(err, ERR_NONE);
	told++;
}

/* Purges what an order's scopes say, and waits until that is on disk. */
static inline uint64_t purge(const char *json)
{
	struct order *o = order_of(json);
	struct cache_purge p = {
		.scopes = o->scopes,
		.scope_count = o->scope_count,
		.act = { o->mode, wall_now() },
		.text = SL("{}"),
		.told = on_told,
	};
	uint64_t number = 0;
	told = 0;
	CU_ASSERT_EQUAL(cache_purge(&cache, &p, &number), ERR_NONE);
	while (!told)
		usleep(500);
	order_unref(&o);
	return number;
}
