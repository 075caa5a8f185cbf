/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The failure sweep: a cache with a store goes through a fixed life, again and again; each time
 * another call to RocksDB fails, once or from then on. Whatever fails: no crash, no other bytes
 * than were published, nothing invalidated is taken for valid, and when the failures end the store
 * is ok.
 */
#include <rocksdb/c.h>

#include "cache/cache.h"

/* ---- calls that fail ---- */

static _Atomic long calls;   /* so far */
static _Atomic long fail_at; /* the number of the call that fails; 0 = none does */
static _Atomic bool goes_on; /* and all after it */
static _Atomic long failures;
static long calls_to_fail; /* in a life's first part */

static bool fails(char **text)
{
	long number = atomic_fetch_add(&calls, 1) + 1;
	if (fail_at == 0 || (goes_on ? number < fail_at : number != fail_at))
		return false;
	failures++;
	*text = strdup("IO error: While testing: Input/output error");
	return true;
}

/* clang-format off */
#define rocksdb_open_column_families(o, path, n, names, settings, families, text) \
	(fails(text) ? NULL : (rocksdb_open_column_families)(o, path, n, names, settings, families, text))
#define rocksdb_get_pinned_cf(db, o, family, key, len, text) \
	(fails(text) ? NULL : (rocksdb_get_pinned_cf)(db, o, family, key, len, text))
#define rocksdb_iter_get_error(it, text) \
	(fails(text) ? (void)0 : (rocksdb_iter_get_error)(it, text))
#define rocksdb_write(db, o, batch, text) \
	(fails(text) ? (void)0 : (rocksdb_write)(db, o, batch, text))
#define rocksdb_flush_cf(db, o, family, text) \
	(fails(text) ? (void)0 : (rocksdb_flush_cf)(db, o, family, text))
#define rocksdb_delete_file_in_range_cf(db, family, from, from_len, to, to_len, text) \
	(fails(text) ? (void)0 : (rocksdb_delete_file_in_range_cf)(db, family, from, from_len, to, to_len, text))
#define rocksdb_destroy_db(o, path, text) \
	(fails(text) ? (void)0 : (rocksdb_destroy_db)(o, path, text))
/* clang-format on */
#include "cache/tier/rocks.c"

/* ---- time that flies ---- */

static struct mono fast_now(void)
{
	return (struct mono){ mono_now().us * 1000 };
}
#define mono_now fast_now
#include "cache/tier/health.c"
#undef mono_now

#include "cache/tier/store.h"
#include "test/unit/cache/tier/stores.h"

enum { PAGES = 6, BALLAST = 24, PATIENCE_MS = 10000, POKED = 999 };

static struct cache cache;
static struct arena arena;

/* A page's versions have other bytes each. */
static uint64_t seed_of(unsigned page, unsigned version)
{
	return page * 10 + version;
}

static uint64_t bytes_of(unsigned page)
{
	return page < PAGES ? 1000 + page * 40000 : 250000;
}

static struct key key_of_page(unsigned page, char text[48])
{
	snprintf(text, 48, "http://sweep/%u", page);
	struct slice s = slice_str(text);
	return (struct key){ s, hash_siphash(cache_secret(&cache), s) };
}

static void publish(unsigned page, unsigned version)
{
	char text[48];
	struct key key = key_of_page(page, text);
	struct object *o = object_new(
	    OBJECT_ANSWER, key, (struct object_texts){ .head = SL("A: b\r\n") }, 0);
	o->status = 200;
	o->life.fresh_until = o->life.keep_until = WALL_FOREVER;
	o->seq = fence_now(cache.fence);
	o->body = sample_body(seed_of(page, version), bytes_of(page));
	cache_publish(&cache, key, o, 4);
	cache_settle(&cache, o);
	object_unref(&o);
}

static void invalidate(unsigned page)
{
	char text[48];
	cache_invalidate(&cache, key_of_page(page, text));
}

/* The version that is served as valid; 0 = none. */
static unsigned served(unsigned page)
{
	char text[48];
	struct fields none = { 0 };
	struct cache_query q = {
		.key = key_of_page(page, text), .request = &none, .arena = &arena, .now = wall_now()
	};
	enum cache_outcome outcome = cache_find(&cache, &q);
	for (int loads = 0; outcome == CACHE_COLD && loads < 3; loads++) {
		struct object *o = load_key(cache.cold, q.at);
		if (!o)
			return 0;
		if (o->body && flow_state(o->body) == FLOW_COMPLETE)
			cache_promote(&cache, o);
		object_unref(&o);
		outcome = cache_find(&cache, &q);
	}
	unsigned version = 0;
	if (outcome == CACHE_FOUND && q.ruling.stands && object_is_complete(q.object)) {
		for (unsigned v = 1; v <= 2; v++)
			if (is_sample(q.object, seed_of(page, v), bytes_of(page)))
				version = v;
		CU_ASSERT(version != 0);
	}
	if (outcome == CACHE_FOUND)
		object_unref(&q.object);
	return version;
}

