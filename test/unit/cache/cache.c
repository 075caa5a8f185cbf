/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.c"

#include "test/unit/cache/tier/stores.h"

static struct arena arena;

/* It knows where it is: it stays there. */
static void ram_cache(struct cache *c)
{
	struct cache_options o = { .hot_bytes = 16 * MIB };
	must(cache_init(c, &o) == ERR_NONE);
}

static void disk_cache(struct cache *c)
{
	struct cache_options o = {
		.cold = { .path = dir, .size_bytes = GIB, .admission = ADMIT_ALWAYS },
		.hot_bytes = 16 * MIB
	};
	must(cache_init(c, &o) == ERR_NONE);
	must(c->cold != NULL);
}

static struct key key_of(const struct cache *c, const char *text)
{
	struct slice s = slice_str(text);
	return (struct key){ s, hash_siphash(cache_secret(c), s) };
}

static struct wall in_ms(int64_t ms)
{
	return wall_add(wall_now(), ms);
}

static struct life life_for(int64_t fresh_ms)
{
	return (struct life){ .fresh_until = in_ms(fresh_ms), .keep_until = in_ms(3600000) };
}

/* An answer of one byte, for a key that does not vary. */
static struct object *plain(struct cache *c, const char *url)
{
	struct object *o = object_new(OBJECT_ANSWER, key_of(c, url), (struct object_texts){ 0 }, 0);
	o->status = 200;
	o->life = life_for(60000);
	o->seq = fence_now(c->fence);
	o->body = sample_body(1, 1);
	return o;
}

static struct fields request_with(const char *name, const char *value)
{
	struct fields f = { 0 };
	must(fields_add(
	    &f, &arena, field_id_of(slice_str(name)), slice_str(name), slice_str(value)));
	return f;
}

static struct object *variant(
    struct cache *c, const char *url, const char *spec, const char *language)
{
	struct fields request = request_with("Accept-Language", language);
	struct slice values = vary_values(&request, slice_str(spec), &arena);
	struct key at = key_of_variant(key_of(c, url), values, cache_secret(c), &arena);
	struct object *o = object_new(OBJECT_ANSWER, at,
	    (struct object_texts){ .spec = slice_str(spec), .values = values }, 0);
	o->status = 200;
	o->life = life_for(60000);
	o->seq = fence_now(c->fence);
	o->body = sample_body(1, 1);
	return o;
}

static struct cache_query query(struct cache *c, const char *url, const struct fields *request)
{
	return (struct cache_query){
		.key = key_of(c, url), .request = request, .arena = &arena, .now = wall_now()
	};
}

static enum cache_outcome look(struct cache *c, const char *url, const char *language)
{
	struct fields request = request_with("Accept-Language", language);
	struct cache_query q = query(c, url, &request);
	enum cache_outcome outcome = cache_find(c, &q);
	object_unref(&q.object);
	return outcome;
}

static void publish(struct cache *c, const char *url, struct object *o, uint64_t max)
{
	cache_publish(c, key_of(c, url), o, max);
	cache_settle(c, o);
	object_unref(&o);
}

static void test_plain(void)
{
	struct cache c;
	ram_cache(&c);
	CU_ASSERT_EQUAL(look(&c, "http://a/", "en"), CACHE_MISS);
	publish(&c, "http://a/", plain(&c, "http://a/"), 10);
	CU_ASSERT_EQUAL(look(&c, "http://a/", "en"), CACHE_FOUND);
	/* Past its last use it is gone. */
	struct fields request = request_with("Accept", "*/*");
	struct cache_query q = query(&c, "http://a/", &request);
	q.now = in_ms(3600001);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_MISS);
	CU_ASSERT_EQUAL(look(&c, "http://a/", "en"), CACHE_MISS);
	/* A failed body is removed, a whole one is not. */
	struct object *o = plain(&c, "http://b/");
	flow_unref(&o->body);
	o->body = flow_new(100, FLOW_KEEP_ALL, 0);
	cache_publish(&c, key_of(&c, "http://b/"), o, 10);
	CU_ASSERT_EQUAL(look(&c, "http://b/", "en"), CACHE_FOUND);
	flow_fail(o->body, ERR_ORIGIN_TRUNCATED);
	cache_settle(&c, o);
	CU_ASSERT_EQUAL(look(&c, "http://b/", "en"), CACHE_MISS);
	object_unref(&o);
	cache_fini(&c);
}

