/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/log.c"

#include <CUnit/Basic.h>

/* What is written of a purge is read in the next life: its order, and when it took force. */
static void test_entries(void)
{
	static const char *const orders[] = {
		"{\"regex\":\"/a\\\"b[0-9]+\",\"mode\":\"hard\"}",
		"{\"expression\":\"a AND NOT \\\"b c\\\"\",\"reason\":\"of \\\"order\\\":{}\"}",
	};
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		struct order_problem problem;
		struct purge p = { .actor = SL("who \"order\":"), .at = { 1795264979748 } };
		struct buf text;
		struct wall at = WALL_NEVER;
		buf_init(&text, TEXT_BYTES);
		CU_ASSERT_EQUAL_FATAL(
		    order_read(slice_str(orders[i]), &p.order, &problem), ERR_NONE);
		write_entry(&text, &p);
		struct order *read = read_entry(buf_slice(&text), &at);
		CU_ASSERT_PTR_NOT_NULL_FATAL(read);
		CU_ASSERT_EQUAL(at.ms, p.at.ms);
		CU_ASSERT_EQUAL(read->mode, p.order->mode);
		CU_ASSERT_TRUE(slice_eq(read->reason, p.order->reason));
		CU_ASSERT_TRUE(order_has_pattern(read));
		order_unref(&read);
		order_unref(&p.order);
		buf_fini(&text);
	}
}

static void test_torn_entries(void)
{
	static const char *const texts[] = { "", "{", "{\"at\":\"2026-11-21T06:00:00.000Z\"",
		"{\"at\":\"2026-11-21T06:00:00.000Z\",\"actor\":\"a\",\"order\":{\"regex\":}}" };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct wall at = WALL_NEVER;
		CU_ASSERT_PTR_NULL(read_entry(slice_str(texts[i]), &at));
		CU_ASSERT_TRUE(at.ms > 0);
	}
}

static void test_cut_texts(void)
{
	static const struct {
		const char *text, *kept;
	} rows[] = {
		{ "", "" },
		{ "abcd", "abcd" },
		{ "abcde", "abcd" },
		{ "abc\u00e4", "abc" },
		{ "ab\u00e4", "ab\u00e4" },
		{ "a\U0001f600", "a" },
		{ "\U0001f600b", "\U0001f600" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char to[5];
		copy_text(to, sizeof(to), slice_str(rows[i].text));
		CU_ASSERT_STRING_EQUAL(to, rows[i].kept);
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("purge log", NULL, NULL);
	CU_ADD_TEST(suite, test_entries);
	CU_ADD_TEST(suite, test_torn_entries);
	CU_ADD_TEST(suite, test_cut_texts);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
