/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/storable.c"

#include "test/unit/edge/http/kit.h"

static struct status_ttl status_ttls[] = { { 503, 2000 } };
static struct slice targets[] = { { "CDN-Cache-Control", 17 } };

static const struct cache_policy policy = {
	.enabled = true,
	.heuristic_factor = 0.1,
	.heuristic_max_ms = 86400000,
	.sie_default_ms = 3600000,
	.keep_ms = 3600000,
	.status_ttls = { status_ttls, COUNT_OF(status_ttls) },
	.targeted = { targets, COUNT_OF(targets) },
};

#define MODIFIED "Last-Modified: Sun, 14 Jun 2026 12:00:00 GMT\n"
#define FRESH "Cache-Control: max-age=60\n"

static enum reason judge(const struct cache_policy *p, enum method method, const char *asked,
    uint16_t status, const char *answered)
{
	struct request request = {
		.method = method,
		.scheme = SL("http"),
		.authority = SL("h"),
		.path = SL("/a"),
		.query = SL("b"),
		.has_query = true,
		.fields = kit_fields(asked),
	};
	struct response answer = { .status = status, .fields = kit_fields(answered) };
	enum reason source;
	struct life life = life_of(p, &answer, (struct times){ NOON, NOON }, &arena, &source);
	return storable_judge(p, &request, &answer, &life, &arena);
}

