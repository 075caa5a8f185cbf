/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/evict.c"

#include <dirent.h>
#include <sys/stat.h>

#include "test/unit/cache/tier/stores.h"

static void test_sizes(void)
{
	static const struct {
		uint64_t disk, memory;
		unsigned usable; /* percent */
	} rows[] = {
		{ 16 * MIB, 0, 50 },
		{ 64 * MIB, 0, 80 },
		{ GIB, 0, 88 },
		{ 10 * GIB, 0, 88 },
		{ 100 * GIB, 0, 98 },
		{ 10000 * GIB, 0, 99 },
		{ 100 * GIB, 96 * MIB, 99 },
		{ 100 * GIB, 16 * MIB, 99 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sizes s = sizes_of(rows[i].disk, rows[i].memory);
		uint64_t memory = 4 * s.body_buffer_bytes + 2 * s.meta_buffer_bytes +
		    s.cache_bytes + s.queue_bytes;
		CU_ASSERT(s.budget_bytes >= rows[i].disk / 100 * rows[i].usable);
		CU_ASSERT(s.budget_bytes < rows[i].disk);
		CU_ASSERT(s.group_bytes >= 256 * KIB);
		CU_ASSERT(rows[i].memory == 0 || memory <= rows[i].memory / 4);
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
			sum += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return sum;
}

static _Atomic bool is_over;
static _Atomic uint64_t most;

/* Looks at the disk all the time, also between what the writer does. */
static void *watch(UNUSED void *arg)
{
	while (!is_over) {
		most = max_u64(most, dir_bytes());
		usleep(1000);
	}
	return NULL;
}

/* Writes `count` samples of that size; returns the most that they took on disk at any moment. */
static uint64_t overfill(struct cold *c, uint64_t count, uint64_t bytes)
{
	pthread_t watcher;
	is_over = false;
	most = 0;
	must(pthread_create(&watcher, NULL, watch, NULL) == 0);
	for (uint64_t n = 0; n < count; n++)
		store_patiently(c, n, bytes ? sample_hash(n).lo % (2 * bytes) : 0);
	settle(c);
	is_over = true;
	pthread_join(watcher, NULL);
	return most;
}

/* Bodies of many sizes, far more of them than fit: at no moment is the disk more than full. */
static void test_ceiling(void)
{
	static const struct {
		uint64_t disk, count, bytes;
	} rows[] = {
		{ 16 * MIB, 80000, 0 },
		{ 64 * MIB, 60000, 1 * KIB },
		{ 64 * MIB, 8000, 16 * KIB },
		{ 64 * MIB, 60, 3 * MIB },
		{ 128 * MIB, 14000, 16 * KIB },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t count = rows[i].count / (is_slow() ? 8 : 1);
		fresh_dir();
		struct cold *c = open_store(rows[i].disk, ADMIT_ALWAYS);
		uint64_t peak = overfill(c, count, rows[i].bytes);
		printf("(%" PRIu64 " MiB: at most %.3f) ", rows[i].disk / MIB,
		    (double)peak / (double)rows[i].disk);
		CU_ASSERT(peak <= rows[i].disk / 100 * 102);
		cold_close(&c);
	}
}

static void test_eviction(void)
{
	enum { SIZE_MIB = 64, OBJECT = 600 * 1024, COUNT = 500 };
	fresh_dir();
	struct cold *c = open_store(SIZE_MIB * MIB, ADMIT_ALWAYS);
	for (uint64_t n = 0; n < COUNT; n++)
		store_patiently(c, n, OBJECT);
	settle(c);
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
		{ "plans", test_sizes },
		{ "eviction keeps the size", test_eviction },
		{ "the ceiling", test_ceiling },
		{ "loads during eviction", test_load_during_eviction },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/evict", tests);
}
