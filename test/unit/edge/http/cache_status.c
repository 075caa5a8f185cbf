/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/cache_status.c"

#include "test/unit/edge/http/kit.h"

#define NAME .name = { "larder", 6 }
#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

static void test_table(void)
{
	static const struct {
		const char *given;
		struct cache_status status;
		const char *want;
	} rows[] = {
		/* RFC 9211 3 */
		{ "", { NAME, .hit = true, .has_ttl = true, .ttl_s = 376 },
		    "larder; hit; ttl=376" },
		{ "", { NAME, .hit = true, .has_ttl = true, .ttl_s = -412 },
		    "larder; hit; ttl=-412" },
		{ "", { NAME, .fwd = TEXT("uri-miss"), .stored = true },
		    "larder; fwd=uri-miss; stored" },
		{ "", { NAME, .fwd = TEXT("stale"), .fwd_status = 304 },
		    "larder; fwd=stale; fwd-status=304" },
		{ "", { NAME, .fwd = TEXT("uri-miss"), .collapsed = true },
		    "larder; fwd=uri-miss; collapsed" },
		{ "", { NAME, .hit = true, .fwd = TEXT("stale") }, "larder; hit" },
		{ "Origin; hit", { NAME, .fwd = TEXT("request") },
		    "Origin; hit, larder; fwd=request" },
		{ "", { NAME, .key = TEXT("http://h/\"\\\xc3\xa9"), .hit = true },
		    "larder; hit; key=\"http://h/\\\"\\\\%C3%A9\"" },
		{ "", { NAME, .detail = TEXT("no-cache") }, "larder; detail=no-cache" },
		{ "", { .name = TEXT("edge 1"), .detail = TEXT("a b") },
		    "\"edge 1\"; detail=\"a b\"" },
		{ "", { .name = TEXT("10.0.0.1") }, "\"10.0.0.1\"" },
		{ "", { .name = TEXT("") }, "\"\"" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b;
		buf_init(&b, 0);
		cache_status_write(&b, slice_str(rows[i].given), &rows[i].status);
		CHECK_SLICE(rows[i].want, buf_slice(&b), rows[i].want);
		buf_fini(&b);
	}
}

/* RFC 9209 2 */
static void test_proxy_status(void)
{
	static const struct {
		const char *name, *error, *details, *want;
	} rows[] = {
		{ "larder", "dns_error", "no address",
		    "larder; error=dns_error; details=\"no address\"" },
		{ "edge 1", "dns_timeout", "a \"b\"",
		    "\"edge 1\"; error=dns_timeout; details=\"a \\\"b\\\"\"" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b;
		struct proxy_status status = {
			.name = slice_str(rows[i].name),
			.error = slice_str(rows[i].error),
			.details = slice_str(rows[i].details),
		};
		buf_init(&b, 0);
		proxy_status_write(&b, &status);
		CHECK_SLICE(rows[i].want, buf_slice(&b), rows[i].want);
		buf_fini(&b);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "table", test_table },
		{ "Proxy-Status", test_proxy_status },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/cache_status", tests);
}
