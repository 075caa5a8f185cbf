/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: numbers, tables, and the verb that was meant. */
int larderctl_main(int argc, char **argv);
#define main larderctl_main
#include "tools/larderctl.c"
#undef main

#include <CUnit/Basic.h>

static void test_numbers(void)
{
	static const struct {
		const char *name;
		double value;
		const char *text;
	} rows[] = {
		{ "http_requests_total", 0, "0" },
		{ "http_requests_total", 99999, "99999" },
		{ "http_requests_total", 123456, "123 k" },
		{ "http_requests_total", 1234567, "1.23 M" },
		{ "http_requests_total", 999999, "1.00 M" },
		{ "http_requests_total", 12.5, "12.5" },
		{ "cache_bytes", 512, "512 B" },
		{ "cache_bytes", 1536, "1.50 KiB" },
		{ "http_sent_bytes_total", 3. * 1024 * 1024 * 1024, "3 GiB" },
		{ "process_uptime_seconds", 12, "12 s" },
		{ "process_uptime_seconds", 3 * 3600 + 120, "3h 2m" },
		{ "process_uptime_seconds", 2 * 86400 + 3600, "2d 1h" },
		{ "http_request_seconds", .00025, "250 us" },
		{ "http_request_seconds", .0125, "12.5 ms" },
		{ "http_request_seconds", 0, "0 s" },
		{ "process_start_time_seconds", 0, "1970-01-01 00:00:00" },
	};
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[TEXT_BYTES];
		number_print(text, rows[i].value, number_unit_of(slice_str(rows[i].name)));
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

static void test_rows(void)
{
	json_t *series = json_loads(
	    "{\"name\":\"a_total\",\"labels\":{\"x\":\"1\",\"y\":\"2\"},\"kind\":\"counter\","
	    "\"value\":30}",
	    0, NULL);
	json_t *now = json_object(), *before = json_pack("{s:f}", "a_total{x=1,y=2}", 10.);
	struct row row;
	row_fill(&row, series, NULL, now, 2);
	CU_ASSERT_STRING_EQUAL(row.name, "a_total{x=1,y=2}");
	CU_ASSERT_STRING_EQUAL(row.value, "30");
	CU_ASSERT_STRING_EQUAL(row.rate, "");
	row_fill(&row, series, before, now, 2);
	CU_ASSERT_STRING_EQUAL(row.rate, "10/s");
	CU_ASSERT_DOUBLE_EQUAL(json_number_value(json_object_get(now, row.name)), 30, .1);
	json_decref(series);
	series = json_loads("{\"name\":\"w_seconds\",\"labels\":{},\"kind\":\"histogram\","
			    "\"count\":5,\"p50\":0.001,\"p90\":0.002,\"p99\":1.5}",
	    0, NULL);
	row_fill(&row, series, NULL, now, 2);
	CU_ASSERT_STRING_EQUAL(row.name, "w_seconds");
	CU_ASSERT_STRING_EQUAL(row.value, "5");
	CU_ASSERT_STRING_EQUAL(row.more, "  p50 1 ms  p90 2 ms  p99 1.50 s");
	json_decref(series);
	json_decref(before);
	json_decref(now);
}

static const struct verb *verb_of(const char *words)
{
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (strcmp(verbs[i].words, words) == 0)
			return &verbs[i];
	CU_FAIL_FATAL("no such verb");
	return NULL;
}

/* Each option's letter is one that main knows; a longer verb comes before its beginning. */
static void test_verb_table(void)
{
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		CU_ASSERT_EQUAL(strspn(verbs[i].takes, "wHNPTnBoSR"), strlen(verbs[i].takes));
		CU_ASSERT_EQUAL(takes_words(&verbs[i]),
		    strcmp(verbs[i].words, "stat") == 0 || strstr(verbs[i].args, "URL") ||
			strstr(verbs[i].args, "NAME") || strstr(verbs[i].args, "FILE ") ||
			strstr(verbs[i].args, "SEQ ["));
		for (size_t later = i + 1; later < COUNT_OF(verbs); later++)
			CU_ASSERT(!slice_starts(
			    slice_str(verbs[later].words), slice_str(verbs[i].words)));
	}
}

static void test_verbs(void)
{
	char config[] = "config", relaod[] = "relaod", dump_word[] = "dump", sta[] = "sta";
	char *one[] = { config, dump_word }, *two[] = { config, relaod }, *three[] = { sta };
	int words = 0;
	CU_ASSERT_EQUAL(distance(verb_of("config dump"), one, 2, &words), 0);
	CU_ASSERT_EQUAL(words, 2);
	CU_ASSERT_EQUAL(distance(verb_of("config reload"), two, 2, &words), 2);
	CU_ASSERT_EQUAL(distance(verb_of("stat"), three, 1, &words), 1);
	CU_ASSERT_EQUAL(distance(verb_of("config dump"), one, 1, &words), 4);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "numbers", test_numbers },
		{ "rows", test_rows },
		{ "verbs", test_verbs },
		{ "the table of verbs", test_verb_table },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "tools/larderctl", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