static void test_vary(void)
{
	struct cache c;
	ram_cache(&c);
	const char *url = "http://v/", *spec = "accept-language";
	publish(&c, url, variant(&c, url, spec, "en"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "en"), CACHE_FOUND);
	CU_ASSERT_EQUAL(look(&c, url, "de"), CACHE_MISS);
	struct fields request = request_with("Accept-Language", "de");
	struct cache_query q = query(&c, url, &request);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_MISS);
	CU_ASSERT(q.varies);
	CU_ASSERT(!hash128_eq(q.at.hash, q.key.hash));
	publish(&c, url, variant(&c, url, spec, "de"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "de"), CACHE_FOUND);
	CU_ASSERT_EQUAL(look(&c, url, "en"), CACHE_FOUND);
	/* Published again it is no third one. */
	publish(&c, url, variant(&c, url, spec, "de"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "en"), CACHE_FOUND);
	/* The limit: the oldest goes. */
	publish(&c, url, variant(&c, url, spec, "fr"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "en"), CACHE_MISS);
	CU_ASSERT_EQUAL(look(&c, url, "de"), CACHE_FOUND);
	CU_ASSERT_EQUAL(look(&c, url, "fr"), CACHE_FOUND);
	/* Another spec: what the old one led to is forgotten. */
	publish(&c, url, variant(&c, url, "accept, accept-language", "fr"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "de"), CACHE_MISS);
	CU_ASSERT_EQUAL(look(&c, url, "fr"), CACHE_FOUND);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(c.hot)->objects), 2);
	/* An answer without Vary takes the marker's place. */
	publish(&c, url, plain(&c, url), 2);
	CU_ASSERT_EQUAL(look(&c, url, "xx"), CACHE_FOUND);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(c.hot)->objects), 1);
	/* And back. */
	publish(&c, url, variant(&c, url, spec, "en"), 2);
	CU_ASSERT_EQUAL(look(&c, url, "xx"), CACHE_MISS);
	CU_ASSERT_EQUAL(look(&c, url, "en"), CACHE_FOUND);
	cache_fini(&c);
}

static void test_pass(void)
{
	struct cache c;
	ram_cache(&c);
	const char *url = "http://p/";
	struct key key = key_of(&c, url);
	struct fields request = request_with("Accept", "*/*");
	cache_remember_pass(&c, key, in_ms(60000), REASON_PRIVATE);
	struct cache_query q = query(&c, url, &request);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_PASS);
	CU_ASSERT_EQUAL(q.reason, REASON_PRIVATE);
	/* Its time is over. */
	q.now = in_ms(60001);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_MISS);
	/* A storable answer takes its place... */
	cache_remember_pass(&c, key, in_ms(60000), REASON_PRIVATE);
	publish(&c, url, plain(&c, url), 10);
	CU_ASSERT_EQUAL(look(&c, url, ""), CACHE_FOUND);
	/* ... and is not hidden by the next failure, as long as it may cover for it. */
	cache_remember_pass(&c, key, in_ms(60000), REASON_NO_STORE);
	CU_ASSERT_EQUAL(look(&c, url, ""), CACHE_FOUND);
	struct object *stale = plain(&c, url);
	stale->life.fresh_until = in_ms(-1000);
	stale->life.sie_until = in_ms(60000);
	publish(&c, url, stale, 10);
	cache_remember_pass(&c, key, in_ms(60000), REASON_NO_STORE);
	CU_ASSERT_EQUAL(look(&c, url, ""), CACHE_FOUND);
	stale = plain(&c, url);
	stale->life.fresh_until = in_ms(-1000);
	publish(&c, url, stale, 10);
	cache_remember_pass(&c, key, in_ms(60000), REASON_NO_STORE);
	CU_ASSERT_EQUAL(look(&c, url, ""), CACHE_PASS);
	/* One variant passes, the others stay. */
	const char *varied = "http://pv/";
	publish(&c, varied, variant(&c, varied, "accept-language", "en"), 10);
	request = request_with("Accept-Language", "de");
	q = query(&c, varied, &request);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_MISS);
	cache_remember_pass(&c, q.at, in_ms(60000), REASON_PRIVATE);
	CU_ASSERT_EQUAL(look(&c, varied, "de"), CACHE_PASS);
	CU_ASSERT_EQUAL(look(&c, varied, "en"), CACHE_FOUND);
	cache_remember_pass(&c, key_of(&c, varied), in_ms(60000), REASON_PRIVATE);
	CU_ASSERT_EQUAL(look(&c, varied, "en"), CACHE_FOUND);
	cache_fini(&c);
}

