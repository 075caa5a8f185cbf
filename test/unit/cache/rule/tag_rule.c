/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/tag_rule.c"

#include "test/unit/edge/http/kit.h"

/* Why a rule is refused, key by key and then as a whole; NULL = it is not. */
static const char *refusal(struct tag_rule rule)
{
	const char *why = check_tag(rule.tag);
	why = why ? why : check_path(rule.path);
	why = why ? why : check_field(rule.field);
	why = why ? why : check_json(rule.json);
	return why ? why : check_rule(&rule);
}

static struct tag_rule rule_of(const char *tag, const char *source)
{
	struct tag_rule rule = { .tag = slice_str(tag) };
	*(*source == '/'         ? &rule.path
		: *source == '$' ? &rule.json
				 : &rule.field) = slice_str(source);
	return rule;
}

static void test_paths(void)
{
	static const struct {
		const char *tag, *pattern, *path, *want; /* NULL: does not match */
	} rows[] = {
		{ "product-{id}", "/products/{id}", "/products/7", "product-7" },
		{ "product-{id}", "/products/{id}", "/products/7/", "product-7" },
		{ "product-{id}", "/products/{id}/", "/products/7", "product-7" },
		{ "product-{id}", "/products/{id}", "/products", NULL },
		{ "product-{id}", "/products/{id}", "/products/", NULL },
		{ "product-{id}", "/products/{id}", "/products//", NULL },
		{ "product-{id}", "/products/{id}", "/products/7/reviews", NULL },
		{ "product-{id}", "/products/{id}", "/shop/7", NULL },
		{ "product-{id}", "/products/{id}", "/Products/7", NULL },
		{ "product-{id}", "/products/{id}", "products/7", NULL },
		{ "product-{id}", "/products/{id}", "*", NULL },
		{ "product-{id}", "/products/{id}", "", NULL },
		{ "{b}/{a}/{b}", "/{a}/x/{b}", "/1/x/%202", "%202/1/%202" },
		{ "{b}", "/{a}/x/{b}", "/1/y/2", NULL },
		{ "t", "/a/{x}/b", "/a/1/b", "t" },
		{ "t", "/a/{x}/b", "/a//b", NULL },
		{ "images", "/img/*", "/img/a/b.png", "images" },
		{ "images", "/img/*", "/img", "images" },
		{ "images", "/img/*", "/img/", "images" },
		{ "images", "/img/*", "/image", NULL },
		{ "img-{*}", "/img/*", "/img/a/b.png", "img-a/b.png" },
		{ "img-{*}", "/img/*", "/img/", NULL },
		{ "{s}:{*}", "/{s}/*", "/a/b/c", "a:b/c" },
		{ "all", "/*", "/", "all" },
		{ "all", "/*", "/a/b", "all" },
		{ "home", "/", "/", "home" },
		{ "home", "/", "/a", NULL },
		{ "x", "X-Ids", "/", NULL },
	};
	struct buf tag;
	buf_init(&tag, 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct tag_rule rule = rule_of(rows[i].tag, rows[i].pattern);
		buf_clear(&tag);
		bool found = tag_rule_of_path(&rule, slice_str(rows[i].path), &tag);
		CHECK(rows[i].path, found == (rows[i].want != NULL));
		if (found)
			CHECK_SLICE(rows[i].path, buf_slice(&tag), rows[i].want);
	}
	buf_fini(&tag);
}

static void test_values(void)
{
	const struct tag_rule rule = rule_of("a-{}-b-{}", "X-Ids");
	struct buf tag;
	buf_init(&tag, 0);
	CU_ASSERT_TRUE(tag_rule_of_value(&rule, SL("7"), &tag));
	CHECK_SLICE("twice", buf_slice(&tag), "a-7-b-7");
	CU_ASSERT_FALSE(tag_rule_of_value(&rule, SL(""), &tag));
	buf_fini(&tag);
}

/* long: a table */
static void test_refused(void)
{
	static const struct {
		const char *tag, *source, *why; /* why: a part of it; NULL = accepted */
	} rows[] = {
		{ "product-{id}", "/products/{id}", NULL },
		{ "p", "/*", NULL },
		{ "p-{*}", "/a/*", NULL },
		{ "p-{}", "$.a[*].b", NULL },
		{ "p-{}", "X-Ids", NULL },
		{ "", "/", "is no tag" },
		{ "a{", "/", "brace" },
		{ "a}", "/", "brace" },
		{ "a}b{c}", "/{c}", "brace" },
		{ "{a{b}}", "/{a}", "brace" },
		{ "{a", "/{a}", "brace" },
		{ "p", "/a?b", "query" },
		{ "p", "/a#b", "query" },
		{ "p", "/p-{id}", "within a segment" },
		{ "p", "/{}", "within a segment" },
		{ "p", "/{{a}}", "within a segment" },
		{ "p", "/{a", "within a segment" },
		{ "p", "/a*", "\"*\"" },
		{ "p", "/*/a", "\"*\"" },
		{ "p", "/{*}", "\"*\"" },
		{ "p", "/{a*}", "\"*\"" },
		{ "p", "/{a}/{b}/{a}", "twice" },
		{ "p", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}", NULL },
		{ "p", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/*",
		    "more than 16" },
		{ "p", "X Ids", "not a field name" },
		{ "p-{}", "$..a", "not a path" },
		{ "p-{id}", "/products", "path does not fill" },
		{ "p-{}", "/products/{id}", "path does not fill" },
		{ "p-{*}", "/products/{id}", "path does not fill" },
		{ "p-{id}", "$.id", "has no name" },
		{ "p", "$.id", "has no name" },
		{ "p", "X-Ids", "has no name" },
		{ "p-{}-{id}", "X-Ids", "has no name" },
		{ "p", "", "has no source" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *why = refusal(rule_of(rows[i].tag, rows[i].source));
		CHECK(rows[i].source, (why != NULL) == (rows[i].why != NULL));
		CHECK(why ? why : "", !why || strstr(why, rows[i].why) != NULL);
	}
	struct tag_rule two = rule_of("p-{}", "$.id");
	two.field = SL("X-Ids");
	CHECK("two sources", strstr(refusal(two), "more than one source") != NULL);
	CHECK("a path of no kind", strstr(check_path(SL("products")), "does not begin") != NULL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "paths", test_paths },
		{ "values", test_values },
		{ "what is refused", test_refused },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/tag_rule", tests);
}
