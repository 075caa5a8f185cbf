/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/target.c"

#include "test/unit/edge/http/kit.h"

/* The target URI, "scheme authority path ?query", or the failure's name. */
static struct slice told(const struct request *r, enum err e)
{
	if (e != ERR_NONE)
		return slice_str(err_name(e));
	return arena_printf(&arena, "%.*s %.*s %.*s%s%.*s", SLICE_ARG(r->scheme),
	    SLICE_ARG(r->authority), SLICE_ARG(r->path), r->has_query ? " ?" : "",
	    SLICE_ARG(r->query));
}

/* long: a table */
static void test_targets(void)
{
	static const struct {
		const char *method, *target, *host; /* NULL: no Host */
		uint8_t version;
		const char *want;
	} rows[] = {
		/* RFC 9112 3.2.1: origin-form */
		{ "GET", "/a", "h", 11, "http h /a" },
		{ "GET", "/a?b=c?d", "H", 11, "http h /a ?b=c?d" },
		{ "GET", "/a?", "h", 20, "http h /a ?" },
		{ "GET", "//h2/a", "h", 11, "http h //h2/a" },
		{ "OPTIONS", "/", "h", 11, "http h /" },
		{ "GET", "/a#b", "h", 11, "bad-target" },
		{ "GET", "/a b", "h", 11, "bad-target" },
		{ "GET", "/a\x7f", "h", 11, "bad-target" },
		{ "GET", "/a\tb", "h", 11, "bad-target" },
		{ "GET", "/\xc3\xa9", "h", 11, "http h /\xc3\xa9" },
		{ "GET", "a", "h", 11, "bad-target" },
		{ "GET", "", "h", 11, "bad-target" },
		/* RFC 9112 3.2.2: absolute-form; ours: Host must agree */
		{ "GET", "http://h/a?b", "h", 11, "http h /a ?b" },
		{ "GET", "HTTP://H:80/a", "h", 11, "http h /a" },
		{ "GET", "http://h", "h", 11, "http h /" },
		{ "GET", "http://h?b", "h", 11, "http h / ?b" },
		{ "GET", "http://h/a", "other", 11, "bad-target" },
		{ "GET", "http://h:81/a", "h", 11, "bad-target" },
		{ "GET", "http://h/a", NULL, 11, "bad-host" },
		{ "GET", "http://h/a", NULL, 10, "http h /a" },
		{ "GET", "https://h/a", "h", 11, "bad-target" },
		{ "GET", "http://user@h/a", "h", 11, "bad-target" },
		{ "GET", "http:///a", "h", 11, "bad-target" },
		{ "GET", "http:/a", "h", 11, "bad-target" },
		{ "GET", "ftp://h/a", "h", 11, "bad-target" },
		/* RFC 9112 3.2.3: authority-form */
		{ "CONNECT", "h:443", "h:443", 11, "http h:443 " },
		{ "CONNECT", "/a", "h", 11, "bad-target" },
		{ "CONNECT", "h:1", "h:2", 11, "bad-target" },
		{ "GET", "h:443", "h:443", 11, "bad-target" },
		/* RFC 9112 3.2.4: asterisk-form */
		{ "OPTIONS", "*", "h", 11, "http h *" },
		{ "OPTIONS", "http://h", "h", 11, "http h *" },
		{ "GET", "*", "h", 11, "bad-target" },
		/* RFC 9112 3.2, RFC 9110 7.2: Host */
		{ "GET", "/", NULL, 11, "bad-host" },
		{ "GET", "/", NULL, 10, "http  /" },
		{ "GET", "/", "", 11, "bad-host" },
		{ "GET", "/", "h:", 11, "http h /" },
		{ "GET", "/", "h:80", 11, "http h /" },
		{ "GET", "/", "h:443", 11, "http h:443 /" },
		{ "GET", "/", "H:8080", 11, "http h:8080 /" },
		{ "GET", "/", "h:080", 11, "bad-host" },
		{ "GET", "/", "h:0", 11, "bad-host" },
		{ "GET", "/", "h:65536", 11, "bad-host" },
		{ "GET", "/", "h:80x", 11, "bad-host" },
		{ "GET", "/", ":80", 11, "bad-host" },
		{ "GET", "/", "u@h", 11, "bad-host" },
		{ "GET", "/", "h/a", 11, "bad-host" },
		{ "GET", "/", "a,b", 11, "bad-host" },
		{ "GET", "/", "a b", 11, "bad-host" },
		{ "GET", "/", "a%41", 11, "bad-host" },
		{ "GET", "/", "192.0.2.1:80", 11, "http 192.0.2.1 /" },
		{ "GET", "/", "[2001:DB8::1]", 11, "http [2001:db8::1] /" },
		{ "GET", "/", "[::1]:8080", 11, "http [::1]:8080 /" },
		{ "GET", "/", "[::1", 11, "bad-host" },
		{ "GET", "/", "[::1%25eth0]", 11, "bad-host" },
		{ "GET", "/", "[]", 11, "bad-host" },
		{ "GET", "/", "[1.2.3.4]", 11, "bad-host" },
		{ "GET", "/", "[::1]x", 11, "bad-host" },
		{ "GET", "/", "::1", 11, "bad-host" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request r = { .method = method_of(slice_str(rows[i].method)),
			.scheme = SL("http"),
			.version = rows[i].version };
		enum err e = target_parse(slice_str(rows[i].target), slice_str(rows[i].host),
		    rows[i].host != NULL, &r, &arena);
		CHECK_SLICE(rows[i].target, told(&r, e), rows[i].want);
	}
}

static void test_paths(void)
{
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "/", "/" },
		{ "/a//b/", "/a//b/" },
		/* RFC 3986 6.2.2.1, 6.2.2.2 */
		{ "/%7euser/%41%2d", "/~user/A-" },
		{ "/a%2fb%5c%00%25%3f", "/a%2Fb%5C%00%25%3F" },
		{ "/%252e%252e/", "/%252e%252e/" },
		{ "/%c3%a9", "/%C3%A9" },
		{ "/100%", "/100%" },
		{ "/%zz%4", "/%zz%4" },
		/* no escape comes from two */
		{ "/%3%33", "/%3%33" },
		{ "/%%33%33", "/%%333" },
		{ "/%/%2e%2e/a", "/a" },
		/* RFC 3986 5.2.4 */
		{ "/a/b/c/./../../g", "/a/g" },
		{ "/a/./b", "/a/b" },
		{ "/a/.", "/a/" },
		{ "/a/..", "/" },
		{ "/a/b/..", "/a/" },
		{ "/..", "/" },
		{ "/../../a", "/a" },
		{ "/a/../..//b", "//b" },
		{ "/a//../b", "/a/b" },
		{ "/.well-known/a", "/.well-known/a" },
		{ "/a/...", "/a/..." },
		{ "/a/%2e%2E/b", "/b" },
		{ "/a/.%2e", "/" },
		{ "/a/..%2fb", "/a/..%2Fb" },
		{ "*", "*" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice path = target_normal_path(slice_str(rows[i].path), &arena);
		CHECK_SLICE(rows[i].path, path, rows[i].want);
		CHECK_SLICE(rows[i].path, target_normal_path(path, &arena), rows[i].want);
	}
	CHECK_SLICE("query", target_normal_query(SL("a=%7e%2f&../b"), &arena), "a=~%2F&../b");
}

