/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/fresh.c"

#include "test/unit/edge/http/kit.h"

/* Relative to noon, when the answer is made; it arrives half a second later. */
#define AT_NOON "Date: Mon, 15 Jun 2026 12:00:00 GMT\n"
#define BEFORE(hms) "Mon, 15 Jun 2026 " hms " GMT\n"
#define ARRIVAL ((struct wall){ NOON_S * 1000 + 500 })

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

static struct status_ttl status_ttls[] = { { 404, 5000 }, { 503, 2000 }, { 410, 0 } };
static struct slice targets[] = { { "Larder-Control", 14 }, { "CDN-Cache-Control", 17 } };

static const struct cache_policy policy = {
	.enabled = true,
	.heuristic_factor = 0.1,
	.heuristic_max_ms = DAY_MS,
	.swr_max_ms = DAY_MS,
	.sie_default_ms = HOUR_MS,
	.sie_max_ms = DAY_MS,
	.keep_ms = HOUR_MS,
	.status_ttls = { status_ttls, COUNT_OF(status_ttls) },
	.targeted = { targets, COUNT_OF(targets) },
};

static struct life life_with(
    const struct cache_policy *p, uint16_t status, const char *fields, enum reason *ret_reason)
{
	struct response r = { .status = status, .fields = kit_fields(fields) };
	return life_of(p, &r, (struct times){ ARRIVAL, ARRIVAL }, &arena, ret_reason);
}

