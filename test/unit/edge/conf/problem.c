/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/problem.c"

#include <CUnit/Basic.h>

static const struct conf_source sources[] = {
	{ { "a.yaml", 6 }, { "", 0 }, false },
	{ { "--workers", 9 }, { "", 0 }, true },
};

static void test_order(void)
{
	struct arena arena;
	struct problems all;
	struct buf out;
	arena_init(&arena, MIB);
	buf_init(&out, 0);
	problems_init(&all, &arena);
	problem_add(&all, (struct place){ &sources[1], 1, 10 }, "flag");
	problem_add(&all, (struct place){ &sources[0], 7, 1 }, "seventh");
	problem_add(&all, (struct place){ &sources[0], 2, 9 }, "later in %s", "second");
	problem_add(&all, (struct place){ &sources[0], 2, 3 }, "second\nline");
	problem_add(&all, (struct place){ &sources[0], 2, 3 }, "same place");
	problem_add(&all, (struct place){ 0 }, "nowhere");
	problems_write(&all, &out);
	CU_ASSERT(slice_eq(buf_slice(&out),
	    SL("nowhere\n"
	       "a.yaml:2:3: second?line\n"
	       "a.yaml:2:3: same place\n"
	       "a.yaml:2:9: later in second\n"
	       "a.yaml:7:1: seventh\n"
	       "--workers: flag\n")));
	buf_fini(&out);
	arena_fini(&arena);
}

static void test_flood(void)
{
	struct arena arena;
	struct problems all;
	struct buf out;
	arena_init(&arena, MIB);
	buf_init(&out, 0);
	problems_init(&all, &arena);
	for (uint32_t i = 0; i < PROBLEMS_KEPT + 7; i++)
		problem_add(&all, (struct place){ &sources[0], i + 1, 1 }, "one");
	problems_write(&all, &out);
	CU_ASSERT_EQUAL(all.count, PROBLEMS_KEPT + 7);
	CU_ASSERT(slice_ends(buf_slice(&out), SL("a.yaml:100:1: one\n... and 7 more\n")));
	buf_fini(&out);
	arena_fini(&arena);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "shown in the order of the text", test_order },
		{ "a flood is counted", test_flood },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/problem", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