static void test_fence(void)
{
	struct cache c;
	ram_cache(&c);
	const char *url = "http://f/";
	struct key key = key_of(&c, url);
	struct fields request = request_with("Accept-Language", "en");
	struct cache_query q = query(&c, url, &request);
	/* The fetch starts, the invalidation comes, the answer arrives: it is left out. */
	struct object *late = variant(&c, url, "accept-language", "en");
	cache_invalidate(&c, key);
	struct fence_ruling ruling = cache_publish(&c, key, late, 10);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_INVALID);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_MISS);
	object_unref(&late);
	/* One that started after it stands. */
	publish(&c, url, variant(&c, url, "accept-language", "en"), 10);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_FOUND);
	CU_ASSERT(q.ruling.stands);
	object_unref(&q.object);
	/* All variants go at once. */
	publish(&c, url, variant(&c, url, "accept-language", "de"), 10);
	cache_invalidate(&c, key);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(c.hot)->objects), 0);
	cache_fini(&c);
}

/* The URL of a number, beside others. */
static struct key beside(const struct cache *c, uint64_t n, char text[48])
{
	snprintf(text, 48, "http://beside/%" PRIu64, n);
	return key_of(c, text);
}

/* A write to one URL is nothing to another. */
static void test_fence_beside(void)
{
	struct cache c;
	ram_cache(&c);
	const char *url = "http://f/";
	char text[48];
	struct fields request = request_with("Accept-Language", "en");
	publish(&c, url, plain(&c, url), 10);
	for (uint64_t n = 0; n < 1000; n++)
		cache_invalidate(&c, beside(&c, n, text));
	struct cache_query q = query(&c, url, &request);
	CU_ASSERT_EQUAL(cache_find(&c, &q), CACHE_FOUND);
	CU_ASSERT(q.ruling.stands);
	object_unref(&q.object);
	cache_fini(&c);
}

/* ---- with a disk ---- */

static void wait_for_disk(struct cache *c)
{
	while (meter_read(&cold_meters(c->cold)->queue_bytes) > 0)
		usleep(500);
}

/* As a journey does: looks, loads, looks again. */
static enum cache_outcome look_and_load(struct cache *c, struct cache_query *q)
{
	enum cache_outcome outcome = cache_find(c, q);
	for (int loads = 0; outcome == CACHE_COLD && loads < 3; loads++) {
		struct object *o = load_key(c->cold, q->at);
		if (!o)
			return CACHE_MISS;
		cache_promote(c, o);
		object_unref(&o);
		outcome = cache_find(c, q);
	}
	return outcome;
}

static enum cache_outcome look_deep(
    struct cache *c, const char *url, const char *language, bool *ret_overtaken)
{
	struct fields request = request_with("Accept-Language", language);
	struct cache_query q = query(c, url, &request);
	enum cache_outcome outcome = look_and_load(c, &q);
	*ret_overtaken = outcome == CACHE_FOUND && !q.ruling.stands;
	object_unref(&q.object);
	return outcome;
}

