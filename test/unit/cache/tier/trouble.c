/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/trouble.c"

#include "test/unit/cache/samples.h"

static void test_words(void)
{
	static const struct {
		enum err err;
		const char *words, *word;
	} rows[] = {
		{ ERR_NONE, "", "" },
		{ ERR_STORE_IO,
		    "IO error: No space left on device: While appending to file: /s/4.log: No space left on device",
		    "full" },
		{ ERR_STORE_IO, "IO error: While open a file: /s/4.sst: Read-only file system",
		    "read-only" },
		{ ERR_STORE_IO, "IO error: While opening a file: /s/LOCK: Permission denied",
		    "permission" },
		{ ERR_STORE_IO, "IO error: While fsync: /s/4.log: Input/output error", "io" },
		{ ERR_STORE_LOCKED,
		    "IO error: While lock file: /s/LOCK: Resource temporarily unavailable",
		    "locked" },
		{ ERR_STORE_CORRUPT, "Corruption: CURRENT file corrupted", "corrupt" },
		{ ERR_SYSTEM, "", "io" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_STRING_EQUAL(
		    trouble_word(trouble_of(rows[i].err, rows[i].words)), rows[i].word);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "words", test_words },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/trouble", tests);
}
