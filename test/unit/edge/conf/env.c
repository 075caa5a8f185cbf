/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/env.c"

#include <CUnit/Basic.h>

static void test_expand(void)
{
	static const struct {
		const char *raw;
		enum env_verdict verdict;
		const char *text; /* with ENV_UNSET, the variable's name */
	} rows[] = {
		{ "", ENV_OK, "" },
		{ "plain", ENV_OK, "plain" },
		{ "$HOST", ENV_OK, "$HOST" },
		{ "$", ENV_OK, "$" },
		{ "${UNIT_HOST}", ENV_OK, "app" },
		{ "http://${UNIT_HOST}:${UNIT_PORT}", ENV_OK, "http://app:80" },
		{ "${UNIT_HOST}${UNIT_HOST}", ENV_OK, "appapp" },
		{ "[${UNIT_EMPTY}]", ENV_OK, "[]" },
		{ "$${UNIT_HOST}", ENV_OK, "${UNIT_HOST}" },
		{ "a$${b${UNIT_PORT}", ENV_OK, "a${b80" },
		{ "${UNIT_RECURSIVE}", ENV_OK, "${UNIT_HOST}" },
		{ "${UNIT_NONE}", ENV_UNSET, "UNIT_NONE" },
		{ "${UNIT_HOST}${UNIT_NONE}", ENV_UNSET, "UNIT_NONE" },
		{ "${", ENV_MALFORMED, "" },
		{ "${}", ENV_MALFORMED, "" },
		{ "${UNIT_HOST", ENV_MALFORMED, "" },
		{ "${1}", ENV_MALFORMED, "" },
		{ "${UNIT HOST}", ENV_MALFORMED, "" },
		{ "${UNIT_HOST:-x}", ENV_MALFORMED, "" },
	};
	setenv("UNIT_HOST", "app", 1);
	setenv("UNIT_PORT", "80", 1);
	setenv("UNIT_EMPTY", "", 1);
	setenv("UNIT_RECURSIVE", "${UNIT_HOST}", 1);
	unsetenv("UNIT_NONE");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena arena;
		struct slice text = SLICE_NONE, name = SLICE_NONE;
		arena_init(&arena, MIB);
		enum env_verdict verdict = env_expand(slice_str(rows[i].raw), &arena, &text, &name);
		CU_ASSERT_EQUAL(verdict, rows[i].verdict);
		if (verdict == ENV_OK)
			CU_ASSERT(slice_eq(text, slice_str(rows[i].text)));
		if (verdict == ENV_UNSET)
			CU_ASSERT(slice_eq(name, slice_str(rows[i].text)));
		arena_fini(&arena);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "variables in values", test_expand },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/env", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
