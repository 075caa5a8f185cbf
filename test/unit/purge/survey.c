/* SPDX-License-Identifier: Apache-2.0 */
/* What an order is for, in RAM, on disk, in both; and sweeps, after which a pattern may go. */
#include "purge/survey.c"

#include "cache/purging.h"
#include "test/unit/cache/tier/stores.h"

static struct cache cache;
static struct surveyor *surveyor;

/* ---- what there is ---- */

enum tiers { RAM = 1, DISK = 2 };

static void begin(enum tiers tiers)
{
	struct cache_options o = { .hot_bytes = 64 * MIB };
	if (tiers & DISK)
		o.cold = (struct cold_options){ .path = dir, .size_bytes = GIB };
	must(cache_init(&cache, &o) == ERR_NONE);
	surveyor = surveyor_new(&cache);
	must(surveyor != NULL);
}

static void end_all(void)
{
	surveyor_free(&surveyor);
	cache_fini(&cache);
}

/* A life ends, and the store is opened by the next. */
static void restart(void)
{
	end_all();
	begin(DISK);
}

static struct key key_at(const char *url)
{
	struct slice text = slice_str(url);
	return (struct key){ text, hash_siphash(cache_secret(&cache), text) };
}

/* An answer of so many bytes that is asked for now. */
static struct object *answer_with(
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

static struct object *answer(const char *url, const char *tags, uint64_t bytes)
{
	return answer_with(url, "", tags, bytes);
}

static const char *url_of(unsigned n)
{
	static char text[64];
	snprintf(text, sizeof(text), "http://shop.example/p/%u", n);
	return text;
}

/* own: takes the object. */
static void put(struct object *o, enum tiers tiers)
{
	if (tiers & RAM)
		hot_put(cache.hot, o);
	while (tiers & DISK && !cold_store(cache.cold, o, true))
		usleep(500);
	object_unref(&o);
}

/* Answers 0 to count - 1: of 10 bytes each, every third with the tag "third", all with "all". */
static void put_many(unsigned count, enum tiers tiers)
{
	for (unsigned i = 0; i < count; i++)
		put(answer(url_of(i), i % 3 == 0 ? "all\nthird" : "all", 10), tiers);
	if (tiers & DISK)
		settle(cache.cold);
}

/* ---- orders and surveys ---- */

static struct slice same_url(UNUSED void *arg, struct slice url, struct arena *arena)
{
	return arena_copy(arena, url);
}

static struct order *order_of(const char *json)
{
	struct order *o = NULL;
	struct order_problem problem;
	CU_ASSERT_EQUAL_FATAL(order_read(slice_str(json), &o, &problem), ERR_NONE);
	CU_ASSERT_EQUAL_FATAL(order_prepare(o, same_url, NULL, &problem), ERR_NONE);
	return o;
}

struct asking {
	struct survey survey;
	sem_t done;
};

static void on_asked(struct survey *v)
{
	role_loop();
	CU_ASSERT_PTR_EQUAL(loop_current(), &home);
	sem_post(&CONTAINER_OF(v, struct asking, survey)->done);
}

static bool ask_first(struct asking *a)
{
	sem_init(&a->done, 0, 0);
	a->survey.home = &home;
	a->survey.done = on_asked;
	return survey_begin(surveyor, &a->survey);
}

static void wait_for(struct asking *a)
{
	while (sem_wait(&a->done) != 0)
		;
	sem_destroy(&a->done);
}

/* Begins and waits. own: survey_fini. */
static void ask(struct asking *a, struct order *order, uint64_t before)
{
	a->survey.order = order;
	a->survey.before = before;
	a->survey.is_urgent = true;
	CU_ASSERT_FATAL(ask_first(a));
	wait_for(a);
}

static struct survey counted(const char *json, uint64_t before)
{
	struct asking a = { 0 };
	struct order *o = order_of(json);
	ask(&a, o, before);
	survey_fini(&a.survey);
	order_unref(&o);
	return a.survey;
}

static uint64_t previewed(const char *json)
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

static void on_told(UNUSED void *arg, enum err err, UNUSED uint64_t number, UNUSED uint64_t seq)
{
	CU_ASSERT_EQUAL(err, ERR_NONE);
	told++;
}

/* Purges what an order's scopes say, and waits until that is on disk. */
static uint64_t purge(const char *json)
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

struct sweeping {
	struct order *order;
	struct fence_pattern pattern;
	struct asking asking;
};

static bool matches(const void *what, const struct object *o)
{
	return order_matches(what, o);
}

static void add_pattern(struct sweeping *w, const char *json)
{
	*w = (struct sweeping){ .order = order_of(json) };
	struct wall at = wall_add(wall_now(), -5000);
	w->pattern = (struct fence_pattern){ { w->order->mode, at }, matches, w->order, 0 };
	struct cache_purge p = {
		.act = w->pattern.act, .text = slice_str(json), .pattern = &w->pattern
	};
	uint64_t number;
	CU_ASSERT_EQUAL_FATAL(cache_purge(&cache, &p, &number), ERR_NONE);
	CU_ASSERT_EQUAL(number, w->pattern.number);
}

static void sweep(struct sweeping *w)
{
	w->asking.survey.sweeps = true;
	w->asking.survey.at = w->pattern.act.at;
	ask(&w->asking, w->order, w->pattern.number);
}

static void retire(struct sweeping *w)
{
	CU_ASSERT_EQUAL(w->asking.survey.err, ERR_NONE);
	cache_retire(&cache, w->pattern.number);
	survey_fini(&w->asking.survey);
	order_unref(&w->order);
}

/* Puts down, sweeps and retires a pattern; returns how many it was for. */
static uint64_t sweep_out(const char *json)
{
	struct sweeping w;
	add_pattern(&w, json);
	sweep(&w);
	uint64_t objects = w.asking.survey.objects;
	retire(&w);
	return objects;
}

/* What a load from disk gives. own: a ref, or NULL. */
static struct object *loaded(unsigned n)
{
	char text[64];
	snprintf(text, sizeof(text), "%s", url_of(n));
	return load_key(cache.cold, key_at(text));
}

/* ---- counting ---- */

static void test_ram(void)
{
	begin(RAM);
	put_many(300, RAM);
	put(answer_with("http://shop.example/v\n:de\n", "accept-language", "third", 5), RAM);
	struct object *marker = object_new(
	    OBJECT_VARY, key_at("http://shop.example/v"), (struct object_texts){ 0 }, 0);
	put(marker, RAM);
	struct survey v = counted(THIRD, UINT64_MAX);
	CU_ASSERT_EQUAL(v.err, ERR_NONE);
	CU_ASSERT_EQUAL(v.objects, 101);
	CU_ASSERT_EQUAL(v.variants, 1);
	CU_ASSERT_EQUAL(v.bytes, 1005);
	CU_ASSERT_EQUAL(v.in_ram, 101);
	CU_ASSERT_EQUAL(v.sample_count, SURVEY_SAMPLES);
	CU_ASSERT_PTR_NOT_NULL(strstr(v.samples[9], "http://shop.example/"));
	CU_ASSERT_PTR_NULL(strchr(v.samples[9], '\n'));
	CU_ASSERT_EQUAL(previewed(ALL), 301);
	CU_ASSERT_EQUAL(previewed("{\"tags\":[\"none\"]}"), 0);
	CU_ASSERT_EQUAL(previewed("{\"prefixes\":[\"/p/7\"]}"), 1);
	CU_ASSERT_EQUAL(previewed("{\"hosts\":[\"shop.example\"]}"), 301);
	CU_ASSERT_EQUAL(previewed("{\"expression\":\"all AND NOT third\"}"), 200);
	CU_ASSERT_EQUAL(previewed(SEVENS), 30);
	end_all();
}

/* Only what was asked for before the purge is its own. */
static void test_before(void)
{
	begin(RAM);
	put_many(30, RAM);
	uint64_t number = purge("{\"tags\":[\"third\"],\"mode\":\"soft\"}");
	for (unsigned i = 0; i < 6; i++)
		put(answer(url_of(i), "third", 10), RAM);
	/* Two that were there have made room for what was fetched since. */
	CU_ASSERT_EQUAL(counted(THIRD, number).objects, 8);
	/* And only what stands is to be purged. */
	CU_ASSERT_EQUAL(previewed(THIRD), 6);
	end_all();
}

static void test_hottest(void)
{
	begin(RAM);
	for (unsigned i = 0; i < 500; i++) {
		struct object *o = answer(url_of(i), "a", 10);
		o->hits = (i * 7919) % 500;
		o->life.response_time = wall_add(wall_now(), -100 * 1000);
		put(o, RAM);
	}
	struct order *order = order_of("{\"tags\":[\"a\"]}");
	struct asking a = { .survey = { .hottest = 100 } };
	ask(&a, order, UINT64_MAX);
	const struct survey *v = &a.survey;
	CU_ASSERT_EQUAL_FATAL(v->item_count, 100);
	for (unsigned i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(v->items[i].hits, 499 - i);
		CU_ASSERT_EQUAL(v->items[i].object->hits, 499 - i);
	}
	/* 0 + 1 + ... + 499 hits in 100 s. */
	CU_ASSERT_DOUBLE_EQUAL(v->requests_per_s, 1247.5, 10);
	double expected = 0;
	for (unsigned hits = 0; hits < 500; hits++)
		expected += 1 - exp(-(double)hits / 100 * 60);
	CU_ASSERT_DOUBLE_EQUAL(v->origin_per_minute, expected, 1);
	survey_fini(&a.survey);
	CU_ASSERT_PTR_NULL(a.survey.items);
	order_unref(&order);
	end_all();
}

static void test_disk(void)
{
	fresh_dir();
	begin(DISK);
	put_many(3000, DISK);
	struct survey v = counted(THIRD, UINT64_MAX);
	CU_ASSERT_EQUAL(v.err, ERR_NONE);
	CU_ASSERT_EQUAL(v.objects, 1000);
	CU_ASSERT_EQUAL(v.bytes, 10000);
	CU_ASSERT_EQUAL(v.in_ram, 0);
	CU_ASSERT_EQUAL(v.sample_count, SURVEY_SAMPLES);
	CU_ASSERT_EQUAL(previewed(ALL), 3000);
	CU_ASSERT_EQUAL(previewed(SEVENS), 300);
	CU_ASSERT_EQUAL(previewed("{\"prefixes\":[\"shop.example/p/77\"]}"), 1);
	/* Its parts meet each record once, wherever they begin. */
	v = counted(THIRD, fence_now(cache.fence) + 1);
	CU_ASSERT_EQUAL(v.objects, 1000);
	v = counted(THIRD, fence_now(cache.fence));
	CU_ASSERT_EQUAL(v.objects, 0);
	end_all();
}

static void test_both(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(300, RAM | DISK);
	put(answer("http://shop.example/ram", "third", 1), RAM);
	put(answer("http://shop.example/disk", "third", 2), DISK);
	settle(cache.cold);
	struct survey v = counted(THIRD, UINT64_MAX);
	CU_ASSERT_EQUAL(v.objects, 102);
	CU_ASSERT_EQUAL(v.bytes, 1003);
	CU_ASSERT_EQUAL(v.in_ram, 101);
	end_all();
}

/* A purge is for what is there; the next preview is of what it left. */
static void test_what_stands(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(300, RAM | DISK);
	put_many(600, DISK);
	CU_ASSERT_EQUAL(previewed(THIRD), 200);
	uint64_t number = purge("{\"tags\":[\"third\"],\"mode\":\"hard\"}");
	CU_ASSERT_EQUAL(counted(THIRD, number).objects, 200);
	CU_ASSERT_EQUAL(previewed(THIRD), 0);
	CU_ASSERT_EQUAL(previewed(ALL), 400);
	purge("{\"files\":[\"http://shop.example/p/1\"]}");
	CU_ASSERT_EQUAL(previewed(ALL), 399);
	/* In the next life the disk knows. */
	restart();
	CU_ASSERT_EQUAL(previewed(THIRD), 0);
	CU_ASSERT_EQUAL(previewed(ALL), 399);
	CU_ASSERT_EQUAL(counted(THIRD, fence_now(cache.fence) + 1).objects, 200);
	purge("{\"hosts\":[\"shop.example\"],\"mode\":\"hard\"}");
	CU_ASSERT_EQUAL(previewed(ALL), 0);
	restart();
	CU_ASSERT_EQUAL(previewed(ALL), 0);
	end_all();
}

/* Certain URLs: looked up, with all variants, and under both schemes, as they are purged. */
static void put_page(const char *url, enum tiers tiers)
{
	char text[2][64];
	struct hash128 hashes[2];
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text[i], sizeof(text[i]), "%s\n:%u\n", url, i);
		hashes[i] = key_at(text[i]).hash;
		put(answer_with(text[i], "foo", "", 3), tiers);
	}
	struct object *marker = object_new(
	    OBJECT_VARY, key_at(url), (struct object_texts){ .spec = SL("foo") }, 2);
	memcpy(marker->variants, hashes, sizeof(hashes));
	marker->seq = fence_now(cache.fence);
	marker->life.keep_until = WALL_FOREVER;
	put(marker, tiers);
}

