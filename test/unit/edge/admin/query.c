/* SPDX-License-Identifier: Apache-2.0 */
/* Queries of admin requests: escapes, what is missing, numbers. */
#include "edge/admin/query.c"

#include <CUnit/Basic.h>

static struct arena arena;

static void test_values(void)
{
	static const struct {
		const char *query, *name, *value; /* NULL = there is none */
	} rows[] = {
		{ "url=http%3A%2F%2Fa%2F%3Fx%3D1%26y", "url", "http://a/?x=1&y" },
		{ "a=1&url=x", "url", "x" },
		{ "url=first&url=second", "url", "first" },
		{ "url=a=b", "url", "a=b" },
		{ "url=", "url", "" },
		{ "url", "url", "" },
		{ "url=a+b%2Bc", "url", "a+b+c" },
		{ "url=%c3%A4%zz%4", "url", "\xc3\xa4%zz%4" },
		{ "url=%", "url", "%" },
		{ "xurl=1", "url", NULL },
		{ "", "url", NULL },
		{ "&&", "url", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice value = query_value(
		    slice_str(rows[i].query), slice_str(rows[i].name), &arena);
		CU_ASSERT_EQUAL(value.at == NULL, rows[i].value == NULL);
		CU_ASSERT(slice_eq(value, slice_str(rows[i].value)));
	}
}

static void test_take(void)
{
	struct slice query = SL("header=A%3A1&x&header=B:2"), name, value;
	CU_ASSERT(query_take(&query, &arena, &name, &value));
	CU_ASSERT(slice_eq(name, SL("header")) && slice_eq(value, SL("A:1")));
	CU_ASSERT(query_take(&query, &arena, &name, &value));
	CU_ASSERT(slice_eq(name, SL("x")) && value.len == 0);
	CU_ASSERT(query_take(&query, &arena, &name, &value));
	CU_ASSERT(slice_eq(value, SL("B:2")));
	CU_ASSERT(!query_take(&query, &arena, &name, &value));
}

static void test_numbers(void)
{
	static const struct {
		const char *query;
		uint64_t number;
	} rows[] = {
		{ "limit=5", 5 },
		{ "limit=100", 100 },
		{ "limit=101", 7 },
		{ "limit=0", 7 },
		{ "limit=-1", 7 },
		{ "limit=", 7 },
		{ "limit=99999999999999999999", 7 },
		{ "other=5", 7 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(
		    query_number(slice_str(rows[i].query), SL("limit"), 100, 7), rows[i].number);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "values", test_values },
		{ "take", test_take },
		{ "numbers", test_numbers },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "edge/admin/query", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	arena_init(&arena, 64 * KIB);
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	arena_fini(&arena);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
