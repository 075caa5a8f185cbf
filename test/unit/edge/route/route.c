/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/route/route.c"

#include <CUnit/Basic.h>

/* In an order that helps nobody. */
static struct route list[] = {
	{ .host = { "*", 1 }, .path = { "/", 1 }, .origin = { "any", 3 } },
	{ .host = { "*", 1 }, .path = { "/static", 7 }, .origin = { "any-static", 10 } },
	{ .host = { "shop.example", 12 }, .path = { "/", 1 }, .origin = { "shop", 4 } },
	{ .host = { "shop.example", 12 }, .path = { "/api", 4 }, .origin = { "api", 3 } },
	{ .host = { "shop.example", 12 }, .path = { "/api/v2", 7 }, .origin = { "api2", 4 } },
	{ .host = { "*.example", 9 }, .path = { "/", 1 }, .origin = { "below", 5 } },
	{ .host = { "*.img.example", 13 }, .path = { "/", 1 }, .origin = { "img", 3 } },
	{ .host = { "api.example", 11 }, .path = { "/v1/", 4 }, .origin = { "v1", 2 } },
	{ .host = { "[::1]", 5 }, .path = { "/", 1 }, .origin = { "six", 3 } },
};
static const struct routes all = { { list, COUNT_OF(list) } };
static const struct routes without_any = { { list + 2, COUNT_OF(list) - 2 } };

static void test_find(void)
{
	static const struct {
		const char *authority, *path, *origin;
	} rows[] = {
		{ "shop.example", "/", "shop" },
		{ "shop.example:8080", "/", "shop" },
		{ "SHOP.example", "/", "shop" },
		{ "shop.example.", "/", "shop" },
		{ "shop.example.:80", "/", "shop" },
		{ "shop.example", "/api", "api" },
		{ "shop.example", "/api/", "api" },
		{ "shop.example", "/api/x", "api" },
		{ "shop.example", "/apis", "shop" },
		{ "shop.example", "/api/v2", "api2" },
		{ "shop.example", "/api/v2/x", "api2" },
		{ "shop.example", "/api/v21", "api" },
		{ "shop.example", "/static/x", "shop" },
		{ "shop.example", "*", "shop" },
		{ "www.example", "/static/x", "below" },
		{ "a.b.example", "/", "below" },
		{ "a.img.example", "/", "img" },
		{ "img.example", "/", "below" },
		{ "example", "/", "any" },
		{ "example", "/static", "any-static" },
		{ "xexample", "/", "any" },
		{ "api.example", "/v1/x", "v1" },
		{ "api.example", "/v1/", "v1" },
		{ "api.example", "/v1", "below" },
		{ "api.example", "/v2", "below" },
		{ "[::1]", "/", "six" },
		{ "[::1]:8080", "/", "six" },
		{ "[::2]:8080", "/", "any" },
		{ "", "/", "any" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct route *route = route_find(
		    &all, slice_str(rows[i].authority), slice_str(rows[i].path));
		CU_ASSERT_PTR_NOT_NULL_FATAL(route);
		if (!slice_eq(route->origin, slice_str(rows[i].origin)))
			printf("\n  %s%s goes to %.*s, not %s\n", rows[i].authority, rows[i].path,
			    SLICE_ARG(route->origin), rows[i].origin);
		CU_ASSERT(slice_eq(route->origin, slice_str(rows[i].origin)));
	}
}

static void test_none(void)
{
	static const struct routes empty = { 0 };
	CU_ASSERT_PTR_NULL(route_find(&empty, SL("shop.example"), SL("/")));
	CU_ASSERT_PTR_NULL(route_find(&without_any, SL("else"), SL("/")));
	CU_ASSERT_PTR_NULL(route_find(&without_any, SL(""), SL("/")));
	CU_ASSERT_PTR_NOT_NULL(route_find(&without_any, SL("shop.example"), SL("/")));
}

static void test_checks(void)
{
	static const struct {
		const char *host;
		bool well;
	} hosts[] = {
		{ "*", true },
		{ "shop.example", true },
		{ "*.shop.example", true },
		{ "[::1]", true },
		{ "", false },
		{ "*.", false },
		{ "**", false },
		{ "a.*.b", false },
		{ "*shop", false },
		{ "shop.example:80", false },
		{ "http://shop.example", false },
		{ "shop/x", false },
	};
	static const struct {
		const char *path;
		bool well;
	} paths[] = {
		{ "/", true },
		{ "/api", true },
		{ "/api/", true },
		{ "/a%20b", true },
		{ "", false },
		{ "api", false },
		{ "/a?b", false },
		{ "/a#b", false },
		{ "/api/*", false },
	};
	for (size_t i = 0; i < COUNT_OF(hosts); i++)
		CU_ASSERT_EQUAL(check_host(slice_str(hosts[i].host)) == NULL, hosts[i].well);
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		CU_ASSERT_EQUAL(check_path(slice_str(paths[i].path)) == NULL, paths[i].well);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the most specific route", test_find },
		{ "no route", test_none },
		{ "hosts and paths that are refused", test_checks },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "route/route", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