static void test_files(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(10, RAM | DISK);
	put_page("http://shop.example/ram", RAM);
	put_page("http://shop.example/disk", DISK);
	put_page("http://shop.example/both", RAM | DISK);
	put(answer("https://shop.example/p/3", "", 1), DISK);
	settle(cache.cold);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/1\"]}"), 1);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"https://shop.example/p/1\"]}"), 1);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/3\"]}"), 2);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/3\","
				  "\"https://shop.example/p/3\","
				  "\"http://shop.example/p/3\"]}"),
	    2);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/10\"]}"), 0);
	struct survey v = counted("{\"files\":[\"https://shop.example/ram\"]}", UINT64_MAX);
	CU_ASSERT_EQUAL(v.objects, 2);
	CU_ASSERT_EQUAL(v.variants, 2);
	CU_ASSERT_EQUAL(v.bytes, 6);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/disk\"]}"), 2);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/both\"]}"), 2);
	end_all();
}

/* What was purged hard leaves RAM behind the survey; softly purged it stays. */
static void test_room(void)
{
	begin(RAM);
	put_many(30, RAM);
	uint64_t number = purge("{\"tags\":[\"third\"],\"mode\":\"soft\"}");
	counted("{\"tags\":[\"third\"],\"mode\":\"soft\"}", number);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(cache.hot)->objects), 30);
	number = purge("{\"tags\":[\"third\"],\"mode\":\"hard\"}");
	CU_ASSERT_EQUAL(counted("{\"tags\":[\"third\"],\"mode\":\"hard\"}", number).objects, 10);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(cache.hot)->objects), 20);
	end_all();
}