static void test_references(void)
{
	static const struct {
		const char *reference, *want; /* NULL: refused */
	} rows[] = {
		/* RFC 3986 5.4.1, base http://a/b/c/d;p?q */
		{ "g", "http a /b/c/g" },
		{ "./g", "http a /b/c/g" },
		{ "g/", "http a /b/c/g/" },
		{ "/g", "http a /g" },
		{ "//G:80", "http g /" },
		{ "?y", "http a /b/c/d;p ?y" },
		{ "g?y", "http a /b/c/g ?y" },
		{ "#s", "http a /b/c/d;p ?q" },
		{ "g#s", "http a /b/c/g" },
		{ ";x", "http a /b/c/;x" },
		{ "", "http a /b/c/d;p ?q" },
		{ ".", "http a /b/c/" },
		{ "..", "http a /b/" },
		{ "../..", "http a /" },
		{ "../../../g", "http a /g" },
		{ "g?y/../x", "http a /b/c/g ?y/../x" },
		{ "http://h", "http h /" },
		{ "https://H:443/x?y", "https h /x ?y" },
		{ "http://h?y", "http h / ?y" },
		{ "g;x=1/../y:z", "http a /b/c/y:z" },
		/* refused */
		{ "g:h", NULL },
		{ "mailto:x@y", NULL },
		{ "http:g", NULL },
		{ "//u@h/", NULL },
		{ "/a b", NULL },
		{ "//", NULL },
	};
	struct request base = {
		.scheme = SL("http"),
		.authority = SL("a"),
		.path = SL("/b/c/d;p"),
		.query = SL("q"),
		.has_query = true,
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request r;
		bool fits = target_resolve(&base, slice_str(rows[i].reference), &arena, &r);
		CHECK(rows[i].reference, fits == (rows[i].want != NULL));
		if (fits && rows[i].want)
			CHECK_SLICE(rows[i].reference, told(&r, ERR_NONE), rows[i].want);
	}
}

static void test_hosts(void)
{
	static const struct {
		const char *authority, *host;
	} rows[] = {
		{ "shop.example", "shop.example" },
		{ "shop.example:8443", "shop.example" },
		{ "shop.example.", "shop.example" },
		{ "shop.example.:80", "shop.example" },
		{ "[::1]", "[::1]" },
		{ "[::1]:80", "[::1]" },
		{ "192.0.2.1:80", "192.0.2.1" },
		{ "", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(
		    rows[i].authority, authority_host(slice_str(rows[i].authority)), rows[i].host);
}

static void test_full_arena(void)
{
	struct arena full;
	struct request r = { .scheme = SL("http"), .version = 11 };
	arena_init(&full, 1);
	CU_ASSERT_EQUAL(target_parse(SL("/"), SL("UPPER"), true, &r, &full), ERR_NO_MEMORY);
	CU_ASSERT_PTR_NULL(target_normal_path(SL("/%41"), &full).at);
	CU_ASSERT_PTR_NULL(target_normal_query(SL("%41"), &full).at);
	arena_fini(&full);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "request targets", test_targets },
		{ "normal paths", test_paths },
		{ "references", test_references },
		{ "hosts", test_hosts },
		{ "a full arena", test_full_arena },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/target", tests);
}
