/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/scope.c"

#include "test/unit/edge/http/kit.h"

static bool is_in(const char *url, struct scope wanted)
{
	struct scope all[SCOPES_OF_URL];
	size_t count = scopes_of_url(slice_str(url), wanted.kind, all);
	must(count <= SCOPES_OF_URL);
	for (size_t i = 0; i < count; i++)
		if (all[i].kind == wanted.kind && all[i].id == wanted.id)
			return true;
	return false;
}

static bool below(const char *url, const char *host, const char *path)
{
	return is_in(url, scope_prefix(slice_str(host), slice_str(path)));
}

static void test_hosts(void)
{
	CU_ASSERT(is_in("http://shop.example/a", scope_host(SL("shop.example"))));
	CU_ASSERT(is_in("http://shop.example:8080/a", scope_host(SL("shop.example"))));
	CU_ASSERT(is_in("http://shop.example:8080/a", scope_host(SL("SHOP.example:8080"))));
	CU_ASSERT(!is_in("http://shop.example/a", scope_host(SL("shop.example:8080"))));
	CU_ASSERT(!is_in("http://shop.example:81/a", scope_host(SL("shop.example:8080"))));
	CU_ASSERT(!is_in("http://www.shop.example/a", scope_host(SL("shop.example"))));
	CU_ASSERT(is_in("http://[::1]:80/a", scope_host(SL("[::1]"))));
	CU_ASSERT(is_in("http://[::1]/a", scope_host(SL("[::1]"))));
	CU_ASSERT(is_in("http://any/", scope_all()));
}

static void test_prefixes(void)
{
	CU_ASSERT(below("http://s/a/b/c", "s", "/a/b"));
	CU_ASSERT(below("http://s/a/b/c", "s", "/a/b/"));
	CU_ASSERT(below("http://s/a/b", "s", "/a/b/"));
	CU_ASSERT(below("http://s/a/b/", "s", "/a/b"));
	CU_ASSERT(below("http://s/a/b?q=/x", "s", "/a/b"));
	CU_ASSERT(below("http://s/a/b", "s", "/"));
	CU_ASSERT(below("http://s/", "s", "/"));
	CU_ASSERT(below("http://s:81/a/b", "s", "/a"));
	CU_ASSERT(below("http://s:81/a/b", "s:81", "/a"));
	CU_ASSERT(below("http://s/a/b", "", "/a"));
	CU_ASSERT(!below("http://s/a/bc", "s", "/a/b"));
	CU_ASSERT(!below("http://s/a", "s", "/a/b"));
	CU_ASSERT(!below("http://s/a/b", "t", "/a"));
	CU_ASSERT(!below("http://s/b/a", "s", "/a"));
	CU_ASSERT(!below("http://s/x?q=/a/b", "s", "/x?q="));
}

/* Every beginning of a path is found down to the depth that counts, and no more are written. */
static void test_depth(void)
{
	char url[1024] = "http://s:81", path[512] = "";
	for (int i = 0; i < SCOPE_SEGMENTS + 8; i++) {
		strcat(url, "/x");
		if (i < SCOPE_SEGMENTS)
			strcat(path, "/x");
	}
	CU_ASSERT(below(url, "s", path));
	CU_ASSERT(below(url, "s:81", path));
	CU_ASSERT(below(url, "", path));
	strcat(path, "/x");
	CU_ASSERT(!below(url, "s", path));
}

static void test_tags(void)
{
	CU_ASSERT_EQUAL(scope_tag_id(SL("Product-1")), scope_tag_id(SL("product-1")));
	CU_ASSERT_NOT_EQUAL(scope_tag_id(SL("product-1")), scope_tag_id(SL("product-2")));
	uint64_t tag = scope_tag_id(SL("a"));
	CU_ASSERT_NOT_EQUAL(scope_group(SL("s"), tag).id, scope_group(SL("t"), tag).id);
	CU_ASSERT_EQUAL(scope_group(SL("S"), tag).id, scope_group(SL("s"), tag).id);
	/* Longer than a piece: all of it counts. */
	char a[600], b[600];
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	b[599] = 'b';
	CU_ASSERT_NOT_EQUAL(scope_tag_id(slice_of(a, 600)), scope_tag_id(slice_of(b, 600)));
	a[300] = 'A';
	b[599] = 'a';
	CU_ASSERT_EQUAL(scope_tag_id(slice_of(a, 600)), scope_tag_id(slice_of(b, 600)));
}

static void test_urls(void)
{
	CU_ASSERT(is_in("http://s/a?b", scope_url(SL("http://s/a?b"))));
	CU_ASSERT(!is_in("http://s/a?b", scope_url(SL("http://s/a?c"))));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "hosts", test_hosts },
		{ "prefixes", test_prefixes },
		{ "depth", test_depth },
		{ "tags", test_tags },
		{ "URLs", test_urls },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/scope", tests);
}