/* ---- sweeping ---- */

static struct fence_ruling judged(unsigned n)
{
	char text[64];
	snprintf(text, sizeof(text), "%s", url_of(n));
	struct object *o = hot_peek(cache.hot, key_at(text).hash);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	struct fence_ruling ruling = fence_judge(cache.fence, o);
	object_unref(&o);
	return ruling;
}

static void test_sweep_ram(void)
{
	begin(RAM);
	put_many(100, RAM);
	struct object *late = answer(url_of(107), "", 10);
	CU_ASSERT_EQUAL(sweep_out(SEVENS_SOFT), 10);
	for (unsigned i = 0; i < 100; i++) {
		struct fence_ruling r = judged(i);
		CU_ASSERT_EQUAL(r.stands, i % 10 != 7);
		CU_ASSERT(r.stands || r.mode == PURGE_SOFT);
	}
	/* What was on its way all the time is not taken for fresh. */
	put(late, RAM);
	CU_ASSERT(!judged(107).stands);
	put(answer(url_of(117), "", 10), RAM);
	CU_ASSERT(judged(117).stands);
	CU_ASSERT_EQUAL(sweep_out(SEVENS), 12);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(cache.hot)->objects), 90);
	end_all();
}

/* How many of 0 to count - 1 are not what they should be: all there, but for those with a 7. */
static unsigned count_wrong(unsigned count)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < count; i++) {
		struct object *o = loaded(i);
		if (!o != (i % 10 == 7)) {
			struct object *p = loaded(i);
			const struct cold_meters *m = cold_meters(cache.cold);
			fprintf(stderr, "WRONG %u %p again %p probe %d stored %lu loads %lu misses %lu failed %lu forg %lu full %lu\n", i, (void *)o, (void *)p, cold_probe(cache.cold, key_at(url_of(i)).hash), meter_read(&m->stored), meter_read(&m->loads), meter_read(&m->load_misses), meter_read(&m->failed), meter_read(&m->forgotten), meter_read(&m->queue_full));
			object_unref(&p);
		}
		wrong += !o != (i % 10 == 7);
		object_unref(&o);
	}
	return wrong;
}

