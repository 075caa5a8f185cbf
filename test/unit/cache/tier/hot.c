/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/hot.c"

#include "test/unit/cache/samples.h"

static struct object *get(struct hot *hot, uint64_t n)
{
	char text[48];
	struct key key = sample_key(n, text);
	return hot_get(hot, key.hash, key.text);
}

static bool has(struct hot *hot, uint64_t n)
{
	struct object *o = get(hot, n);
	bool found = o != NULL;
	object_unref(&o);
	return found;
}

static void put_sample(struct hot *hot, uint64_t n, uint64_t bytes)
{
	struct object *o = sample_object(n, bytes);
	hot_put(hot, o);
	object_unref(&o);
}

static void test_put_get_remove(void)
{
	struct hot *hot = hot_new(16 * MIB, NULL, NULL);
	CU_ASSERT(!has(hot, 1));
	put_sample(hot, 1, 1000);
	struct object *o = get(hot, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(is_sample(o, 1, 1000));
	/* The same hash with another text is another key. */
	CU_ASSERT_PTR_NULL(hot_get(hot, sample_hash(1), SL("http://other.example/")));
	/* Put again it stays one. */
	hot_put(hot, o);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.objects), 1);
	put_sample(hot, 1, 2000);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.objects), 1);
	/* Removing what is no longer there leaves its successor. */
	hot_remove(hot, o);
	object_unref(&o);
	CU_ASSERT(has(hot, 1));
	hot_forget(hot, sample_hash(1));
	CU_ASSERT(!has(hot, 1));
	CU_ASSERT_EQUAL(meter_read(&hot->meters.bytes), 0);
	hot_free(&hot);
}

static void test_swap(void)
{
	struct hot *hot = hot_new(16 * MIB, NULL, NULL);
	struct object *a = sample_object(1, 10), *b = sample_object(1, 20);
	CU_ASSERT(!hot_swap(hot, b, a));
	CU_ASSERT(hot_swap(hot, NULL, a));
	CU_ASSERT(!hot_swap(hot, NULL, b));
	CU_ASSERT(hot_swap(hot, a, b));
	CU_ASSERT(!hot_swap(hot, a, a));
	CU_ASSERT(hot_swap(hot, b, b));
	object_unref(&a);
	object_unref(&b);
	hot_free(&hot);
}

static void test_table_grows(void)
{
	struct hot *hot = hot_new(256 * MIB, NULL, NULL);
	for (uint64_t n = 0; n < 50000; n++)
		put_sample(hot, n, 10);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.objects), 50000);
	unsigned missing = 0;
	for (uint64_t n = 0; n < 50000; n++)
		missing += !has(hot, n);
	CU_ASSERT_EQUAL(missing, 0);
	CU_ASSERT(hot->shards[0].places >= 512);
	hot_free(&hot);
}

/* Walks in pages; returns how many of the first `count` samples came. */
static unsigned page_all(struct hot *hot, size_t wanted, unsigned count, uint64_t add)
{
	struct hot_place at = { 0 };
	struct object *part[HOT_PAGE];
	unsigned char seen[8000] = { 0 };
	unsigned found = 0;
	while (!hot_place_is_end(&at)) {
		size_t got = hot_page(hot, &at, part, wanted);
		CU_ASSERT_FATAL(got <= HOT_PAGE);
		for (size_t i = 0; i < got; i++) {
			unsigned n = (unsigned)strtoul(part[i]->key.at + 22, NULL, 10);
			CU_ASSERT_FATAL(n < COUNT_OF(seen));
			seen[n]++;
			object_unref(&part[i]);
		}
		/* The table grows meanwhile: nothing is missed for that, and nothing met again. */
		for (uint64_t n = 0; n < add; n++)
			put_sample(hot, count + n, 10);
	}
	for (unsigned n = 0; n < count; n++) {
		found += seen[n] > 0;
		CU_ASSERT(seen[n] <= 1);
	}
	return found;
}

