/* SPDX-License-Identifier: Apache-2.0 */
/* The table of certificates: what fits into a cell. */
#include "tools/ctl/cert.c"

#include <CUnit/Basic.h>

static void test_names(void)
{
	static const struct {
		const char *names, *cell;
	} rows[] = {
		{ "[]", "" },
		{ "[\"a.example\"]", "a.example" },
		{ "[\"a.example\", \"*.b.example\"]", "a.example *.b.example" },
		{ "[\"a-quite-long-name.shop.example\", \"another-long.shop.example\", \"c.example\"]",
		    "a-quite-long-name.shop.example +2" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char cell[CELL_BYTES] = "";
		json_t *names = json_loads(rows[i].names, 0, NULL);
		print_names(cell, names);
		CU_ASSERT_STRING_EQUAL(cell, rows[i].cell);
		json_decref(names);
	}
}

static void test_line(void)
{
	struct line line;
	json_t *cert = json_loads(
	    "{\"names\":[\"a.example\"],\"listener\":\"https://0.0.0.0:443\",\"path\":\"/a.pem\","
	    "\"key\":\"ECDSA\",\"not_after\":\"2026-12-24T12:00:00Z\",\"days_left\":-3,"
	    "\"fingerprint\":\"0123456789abcdef0123\"}",
	    0, NULL);
	fill(&line, cert);
	CU_ASSERT_STRING_EQUAL(line.cells[1], "ECDSA");
	CU_ASSERT_STRING_EQUAL(line.cells[2], "2026-12-24");
	CU_ASSERT_STRING_EQUAL(line.cells[3], "-3");
	CU_ASSERT_STRING_EQUAL(line.cells[5], "0123456789abcdef  /a.pem");
	json_decref(cert);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "names", test_names },
		{ "line", test_line },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "tools/ctl/cert", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