static void test_sweep_disk(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(200, RAM | DISK);
	put_many(300, DISK);
	CU_ASSERT_EQUAL(sweep_out(SEVENS), 30);
	CU_ASSERT_EQUAL(count_wrong(300), 0);
	/* What came since stays, and what is put down is not more than there was. */
	put(answer(url_of(7), "", 1), DISK);
	settle(cache.cold);
	struct object *o = loaded(7);
	CU_ASSERT_PTR_NOT_NULL(o);
	object_unref(&o);
	cold_forget(cache.cold, key_at(url_of(7)).hash);
	restart();
	CU_ASSERT_EQUAL(count_wrong(300), 0);
	CU_ASSERT_EQUAL(previewed(ALL), 270);
	end_all();
}

/* When it is purged softly it ages from the purge on, not from when that was swept. */
static void test_sweep_softly(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(20, DISK);
	struct sweeping w;
	add_pattern(&w, SEVENS_SOFT);
	sweep(&w);
	struct wall at = w.pattern.act.at;
	retire(&w);
	for (int life = 0; life < 2; life++) {
		struct object *o = loaded(17);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o);
		struct fence_ruling r = fence_judge(cache.fence, o);
		CU_ASSERT(!r.stands && r.mode == PURGE_SOFT);
		CU_ASSERT_EQUAL(r.soft_at.ms, at.ms);
		object_unref(&o);
		restart();
	}
	end_all();
}