static void open_cache(void)
{
	struct cache_options o = {
		.cold = { .path = dir, .size_bytes = 8 * MIB, .admission = ADMIT_ALWAYS },
		.hot_bytes = 4 * MIB
	};
	must(cache_init(&cache, &o) == ERR_NONE);
}

/* The store's inside: a struct cold begins with it. */
static struct store *inside(void)
{
	return (struct store *)(void *)cache.cold;
}

static bool has_forgotten(void)
{
	size_t poked = sample_hash(POKED).hi % FORGET_SLOTS; /* by `becomes` */
	for (size_t i = 0; i < FORGET_SLOTS; i++) {
		struct forget_slot *slot = &inside()->forgets.slots[i];
		if (i != poked && slot->asked >> 32 != slot->done)
			return false;
	}
	return true;
}

/* The writer looks after the store whenever there is something to do. */
static bool becomes(bool (*truth)(void))
{
	for (int ms = 0; ms < PATIENCE_MS && !truth(); ms++) {
		cold_forget(cache.cold, sample_hash(POKED));
		usleep(1000);
	}
	return truth();
}

static bool is_ok(void)
{
	return cold_state(cache.cold) == COLD_OK;
}

static bool has_settled(void)
{
	return meter_read(&cold_meters(cache.cold)->queue_bytes) == 0;
}

/* The fixed life. What failures there are come in its first part. */
static void live(void)
{
	open_cache();
	for (unsigned page = 0; page < PAGES; page++)
		publish(page, 1);
	becomes(has_settled);
	cache_fini(&cache);
	open_cache();
	for (unsigned page = 0; page < PAGES; page += 2)
		served(page);
	invalidate(0);
	invalidate(1);
	CU_ASSERT_EQUAL(served(0), 0);
	publish(1, 2);
	for (unsigned page = 100; page < 100 + BALLAST; page++)
		publish(page % 5 + 100, 1);
	becomes(has_settled);
	CU_ASSERT_EQUAL(served(0), 0);
	CU_ASSERT(served(1) != 1);

	fail_at = 0;
	calls_to_fail = calls;
	CU_ASSERT(becomes(is_ok));
	CU_ASSERT(becomes(has_forgotten));
	publish(2, 2);
	becomes(has_settled);
	cache_fini(&cache);
	open_cache();
	CU_ASSERT_EQUAL(served(0), 0);
	CU_ASSERT(served(1) != 1);
	CU_ASSERT_EQUAL(served(2), 2);
	for (unsigned page = 3; page < PAGES; page++)
		CU_ASSERT(served(page) < 2);
	cache_fini(&cache);
}

/* How threads gather what they write is different each time: the fewest of some lives. */
static long calls_of_a_life(void)
{
	long fewest = LONG_MAX;
	for (int life = 0; life < 3; life++) {
		fresh_dir();
		calls = fail_at = failures = 0;
		live();
		fewest = calls_to_fail < fewest ? calls_to_fail : fewest;
	}
	return fewest;
}

static void sweep(bool lasts, long step)
{
	goes_on = lasts;
	long all = calls_of_a_life(), faults = 0, lives = 0;
	for (long n = 1; n <= all; n += step, lives++) {
		fresh_dir();
		calls = failures = 0;
		fail_at = n;
		live();
		faults += failures;
		arena_reset(&arena);
	}
	printf("(%ld calls, %ld lives, %ld failures) ", all, lives, faults);
	/* Not every life makes as many calls as the first. */
	CU_ASSERT(faults >= lives * 3 / 4);
}

static void test_one_call_fails(void)
{
	sweep(false, is_slow() ? 3 : 1);
}

static void test_all_calls_fail_from_one_on(void)
{
	sweep(true, is_slow() ? 5 : 2);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "one call fails", test_one_call_fails },
		{ "all calls fail from one on", test_all_calls_fail_from_one_on },
		CU_TEST_INFO_NULL,
	};
	arena_init(&arena, 64 * MIB);
	return run_store_tests("tier/rocks", tests);
}
