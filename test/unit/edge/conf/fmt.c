/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/fmt.c"

#include <CUnit/Basic.h>

static const struct {
	const char *name, *text, *want;
} rows[] = {
	{ "empty", "", "" },
	{ "only a comment", "  # a\n", "# a\n" },
	{ "as it shall be", "a: 1\nb:\n  - x\n", "a: 1\nb:\n  - x\n" },
	{ "spaces", "a:   1   \nb :  2\n", "a: 1\nb: 2\n" },
	{ "line ends", "a: 1\r\nb: 2", "a: 1\nb: 2\n" },
	{ "blank lines", "\n\na: 1\n\n\n\nb: 2\n\n", "a: 1\n\nb: 2\n" },
	{ "indentation", "a:\n      b:\n            c: 1\n      d: 2\n",
	    "a:\n  b:\n    c: 1\n  d: 2\n" },
	{ "lists under keys", "a:\n- x\n-   y\n", "a:\n  - x\n  - y\n" },
	{ "maps in lists", "a:\n-   b: 1\n    c:   2\n-   b: 3\n",
	    "a:\n  - b: 1\n    c: 2\n  - b: 3\n" },
	{ "a dash alone", "a:\n-\n    b: 1\n    c: 2\n", "a:\n  -\n    b: 1\n    c: 2\n" },
	{ "lists in lists", "- - a\n  - b\n-  c\n", "- - a\n  - b\n- c\n" },
	{ "comments stand as what is below", "a:\n    # x\n    b: 1   # y\n",
	    "a:\n  # x\n  b: 1   # y\n" },
	{ "a key that is out of use", "a:\n    b: 1\n    # c: 2\nd: 3\n",
	    "a:\n  b: 1\n  # c: 2\nd: 3\n" },
	{ "a section that is out of use", "a:\n    # b: 1\nc: 3\n", "a:\n  # b: 1\nc: 3\n" },
	{ "lists and maps on a line", "a:  {b:  1}\nc:  [x,   y]\n", "a: {b:  1}\nc: [x,   y]\n" },
	{ "a list over lines", "a:\n    b: [x,\n        y]\n", "a:\n  b: [x,\n      y]\n" },
	{ "text blocks", "a:\n    b: |\n        x  \n          # y\n\n        z\n",
	    "a:\n  b: |\n      x  \n        # y\n\n      z\n" },
	{ "quoted over lines", "a:\n    b: \"x\n       y\"\n", "a:\n  b: \"x\n     y\"\n" },
	{ "marks of documents", "---\na:  1\n...\n", "---\na: 1\n...\n" },
	{ "letters of more bytes", "# \xc3\xa9\na:   \xc3\xa9  # \xc3\xa9\n",
	    "# \xc3\xa9\na: \xc3\xa9  # \xc3\xa9\n" },
	{ "variables stay", "a:   ${UNIT_NONE}\n", "a: ${UNIT_NONE}\n" },
};

static bool formats_to(const char *text, const char *want)
{
	const struct conf_source source = { SL("f"), slice_str(text), false };
	struct conf_errors errors;
	struct buf out;
	buf_init(&out, 0);
	conf_errors_init(&errors);
	bool same = conf_fmt(&out, &source, &errors) && slice_eq(buf_slice(&out), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n  %.*s", SLICE_ARG(buf_slice(&out)), want,
		    SLICE_ARG(buf_slice(&errors.text)));
	buf_fini(&out);
	conf_errors_fini(&errors);
	return same;
}

static void test_shape(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!formats_to(rows[i].text, rows[i].want))
			CU_FAIL(rows[i].name);
}

static void test_again(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT(formats_to(rows[i].want, rows[i].want));
}

/* What is no YAML, or would not be the same, is not given out. */
static void test_refused(void)
{
	static const char *const texts[][2] = {
		{ "a: [1\n",
		    "f:2:1: not YAML: did not find expected ',' or ']'; seen while parsing a "
		    "flow sequence that begins in line 1\n" },
		{ "a: 1\na: 2\n", "f:2:1: key \"a\" a second time; the first is in line 1\n" },
		{ "x:\n  ? a\n  : b\n",
		    "f:1:1: cannot be formatted without changing what it says; left as it is\n" },
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const struct conf_source source = { SL("f"), slice_str(texts[i][0]), false };
		struct conf_errors errors;
		struct buf out;
		buf_init(&out, 0);
		conf_errors_init(&errors);
		CU_ASSERT(!conf_fmt(&out, &source, &errors));
		CU_ASSERT_EQUAL(out.len, 0);
		CU_ASSERT(slice_eq(buf_slice(&errors.text), slice_str(texts[i][1])));
		buf_fini(&out);
		conf_errors_fini(&errors);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "one shape", test_shape },
		{ "what is in shape stays", test_again },
		{ "what would change is refused", test_refused },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/fmt", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
