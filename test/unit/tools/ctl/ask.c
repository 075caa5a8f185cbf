/* SPDX-License-Identifier: Apache-2.0 */
/* What came over the socket, as an answer. */
#include "tools/ctl/ask.c"

#include <CUnit/Basic.h>

static void test_answers(void)
{
	struct answer a = { 0 };
	buf_init(&a.bytes, 0);
	buf_add(&a.bytes, SL("HTTP/1.1 422 Unprocessable Content\r\ncontent-length:  2\r\n\r\n{}"));
	parse_answer(&a);
	CU_ASSERT_EQUAL(a.status, 422);
	CU_ASSERT(slice_eq(a.body, SL("{}")));
	buf_fini(&a.bytes);
}

static void test_escapes(void)
{
	struct buf text;
	buf_init(&text, 0);
	add_escaped(&text, "http://a/~x?y=1&z= \xc3\xa4+%");
	CU_ASSERT(
	    slice_eq(buf_slice(&text), SL("http%3A%2F%2Fa%2F~x%3Fy%3D1%26z%3D%20%C3%A4%2B%25")));
	buf_fini(&text);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "answers", test_answers },
		{ "escapes", test_escapes },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "tools/ctl/ask", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
