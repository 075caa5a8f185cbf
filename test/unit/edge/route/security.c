/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/route/security.c"

#include <CUnit/Basic.h>

enum { DAY_MS = 86400 * 1000 };

#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"
#define REFERRER "Referrer-Policy: strict-origin-when-cross-origin\r\n"
#define FRAMES "X-Frame-Options: SAMEORIGIN\r\n"

/* Whether the lines that are added to an answer with one field are these. */
static bool adds(
    const struct security *s, bool is_secure, const char *name, const char *value, const char *want)
{
	struct field line = { slice_str(name), slice_str(value), FIELD_OTHER };
	const struct fields fields = { &line, name != NULL, 1 };
	struct buf out;
	buf_init(&out, 0);
	security_lines(s, is_secure, &fields, &out);
	bool same = slice_eq(buf_slice(&out), slice_str(want));
	if (!same)
		printf("\n  got  %.*s\n  want %s\n", SLICE_ARG(buf_slice(&out)), want);
	buf_fini(&out);
	return same;
}

static void test_nothing(void)
{
	const struct security s = { .hsts_subdomains = true, .hsts_preload = true };
	CU_ASSERT(adds(&s, true, NULL, NULL, ""));
	CU_ASSERT(adds(&s, false, NULL, NULL, ""));
}

/* RFC 6797 7.2: over TLS; RFC 6797 7.1: one. */
static void test_hsts(void)
{
	struct security s = { .hsts_ms = (int64_t)365 * DAY_MS };
	CU_ASSERT(adds(&s, true, NULL, NULL, "Strict-Transport-Security: max-age=31536000\r\n"));
	CU_ASSERT(adds(&s, false, NULL, NULL, ""));
	CU_ASSERT(adds(&s, true, "strict-transport-security", "max-age=0", ""));
	s.hsts_subdomains = true;
	CU_ASSERT(adds(&s, true, NULL, NULL,
	    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"));
	s.hsts_preload = true;
	CU_ASSERT(adds(&s, true, NULL, NULL,
	    "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload\r\n"));
	s = (struct security){ .hsts_ms = 90500, .hsts_preload = true };
	CU_ASSERT(adds(&s, true, NULL, NULL, "Strict-Transport-Security: max-age=90; preload\r\n"));
}

static void test_headers(void)
{
	static const struct security s = { .headers = true };
	static const char csp[] = "Content-Security-Policy";
	static const struct {
		const char *name, *value, *want;
	} rows[] = {
		{ NULL, NULL, NOSNIFF REFERRER FRAMES },
		{ "Server", "x", NOSNIFF REFERRER FRAMES },
		{ "x-content-type-options", "nosniff", REFERRER FRAMES },
		{ "REFERRER-POLICY", "no-referrer", NOSNIFF FRAMES },
		{ "X-Frame-Options", "DENY", NOSNIFF REFERRER },
		{ csp, "default-src 'self'", NOSNIFF REFERRER FRAMES },
		{ csp, "frame-ancestors 'none'", NOSNIFF REFERRER },
		{ csp, "default-src 'self';Frame-Ancestors https://a", NOSNIFF REFERRER },
		{ csp, "default-src x, script-src y; frame-ancestors z", NOSNIFF REFERRER },
		{ csp, "report-uri /frame-ancestors", NOSNIFF REFERRER FRAMES },
		{ csp, "frame-ancestors-not x; ;", NOSNIFF REFERRER FRAMES },
		{ "X-Policy", "frame-ancestors 'none'", NOSNIFF REFERRER FRAMES },
		{ "Content-Security-Policy-Report-Only", "frame-ancestors 'none'",
		    NOSNIFF REFERRER FRAMES },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (int secure = 0; secure < 2; secure++)
			CU_ASSERT(adds(&s, secure, rows[i].name, rows[i].value, rows[i].want));
}

static void test_both(void)
{
	const struct security s = { .headers = true, .hsts_ms = 1000 };
	CU_ASSERT(adds(&s, true, NULL, NULL,
	    "Strict-Transport-Security: max-age=1\r\n" NOSNIFF REFERRER FRAMES));
	CU_ASSERT(adds(&s, false, NULL, NULL, NOSNIFF REFERRER FRAMES));
}

static void test_words(void)
{
	CU_ASSERT_STRING_EQUAL(https_policies[HTTPS_ANY], "any");
	CU_ASSERT_STRING_EQUAL(https_policies[HTTPS_REDIRECT], "redirect");
	CU_ASSERT_STRING_EQUAL(https_policies[HTTPS_REQUIRE], "require");
	CU_ASSERT_STRING_EQUAL(certificate_policies[CERTIFICATE_IGNORE], "ignore");
	CU_ASSERT_STRING_EQUAL(certificate_policies[CERTIFICATE_FORWARD], "forward");
	CU_ASSERT_STRING_EQUAL(certificate_policies[CERTIFICATE_REQUIRE], "require");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "nothing that was not asked for", test_nothing },
		{ "HSTS over TLS only, once", test_hsts },
		{ "the default set, where it lacks", test_headers },
		{ "both", test_both },
		{ "words are their enums", test_words },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "route/security", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
