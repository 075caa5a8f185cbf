/* SPDX-License-Identifier: Apache-2.0 */
/* What an order is for, in RAM, on disk, in both: each once, and only what stands. */
#include "test/unit/purge/surveys.h"

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

/* RAM's marker and the disk's name different variants, and a variant can be without its marker. */
static void test_torn_pages(void)
{
	fresh_dir();
	begin(RAM | DISK);
	const char *url = "http://shop.example/torn";
	struct hash128 variants[] = {
		put_variant(url, 0, RAM),
		put_variant(url, 1, DISK),
		put_variant(url, 2, RAM | DISK),
		put_variant(url, 3, RAM),
		put_variant(url, 4, DISK),
	};
	put_marker(url, variants, 3, RAM);
	put_marker(url, variants + 2, 3, DISK);
	settle(cache.cold);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/torn\"]}"), 5);
	CU_ASSERT_EQUAL(previewed(ALL), 5);
	hot_forget(cache.hot, key_at(url).hash);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/torn\"]}"), 3);
	CU_ASSERT_EQUAL(previewed(ALL), 5);
	end_all();
}

/* Who names no scheme means both; each is an object of its own. */
static void test_schemes(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put(answer("http://shop.example/a/1", "", 1), RAM);
	put(answer("https://shop.example/a/1", "", 1), DISK);
	put(answer("http://shop.example/a/2", "", 1), RAM | DISK);
	put(answer("https://shop.example/a/2", "", 1), RAM | DISK);
	put(answer("https://shop.example/b", "", 1), DISK);
	settle(cache.cold);
	CU_ASSERT_EQUAL(previewed("{\"prefixes\":[\"shop.example/a\"]}"), 4);
	CU_ASSERT_EQUAL(previewed("{\"prefixes\":[\"/a\"]}"), 4);
	CU_ASSERT_EQUAL(previewed("{\"hosts\":[\"shop.example\"]}"), 5);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/a/1\"]}"), 2);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"https://shop.example/a/2\"]}"), 2);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/b\"]}"), 1);
	CU_ASSERT_EQUAL(
	    previewed("{\"files\":[\"http://shop.example/b\"],\"tags\":[\"none\"]}"), 1);
	CU_ASSERT_EQUAL(previewed("{\"regex\":\"^https://shop\"}"), 3);
	end_all();
}

/* What was purged softly is served stale: there is something left to be purged hard. */
static void test_modes(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(30, RAM | DISK);
	put_many(60, DISK);
	purge("{\"tags\":[\"third\"],\"mode\":\"soft\"}");
	CU_ASSERT_EQUAL(previewed("{\"tags\":[\"third\"],\"mode\":\"soft\"}"), 0);
	CU_ASSERT_EQUAL(previewed("{\"tags\":[\"third\"],\"mode\":\"hard\"}"), 20);
	purge("{\"tags\":[\"third\"],\"mode\":\"hard\"}");
	CU_ASSERT_EQUAL(previewed("{\"tags\":[\"third\"],\"mode\":\"hard\"}"), 0);
	CU_ASSERT_EQUAL(previewed("{\"everything\":true,\"mode\":\"hard\"}"), 40);
	end_all();
}

/* What nobody would get any more is not counted. */
static void test_what_is_gone(void)
{
	fresh_dir();
	begin(RAM | DISK);
	for (unsigned i = 0; i < 6; i++) {
		struct object *o = answer(url_of(i), "", 1);
		if (i < 4)
			o->life.keep_until = wall_add(wall_now(), -1000);
		put(o, i % 2 == 0 ? RAM : DISK);
	}
	settle(cache.cold);
	CU_ASSERT_EQUAL(previewed(ALL), 2);
	CU_ASSERT_EQUAL(counted(ALL, fence_now(cache.fence) + 1).objects, 2);
	end_all();
}

/* Far more scopes than the fence's table holds: of what RAM has, the disk is asked. */
static void test_what_the_table_lost(void)
{
	enum { SCOPES = 400 * 1000, PART = 10000 };
	static struct scope scopes[PART];
	fresh_dir();
	begin(RAM | DISK);
	put_many(30, RAM);
	purge("{\"files\":[\"http://shop.example/p/1\"]}");
	for (uint64_t i = 0; i < SCOPES; i += PART) {
		for (uint64_t k = 0; k < PART; k++)
			scopes[k] = scope_tag((i + k + 1) * 0x9e3779b97f4a7c15);
		struct cache_purge p = {
			.scopes = scopes, .scope_count = PART, .act = { PURGE_SOFT, wall_now() }
		};
		uint64_t number;
		CU_ASSERT_EQUAL(cache_purge(&cache, &p, &number), ERR_NONE);
	}
	purge("{\"tags\":[\"none\"]}");
	struct object *o = hot_peek(cache.hot, key_at(url_of(2)).hash);
	CU_ASSERT(fence_judge(cache.fence, o).is_unsure);
	object_unref(&o);
	CU_ASSERT_EQUAL(previewed(ALL), 29);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/1\"]}"), 0);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/2\"]}"), 1);
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

/* ---- bounds and ends ---- */

static void rest(int64_t ms)
{
	lock_take(&surveyor->lock);
	surveyor->rests_until = mono_add(mono_now(), ms);
	pthread_cond_signal(&surveyor->more);
	lock_drop(&surveyor->lock);
}

static void rest_long(void)
{
	rest(3600 * 1000);
}

static void begin_patient(void)
{
	begin(RAM);
	surveyor_free(&surveyor);
	surveyor = surveyor_new(&cache, SURVEYOR_PATIENT);
	put_many(30, RAM);
	rest_long();
}

static void test_queue(void)
{
	enum { MORE = 5 };
	static struct asking all[SURVEYS + MORE];
	struct order *order = order_of(THIRD);
	begin_patient();
	memset(all, 0, sizeof(all));
	for (unsigned i = 0; i < SURVEYS + MORE; i++) {
		all[i].survey.order = order;
		all[i].survey.before = UINT64_MAX;
		all[i].survey.hottest = 3;
		CU_ASSERT_EQUAL(ask_first(&all[i]), i < SURVEYS);
	}
	/* Nobody who sweeps is refused. Rested, it goes for all of them. */
	all[SURVEYS].survey.sweeps = true;
	all[SURVEYS].survey.before = fence_now(cache.fence);
	CU_ASSERT(ask_first(&all[SURVEYS]));
	rest(0);
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
	begin_patient();
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

int main(void)
{
	CU_TestInfo tests[] = {
		{ "ram", test_ram },
		{ "before", test_before },
		{ "hottest", test_hottest },
		{ "disk", test_disk },
		{ "both", test_both },
		{ "what stands", test_what_stands },
		{ "files", test_files },
		{ "torn pages", test_torn_pages },
		{ "schemes", test_schemes },
		{ "modes", test_modes },
		{ "what is gone", test_what_is_gone },
		{ "what the table lost", test_what_the_table_lost },
		{ "room", test_room },
		{ "queue", test_queue },
		{ "cancel", test_cancel },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("survey", tests);
}