/* long: a table */
static void test_lifetime(void)
{
	static const struct {
		const char *clause;
		uint16_t status;
		const char *fields;
		int64_t fresh_s; /* from arrival on */
		enum reason source;
	} rows[] = {
		{ "RFC 9111 4.2.1 nothing said", 200, AT_NOON, 0, REASON_NO_LIFETIME },
		{ "RFC 9111 4.2.1 max-age", 200, AT_NOON "Cache-Control: max-age=60\n", 60,
		    REASON_MAX_AGE },
		{ "RFC 9111 5.2.2.10 s-maxage first, longer", 200,
		    AT_NOON "Cache-Control: max-age=1, s-maxage=60\n", 60, REASON_S_MAXAGE },
		{ "RFC 9111 5.2.2.10 s-maxage first, shorter", 200,
		    AT_NOON "Cache-Control: s-maxage=1, max-age=60\n", 1, REASON_S_MAXAGE },
		{ "RFC 9111 5.2.2.10 over Expires past", 200,
		    AT_NOON "Expires: 0\nCache-Control: max-age=0, s-maxage=60\n", 60,
		    REASON_S_MAXAGE },
		{ "RFC 9111 5.3 Expires - Date", 200, AT_NOON "Expires: " BEFORE("12:01:00"), 60,
		    REASON_EXPIRES },
		{ "RFC 9111 5.3 max-age over Expires", 200,
		    AT_NOON "Cache-Control: max-age=5\nExpires: " BEFORE("12:01:00"), 5,
		    REASON_MAX_AGE },
		{ "RFC 9111 5.3 max-age over an invalid Expires", 200,
		    AT_NOON "Cache-Control: max-age=5\nExpires: 0\n", 5, REASON_MAX_AGE },
		{ "RFC 9111 5.3 Expires is Date", 200, AT_NOON "Expires: " BEFORE("12:00:00"), 0,
		    REASON_EXPIRES },
		{ "RFC 9111 5.3 Expires past", 200, AT_NOON "Expires: " BEFORE("11:00:00"), 0,
		    REASON_EXPIRES },
		{ "RFC 9111 5.3 Expires before a Date to come", 200,
		    "Date: " BEFORE("12:06:40") "Expires: " BEFORE("12:05:00"), 0, REASON_EXPIRES },
		{ "RFC 9111 5.3 Expires invalid", 200,
		    AT_NOON "Expires: 0\nLast-Modified: " BEFORE("02:00:00"), 0, REASON_EXPIRES },
		{ "RFC 9111 4.2.1 Expires twice", 200,
		    AT_NOON "Expires: " BEFORE("12:01:00") "Expires: " BEFORE("12:01:00"), 0,
		    REASON_EXPIRES },
		{ "RFC 9110 6.6.1 Date invalid: arrival instead", 200,
		    "Date: foo\nExpires: " BEFORE("12:01:00") "X: 1\n", 59, REASON_EXPIRES },
		{ "RFC 9111 4.2.1 max-age invalid", 200, AT_NOON "Cache-Control: max-age=x\n", 0,
		    REASON_MAX_AGE },
		{ "RFC 9111 1.2.2 max-age huge", 200,
		    AT_NOON "Cache-Control: max-age=99999999999\n", 2147483648, REASON_MAX_AGE },
		/* heuristics */
		{ "RFC 9111 4.2.2 a tenth since Last-Modified", 200,
		    AT_NOON "Last-Modified: " BEFORE("02:00:00"), 3600, REASON_HEURISTIC },
		{ "RFC 9111 4.2.2 no more than the limit", 200,
		    AT_NOON "Last-Modified: Thu, 15 Jun 2006 12:00:00 GMT\n", 86400,
		    REASON_HEURISTIC },
		{ "RFC 9111 4.2.2 Last-Modified to come", 200,
		    AT_NOON "Last-Modified: " BEFORE("13:00:00"), 0, REASON_NO_LIFETIME },
		{ "RFC 9111 4.2.2 not for other statuses", 403,
		    AT_NOON "Last-Modified: " BEFORE("02:00:00"), 0, REASON_NO_LIFETIME },
		{ "RFC 9111 4.2.2 but for public ones", 599,
		    AT_NOON "Cache-Control: public\nLast-Modified: " BEFORE("02:00:00"), 3600,
		    REASON_HEURISTIC },
		{ "RFC 9111 4.2.2 not beside an explicit one", 200,
		    AT_NOON "Cache-Control: max-age=1\nLast-Modified: " BEFORE("02:00:00"), 1,
		    REASON_MAX_AGE },
		/* ours */
		{ "status TTL", 404, AT_NOON "Last-Modified: " BEFORE("02:00:00"), 5,
		    REASON_STATUS_TTL },
		{ "status TTL 0", 410, AT_NOON "Last-Modified: " BEFORE("02:00:00"), 0,
		    REASON_STATUS_TTL },
		{ "status TTL, any status", 503, AT_NOON, 2, REASON_STATUS_TTL },
		{ "status TTL gives way", 404, AT_NOON "Cache-Control: max-age=1\n", 1,
		    REASON_MAX_AGE },
		/* RFC 9213 */
		{ "RFC 9213 2.2 targeted first", 200,
		    AT_NOON "Cache-Control: max-age=1\nCDN-Cache-Control: max-age=60\n", 60,
		    REASON_TARGETED },
		{ "RFC 9213 2.2 in the list's order", 200,
		    AT_NOON "CDN-Cache-Control: max-age=1\nLarder-Control: max-age=60\n", 60,
		    REASON_TARGETED },
		{ "RFC 9213 2.2 invalid is absent", 200,
		    AT_NOON "CDN-Cache-Control: max-age=7\nLarder-Control: max-age=?\n", 7,
		    REASON_TARGETED },
		{ "RFC 9213 2.2 without Expires", 200,
		    AT_NOON "CDN-Cache-Control: public\nExpires: " BEFORE("12:01:00"), 0,
		    REASON_NO_LIFETIME },
		/* Age */
		{ "RFC 9111 4.2.3 Age", 200, AT_NOON "Age: 20\nCache-Control: max-age=60\n", 40,
		    REASON_MAX_AGE },
		{ "RFC 9111 4.2.3 Age is past it", 200,
		    AT_NOON "Age: 7200\nCache-Control: max-age=60\n", -7140, REASON_MAX_AGE },
		{ "RFC 9111 4.2.3 Age and a slow Date", 200,
		    "Date: " BEFORE("11:59:50") "Age: 25\nExpires: " BEFORE("12:00:10"), -5,
		    REASON_EXPIRES },
		{ "RFC 9111 4.2.3 Age and a fast Date", 200,
		    "Date: " BEFORE("12:00:10") "Age: 15\nExpires: " BEFORE("12:00:20"), -5,
		    REASON_EXPIRES },
		{ "RFC 9111 1.2.2 Age huge", 200,
		    AT_NOON "Age: 99999999999999999999\nCache-Control: max-age=1\n", 1 - 2147483648,
		    REASON_MAX_AGE },
		{ "RFC 9111 5.1 Age no number", 200,
		    AT_NOON "Age: abc\nCache-Control: max-age=60\n", 0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age negative", 200, AT_NOON "Age: -1\nCache-Control: max-age=60\n",
		    0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age fractional", 200,
		    AT_NOON "Age: 1.0\nCache-Control: max-age=60\n", 0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age a list", 200, AT_NOON "Age: 0, 0\nCache-Control: max-age=60\n",
		    0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age twice", 200,
		    AT_NOON "Age: 0\nAge: 0\nCache-Control: max-age=60\n", 0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age with a parameter", 200,
		    AT_NOON "Age: 0;a=1\nCache-Control: max-age=60\n", 0, REASON_INVALID_AGE },
		{ "RFC 9111 5.1 Age empty", 200, AT_NOON "Age:\nCache-Control: max-age=60\n", 0,
		    REASON_INVALID_AGE },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum reason source;
		struct life life = life_with(&policy, rows[i].status, rows[i].fields, &source);
		CHECK(rows[i].clause, life_ttl_s(&life, ARRIVAL) == rows[i].fresh_s);
		CHECK(rows[i].clause, source == rows[i].source);
	}
}

