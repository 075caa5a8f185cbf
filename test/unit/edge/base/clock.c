/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/clock.c"

#include <CUnit/Basic.h>

static void test_what_is_written_is_read(void)
{
	static const int64_t moments[] = { 1, 999, 1000, 951782400000, 1795264979748, 4102444799999,
		253402300799999 };
	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		char text[WALL_TEXT + 1];
		struct wall read = WALL_NEVER;
		CU_ASSERT_TRUE(wall_write((struct wall){ moments[i] }, text));
		text[WALL_TEXT - 1] = '"'; /* what follows does not matter */
		CU_ASSERT_TRUE(wall_read(slice_of(text, WALL_TEXT), &read));
		CU_ASSERT_EQUAL(read.ms, moments[i]);
	}
}

static void test_what_is_none(void)
{
	static const char *const texts[] = { "", "2026", "2026-11-21", "2026-11-21T06:00:00",
		"2026-11-21T06:00:00Z", "2026-11-21T06:00:00.1Z", "2026-11-21T06:00:00.123",
		"2026-13-21T06:00:00.123Z", "x026-11-21T06:00:00.123Z" };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct wall read = WALL_NEVER;
		if (wall_read(slice_str(texts[i]), &read))
			CU_FAIL(texts[i]);
		CU_ASSERT_EQUAL(read.ms, WALL_NEVER.ms);
	}
	char text[WALL_TEXT];
	CU_ASSERT_FALSE(wall_write((struct wall){ 0 }, text));
	CU_ASSERT_FALSE(wall_write((struct wall){ 253402300800000 }, text));
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("clock", NULL, NULL);
	CU_ADD_TEST(suite, test_what_is_written_is_read);
	CU_ADD_TEST(suite, test_what_is_none);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