static void test_pages(void)
{
	struct hot *hot = hot_new(256 * MIB, NULL, NULL);
	CU_ASSERT_EQUAL(page_all(hot, 10, 0, 0), 0);
	for (uint64_t n = 0; n < 3000; n++)
		put_sample(hot, n, 10);
	CU_ASSERT_EQUAL(page_all(hot, 1, 3000, 0), 3000);
	CU_ASSERT_EQUAL(page_all(hot, 7, 3000, 0), 3000);
	CU_ASSERT_EQUAL(page_all(hot, 1000, 3000, 0), 3000);
	CU_ASSERT_EQUAL(page_all(hot, 50, 3000, 5000), 3000);
	struct hot_place wild = { UINT32_MAX, UINT32_MAX };
	struct object *part[HOT_PAGE];
	CU_ASSERT_EQUAL(hot_page(hot, &wild, part, 10), 0);
	hot_free(&hot);
}

/* Looking is no hit. */
static void test_peek(void)
{
	struct hot *hot = hot_new(16 * MIB, NULL, NULL);
	put_sample(hot, 1, 10);
	for (int i = 0; i < 3; i++) {
		struct object *o = hot_peek(hot, sample_hash(1));
		CU_ASSERT_PTR_NOT_NULL_FATAL(o);
		CU_ASSERT_EQUAL(o->hits, i > 1);
		CU_ASSERT_EQUAL(o->hot_hits, i > 1);
		object_unref(&o);
		if (i == 1)
			CU_ASSERT(has(hot, 1));
	}
	CU_ASSERT_PTR_NULL(hot_peek(hot, sample_hash(2)));
	hot_free(&hot);
}

/* S3-FIFO: what was asked for again outlives a scan of what is asked for once. */
static void test_scan_resistance(void)
{
	struct hot *hot = hot_new(8 * MIB, NULL, NULL);
	for (uint64_t n = 0; n < 1000; n++) {
		put_sample(hot, n, 2000);
		CU_ASSERT(has(hot, n));
	}
	for (uint64_t n = 10000; n < 40000; n++)
		put_sample(hot, n, 2000);
	unsigned kept = 0;
	for (uint64_t n = 0; n < 1000; n++)
		kept += has(hot, n);
	CU_ASSERT(kept > 950);
	CU_ASSERT(meter_read(&hot->meters.evicted_small) > 20000);
	hot_free(&hot);
}

/* What comes back soon after it left the small queue is remembered, and enters the main queue. */
static void test_ghost(void)
{
	struct hot *hot = hot_new(4 * MIB, NULL, NULL);
	for (uint64_t n = 0; n < 4000; n++)
		put_sample(hot, n, 2000);
	uint64_t gone = 3999;
	while (has(hot, gone))
		gone--;
	put_sample(hot, gone, 2000);
	struct object *o = get(hot, gone);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_EQUAL(o->hot_queue, QUEUE_MAIN);
	object_unref(&o);
	hot_free(&hot);
}

static void test_size_limits(void)
{
	struct hot *hot = hot_new(16 * MIB, NULL, NULL);
	put_sample(hot, 1, 100);
	put_sample(hot, 1, 2 * MIB);
	/* Refused, and what it would have replaced is gone: it is older. */
	CU_ASSERT(!has(hot, 1));
	CU_ASSERT_EQUAL(meter_read(&hot->meters.refused), 1);
	put_sample(hot, 2, MIB);
	CU_ASSERT(has(hot, 2));
	for (uint64_t n = 10; n < 100; n++) {
		put_sample(hot, n, MIB);
		CU_ASSERT(meter_read(&hot->meters.bytes) <= 16 * MIB);
		CU_ASSERT(has(hot, n));
	}
	hot_set_budget(hot, 3 * MIB);
	CU_ASSERT(meter_read(&hot->meters.bytes) <= 3 * MIB);
	hot_set_budget(hot, 0);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.objects), 0);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.bytes), 0);
	hot_free(&hot);
}

