/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.c"

#include "test/unit/cache/samples.h"

static void test_order(void)
{
	struct fence *f = fence_new(100);
	struct hash128 a = sample_hash(1), b = sample_hash(2);
	uint64_t before = fence_now(f);
	CU_ASSERT(before >= 100);
	/* What is left of a former life holds until it is invalidated. */
	CU_ASSERT(fence_holds(f, a, 5));
	uint64_t raised = fence_raise(f, a);
	CU_ASSERT(raised > before);
	CU_ASSERT(!fence_holds(f, a, 5));
	/* A request that was under way is overtaken, one that starts now is not. */
	CU_ASSERT(!fence_holds(f, a, before));
	CU_ASSERT(fence_holds(f, a, fence_now(f)));
	CU_ASSERT(fence_holds(f, b, before));
	fence_raise(f, b);
	CU_ASSERT(fence_holds(f, a, raised));
	fence_free(&f);
	CU_ASSERT_PTR_NULL(f);
}

static void test_restore(void)
{
	struct fence *f = fence_new(1000);
	struct hash128 a = sample_hash(1);
	fence_restore(f, fence_slot(a), 500);
	CU_ASSERT(!fence_holds(f, a, 499));
	CU_ASSERT(fence_holds(f, a, 500));
	CU_ASSERT(fence_slot(a) < 65536);
	fence_free(&f);
}

static void *raise_often(void *arg)
{
	struct fence *f = arg;
	struct hash128 a = sample_hash(1);
	for (int i = 0; i < 50000; i++) {
		uint64_t before = fence_now(f), raised = fence_raise(f, a);
		must(raised > before);
		must(!fence_holds(f, a, before));
	}
	return NULL;
}

static void test_threads(void)
{
	struct fence *f = fence_new(1);
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, raise_often, f) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(fence_now(f), 1 + 4 * 50000);
	CU_ASSERT(fence_holds(f, sample_hash(1), fence_now(f)));
	CU_ASSERT(!fence_holds(f, sample_hash(1), fence_now(f) - 1));
	fence_free(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "before and after", test_order },
		{ "a former life", test_restore },
		{ "four threads", test_threads },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cache/fence", tests);
}