static void test_restart(void)
{
	fresh_dir();
	struct cache c;
	disk_cache(&c);
	const char *url = "http://r/", *spec = "accept-language";
	bool overtaken;
	publish(&c, "http://plain/", plain(&c, "http://plain/"), 10);
	publish(&c, url, variant(&c, url, spec, "en"), 10);
	publish(&c, url, variant(&c, url, spec, "de"), 10);
	struct object *late = variant(&c, url, spec, "fr");
	uint64_t seq = fence_now(c.fence);
	cache_fini(&c);

	disk_cache(&c);
	CU_ASSERT(fence_now(c.fence) > seq);
	CU_ASSERT_EQUAL(look(&c, "http://plain/", ""), CACHE_COLD);
	CU_ASSERT_EQUAL(look_deep(&c, "http://plain/", "", &overtaken), CACHE_FOUND);
	CU_ASSERT(!overtaken);
	CU_ASSERT_EQUAL(look_deep(&c, url, "de", &overtaken), CACHE_FOUND);
	CU_ASSERT_EQUAL(look_deep(&c, url, "en", &overtaken), CACHE_FOUND);
	CU_ASSERT_EQUAL(look_deep(&c, url, "it", &overtaken), CACHE_MISS);
	/* A pass does not hide what is on disk only. */
	hot_forget(c.hot, key_of(&c, "http://plain/").hash);
	cache_remember_pass(&c, key_of(&c, "http://plain/"), in_ms(60000), REASON_NO_STORE);
	CU_ASSERT_EQUAL(look(&c, "http://plain/", ""), CACHE_COLD);
	cache_invalidate(&c, key_of(&c, url));
	CU_ASSERT_EQUAL(look_deep(&c, url, "de", &overtaken), CACHE_MISS);
	CU_ASSERT_EQUAL(look_deep(&c, url, "en", &overtaken), CACHE_MISS);
	/* An answer that was asked for before comes after: it goes neither into RAM nor to disk. */
	publish(&c, url, late, 10);
	wait_for_disk(&c);
	cache_fini(&c);

	disk_cache(&c);
	CU_ASSERT_EQUAL(look_deep(&c, url, "fr", &overtaken), CACHE_MISS);
	CU_ASSERT_EQUAL(look_deep(&c, url, "de", &overtaken), CACHE_MISS);
	CU_ASSERT_EQUAL(look_deep(&c, "http://plain/", "", &overtaken), CACHE_FOUND);
	CU_ASSERT(!overtaken);
	/* Dropped is dropped, in both tiers. */
	struct object *o = hot_get(c.hot, key_of(&c, "http://plain/").hash, SL("http://plain/"));
	cache_drop(&c, o);
	object_unref(&o);
	CU_ASSERT_EQUAL(look_deep(&c, "http://plain/", "", &overtaken), CACHE_MISS);
	cache_fini(&c);
}

enum { RACE_KEYS = 12, RACE_ROUNDS = 2000 };

static void *invalidate_beside(void *arg)
{
	struct cache *c = arg;
	char text[48];
	for (uint64_t i = 0; i < RACE_ROUNDS; i++)
		cache_invalidate(c, beside(c, sample_hash(i).lo % RACE_KEYS, text));
	return NULL;
}

/* URLs are invalidated by several at a time: in the next life the disk has the newest number of
 * each, and none of another. */
static void test_restart_after_race(void)
{
	fresh_dir();
	struct cache c;
	disk_cache(&c);
	char text[48];
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, invalidate_beside, &c) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	uint64_t numbers[RACE_KEYS];
	for (uint64_t n = 0; n < RACE_KEYS; n++)
		numbers[n] = fence_number(c.fence, beside(&c, n, text).text);
	cache_fini(&c);
	disk_cache(&c);
	role_worker();
	struct purge_mark mark;
	for (uint64_t n = 0; n < RACE_KEYS; n++) {
		CU_ASSERT(cold_recall(c.cold, scope_url(beside(&c, n, text).text), &mark));
		CU_ASSERT_EQUAL(mark.numbers[PURGE_INVALID], numbers[n]);
	}
	CU_ASSERT(cold_recall(c.cold, scope_url(SL("http://f/")), &mark));
	CU_ASSERT_EQUAL(mark.numbers[PURGE_INVALID], 0);
	cache_fini(&c);
}

static void test_no_store(void)
{
	struct cache c;
	struct cache_options o = { .cold = { .path = "/proc/nowhere/store", .size_bytes = GIB },
		.hot_bytes = 16 * MIB };
	CU_ASSERT_EQUAL(cache_init(&c, &o), ERR_NONE);
	CU_ASSERT_EQUAL(cold_state(c.cold), COLD_OFF);
	publish(&c, "http://a/", plain(&c, "http://a/"), 10);
	CU_ASSERT_EQUAL(look(&c, "http://a/", "en"), CACHE_FOUND);
	cache_fini(&c);
}

static void wait_for_state(struct cache *c, enum cold_state state)
{
	for (int i = 0; i < 200 && cold_state(c->cold) != state; i++)
		usleep(20000);
	CU_ASSERT_EQUAL(cold_state(c->cold), state);
}

