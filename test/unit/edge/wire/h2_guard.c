/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_guard.c"

#include <CUnit/Basic.h>

enum { PER_MINUTE = 60 };

static unsigned pass_many(struct h2_guard *g, enum h2_abuse kind, struct mono now)
{
	unsigned count = 0;
	while (count < 100000 && h2_guard_passes(g, kind, PER_MINUTE, now))
		count++;
	return count;
}

static void test_buckets(void)
{
	static const unsigned sizes[H2_GUARD_KINDS] = { PER_MINUTE, 1000, 2000, 100, 16 };
	for (unsigned kind = 0; kind < H2_GUARD_KINDS; kind++) {
		struct h2_guard g = { 0 };
		struct mono now = { .us = INT64_C(1000) * MINUTE_US };
		CU_ASSERT_EQUAL(pass_many(&g, (enum h2_abuse)kind, now), sizes[kind]);
		CU_ASSERT_FALSE(h2_guard_passes(&g, (enum h2_abuse)kind, PER_MINUTE, now));
		now.us += INT64_C(10) * MINUTE_US;
		CU_ASSERT_EQUAL(pass_many(&g, (enum h2_abuse)kind, now), sizes[kind]);
	}
}

static void test_refill(void)
{
	struct h2_guard g = { 0 };
	struct mono now = { .us = INT64_C(1000) * MINUTE_US };
	(void)pass_many(&g, H2_ABUSE_RESETS, now);
	now.us += 3 * 1000 * 1000; /* at 60 a minute; one of them pays for the try that failed */
	CU_ASSERT_EQUAL(pass_many(&g, H2_ABUSE_RESETS, now), 2);
}

static void test_credit(void)
{
	struct h2_guard g = { 0 };
	struct mono now = { .us = INT64_C(1000) * MINUTE_US };
	(void)pass_many(&g, H2_ABUSE_UPDATES, now);
	h2_guard_credit(&g, H2_ABUSE_UPDATES, 4);
	CU_ASSERT_EQUAL(pass_many(&g, H2_ABUSE_UPDATES, now), 3);
	/* No more than a bucket can be saved up. */
	now.us += MINUTE_US;
	h2_guard_credit(&g, H2_ABUSE_UPDATES, 1000000);
	CU_ASSERT_EQUAL(pass_many(&g, H2_ABUSE_UPDATES, now), 2000);
}

static void test_meters(void)
{
	struct h2_meters m = { 0 };
	for (unsigned why = 0; why < H2_ABUSE_KINDS; why++)
		h2_guard_count(&m, (enum h2_abuse)why);
	CU_ASSERT_EQUAL(meter_read(&m.resets_abuse), 1);
	CU_ASSERT_EQUAL(meter_read(&m.head_abuse), 1);
	CU_ASSERT_EQUAL(meter_read(&m.acks_abuse), 1);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("edge/wire/h2_guard", NULL, NULL);
	CU_add_test(s, "buckets", test_buckets);
	CU_add_test(s, "refill", test_refill);
	CU_add_test(s, "credit", test_credit);
	CU_add_test(s, "meters", test_meters);
	CU_basic_run_tests();
	return CU_get_number_of_failures() > 0;
}
