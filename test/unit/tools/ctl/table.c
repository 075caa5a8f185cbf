/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: as wide as they must be, and nothing of a stranger's text that a terminal obeys. */
#include "tools/ctl/table.c"

#include <CUnit/Basic.h>
#include <unistd.h>

/* What a table shows on stdout. */
static void shown(const struct table *t, char *to, size_t room)
{
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	table_show(t);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(file);
	to[fread(to, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void test_table(void)
{
	static const char *const titles[] = { ">HITS", "WHERE", "URL" };
	struct table t;
	char text[256];
	table_init(&t, titles, COUNT_OF(titles));
	shown(&t, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "HITS  WHERE  URL\n");
	table_add(&t, "%d", 7);
	table_add(&t, "RAM+disk");
	table_add(&t, "http://a/");
	table_add(&t, "%d", 12345);
	table_add(&t, "%s", "");
	table_add(&t, "x\033[2J\n\x7f");
	shown(&t, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text,
	    " HITS  WHERE     URL\n"
	    "    7  RAM+disk  http://a/\n"
	    "12345            x?[2J??\n");
	table_fini(&t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "table", test_table },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "tools/ctl/table", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
