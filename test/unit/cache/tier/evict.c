/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/evict.c"

#include <dirent.h>
#include <sys/stat.h>

#include "test/unit/cache/tier/stores.h"

static void test_plan(void)
{
	static const uint64_t sizes[] = { 1, MIB, 64 * MIB, GIB, 100 * GIB, 10000 * GIB };
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct evict_plan plan = evict_plan_of(sizes[i]);
		struct evict e;
		evict_init(&e, sizes[i]);
		CU_ASSERT(plan.write_buffer_bytes >= MIB && plan.write_buffer_bytes <= 64 * MIB);
		CU_ASSERT(e.budget_bytes <= sizes[i] && e.budget_bytes >= sizes[i] / 2);
	}
}

/* Bytes of all files in the store's directory. */
static uint64_t dir_bytes(void)
{
	uint64_t sum = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	closedir(d);
	return sum;
}

/* Writes `count` samples of that size into a store of 64 MiB; returns the most it took on disk. */
static uint64_t overfill(struct cold *c, uint64_t count, uint64_t bytes, uint64_t stride)
{
	uint64_t most = 0;
	for (uint64_t n = 0; n < count; n++) {
		store_patiently(c, n, bytes);
		if (n % stride == 0)
			most = max_u64(most, dir_bytes());
	}
	settle(c);
	return max_u64(most, dir_bytes());
}

static void test_eviction(void)
{
	enum { SIZE_MIB = 64, OBJECT = 600 * 1024, COUNT = 500 };
	fresh_dir();
	struct cold *c = open_store(SIZE_MIB * MIB, ADMIT_ALWAYS);
	uint64_t most = overfill(c, COUNT, OBJECT, 10);
	printf("(store of %d MiB, %d MiB written: at most %" PRIu64 " MiB) ", SIZE_MIB,
	    OBJECT / 1024 * COUNT / 1024, most / MIB);
	CU_ASSERT(most < (SIZE_MIB + 16) * MIB);
	unsigned whole = 0, wrong = 0;
	for (uint64_t n = 0; n < COUNT; n++) {
		enum found found = check_stored(c, n, OBJECT);
		whole += found == WHOLE;
		wrong += found == WRONG;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 50);
	/* The newest are there, the oldest are not. */
	CU_ASSERT_EQUAL(check_stored(c, COUNT - 1, OBJECT), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 0, OBJECT), NOTHING);
	CU_ASSERT(meter_read(&cold_meters(c)->evicted) > 100 * MIB);
	cold_close(&c);
	c = open_store(SIZE_MIB * MIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, COUNT - 1, OBJECT), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 0, OBJECT), NOTHING);
	cold_close(&c);
}

/* Where metadata is most of it: no body file may be left to evict, and the size still holds. */
static void test_eviction_of_heads(void)
{
	fresh_dir();
	struct cold *c = open_store(16 * MIB, ADMIT_ALWAYS);
	uint64_t count = is_slow() ? 150000 : 400000;
	uint64_t most = overfill(c, count, 0, 20000);
	printf("(store of 16 MiB, %" PRIu64 " heads: at most %" PRIu64 " MiB) ", count, most / MIB);
	CU_ASSERT(most < 32 * MIB);
	CU_ASSERT_EQUAL(check_stored(c, count - 1, 0), WHOLE);
	CU_ASSERT(is_slow() || check_stored(c, 0, 0) == NOTHING);
	cold_close(&c);
}

/* A reader of many chunks goes on while its files are evicted. */
static void test_load_during_eviction(void)
{
	fresh_dir();
	struct cold *c = open_store(64 * MIB, ADMIT_ALWAYS);
	unsigned wrong = 0, whole = 0;
	for (uint64_t n = 0; n < 300; n++) {
		store_patiently(c, n, 900 * 1024);
		/* The queue holds some 70 of them at most, the store as many before those. */
		if (n < 130)
			continue;
		enum found found = check_stored(c, n - 2 - n * 37 % 128, 900 * 1024);
		whole += found == WHOLE;
		wrong += found == WRONG;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 20);
	cold_close(&c);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "plans", test_plan },
		{ "eviction keeps the size", test_eviction },
		{ "eviction of heads", test_eviction_of_heads },
		{ "loads during eviction", test_load_during_eviction },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/evict", tests);
}