/* Another process has the store while this one starts, and a change comes in. What the store holds
 * is overtaken once it is open, all of it: the change has no number among its. */
static void test_late_store(void)
{
	for (int invalidates = 0; invalidates < 2; invalidates++) {
		fresh_dir();
		struct cache first, late;
		disk_cache(&first);
		const char *url = "http://late/";
		bool overtaken;
		publish(&first, url, plain(&first, url), 10);
		wait_for_disk(&first);
		struct cache_options o = {
			.cold = { .path = dir, .size_bytes = GIB, .admission = ADMIT_ALWAYS },
			.hot_bytes = 16 * MIB
		};
		must(cache_init(&late, &o) == ERR_NONE);
		CU_ASSERT_EQUAL(cold_state(late.cold), COLD_OFF);
		struct key before = key_of(&late, url);
		publish(&late, "http://own/", plain(&late, "http://own/"), 10);
		if (invalidates)
			cache_invalidate(&late, key_of(&late, "http://any/"));
		uint64_t seq = fence_now(late.fence);
		cache_fini(&first);
		wait_for_state(&late, COLD_OK);
		CU_ASSERT(!hash128_eq(before.hash, key_of(&late, url).hash));
		CU_ASSERT(fence_now(late.fence) > seq);
		CU_ASSERT_EQUAL(look_deep(&late, url, "en", &overtaken), CACHE_FOUND);
		CU_ASSERT_EQUAL(overtaken, invalidates == 1);
		CU_ASSERT_EQUAL(look_deep(&late, "http://own/", "en", &overtaken), CACHE_MISS);
		/* A request that is older than the new secret invalidates the same URL. */
		publish(&late, url, plain(&late, url), 10);
		cache_invalidate(&late, before);
		look_deep(&late, url, "en", &overtaken);
		CU_ASSERT(look_deep(&late, url, "en", &overtaken) != CACHE_FOUND || overtaken);
		cache_fini(&late);
		disk_cache(&late);
		CU_ASSERT(look_deep(&late, url, "en", &overtaken) != CACHE_FOUND || overtaken);
		cache_fini(&late);
	}
}

/* ---- threads ---- */

static void *publish_variants(void *arg)
{
	struct cache *c = arg;
	static _Atomic unsigned started;
	unsigned own = started++;
	struct arena mine;
	arena_init(&mine, MIB);
	for (int i = 0; i < 1000; i++) {
		char language[8];
		snprintf(language, sizeof(language), "l%u", (own + (unsigned)i) % 20);
		struct fields request = { 0 };
		must(fields_add(&request, &mine, FIELD_ACCEPT_LANGUAGE, SL("Accept-Language"),
		    slice_str(language)));
		struct slice values = vary_values(&request, SL("accept-language"), &mine);
		struct key primary = key_of(c, "http://t/");
		struct key at = key_of_variant(primary, values, cache_secret(c), &mine);
		struct object *o = object_new(OBJECT_ANSWER, at,
		    (struct object_texts){ .spec = SL("accept-language"), .values = values }, 0);
		o->life = life_for(60000);
		o->seq = fence_now(c->fence);
		cache_publish(c, primary, o, 10);
		object_unref(&o);
		if (i % 97 == 0)
			cache_invalidate(c, primary);
		arena_reset(&mine);
	}
	arena_fini(&mine);
	return NULL;
}

static void test_threads(void)
{
	struct cache c;
	ram_cache(&c);
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, publish_variants, &c) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	struct object *marker = hot_get(c.hot, key_of(&c, "http://t/").hash, SL("http://t/"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(marker);
	CU_ASSERT_EQUAL(marker->kind, OBJECT_VARY);
	CU_ASSERT(marker->variant_count <= 10);
	object_unref(&marker);
	cache_fini(&c);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "keys that do not vary", test_plain },
		{ "vary", test_vary },
		{ "pass", test_pass },
		{ "fence", test_fence },
		{ "fence, keys of one set", test_fence_beside },
		{ "restart", test_restart },
		{ "restart after a race", test_restart_after_race },
		{ "no store", test_no_store },
		{ "a store that opens late", test_late_store },
		{ "four threads", test_threads },
		CU_TEST_INFO_NULL,
	};
	arena_init(&arena, MIB);
	int result = run_store_tests("cache/cache", tests);
	arena_fini(&arena);
	return result;
}
