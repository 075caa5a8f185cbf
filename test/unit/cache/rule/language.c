/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/language.c"

#include "test/unit/edge/http/kit.h"

static void test_table(void)
{
	static const struct {
		const char *accept, *content;
		bool is_first;
	} rows[] = {
		{ "fr;q=0.5, de;q=1.0", "de", true },
		{ "DE, en;q=0.9", "de", true },
		{ "de, en", "de", false },
		{ "de;q=0.5, en", "de", false },
		{ "de-AT", "de", false },
		{ "de", "de, en", false },
		{ "*", "de", false },
		{ "de;q=0", "de", false },
		{ "", "de", false },
		{ "de", "", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(rows[i].accept,
		    language_is_first_choice(
			slice_str(rows[i].accept), slice_str(rows[i].content)) == rows[i].is_first);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "table", test_table },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/language", tests);
}
