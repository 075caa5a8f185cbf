/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/receipts.c"

#include <CUnit/Basic.h>

static struct receipts all;

static void put(uint64_t seq, uint64_t number)
{
	receipts_put(&all, &(struct receipt){ .seq = seq, .number = number });
}

static void test_the_latest_stay(void)
{
	struct receipt r;
	receipts_init(&all);
	CU_ASSERT_FALSE(receipts_get(&all, 0, &r));
	CU_ASSERT_FALSE(receipts_get(&all, RECEIPTS, &r));
	for (uint64_t seq = 1; seq <= RECEIPTS + 5; seq++)
		put(seq, 100 + seq);
	CU_ASSERT_EQUAL(all.last, RECEIPTS + 5);
	for (uint64_t seq = 0; seq <= 2 * RECEIPTS; seq++) {
		bool is_there = seq > 5 && seq <= RECEIPTS + 5;
		CU_ASSERT_EQUAL(receipts_get(&all, seq, &r), is_there);
		if (is_there)
			CU_ASSERT_EQUAL(r.number, 100 + seq);
	}
	receipts_fini(&all);
}

/* A number that is too large makes a client's answer newer than it need be; never older. */
static void test_numbers(void)
{
	receipts_init(&all);
	CU_ASSERT_EQUAL(receipts_number(&all, 1), 0);
	put(10, 1000);
	put(12, 1200);
	static const struct {
		uint64_t seq, number;
	} rows[] = { { 1, 1000 }, { 10, 1000 }, { 11, 1200 }, { 12, 1200 }, { 13, 0 } };
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(receipts_number(&all, rows[i].seq), rows[i].number);
	receipts_fini(&all);
}

static void test_what_became_of_it(void)
{
	struct survey v = { .objects = 3, .variants = 4, .bytes = 5, .sample_count = 1 };
	struct receipt r;
	strcpy(v.samples[0], "http://a/1");
	receipts_init(&all);
	put(7, 70);
	receipts_counted(&all, 7, &v);
	receipts_swept(&all, 7);
	receipts_skipped(&all, 7);
	receipts_refreshed(&all, 7, 9, 8, 1);
	/* What is of another, or of none, changes nothing. */
	v.objects = 33;
	receipts_counted(&all, 7 + RECEIPTS, &v);
	receipts_refreshed(&all, 7 + RECEIPTS, 1, 1, 1);
	receipts_counted(&all, 0, &v);
	CU_ASSERT_TRUE_FATAL(receipts_get(&all, 7, &r));
	CU_ASSERT_TRUE(r.is_counted && r.is_swept && r.is_skipped && r.is_queued && !r.is_partial);
	CU_ASSERT_EQUAL(r.objects, 3);
	CU_ASSERT_EQUAL(r.variants, 4);
	CU_ASSERT_EQUAL(r.bytes, 5);
	CU_ASSERT_STRING_EQUAL(r.samples[0], "http://a/1");
	CU_ASSERT_TRUE(r.queued == 9 && r.refreshed == 8 && r.failed == 1);
	v.err = ERR_STORE_IO;
	receipts_counted(&all, 7, &v);
	CU_ASSERT_TRUE_FATAL(receipts_get(&all, 7, &r));
	CU_ASSERT_TRUE(r.is_partial);
	CU_ASSERT_FALSE(receipts_get(&all, 0, &r));
	receipts_fini(&all);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("receipts", NULL, NULL);
	CU_ADD_TEST(suite, test_the_latest_stay);
	CU_ADD_TEST(suite, test_numbers);
	CU_ADD_TEST(suite, test_what_became_of_it);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