static void test_default_ttl(void)
{
	struct cache_policy p = policy;
	enum reason source;
	p.default_ttl_ms = 9000;
	struct life life = life_with(&p, 200, AT_NOON, &source);
	CU_ASSERT_EQUAL(life_ttl_s(&life, ARRIVAL), 9);
	CU_ASSERT_EQUAL(source, REASON_DEFAULT_TTL);
	life = life_with(&p, 500, AT_NOON, &source);
	CU_ASSERT_EQUAL(life_ttl_s(&life, ARRIVAL), 0);
}

/* RFC 9111 4.2.3 */
static void test_age(void)
{
	static const struct {
		const char *clause, *fields;
		int64_t delay_ms, age_ms; /* at arrival */
	} rows[] = {
		{ "a Date of this second is no age", AT_NOON, 0, 0 },
		{ "a Date of the second before may be none", "Date: " BEFORE("11:59:59"), 0, 501 },
		{ "apparent age", "Date: " BEFORE("11:59:50"), 0, 9501 },
		{ "a Date to come", "Date: " BEFORE("13:00:00"), 0, 0 },
		{ "response delay", AT_NOON, 300, 300 },
		{ "Age and delay", AT_NOON "Age: 5\n", 300, 5300 },
		{ "the larger counts", "Date: " BEFORE("11:00:00") "Age: 5\n", 300, 3599501 },
		{ "a clock set back in between", AT_NOON "Age: 5\n", -9000, 5000 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct response r = { .status = 200, .fields = kit_fields(rows[i].fields) };
		struct times t = { wall_add(ARRIVAL, -rows[i].delay_ms), ARRIVAL };
		enum reason source;
		struct life life = life_of(&policy, &r, t, &arena, &source);
		CHECK(rows[i].clause, ARRIVAL.ms - life.born.ms == rows[i].age_ms);
		CHECK(rows[i].clause, life_age_s(&life, ARRIVAL) == rows[i].age_ms / 1000);
		CHECK(rows[i].clause, life_age_s(&life, wall_add(ARRIVAL, -HOUR_MS * 2)) == 0);
	}
}

static void test_windows(void)
{
	static const struct {
		const char *clause, *fields;
		int64_t swr_s, sie_s, keep_s; /* from the end of freshness */
	} rows[] = {
		{ "the policy's", "Cache-Control: max-age=9\n", 0, 3600, 3600 },
		{ "RFC 5861 3, 4",
		    "Cache-Control: max-age=9, stale-while-revalidate=30, stale-if-error=60\n", 30,
		    60, 60 },
		{ "no more than the policy's limit",
		    "Cache-Control: max-age=9, stale-while-revalidate=100000, stale-if-error=100000\n",
		    86400, 86400, 86400 },
		{ "never fresh: not the policy's", "Cache-Control: max-age=0\n", 0, 0, 0 },
		{ "never fresh: its own", "Cache-Control: max-age=0, stale-while-revalidate=30\n",
		    30, 0, 30 },
		{ "nothing said: not the policy's", "Foo: 1\n", 0, 0, 0 },
		{ "RFC 9111 5.2.2.2",
		    "Cache-Control: max-age=9, must-revalidate, stale-if-error=60\n", 0, 0, 0 },
		{ "RFC 9111 5.2.2.8",
		    "Cache-Control: max-age=9, proxy-revalidate, stale-while-revalidate=60\n", 0, 0,
		    0 },
		{ "RFC 9111 5.2.2.10", "Cache-Control: s-maxage=9\n", 0, 0, 0 },
		{ "s-maxage, and a window named", "Cache-Control: s-maxage=9, stale-if-error=60\n",
		    0, 60, 60 },
		{ "RFC 9111 5.2.2.4", "Cache-Control: max-age=9, no-cache, stale-if-error=60\n", 0,
		    0, -9 },
		{ "with names it is about those", "Cache-Control: max-age=9, no-cache=\"a\"\n", 0,
		    3600, 3600 },
		{ "kept to validate", "Cache-Control: s-maxage=9\nETag: \"a\"\n", 0, 0, 3600 },
		{ "kept to validate", "Cache-Control: no-cache\nLast-Modified: 0\n", 0, 0, 3600 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum reason source;
		struct life life = life_with(&policy, 200, rows[i].fields, &source);
		int64_t end = life.fresh_until.ms;
		CHECK(rows[i].clause, life.swr_until.ms - end == rows[i].swr_s * 1000);
		CHECK(rows[i].clause, life.sie_until.ms - end == rows[i].sie_s * 1000);
		CHECK(rows[i].clause, life.keep_until.ms - end == rows[i].keep_s * 1000);
	}
}

/* long: a table */
static void test_judge(void)
{
	static const struct {
		const char *clause, *answer, *request;
		int64_t later_ms;
		enum fresh_verdict want;
		enum reason why;
	} rows[] = {
		{ "RFC 9111 4.2 fresh", "max-age=10", "", 9999, FRESH_SERVE, REASON_FRESH },
		{ "RFC 9111 4.2 just not", "max-age=10", "", 10000, FRESH_VALIDATE, REASON_STALE },
		{ "past keeping", "max-age=10", "", 10 * HOUR_MS, FRESH_GONE, REASON_STALE },
		{ "RFC 9111 5.2.2.4", "max-age=10, no-cache", "", 0, FRESH_VALIDATE,
		    REASON_NO_CACHE },
		{ "RFC 5861 3", "max-age=10, stale-while-revalidate=5", "", 14999,
		    FRESH_SERVE_REFRESH, REASON_STALE_WHILE_REVALIDATE },
		{ "RFC 5861 3 over", "max-age=10, stale-while-revalidate=5", "", 15000,
		    FRESH_VALIDATE, REASON_STALE },
		/* what a request asks */
		{ "RFC 9111 5.2.1.4", "max-age=10", "no-cache", 1, FRESH_VALIDATE,
		    REASON_REQUEST_NO_CACHE },
		{ "RFC 9111 5.2.1.1", "max-age=10", "max-age=5", 5001, FRESH_VALIDATE,
		    REASON_REQUEST_MAX_AGE },
		{ "RFC 9111 5.2.1.1 young enough", "max-age=10", "max-age=5", 5000, FRESH_SERVE,
		    REASON_FRESH },
		{ "RFC 9111 5.2.1.1 reload", "max-age=10", "max-age=0", 1, FRESH_VALIDATE,
		    REASON_REQUEST_MAX_AGE },
		{ "RFC 9111 5.2.1.3", "max-age=10", "min-fresh=5", 5001, FRESH_VALIDATE,
		    REASON_REQUEST_MIN_FRESH },
		{ "RFC 9111 5.2.1.3 fresh enough", "max-age=10", "min-fresh=5", 5000, FRESH_SERVE,
		    REASON_FRESH },
		{ "RFC 9111 5.2.1.3 also while it may be stale",
		    "max-age=10, stale-while-revalidate=9", "min-fresh=1", 12000, FRESH_VALIDATE,
		    REASON_REQUEST_MIN_FRESH },
		{ "RFC 9111 5.2.1.2 any", "max-age=10", "max-stale", 99000, FRESH_SERVE,
		    REASON_MAX_STALE },
		{ "RFC 9111 5.2.1.2 enough", "max-age=10", "max-stale=5", 15000, FRESH_SERVE,
		    REASON_MAX_STALE },
		{ "RFC 9111 5.2.1.2 too stale", "max-age=10", "max-stale=5", 15001, FRESH_VALIDATE,
		    REASON_STALE },
		{ "RFC 9111 5.2.1.2, 5.2.2.2", "max-age=10, must-revalidate", "max-stale", 11000,
		    FRESH_VALIDATE, REASON_STALE },
		{ "RFC 9111 5.2.1.2, 5.2.2.10", "s-maxage=10", "max-stale", 11000, FRESH_VALIDATE,
		    REASON_STALE },
		{ "RFC 9111 5.2.3 unknown", "max-age=10", "nothing-to-see-here", 1, FRESH_SERVE,
		    REASON_FRESH },
		/* RFC 8246 2 */
		{ "RFC 8246 2 reload", "max-age=10, immutable", "max-age=0", 1, FRESH_SERVE,
		    REASON_FRESH },
		{ "RFC 8246 2 forced reload", "max-age=10, immutable", "no-cache", 1,
		    FRESH_VALIDATE, REASON_REQUEST_NO_CACHE },
		{ "RFC 8246 2 stale", "max-age=10, immutable", "max-age=0", 10000, FRESH_VALIDATE,
		    REASON_REQUEST_MAX_AGE },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice fields = arena_printf(
		    &arena, "ETag: \"a\"\nCache-Control: %s\n", rows[i].answer);
		struct control request = control_parse_value(slice_str(rows[i].request));
		enum reason why;
		struct life life = life_with(&policy, 200, fields.at, &why);
		struct wall now = wall_add(ARRIVAL, rows[i].later_ms);
		CHECK(rows[i].clause, fresh_judge(&life, &request, now, &why) == rows[i].want);
		CHECK(rows[i].clause, why == rows[i].why);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *clause, *answer, *request;
		int64_t later_ms;
		bool covers;
	} rows[] = {
		{ "the policy's window", "max-age=1", "", 3600999, true },
		{ "the policy's window over", "max-age=1", "", 3601000, false },
		{ "RFC 5861 4", "max-age=1, stale-if-error=5", "", 5999, true },
		{ "RFC 5861 4 over", "max-age=1, stale-if-error=5", "", 6000, false },
		{ "RFC 9111 5.2.2.2", "max-age=1, must-revalidate", "", 2000, false },
		{ "RFC 9111 5.2.2.8", "max-age=1, proxy-revalidate", "", 2000, false },
		{ "RFC 9111 5.2.2.4", "max-age=1, no-cache", "", 2000, false },
		{ "RFC 9111 5.2.2.10", "s-maxage=1", "", 2000, false },
		{ "RFC 5861 4 of a request", "max-age=1, stale-if-error=0", "stale-if-error=9",
		    9999, true },
		{ "RFC 5861 4 of a request, over", "max-age=1, stale-if-error=0",
		    "stale-if-error=9", 10000, false },
		{ "RFC 9111 5.2.2.2", "max-age=1, must-revalidate", "stale-if-error=9", 2000,
		    false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice fields = arena_printf(
		    &arena, "ETag: \"a\"\nCache-Control: %s\n", rows[i].answer);
		struct control request = control_parse_value(slice_str(rows[i].request));
		enum reason why;
		struct life life = life_with(&policy, 200, fields.at, &why);
		struct wall now = wall_add(ARRIVAL, rows[i].later_ms);
		CHECK(
		    rows[i].clause, fresh_may_cover_error(&life, &request, now) == rows[i].covers);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "lifetimes", test_lifetime },
		{ "default TTL", test_default_ttl },
		{ "ages", test_age },
		{ "windows", test_windows },
		{ "requests", test_judge },
		{ "errors", test_errors },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/fresh", tests);
}
