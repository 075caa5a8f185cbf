/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/gate.c"

#include "test/unit/edge/http/kit.h"

/* Speaks for shop.example and what is right below it. */
static bool speaks_for(UNUSED const struct secure *secure, struct slice host)
{
	return slice_eq(host, SL("shop.example")) || slice_eq(host, SL("www.shop.example"));
}

static struct stream stream_of(const struct secure *secure, const char *authority)
{
	static struct address peer;
	struct stream s = { .secure = secure, .peer = &peer };
	CU_ASSERT_TRUE(address_parse(SL("192.0.2.7"), 1, &peer));
	s.request.scheme = secure ? SL("https") : SL("http");
	s.request.authority = slice_str(authority);
	s.request.path = SL("/");
	arena_init(&s.arena, 64 * KIB);
	return s;
}

/* RFC 9110 15.5.20 */
static void test_names(void)
{
	static const struct {
		const char *asked, *authority; /* asked NULL: plain */
		enum err verdict;
	} rows[] = {
		{ NULL, "other.example", ERR_NONE },
		{ "", "other.example", ERR_NONE },
		{ "shop.example", "shop.example", ERR_NONE },
		{ "shop.example", "shop.example:8443", ERR_NONE },
		{ "shop.example", "shop.example.", ERR_NONE },
		{ "shop.example", "www.shop.example", ERR_NONE },
		{ "shop.example", "other.example", ERR_MISDIRECTED },
		{ "shop.example", "[::1]:443", ERR_MISDIRECTED },
		{ "shop.example", "", ERR_MISDIRECTED },
		/* the default certificate was shown, and the client took it */
		{ "other.example", "other.example", ERR_NONE },
		{ "other.example", "shop.example", ERR_NONE },
	};
	static const struct proxies nobody;
	struct site site = { .trusted = &nobody, .name = SL("larder") };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secure secure = { .server_name = slice_str(rows[i].asked),
			.speaks_for = speaks_for };
		struct stream s = stream_of(rows[i].asked ? &secure : NULL, rows[i].authority);
		struct forwarded who;
		bool circles;
		CHECK(rows[i].authority,
		    gate_receive(&s, &site, &who, &circles) == rows[i].verdict && !circles);
		arena_fini(&s.arena);
	}
}

static void test_receive(void)
{
	struct proxies nobody = { 0 };
	struct site site = { .trusted = &nobody, .name = SL("larder") };
	struct stream s = stream_of(NULL, "a");
	struct forwarded who;
	bool circles;
	s.request.fields = kit_fields("Client-Cert: :eA==:\nclient-cert-chain: :eA==:\n"
				      "X-Forwarded-Proto: https\nConnection: x\nVia: 1.1 larder\n"
				      "Early-Data: 1\n");
	CU_ASSERT_EQUAL(gate_receive(&s, &site, &who, &circles), ERR_NONE);
	CU_ASSERT(circles);
	CU_ASSERT(slice_eq(s.request.scheme, SL("http")));
	CU_ASSERT_EQUAL(s.request.fields.count, 3);
	CU_ASSERT_PTR_NOT_NULL(fields_find_name(&s.request.fields, SL("Early-Data")));
	for (int i = 0; i < LOOPS_MAX; i++)
		CU_ASSERT(fields_put(&s.request.fields, &arena, FIELD_VIA, SL("1.1 larder")));
	CU_ASSERT_EQUAL(gate_receive(&s, &site, &who, &circles), ERR_LOOP);
	arena_fini(&s.arena);
}

static void test_https(void)
{
	static const struct {
		int https;
		const char *scheme;
		enum gate verdict;
	} rows[] = {
		{ HTTPS_ANY, "http", GATE_OPEN },
		{ HTTPS_ANY, "https", GATE_OPEN },
		{ HTTPS_REDIRECT, "http", GATE_REDIRECT },
		{ HTTPS_REDIRECT, "https", GATE_OPEN },
		{ HTTPS_REQUIRE, "http", GATE_SHUT },
		{ HTTPS_REQUIRE, "https", GATE_OPEN },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct security security = { .https = rows[i].https };
		struct stream s = stream_of(NULL, "a");
		enum err why = ERR_NONE;
		s.request.scheme = slice_str(rows[i].scheme);
		CHECK(rows[i].scheme, gate_judge(&s, &security, &why) == rows[i].verdict);
		CHECK(rows[i].scheme,
		    why == (rows[i].verdict == GATE_SHUT ? ERR_HTTPS_REQUIRED : ERR_NONE));
		arena_fini(&s.arena);
	}
}

/* RFC 9440 2.1 */
static void test_certificates(void)
{
	static const struct {
		int policy;
		const char *der, *told; /* told NULL: refused; "": nothing */
	} rows[] = {
		{ CERTIFICATE_IGNORE, "", "" },
		{ CERTIFICATE_IGNORE, "x", "" },
		{ CERTIFICATE_FORWARD, "", "" },
		{ CERTIFICATE_FORWARD, "x", ":eA==:" },
		{ CERTIFICATE_FORWARD, "xyz", ":eHl6:" },
		{ CERTIFICATE_REQUIRE, "xy", ":eHk=:" },
		{ CERTIFICATE_REQUIRE, "", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct security security = { .client_certificate = rows[i].policy };
		struct secure secure = { .certificate = slice_str(rows[i].der) };
		struct stream s = stream_of(&secure, "a");
		enum err why = ERR_NONE;
		enum gate gate = gate_judge(&s, &security, &why);
		struct slice told = fields_value(&s.request.fields, FIELD_CLIENT_CERT);
		if (rows[i].told)
			CHECK_SLICE(rows[i].der, told, rows[i].told);
		CHECK(rows[i].der, gate == (rows[i].told ? GATE_OPEN : GATE_SHUT));
		CHECK(rows[i].der, why == (rows[i].told ? ERR_NONE : ERR_CERT_REQUIRED));
		arena_fini(&s.arena);
	}
}

static void test_location(void)
{
	static const struct {
		const char *authority;
		uint64_t port;
		const char *target, *location; /* NULL: none can be made */
	} rows[] = {
		{ "a", 443, "/", "https://a/" },
		{ "a:80", 443, "/x?y=%2f", "https://a/x?y=%2f" },
		{ "a:8080", 8443, "//b/", "https://a:8443//b/" },
		{ "[::1]:80", 8443, "/", "https://[::1]:8443/" },
		{ "a", 443, "*", "https://a/" },
		{ "", 443, "/", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct security security = { .https_port = rows[i].port };
		struct stream s = stream_of(NULL, rows[i].authority);
		struct slice got = gate_location(&s, &security, slice_str(rows[i].target));
		CHECK(rows[i].authority, (got.at == NULL) == (rows[i].location == NULL));
		if (got.at && rows[i].location)
			CHECK_SLICE(rows[i].authority, got, rows[i].location);
		arena_fini(&s.arena);
	}
}

/* RFC 8470 4: what came early may be a replay until the client's Finished has come. */
static void test_replays(void)
{
	struct secure secure = { .is_early = true };
	struct stream s = { .secure = &secure, .is_early = true };
	CU_ASSERT(gate_replays(&s));
	secure.is_early = false;
	CU_ASSERT_FALSE(gate_replays(&s));
	s = (struct stream){ 0 };
	CU_ASSERT_FALSE(gate_replays(&s));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "names", test_names },
		{ "receive", test_receive },
		{ "https", test_https },
		{ "certificates", test_certificates },
		{ "location", test_location },
		{ "replays", test_replays },
		CU_TEST_INFO_NULL,
	};
	return kit_run("serve/gate", tests);
}
