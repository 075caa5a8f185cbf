/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/address.c"

#include <CUnit/Basic.h>

static void test_url(void)
{
	static const struct {
		const char *url, *host;
		uint16_t port; /* 0 = refused */
		bool is_ipv6, is_https;
	} rows[] = {
		{ "http://app:3000", "app", 3000, false, false },
		{ "http://app", "app", 80, false, false },
		{ "HTTP://app:1", "app", 1, false, false },
		{ "http://127.0.0.1:65535", "127.0.0.1", 65535, false, false },
		{ "http://[::]:8080", "::", 8080, true, false },
		{ "http://[fd00::1]", "fd00::1", 80, true, false },
		{ "https://app:8443", "app", 8443, false, true },
		{ "https://app", "app", 443, false, true },
		{ "HTTPS://[::1]", "::1", 443, true, true },
		{ .url = "http://" },
		{ .url = "https://" },
		{ .url = "https:/app" },
		{ .url = "https://app/" },
		{ .url = "ftp://app" },
		{ .url = "http://:80" },
		{ .url = "http://app:" },
		{ .url = "http://app:0" },
		{ .url = "http://app:65536" },
		{ .url = "http://app:80x" },
		{ .url = "http://app/" },
		{ .url = "http://a b" },
		{ .url = "http://user@app" },
		{ .url = "http://::1:80" },
		{ .url = "http://[::1" },
		{ .url = "http://[app]:80" },
		{ .url = "http://[127.0.0.1]:80" },
		{ .url = "app:80" },
		{ .url = "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct host_port a;
		bool well = address_of_url(slice_str(rows[i].url), &a);
		CU_ASSERT_EQUAL(well, rows[i].port != 0);
		CU_ASSERT_EQUAL(well, address_check_url(slice_str(rows[i].url)) == NULL);
		if (!well)
			continue;
		CU_ASSERT(slice_eq(a.host, slice_str(rows[i].host)));
		CU_ASSERT_EQUAL(a.port, rows[i].port);
		CU_ASSERT_EQUAL(a.is_ipv6, rows[i].is_ipv6);
		CU_ASSERT_EQUAL(a.is_https, rows[i].is_https);
	}
}

static void test_admin(void)
{
	static const struct {
		const char *text;
		bool well;
	} rows[] = {
		{ "off", true },
		{ "127.0.0.1:9000", true },
		{ "[::1]:9000", true },
		{ "localhost:9000", true },
		{ "unix:/run/larder/admin.sock", true },
		{ "unix:", false },
		{ "127.0.0.1", false },
		{ ":9000", false },
		{ "on", false },
		{ "", false },
		{ "unix:/a/path/that/is/longer/than/an/address/of/a/unix/socket/may/be,/which/is/one/"
		  "hundred/and/seven/bytes/at/the/most",
		    false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(address_check_admin(slice_str(rows[i].text)) == NULL, rows[i].well);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "addresses of listeners and origins", test_url },
		{ "addresses of the admin listener", test_admin },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/address", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