/* long: a table */
static void test_judge(void)
{
	static const struct {
		const char *clause, *asked;
		uint16_t status;
		const char *answered;
		enum reason want;
	} rows[] = {
		/* RFC 9111 3: what makes it storable */
		{ "RFC 9111 3 explicit", "", 200, FRESH, REASON_STORED },
		{ "RFC 9111 3 explicit, any status", "", 599, FRESH, REASON_STORED },
		{ "RFC 9111 3 explicit, redirect", "", 302,
		    "Expires: Mon, 15 Jun 2026 13:00:00 GMT\n", REASON_STORED },
		{ "RFC 9111 3 heuristic", "", 404, MODIFIED, REASON_STORED },
		{ "RFC 9111 3 heuristic, not this status", "", 403, MODIFIED, REASON_STATUS },
		{ "RFC 9111 3 heuristic, not this status", "", 503 + 1, MODIFIED, REASON_STATUS },
		{ "RFC 9111 3 public", "", 599, "Cache-Control: public\n" MODIFIED, REASON_STORED },
		{ "RFC 9111 3 to validate", "", 200, "ETag: \"a\"\n", REASON_STORED },
		{ "RFC 9111 3 to validate", "", 200, "Cache-Control: no-cache\nETag: \"a\"\n",
		    REASON_STORED },
		{ "RFC 9111 3 nothing said", "", 200, "Foo: 1\n", REASON_NO_LIFETIME },
		{ "RFC 9111 4.2.1 stale, nothing to validate", "", 200, "Expires: 0\n",
		    REASON_NO_LIFETIME },
		{ "RFC 9111 5.2.2.4 nothing to validate", "", 200,
		    "Cache-Control: no-cache, max-age=9\n", REASON_NO_LIFETIME },
		{ "the route's TTL", "", 503, "Foo: 1\n", REASON_STORED },
		/* never */
		{ "RFC 9111 3.3 partial", "", 206, FRESH, REASON_PARTIAL },
		{ "answers a condition", "", 304, FRESH, REASON_STATUS },
		{ "answers a condition", "", 412, FRESH, REASON_STATUS },
		{ "answers a range", "", 416, FRESH, REASON_STATUS },
		{ "RFC 9111 3 not final", "", 103, FRESH, REASON_STATUS },
		{ "RFC 9111 5.2.2.5", "", 200, "Cache-Control: No-StOrE, max-age=9\n",
		    REASON_NO_STORE },
		{ "RFC 9111 5.2.2.7", "", 200, "Cache-Control: private, max-age=9\n",
		    REASON_PRIVATE },
		{ "RFC 9111 5.2.2.7 with names", "", 200,
		    "Cache-Control: private=\"a\", max-age=9\n", REASON_STORED },
		{ "RFC 9111 5.2.1.5", "Cache-Control: no-store\n", 200, FRESH,
		    REASON_REQUEST_NO_STORE },
		/* RFC 9111 5.2.2.3 */
		{ "RFC 9111 5.2.2.3 unknown", "", 599,
		    "Cache-Control: max-age=9, must-understand\n", REASON_NOT_UNDERSTOOD },
		{ "RFC 9111 5.2.2.3 known", "", 200,
		    "Cache-Control: max-age=9, must-understand, no-store\n", REASON_STORED },
		/* RFC 9111 3.5 */
		{ "RFC 9111 3.5", "Authorization: x\n", 200, FRESH, REASON_AUTHORIZATION },
		{ "RFC 9111 3.5 public", "Authorization: x\n", 200,
		    "Cache-Control: public, max-age=9\n", REASON_STORED },
		{ "RFC 9111 3.5 must-revalidate", "Authorization: x\n", 200,
		    "Cache-Control: must-revalidate, max-age=9\n", REASON_STORED },
		{ "RFC 9111 3.5 s-maxage", "Authorization: x\n", 200, "Cache-Control: s-maxage=9\n",
		    REASON_STORED },
		{ "RFC 9111 3.5 not proxy-revalidate", "Authorization: x\n", 200,
		    "Cache-Control: proxy-revalidate, max-age=9\n", REASON_AUTHORIZATION },
		/* RFC 9440 3: a certificate that the origin is told of says who asks, too */
		{ "RFC 9440 3", "Client-Cert: :eA==:\n", 200, FRESH, REASON_AUTHORIZATION },
		{ "RFC 9440 3 public", "Client-Cert: :eA==:\n", 200,
		    "Cache-Control: public, max-age=9\n", REASON_STORED },
		/* RFC 9111 7.3 */
		{ "RFC 9111 7.3 explicit", "", 200, FRESH "Set-Cookie: a=b\n", REASON_STORED },
		{ "RFC 9111 7.3 public", "", 200,
		    "Cache-Control: public\nSet-Cookie: a=b\n" MODIFIED, REASON_STORED },
		{ "RFC 9111 7.3 guessed", "", 200, "Set-Cookie: a=b\n" MODIFIED,
		    REASON_SET_COOKIE },
		{ "RFC 9111 7.3 never fresh", "", 200,
		    "Cache-Control: max-age=0\nETag: \"a\"\nSet-Cookie: a=b\n", REASON_SET_COOKIE },
		{ "RFC 9111 7.3 no-cache", "", 200,
		    "Cache-Control: max-age=9, no-cache\nETag: \"a\"\nSet-Cookie: a=b\n",
		    REASON_SET_COOKIE },
		{ "RFC 9111 7.3 the route's TTL", "", 503, "Set-Cookie: a=b\n", REASON_SET_COOKIE },
		/* RFC 9111 4.1 */
		{ "RFC 9111 4.1", "", 200, FRESH "Vary: a, *\n", REASON_VARY_STAR },
		{ "RFC 9111 4.1", "", 200, FRESH "Vary: a\n", REASON_STORED },
		/* RFC 9213 2.2 */
		{ "RFC 9213 2.2 over no-store", "", 200,
		    "CDN-Cache-Control: max-age=9\nCache-Control: no-store\n", REASON_STORED },
		{ "RFC 9213 2.2 no-store", "", 200, "CDN-Cache-Control: no-store\n" FRESH,
		    REASON_NO_STORE },
		{ "RFC 9213 2.2 private", "", 200, "CDN-Cache-Control: private\n" FRESH,
		    REASON_PRIVATE },
		{ "RFC 9213 2.2 invalid", "", 200,
		    "CDN-Cache-Control: max-age=\"9\"\nCache-Control: no-store\n",
		    REASON_NO_STORE },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(rows[i].clause,
		    judge(&policy, METHOD_GET, rows[i].asked, rows[i].status, rows[i].answered) ==
			rows[i].want);
	struct cache_policy off = policy;
	off.enabled = false;
	CU_ASSERT_EQUAL(judge(&off, METHOD_GET, "", 200, FRESH), REASON_BYPASS);
}

/* RFC 9110 9.3.3 */
static void test_methods(void)
{
	static const struct {
		const char *clause;
		enum method method;
		uint16_t status;
		const char *answered;
		enum reason want;
	} rows[] = {
		{ "stands for a GET", METHOD_POST, 200, FRESH "Content-Location: /a?b\n",
		    REASON_STORED },
		{ "stands for a GET", METHOD_POST, 200,
		    FRESH "Content-Location: http://h:80/x/../a?b\n", REASON_STORED },
		{ "another URI", METHOD_POST, 200, FRESH "Content-Location: /a\n", REASON_METHOD },
		{ "another host", METHOD_POST, 200, FRESH "Content-Location: //x/a?b\n",
		    REASON_METHOD },
		{ "no Content-Location", METHOD_POST, 200, FRESH, REASON_METHOD },
		{ "not fresh", METHOD_POST, 200, "ETag: \"a\"\nContent-Location: /a?b\n",
		    REASON_METHOD },
		{ "not 200", METHOD_POST, 201, FRESH "Content-Location: /a?b\n", REASON_METHOD },
		{ "not private", METHOD_POST, 200,
		    "Cache-Control: max-age=9, private\nContent-Location: /a?b\n", REASON_PRIVATE },
		{ "not PUT", METHOD_PUT, 200, FRESH "Content-Location: /a?b\n", REASON_METHOD },
		{ "not HEAD", METHOD_HEAD, 200, FRESH, REASON_METHOD },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(rows[i].clause,
		    judge(&policy, rows[i].method, "", rows[i].status, rows[i].answered) ==
			rows[i].want);
}

static struct slice told(const struct fields *f)
{
	struct slice all = SL("");
	for (uint32_t i = 0; i < f->count; i++)
		all = arena_printf(&arena, "%.*s%.*s: %.*s\n", SLICE_ARG(all),
		    SLICE_ARG(f->at[i].name), SLICE_ARG(f->at[i].value));
	return all;
}

/* RFC 9111 3.1 */
static void test_fields(void)
{
	struct fields f = kit_fields(
	    "A: 1\nTE: x\nAge: 1\nX-Cache: HIT\nB: 1\nSet-Cookie: x\nC: 1\n");
	struct control c = control_parse_value(SL("no-cache=\"b\", private=\"set-cookie, d\""));
	static const bool want[] = { true, false, false, false, false, false, true };
	for (size_t i = 0; i < COUNT_OF(want); i++)
		CHECK(f.at[i].name.at, storable_field(&f.at[i], &c) == want[i]);
}

/* RFC 9111 3.2 */
static void test_merge(void)
{
	struct fields stored = kit_fields(
	    "A: 1\nETag: \"a\"\nB: 1\nB: 2\nContent-Type: text/plain\n"
	    "Content-Encoding: br\nSet-Cookie: a=b\nC: 1\n");
	struct fields update = kit_fields("b: 3\nETag: \"b\"\nContent-Type: text/html\nAge: 1\n"
					  "Content-Length: 9\nContent-MD5: x\nKeep-Alive: 5\n"
					  "Content-Encoding: gzip\nSet-Cookie: a=c\nD: 1\nD: 2\n");
	struct fields merged;
	CU_ASSERT_TRUE(storable_merge(&merged, &arena, &stored, &update));
	CHECK_SLICE("merged", told(&merged),
	    "A: 1\nETag: \"a\"\nContent-Encoding: br\nC: 1\n"
	    "b: 3\nContent-Type: text/html\nAge: 1\nSet-Cookie: a=c\nD: 1\nD: 2\n");
	struct arena full;
	arena_init(&full, 1);
	CU_ASSERT_FALSE(storable_merge(&merged, &full, &stored, &update));
	arena_fini(&full);
}

/* RFC 9111 4.3.5 */
static void test_head(void)
{
	static const struct {
		const char *stored, *head;
		bool agrees;
	} rows[] = {
		{ "ETag: \"a\"\n", "ETag: \"a\"\n", true },
		{ "ETag: \"a\"\n", "ETag: \"b\"\n", false },
		{ "ETag: \"a\"\n", "Foo: 1\n", true },
		{ "Foo: 1\n", "ETag: \"b\"\n", true },
		{ MODIFIED, "Last-Modified: Mon, 15 Jun 2026 12:00:00 GMT\n", false },
		{ "", "Content-Length: 100\n", true },
		{ "", "Content-Length: 101\n", false },
		{ "", "Content-Length: x\n", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields stored = kit_fields(rows[i].stored);
		struct response head = { .status = 200, .fields = kit_fields(rows[i].head) };
		CHECK(rows[i].head, storable_head_agrees(&stored, 100, &head) == rows[i].agrees);
	}
}

/* RFC 9111 4.4 */
static void test_invalidation(void)
{
	static const struct {
		enum method method;
		uint16_t status;
		bool invalidates;
	} rows[] = {
		{ METHOD_POST, 200, true },
		{ METHOD_PUT, 204, true },
		{ METHOD_DELETE, 303, true },
		{ METHOD_OTHER, 200, true },
		{ METHOD_POST, 404, false },
		{ METHOD_POST, 500, false },
		{ METHOD_POST, 103, false },
		{ METHOD_GET, 200, false },
		{ METHOD_HEAD, 200, false },
		{ METHOD_OPTIONS, 200, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_EQUAL(
		    method_invalidates(rows[i].method, rows[i].status), rows[i].invalidates);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "answers", test_judge },
		{ "methods", test_methods },
		{ "fields", test_fields },
		{ "updates", test_merge },
		{ "HEAD", test_head },
		{ "invalidation", test_invalidation },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/storable", tests);
}
