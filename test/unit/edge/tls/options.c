/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/options.c"

#include <CUnit/Basic.h>

struct row {
	const char *text;
	bool well;
};

static void check_rows(const char *(*check)(struct slice), const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool same = (check(slice_str(rows[i].text)) == NULL) == rows[i].well;
		if (!same)
			printf("\n  \"%s\"\n", rows[i].text);
		CU_ASSERT(same);
	}
}

static void test_checks(void)
{
	static const struct row files[] = { { "a.pem", true }, { "", false } };
	static const struct row ciphers[] = {
		{ "", true },
		{ "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305", true },
		{ "HIGH:!aNULL:+SHA1:@SECLEVEL=2:@STRENGTH", true },
		{ "a;b", false },
		{ "${x}", false },
	};
	static const struct row protocols[] = { { "h2", true }, { "http/1.1", true },
		{ "http/1.0", false }, { "H2", false }, { "h3", false }, { "", false } };
	static const struct row names[] = { { "", true }, { "app.internal", true },
		{ "app:443", false }, { "https://app", false }, { "*.app", false },
		{ "a b", false } };
	check_rows(check_file, files, COUNT_OF(files));
	check_rows(check_ciphers, ciphers, COUNT_OF(ciphers));
	check_rows(check_protocol, protocols, COUNT_OF(protocols));
	check_rows(check_server_name, names, COUNT_OF(names));
}

/* Words stand in the order of their enums. */
static void test_words(void)
{
	CU_ASSERT_STRING_EQUAL(versions[TLS_VERSION_12], "1.2");
	CU_ASSERT_STRING_EQUAL(versions[TLS_VERSION_13], "1.3");
	CU_ASSERT_STRING_EQUAL(unknown_names[TLS_UNKNOWN_DEFAULT], "default");
	CU_ASSERT_STRING_EQUAL(unknown_names[TLS_UNKNOWN_REFUSE], "refuse");
	CU_ASSERT_STRING_EQUAL(client_certificates[TLS_CLIENT_OFF], "off");
	CU_ASSERT_STRING_EQUAL(client_certificates[TLS_CLIENT_OPTIONAL], "optional");
	CU_ASSERT_STRING_EQUAL(client_certificates[TLS_CLIENT_REQUIRED], "required");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "checks of strings", test_checks },
		{ "words are their enums", test_words },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "tls/options", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
