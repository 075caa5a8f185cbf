/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/nearest.c"

#include <CUnit/Basic.h>

static void test_edits(void)
{
	static const struct {
		const char *a, *b;
		size_t edits;
	} rows[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "same", "same", 0 },
		{ "orgins", "origins", 1 },
		{ "origins", "orgins", 1 },
		{ "wrokers", "workers", 1 },
		{ "kitten", "sitting", 3 },
		{ "ab", "ba", 1 },
		{ "ca", "abc", 3 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(
		    nearest_edits(slice_str(rows[i].a), slice_str(rows[i].b)), rows[i].edits);
}

static void test_too_long(void)
{
	char word[WORD_BYTES + 1];
	memset(word, 'a', sizeof(word));
	struct slice longest = slice_of(word, WORD_BYTES), longer = slice_of(word, sizeof(word));
	CU_ASSERT_EQUAL(nearest_edits(longest, longest), 0);
	CU_ASSERT_EQUAL(nearest_edits(longer, longer), SIZE_MAX);
}

static void test_best(void)
{
	static const char *const words[] = { "listen", "limits", "origins", "routes", "log",
		"off" };
	static const char *const rows[][2] = {
		{ "orgins", "origins" },
		{ "origin", "origins" },
		{ "listne", "listen" },
		{ "limit", "limits" },
		{ "lgo", "log" },
		{ "on", "" },
		{ "x", "" },
		{ "cache", "" },
		{ "completely-else", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct nearest near = nearest_to(slice_str(rows[i][0]));
		for (size_t j = 0; j < COUNT_OF(words); j++)
			nearest_offer(&near, slice_str(words[j]));
		CU_ASSERT(slice_eq(near.best, slice_str(rows[i][1])));
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "edits between words", test_edits },
		{ "words that are too long", test_too_long },
		{ "the word that was meant", test_best },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/nearest", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
