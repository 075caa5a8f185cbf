/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/value.c"

#include <CUnit/Basic.h>

static const char *const words[] = { "json", "combined", NULL };

static const struct conf_field bool_field = { .key = "b", .kind = CONF_BOOL };
static const struct conf_field uint_field = { .key = "u", .kind = CONF_UINT, .min = 1, .max = 9 };
static const struct conf_field size_field = { .key = "s", .kind = CONF_SIZE };
static const struct conf_field small_field = {
	.key = "s", .kind = CONF_SIZE, .min = KIB, .max = MIB
};
static const struct conf_field ms_field = { .key = "d", .kind = CONF_DURATION };
static const struct conf_field brief_field = {
	.key = "d", .kind = CONF_DURATION, .min = 100, .max = CONF_HOURS(1)
};
static const struct conf_field share_field = {
	.key = "f", .kind = CONF_FRACTION, .min = 0, .max = 1000
};
static const struct conf_field word_field = { .key = "w", .kind = CONF_WORD, .words = words };

union any {
	bool b;
	uint64_t u;
	int64_t ms;
	double f;
	int word;
};

static bool says(struct buf *got, const char *want)
{
	bool same = slice_eq(buf_slice(got), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(got)), want);
	buf_fini(got);
	return same;
}

/* What is read and written again is canonical. */
static void test_round(void)
{
	static const struct {
		const struct conf_field *field;
		const char *text, *written;
	} rows[] = {
		{ &bool_field, "true", "true" },
		{ &bool_field, "false", "false" },
		{ &uint_field, "1", "1" },
		{ &uint_field, "9", "9" },
		{ &size_field, "0", "0" },
		{ &size_field, "1", "1" },
		{ &size_field, "1024", "1k" },
		{ &size_field, "1025", "1025" },
		{ &size_field, "1536k", "1536k" },
		{ &size_field, "2048m", "2g" },
		{ &size_field, "3t", "3t" },
		{ &small_field, "1k", "1k" },
		{ &small_field, "1m", "1m" },
		{ &ms_field, "0", "0" },
		{ &ms_field, "off", "0" },
		{ &ms_field, "250ms", "250ms" },
		{ &ms_field, "1000ms", "1s" },
		{ &ms_field, "90s", "90s" },
		{ &ms_field, "60m", "1h" },
		{ &ms_field, "7d", "7d" },
		{ &brief_field, "100ms", "100ms" },
		{ &share_field, "0", "0" },
		{ &share_field, "0.1", "0.1" },
		{ &share_field, "0.000001", "0.000001" },
		{ &share_field, "1.0", "1" },
		{ &word_field, "json", "json" },
		{ &word_field, "combined", "combined" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		union any value;
		struct buf out;
		buf_init(&out, 0);
		CU_ASSERT_EQUAL(
		    value_read(rows[i].field, slice_str(rows[i].text), &value), VALUE_OK);
		value_write(&out, rows[i].field, &value);
		CU_ASSERT(says(&out, rows[i].written));
	}
}

static void test_refusal(void)
{
	static const struct {
		const struct conf_field *field;
		const char *text, *why;
	} rows[] = {
		{ &bool_field, "yes", "\"yes\" is not a switch; write true or false" },
		{ &bool_field, "True", "\"True\" is not a switch; write true or false" },
		{ &uint_field, "0", "\"0\" is out of range; write 1 to 9" },
		{ &uint_field, "10", "\"10\" is out of range; write 1 to 9" },
		{ &uint_field, "-1", "\"-1\" is not a number; write 0, 12 or 3000" },
		{ &uint_field, "", "\"\" is not a number; write 0, 12 or 3000" },
		{ &uint_field, "18446744073709551616",
		    "\"18446744073709551616\" is not a number; write 0, 12 or 3000" },
		{ &size_field, "1K", "\"1K\" is not a size; write 512, 64k, 16m or 1g" },
		{ &size_field, "k", "\"k\" is not a size; write 512, 64k, 16m or 1g" },
		{ &size_field, "99999999999t",
		    "\"99999999999t\" is not a size; write 512, 64k, 16m or 1g" },
		{ &small_field, "1", "\"1\" is out of range; write 1k to 1m" },
		{ &ms_field, "5", "\"5\" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off" },
		{ &ms_field, "5 s",
		    "\"5 s\" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off" },
		{ &ms_field, "1h30m",
		    "\"1h30m\" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off" },
		{ &ms_field, "9223372036854775808ms",
		    "\"9223372036854775808ms\" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off" },
		{ &brief_field, "off", "\"off\" is out of range; write 100ms to 1h" },
		{ &share_field, "1.001", "\"1.001\" is out of range; write 0 to 1" },
		{ &share_field, ".5", "\".5\" is not a share; write 0, 0.1 or 1" },
		{ &share_field, "1e-3", "\"1e-3\" is not a share; write 0, 0.1 or 1" },
		{ &share_field, "0.0000001", "\"0.0000001\" is not a share; write 0, 0.1 or 1" },
		{ &word_field, "jsno", "\"jsno\" is not json or combined; did you mean \"json\"?" },
		{ &word_field, "xml", "\"xml\" is not json or combined" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		union any value;
		struct slice text = slice_str(rows[i].text);
		struct buf out;
		buf_init(&out, 0);
		enum value_verdict verdict = value_read(rows[i].field, text, &value);
		CU_ASSERT_NOT_EQUAL(verdict, VALUE_OK);
		value_write_refusal(&out, rows[i].field, text, verdict);
		CU_ASSERT(says(&out, rows[i].why));
	}
}

static void test_string(void)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "/var/cache/larder", "/var/cache/larder" },
		{ "http://127.0.0.1:80", "http://127.0.0.1:80" },
		{ "", "\"\"" },
		{ "*", "\"*\"" },
		{ "off", "\"off\"" },
		{ "12", "\"12\"" },
		{ "-", "\"-\"" },
		{ "a:", "\"a:\"" },
		{ "a b", "\"a b\"" },
		{ "say \"x\"", "\"say \\\"x\\\"\"" },
		{ "${HOME}", "\"$${HOME}\"" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf out;
		buf_init(&out, 0);
		value_write_string(&out, slice_str(rows[i][0]));
		CU_ASSERT(says(&out, rows[i][1]));
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what is read is written the canonical way", test_round },
		{ "what is refused is told why", test_refusal },
		{ "strings are quoted when they must be", test_string },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/value", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
