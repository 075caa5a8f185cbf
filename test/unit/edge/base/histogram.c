/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/histogram.c"

#include <CUnit/Basic.h>

static void test_bounds(void)
{
	static const struct {
		int64_t us;
		size_t bucket;
	} rows[] = {
		{ -5, 0 },
		{ 0, 0 },
		{ 100, 0 },
		{ 101, 1 },
		{ 1000, 3 },
		{ 9999999, 15 },
		{ 10000000, 15 },
		{ 10000001, 16 },
		{ INT64_MAX / 2, 16 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct histogram h = { 0 };
		histogram_add(&h, rows[i].us);
		CU_ASSERT_EQUAL(meter_read(&h.buckets[rows[i].bucket]), 1);
	}
	for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
		CU_ASSERT(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

static void test_sum(void)
{
	struct histogram one = { 0 }, two = { 0 };
	struct histogram_sum sum = { 0 };
	histogram_add(&one, 150);
	histogram_add_shared(&two, 150);
	histogram_add_shared(&two, 20 * 1000 * 1000);
	histogram_read(&one, &sum);
	histogram_read(&two, &sum);
	CU_ASSERT_EQUAL(sum.count, 3);
	CU_ASSERT_EQUAL(sum.buckets[1], 2);
	CU_ASSERT_EQUAL(sum.buckets[HISTOGRAM_BOUNDS], 1);
	CU_ASSERT_EQUAL(sum.sum_us, 20000300);
}

static void test_quantile(void)
{
	struct histogram h = { 0 };
	struct histogram_sum none = { 0 }, sum = { 0 };
	CU_ASSERT_DOUBLE_EQUAL(histogram_quantile(&none, .5), 0, .1);
	for (int i = 0; i < 90; i++)
		histogram_add(&h, 400);
	for (int i = 0; i < 10; i++)
		histogram_add(&h, 60 * 1000 * 1000);
	histogram_read(&h, &sum);
	/* 45 of the 90 that lie between 250 and 500: 50 of 90 parts of the way. */
	CU_ASSERT_DOUBLE_EQUAL(histogram_quantile(&sum, .5), 250 + 250. * 50 / 90, .1);
	CU_ASSERT_DOUBLE_EQUAL(histogram_quantile(&sum, .9), 500, .1);
	CU_ASSERT_DOUBLE_EQUAL(histogram_quantile(&sum, .99), 10 * 1000 * 1000, .1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what falls where", test_bounds },
		{ "sums of several", test_sum },
		{ "quantiles", test_quantile },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "base/histogram", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
