/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/forwarded.c"

#include "test/unit/edge/http/kit.h"

static struct proxies proxies; /* 10.0.0.0/8 and ::1 */

static void trust(void)
{
	const struct slice texts[] = { SL("10.0.0.0/8"), SL("::1") },
			   bad[] = { SL("::1"), SL("x") };
	size_t at;
	CU_ASSERT_TRUE_FATAL(proxies_parse(texts, 2, &arena, &proxies, &at));
	CU_ASSERT_FALSE(proxies_parse(bad, 2, &arena, &proxies, &at));
	CU_ASSERT_EQUAL(at, 1);
	CU_ASSERT_TRUE_FATAL(proxies_parse(texts, 2, &arena, &proxies, &at));
}

static struct forwarded judge(const char *peer, const struct fields *request)
{
	struct ip ip;
	CU_ASSERT_TRUE_FATAL(ip_parse(slice_str(peer), &ip));
	return forwarded_judge(&proxies, ip, SL("http"), request);
}

static void test_client(void)
{
	static const struct {
		const char *name, *peer, *fields, *client, *scheme;
	} rows[] = {
		{ "no fields", "10.0.0.1", "", "10.0.0.1", "http" },
		{ "a stranger's word", "192.0.2.9",
		    "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https\n", "192.0.2.9", "http" },
		{ "one hop", "10.0.0.1", "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https\n",
		    "192.0.2.1", "https" },
		{ "the first stranger from the end", "10.0.0.1",
		    "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2\n", "192.0.2.1", "http" },
		{ "several lines", "10.0.0.1",
		    "X-Forwarded-For: 6.6.6.6\nA: 1\nX-Forwarded-For: 192.0.2.1\n", "192.0.2.1",
		    "http" },
		{ "all trusted", "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\n", "10.0.0.3",
		    "http" },
		{ "a break", "10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\n",
		    "10.0.0.2", "http" },
		{ "a break at the end", "10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown\n",
		    "10.0.0.1", "http" },
		{ "ports", "::1", "X-Forwarded-For: 192.0.2.1:4711\n", "192.0.2.1", "http" },
		{ "IPv6", "::1", "X-Forwarded-For: 2001:db8::1\n", "2001:db8::1", "http" },
		{ "IPv6 and port", "::1", "X-Forwarded-For: [2001:db8::1]:80\n", "2001:db8::1",
		    "http" },
		{ "the last scheme", "::1", "X-Forwarded-Proto: http, HTTPS\n", "::1", "https" },
		{ "no scheme of ours", "::1", "X-Forwarded-Proto: gopher\n", "::1", "http" },
		/* RFC 7239 4, 6 */
		{ "Forwarded", "10.0.0.1", "Forwarded: For=\"[2001:db8::1]:47\" ; proto=https\n",
		    "2001:db8::1", "https" },
		{ "Forwarded chain", "10.0.0.1",
		    "Forwarded: for=6.6.6.6, for=192.0.2.1;proto=http, by=x;for=10.0.0.2\n",
		    "192.0.2.1", "http" },
		{ "Forwarded, hidden", "10.0.0.1", "Forwarded: for=192.0.2.1, for=_hidden\n",
		    "10.0.0.1", "http" },
		{ "both: the one that proxies write", "10.0.0.1",
		    "Forwarded: for=6.6.6.6\nX-Forwarded-For: 192.0.2.1\n", "192.0.2.1", "http" },
	};
	trust();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields request = kit_fields(rows[i].fields);
		struct forwarded fwd = judge(rows[i].peer, &request);
		char text[IP_TEXT_MAX];
		CHECK_SLICE(
		    rows[i].name, slice_of(text, ip_print(fwd.client, text)), rows[i].client);
		CHECK_SLICE(rows[i].name, fwd.scheme, rows[i].scheme);
	}
}

static void check_field(const char *row, const struct fields *f, enum field_id id, const char *want)
{
	CHECK(row, fields_count(f, id) == 1);
	CHECK_SLICE(row, fields_value(f, id), want);
}

static void test_write(void)
{
	static const char all[] =
	    "Via: 1.0 old\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-For: 2.2.2.2\n"
	    "X-Forwarded-Proto: https\nX-Forwarded-Host: shop.example\n"
	    "Forwarded: for=1.1.1.1\n";
	static const struct {
		const char *name, *peer, *authority, *given, *via, *chain, *proto, *host,
		    *forwarded;
	} rows[] = {
		{ "new", "192.0.2.9", "h", "", "1.1 larder", "192.0.2.9", "http", "h",
		    "for=192.0.2.9;host=h;proto=http" },
		{ "from a stranger", "192.0.2.9", "h:81", all, "1.0 old, 1.1 larder", "192.0.2.9",
		    "http", "h:81", "for=192.0.2.9;host=\"h:81\";proto=http" },
		{ "from a trusted proxy", "10.0.0.1", "h", all, "1.0 old, 1.1 larder",
		    "1.1.1.1, 2.2.2.2, 10.0.0.1", "https", "shop.example",
		    "for=1.1.1.1, for=10.0.0.1;host=h;proto=http" },
		/* RFC 7239 6.1: IPv6 in brackets and quotes */
		{ "IPv6", "2001:db8::1", "h", "", "1.1 larder", "2001:db8::1", "http", "h",
		    "for=\"[2001:db8::1]\";host=h;proto=http" },
		{ "no host", "192.0.2.9", "", "", "1.1 larder", "192.0.2.9", "http", "",
		    "for=192.0.2.9;host=\"\";proto=http" },
	};
	trust();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].given);
		struct request r = { .scheme = SL("http"), .version = 11 };
		struct forwarded fwd = judge(rows[i].peer, &f);
		r.authority = slice_str(rows[i].authority);
		CHECK(rows[i].name, forwarded_write(&f, &arena, &fwd, &r, SL("larder")));
		check_field(rows[i].name, &f, FIELD_VIA, rows[i].via);
		check_field(rows[i].name, &f, FIELD_X_FORWARDED_FOR, rows[i].chain);
		check_field(rows[i].name, &f, FIELD_X_FORWARDED_PROTO, rows[i].proto);
		check_field(rows[i].name, &f, FIELD_X_FORWARDED_HOST, rows[i].host);
		check_field(rows[i].name, &f, FIELD_FORWARDED, rows[i].forwarded);
	}
}

static void test_via(void)
{
	static const struct {
		const char *fields;
		unsigned times;
	} rows[] = {
		/* RFC 9110 7.6.3 */
		{ "Via: 1.1 larder\n", 1 },
		{ "Via: 1.0 fred, 1.1 Larder (comment)\n", 1 },
		{ "Via: 1.0 fred\nVia: HTTP/1.1  larder, 1.1 larder\n", 2 },
		{ "Via: 1.1 larder2, larder 1.1\n", 0 },
		{ "X: 1.1 larder\n", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fields f = kit_fields(rows[i].fields);
		CHECK(rows[i].fields, via_count(&f, SL("larder")) == rows[i].times);
	}
	struct fields f = kit_fields("");
	CU_ASSERT_TRUE(via_add(&f, &arena, 20, SL("larder")));
	CHECK_SLICE("h2", fields_value(&f, FIELD_VIA), "2.0 larder");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the client", test_client },
		{ "what the origin is told", test_write },
		{ "Via", test_via },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/forwarded", tests);
}