/* A body of unknown length is counted when it is complete; one that grew too large goes. */
static void test_settle(void)
{
	struct hot *hot = hot_new(16 * MIB, NULL, NULL);
	for (uint64_t n = 0; n < 2; n++) {
		struct object *o = sample_head(n);
		o->body = flow_new(FLOW_LENGTH_UNKNOWN, FLOW_KEEP_ALL, 0);
		hot_put(hot, o);
		uint64_t before = meter_read(&hot->meters.bytes);
		static const char block[64 * 1024];
		for (int i = 0; i < (n == 0 ? 10 : 20); i++)
			CU_ASSERT(!flow_write(o->body, slice_of(block, sizeof(block))));
		flow_finish(o->body, SLICE_NONE);
		CU_ASSERT_EQUAL(meter_read(&hot->meters.bytes), before);
		hot_settle(hot, o);
		CU_ASSERT_EQUAL(has(hot, n), n == 0);
		CU_ASSERT(n == 1 || meter_read(&hot->meters.bytes) > before + 10 * sizeof(block));
		object_unref(&o);
	}
	hot_forget(hot, sample_hash(0));
	CU_ASSERT_EQUAL(meter_read(&hot->meters.bytes), 0);
	hot_free(&hot);
}

struct evicted {
	_Atomic unsigned with_hits, without;
};

static void count_evicted(void *arg, struct object *o, bool had_hits)
{
	struct evicted *e = arg;
	(void)o->key.len;
	if (had_hits)
		e->with_hits++;
	else
		e->without++;
}

static void test_evict_tells_hits(void)
{
	struct evicted e = { 0 };
	struct hot *hot = hot_new(2 * MIB, count_evicted, &e);
	for (uint64_t n = 0; n < 5000; n++) {
		put_sample(hot, n, 2000);
		if (n % 2)
			CU_ASSERT(has(hot, n));
	}
	CU_ASSERT(e.with_hits > 1000);
	CU_ASSERT(e.without > 1000);
	CU_ASSERT_EQUAL(e.with_hits, meter_read(&hot->meters.evicted_main));
	CU_ASSERT_EQUAL(e.with_hits + e.without + meter_read(&hot->meters.objects), 5000);
	hot_free(&hot);
}

enum { THREADS = 4, ROUNDS = 20000, KEYS = 3000 };

static void *stress(void *arg)
{
	struct hot *hot = arg;
	static _Atomic uint64_t seeds;
	uint64_t x = sample_hash(++seeds).lo;
	for (int i = 0; i < ROUNDS; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		uint64_t n = (x >> 33) % KEYS, what = (x >> 20) % 16;
		struct object *o = get(hot, n);
		if (!o || what == 0)
			put_sample(hot, n, (x >> 40) % 4000);
		else if (what == 1)
			hot_remove(hot, o);
		else if (what == 2)
			hot_settle(hot, o);
		else if (what == 3)
			hot_forget(hot, sample_hash(n));
		object_unref(&o);
		/* One object of each thread may be in before its room is made. */
		must(meter_read(&hot->meters.bytes) <= 2 * MIB + THREADS * 8 * KIB);
	}
	return NULL;
}

static void test_stress(void)
{
	struct evicted e = { 0 };
	struct hot *hot = hot_new(2 * MIB, count_evicted, &e);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, stress, hot) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT(e.with_hits + e.without > 0);
	for (uint64_t n = 0; n < KEYS; n++)
		hot_forget(hot, sample_hash(n));
	CU_ASSERT_EQUAL(meter_read(&hot->meters.objects), 0);
	CU_ASSERT_EQUAL(meter_read(&hot->meters.bytes), 0);
	for (int i = 0; i < SHARDS; i++)
		CU_ASSERT(hot->shards[i].units[0] == 0 && hot->shards[i].units[1] == 0);
	hot_free(&hot);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "put, get, remove", test_put_get_remove },
		{ "swap only what was expected", test_swap },
		{ "the table grows", test_table_grows },
		{ "pages", test_pages },
		{ "peek", test_peek },
		{ "a scan does not push out what is asked for", test_scan_resistance },
		{ "a ghost's return", test_ghost },
		{ "sizes and budget", test_size_limits },
		{ "bodies that grow", test_settle },
		{ "eviction tells of hits", test_evict_tells_hits },
		{ "four threads", test_stress },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/hot", tests);
}
