/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/key.c"

#include "test/unit/edge/http/kit.h"

static const struct hash_secret secret = { { 7 } };

static struct request request_of(const char *path, const char *query)
{
	return (struct request){
		.scheme = SL("http"),
		.authority = SL("h"),
		.path = slice_str(path),
		.query = slice_str(query),
		.has_query = query != NULL,
	};
}

static struct conf_strings strings(const char *words)
{
	struct conf_strings s = { arena_alloc(&arena, 8 * sizeof(struct slice)), 0 };
	struct slice list = slice_str(words);
	while (slice_take_member(&list, &s.at[s.count]))
		s.count++;
	return s;
}

static void test_text(void)
{
	static const struct {
		const char *path, *query;
		bool sort;
		const char *drop, *keep, *want;
	} rows[] = {
		/* RFC 9111 2; RFC 3986 6.2.2 */
		{ "/", NULL, true, "", "", "http://h/" },
		{ "/%7ea/../b", "x=%2f%41", false, "", "", "http://h/b?x=%2FA" },
		{ "/", "", true, "a", "", "http://h/?" },
		/* sorted by name; what is equal keeps its order */
		{ "/", "b=1&a=2", false, "", "", "http://h/?b=1&a=2" },
		{ "/", "b=1&a=2", true, "", "", "http://h/?a=2&b=1" },
		{ "/", "a=2&b=1&a=1&a", true, "", "", "http://h/?a=2&a=1&a&b=1" },
		{ "/", "ab=1&a=2", true, "", "", "http://h/?a=2&ab=1" },
		{ "/", "%62=1&a=2", true, "", "", "http://h/?a=2&b=1" },
		{ "/", "b&&a&", true, "", "", "http://h/?&&a&b" },
		/* filtered */
		{ "/", "utm_a=1&b=2&utm_=3&utm=4", false, "utm_*, c", "", "http://h/?b=2&utm=4" },
		{ "/", "a=1&c", false, "utm_*, c", "", "http://h/?a=1" },
		{ "/", "c", false, "c", "", "http://h/" },
		{ "/", "%63=1", false, "c", "", "http://h/" },
		{ "/", "a=1&b=2&cx=3", false, "", "a, c*", "http://h/?a=1&cx=3" },
		{ "/", "b=2&a=1", true, "b", "a, b", "http://h/?a=1" },
		{ "/", "a=1&b=2", false, "*", "", "http://h/" },
		{ "*", NULL, true, "", "", "http://h*" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cache_policy policy = { .query_sort = rows[i].sort };
		struct request r = request_of(rows[i].path, rows[i].query);
		policy.query_drop = strings(rows[i].drop);
		policy.query_keep = strings(rows[i].keep);
		struct key key = key_make(&r, &policy, secret, &arena);
		CHECK_SLICE(rows[i].want, key.text, rows[i].want);
		CHECK(rows[i].want, hash128_eq(key.hash, hash_siphash(secret, key.text)));
		/* what goes to the origin is of the same key */
		struct key again = key_make(&r, &policy, secret, &arena);
		CHECK_SLICE(rows[i].want, again.text, rows[i].want);
	}
}

static void test_no_copies(void)
{
	struct request r = request_of("/a/b", "a=1&b=2"), before = r;
	struct cache_policy policy = { .query_sort = true };
	key_make(&r, &policy, secret, &arena);
	CU_ASSERT_PTR_EQUAL(r.path.at, before.path.at);
	CU_ASSERT_PTR_EQUAL(r.query.at, before.query.at);
}

static void test_references(void)
{
	static const struct {
		const char *reference, *want;
	} rows[] = {
		/* RFC 9111 4.4: of the same origin only */
		{ "/x", "http://h/x" },
		{ "x?b&a", "http://h/a/x?a&b" },
		{ "http://H:80/x", "http://h/x" },
		{ "http://h:81/x", NULL },
		{ "https://h/x", NULL },
		{ "//other/x", NULL },
		{ "mailto:x", NULL },
	};
	struct cache_policy policy = { .query_sort = true };
	struct request base = request_of("/a/b", NULL);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct key key;
		bool same = key_of_reference(
		    &base, slice_str(rows[i].reference), &policy, secret, &arena, &key);
		CHECK(rows[i].reference, same == (rows[i].want != NULL));
		if (same && rows[i].want)
			CHECK_SLICE(rows[i].reference, key.text, rows[i].want);
	}
}

static void test_variants(void)
{
	struct cache_policy policy = { .enabled = true };
	struct request r = request_of("/", NULL);
	struct key primary = key_make(&r, &policy, secret, &arena);
	struct key one = key_of_variant(primary, SL(":gzip\n"), secret, &arena);
	struct key two = key_of_variant(primary, SL("\n"), secret, &arena);
	CHECK_SLICE("variant", one.text, "http://h/\n:gzip\n");
	CU_ASSERT_FALSE(hash128_eq(one.hash, two.hash));
	CU_ASSERT_FALSE(hash128_eq(one.hash, primary.hash));
}

/* What key_make wrote is taken apart into what it was made of. */
static void test_back(void)
{
	static const char *const rows[] = { "http://h/", "https://h.example:8443/a/b%2Fc",
		"http://h/?", "http://h/?a=://?&b", "http://[::1]/a?b=/", "http:///x" };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cache_policy policy = { 0 };
		struct request r;
		CHECK(rows[i], key_request(slice_str(rows[i]), &r) && r.method == METHOD_GET);
		CHECK_SLICE(rows[i], key_make(&r, &policy, secret, &arena).text, rows[i]);
	}
	struct request r;
	CU_ASSERT_FALSE(key_request(SL("http://h"), &r));
	CU_ASSERT_FALSE(key_request(SL("h/"), &r));
	CU_ASSERT_FALSE(key_request(SLICE_NONE, &r));
}

static void test_full_arena(void)
{
	struct arena full;
	struct cache_policy policy = { .query_sort = true };
	for (size_t max = 1; max < 3; max++) {
		struct request r = request_of("/%41", "b&a");
		arena_init(&full, max);
		CU_ASSERT_EQUAL(key_make(&r, &policy, secret, &full).text.len, 0);
		arena_fini(&full);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "text", test_text },
		{ "no copies", test_no_copies },
		{ "references", test_references },
		{ "variants", test_variants },
		{ "and back", test_back },
		{ "a full arena", test_full_arena },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/key", tests);
}