/* A newer purge of the same URL, of the same mode, is not undone by an older one. */
static void test_sweep_behind(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(10, DISK);
	struct sweeping w;
	add_pattern(&w, SEVENS);
	put_page("http://shop.example/p/7", DISK);
	settle(cache.cold);
	purge("{\"files\":[\"http://shop.example/p/7\"]}");
	sweep(&w);
	retire(&w);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/7\"]}"), 0);
	restart();
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/7\"]}"), 0);
	end_all();
}

/* What the writer has in hands while the pattern comes, and is swept, does not slip through. */
static void test_sweep_while_writing(void)
{
	unsigned rounds = is_slow() ? 3 : 20, wrong = 0;
	for (unsigned round = 0; round < rounds; round++) {
		fresh_dir();
		begin(RAM | DISK);
		for (unsigned i = 0; i < 400; i++) {
			put(answer(url_of(i), "", 10), DISK);
			if (i == 100 + 10 * round)
				usleep(100 * round);
		}
		sweep_out(SEVENS);
		settle(cache.cold);
		wrong += count_wrong(400);
		end_all();
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- bounds and ends ---- */

static void rest_long(void)
{
	lock_take(&surveyor->lock);
	surveyor->rests_until = mono_add(mono_now(), 3600 * 1000);
	lock_drop(&surveyor->lock);
}

static void test_queue(void)
{
	enum { MORE = 5 };
	static struct asking all[SURVEYS + MORE];
	struct order *order = order_of(THIRD);
	begin(RAM);
	put_many(30, RAM);
	rest_long();
	memset(all, 0, sizeof(all));
	for (unsigned i = 0; i < SURVEYS + MORE; i++) {
		all[i].survey.order = order;
		all[i].survey.before = UINT64_MAX;
		all[i].survey.hottest = 3;
		CU_ASSERT_EQUAL(ask_first(&all[i]), i < SURVEYS);
	}
	/* Somebody waits: it goes on, with all of them. Nobody who sweeps is refused. */
	all[SURVEYS].survey.is_urgent = all[SURVEYS].survey.sweeps = true;
	all[SURVEYS].survey.before = fence_now(cache.fence);
	CU_ASSERT(ask_first(&all[SURVEYS]));
	for (unsigned i = 0; i <= SURVEYS; i++) {
		wait_for(&all[i]);
		CU_ASSERT_EQUAL(all[i].survey.err, ERR_NONE);
		CU_ASSERT_EQUAL(all[i].survey.objects, i < SURVEYS ? 10 : 0);
		CU_ASSERT_EQUAL(all[i].survey.item_count, i < SURVEYS ? 3 : 0);
		survey_fini(&all[i].survey);
	}
	order_unref(&order);
	end_all();
}

static void test_cancel(void)
{
	struct asking one = { 0 }, other = { 0 };
	struct order *order = order_of(THIRD);
	begin(RAM);
	put_many(30, RAM);
	rest_long();
	one.survey.order = other.survey.order = order;
	one.survey.before = other.survey.before = UINT64_MAX;
	CU_ASSERT_FATAL(ask_first(&one));
	survey_cancel(&one.survey);
	/* At the next turn, which an end is, too: who waits still is told. */
	CU_ASSERT_FATAL(ask_first(&other));
	wait_for(&one);
	CU_ASSERT_EQUAL(one.survey.err, ERR_CANCELLED);
	rest_long();
	survey_fini(&one.survey);
	wait_for(&other);
	survey_fini(&other.survey);
	other = (struct asking){ .survey = { .order = order, .before = UINT64_MAX } };
	rest_long();
	CU_ASSERT_FATAL(ask_first(&other));
	surveyor_free(&surveyor);
	wait_for(&other);
	CU_ASSERT_EQUAL(other.survey.err, ERR_CANCELLED);
	survey_fini(&other.survey);
	order_unref(&order);
	end_all();
}

/* A store that cannot be opened: nothing is swept, and nobody has to wait for it. */
static void test_no_disk(void)
{
	struct sweeping w;
	struct mono began = mono_now();
	fresh_dir();
	char path[sizeof(dir)];
	memcpy(path, dir, sizeof(path));
	snprintf(dir, sizeof(dir), "%s", "/proc/larder-nowhere");
	begin(RAM | DISK);
	memcpy(dir, path, sizeof(path));
	put_many(10, RAM);
	add_pattern(&w, SEVENS);
	sweep(&w);
	CU_ASSERT_EQUAL(w.asking.survey.err, ERR_STORE_IO);
	survey_fini(&w.asking.survey);
	/* The pattern holds. */
	CU_ASSERT(!judged(7).stands);
	CU_ASSERT_EQUAL(counted(THIRD, UINT64_MAX).err, ERR_STORE_IO);
	end_all();
	order_unref(&w.order);
	CU_ASSERT(mono_ms_since(began, mono_now()) < 5000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "ram", test_ram },{"x",test_sweep_while_writing},{"x2",test_sweep_while_writing},{"x3",test_sweep_while_writing},
		{ "before", test_before },
		{ "hottest", test_hottest },
		{ "disk", test_disk },
		{ "both", test_both },
		{ "what stands", test_what_stands },
		{ "files", test_files },
		{ "room", test_room },
		{ "sweep ram", test_sweep_ram },
		{ "sweep disk", test_sweep_disk },
		{ "sweep softly", test_sweep_softly },
		{ "sweep behind", test_sweep_behind },
		{ "sweep while writing", test_sweep_while_writing },
		{ "queue", test_queue },
		{ "cancel", test_cancel },
		{ "no disk", test_no_disk },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("survey", tests);
}
