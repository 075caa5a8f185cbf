/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/tags.c"

#include "test/unit/edge/http/kit.h"

static struct slice names[] = { { "Surrogate-Key", 13 }, { "Cache-Tag", 9 }, { "xkey", 4 },
	{ "Edge-Cache-Tag", 14 }, { "Cache-Groups", 12 }, { "X-Magento-Tags", 14 }, { "X-My", 4 } };

static struct tag_rule rules[4];

/* The fields above and no rules, or as many as said. */
static struct tag_policy policy_of(size_t rule_count)
{
	return (struct tag_policy){
		.fields = { names, COUNT_OF(names) },
		.max_bytes = 64 * KIB,
		.rules = { rules, rule_count },
	};
}

/* Tags as a text with '|' between; "lost" when they are too many. */
static struct slice shown(bool whole, struct slice tags)
{
	if (!whole)
		return SL("lost");
	struct slice copy = arena_copy(&arena, tags);
	char *at = arena_bytes(&arena, copy.len + 1);
	for (size_t i = 0; i < copy.len; i++)
		at[i] = copy.at[i] == '\n' ? '|' : copy.at[i];
	return slice_of(at, copy.len);
}

static struct slice told(const struct tag_policy *policy, const char *lines, const char *path)
{
	const struct response r = { .status = 200, .fields = kit_fields(lines) };
	struct slice tags = SL("untouched");
	bool whole = tags_of(policy, &r, slice_str(path), &arena, &tags);
	return shown(whole, tags);
}

static struct slice told_json(
    const struct tag_policy *policy, struct slice body, const char *so_far)
{
	struct slice tags = SL("untouched");
	role_worker();
	bool whole = tags_of_json(policy, body, slice_str(so_far), &arena, &tags);
	return shown(whole, tags);
}

static void test_fields(void)
{
	static const struct {
		const char *fields, *want;
	} rows[] = {
		{ "", "" },
		{ "Content-Type: a\n", "" },
		{ "Surrogate-Key: a  b\tc \n", "a|b|c" },
		{ "surrogate-key: a,b\n", "a,b" },
		{ "Surrogate-Key: a b\nSurrogate-Key: c\n", "a|b|c" },
		{ "xkey: a b\nX-My: c d\n", "a|b|c|d" },
		{ "Cache-Tag: a, b c ,,d\n", "a|b c|d" },
		{ "Edge-Cache-Tag: a,b\nEDGE-CACHE-TAG: c\n", "a|b|c" },
		{ "X-Magento-Tags: a,b\n", "a|b" },
		{ "Cache-Tag: a\"b, c\n", "a\"b|c" },
		/* the same tag once, whatever its case, as it came first */
		{ "Surrogate-Key: Ab c aB\nCache-Tag: AB, C, d\n", "Ab|c|d" },
		/* in the order of the setting, then as they came */
		{ "Cache-Tag: b\nSurrogate-Key: a\n", "a|b" },
		/* no control bytes; what is not ASCII may be */
		{ "Surrogate-Key: a\x01 b \x7f c\x1f"
		  "d \xc3\xa4\n",
		    "b|\xc3\xa4" },
		{ "Cache-Tag: a\tb, c\n", "c" },
		/* RFC 9875 2 */
		{ "Cache-Groups: \"a\", \"b c\";x, \"d\\\"e\"\n", "a|b c|d\"e" },
		{ "Cache-Groups: \"a\"\nCache-Groups: \"b\"\n", "a|b" },
		{ "Cache-Groups: a, \"b\"\n", "" },
		{ "Cache-Groups: \"a\", 1\n", "" },
		{ "Cache-Groups: \"a\",\nSurrogate-Key: k\n", "k" },
		{ "Cache-Groups: \"a\", \"\"\n", "a" },
		{ "Cache-Groups:\n", "" },
	};
	const struct tag_policy policy = policy_of(0);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].fields, told(&policy, rows[i].fields, "/"), rows[i].want);
	const struct tag_policy none = { .max_bytes = 256 };
	CHECK_SLICE("no fields", told(&none, "Cache-Tag: a\n", "/"), "");
}

static void test_rules(void)
{
	rules[0] = (struct tag_rule){ .tag = SL("p-{id}"), .path = SL("/p/{id}") };
	rules[1] = (struct tag_rule){ .tag = SL("f-{}"), .field = SL("X-Ids") };
	rules[2] = (struct tag_rule){ .tag = SL("j-{}"), .json = SL("$.id") };
	rules[3] = (struct tag_rule){ .tag = SL("shop"), .path = SL("/*") };
	static const struct {
		const char *fields, *path, *want;
	} rows[] = {
		{ "", "/p/7", "p-7|shop" },
		{ "Surrogate-Key: a P-7\n", "/p/7", "a|P-7|shop" },
		{ "x-ids: 1, 2,,1\nX-Ids: 3\n", "/", "f-1|f-2|f-3|shop" },
		{ "X-Ids: ,\n", "/", "shop" },
		{ "X-Ids: 1\x02, 2\n", "/", "f-2|shop" },
	};
	const struct tag_policy policy = policy_of(4);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(
		    rows[i].fields, told(&policy, rows[i].fields, rows[i].path), rows[i].want);
}

/* Distinct tags "t0001 t0002 ...". */
static const char *many_tags(size_t count)
{
	struct slice text = SL("Surrogate-Key: ");
	char *at = arena_bytes(&arena, text.len + count * 6 + 2), *end = at + text.len;
	memcpy(at, text.at, text.len);
	for (size_t i = 0; i < count; i++)
		end += sprintf(end, "t%04zu ", i);
	memcpy(end, "\n", 2);
	return at;
}

/* 5 bytes a tag, and one between. */
static void test_limit(void)
{
	struct tag_policy policy = policy_of(0);
	const char *text = many_tags(5000);
	struct slice tags = told(&policy, text, "/");
	CU_ASSERT_EQUAL(tags.len, 5000 * 6 - 1);
	policy.max_bytes = 5000 * 6 - 1;
	CU_ASSERT_EQUAL(told(&policy, text, "/").len, policy.max_bytes);
	policy.max_bytes--;
	CHECK_SLICE("a byte too many", told(&policy, text, "/"), "lost");
	/* What a rule makes is lost, too, even when one that fits comes after it. */
	rules[0] = (struct tag_rule){ .tag = SL("aaaaaaaa-{*}"), .path = SL("/a/*") };
	rules[1] = (struct tag_rule){ .tag = SL("b"), .path = SL("/*") };
	rules[2] = (struct tag_rule){ .tag = SL("f-{}"), .field = SL("X-Ids") };
	policy = policy_of(3);
	policy.max_bytes = 10;
	CHECK_SLICE("of a path", told(&policy, "X-Ids: 1\n", "/a/bb"), "lost");
	CHECK_SLICE("of a field", told(&policy, "X-Ids: 123456789, 1\n", "/"), "lost");
	CHECK_SLICE("neither", told(&policy, "X-Ids: 1\n", "/"), "b|f-1");
}

static void test_full_arena(void)
{
	const struct response r = { .fields = kit_fields("Surrogate-Key: aa bb\n") };
	const struct tag_policy policy = policy_of(0);
	struct arena full;
	struct slice tags = SL("untouched");
	arena_init(&full, 3);
	CU_ASSERT_FALSE(tags_of(&policy, &r, SL("/"), &full, &tags));
	CHECK_SLICE("set on success only", tags, "untouched");
	arena_fini(&full);
}

static void test_json(void)
{
	rules[0] = (struct tag_rule){ .tag = SL("p-{}"), .json = SL("$.items[*].id") };
	rules[1] = (struct tag_rule){ .tag = SL("p-{id}"), .path = SL("/p/{id}") };
	rules[2] = (struct tag_rule){ .tag = SL("b-{}"), .json = SL("$.brand") };
	static const struct {
		const char *body, *so_far, *want;
	} rows[] = {
		{ "{\"items\": [{\"id\": 1}, {\"id\": \"x y\"}], \"brand\": \"B\"}", "",
		    "p-1|p-x y|b-B" },
		{ "{\"items\": [{\"id\": 1}, {\"id\": 2}]}", "a\nP-1", "a|P-1|p-2" },
		{ "{\"items\": [{\"id\": -5}, {\"id\": 0.1}, {\"id\": 9007199254740993}]}", "",
		    "p--5|p-0.1|p-9007199254740993" },
		{ "{\"items\": [{\"id\": true}, {\"id\": null}, {\"id\": \"\"}, {\"id\": [7]}]}",
		    "", "" },
		{ "{\"items\": [{\"id\": \"a\\nb\"}, {\"id\": \"\\u0000\"}, {\"id\": \"\\u00e4\"}]}",
		    "", "p-\xc3\xa4" },
		{ "[]", "a", "a" },
		{ "1", "", "" },
		{ "{\"items\": [", "a", "lost" },
		{ "", "a", "lost" },
		{ "<html>", "a", "lost" },
	};
	struct tag_policy policy = policy_of(3);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].body,
		    told_json(&policy, slice_str(rows[i].body), rows[i].so_far), rows[i].want);
	policy.max_bytes = 7;
	struct slice body = SL("{\"items\": [{\"id\": 1}, {\"id\": 2}]}");
	CHECK_SLICE("as much as fits", told_json(&policy, body, ""), "p-1|p-2");
	CHECK_SLICE("more", told_json(&policy, body, "a"), "lost");
	CHECK_SLICE("a long value, then a short one",
	    told_json(&policy, SL("{\"items\": [{\"id\": \"123456\"}], \"brand\": 1}"), ""),
	    "lost");
}

static void test_join(void)
{
	struct tag_policy policy = policy_of(0);
	struct slice got = SLICE_NONE;
	CU_ASSERT(tags_join(&policy, SL("a\nb"), SL("b\nc\na"), &arena, &got));
	CHECK_SLICE("each once", got, "a\nb\nc");
	CU_ASSERT(tags_join(&policy, SL(""), SL("c"), &arena, &got));
	CHECK_SLICE("one of them empty", got, "c");
	policy.max_bytes = 3;
	CU_ASSERT(tags_join(&policy, SL("a\nb"), SL("a"), &arena, &got));
	CU_ASSERT_FALSE(tags_join(&policy, SL("a\nb"), SL("c"), &arena, &got));
	CHECK_SLICE("too much", got, "a\nb");
}

static bool needs_body(const struct tag_policy *policy, const char *lines)
{
	const struct response r = { .fields = kit_fields(lines) };
	return tags_need_body(policy, &r);
}

static void test_need(void)
{
	static const struct {
		const char *fields;
		bool want;
	} rows[] = {
		{ "Content-Type: application/json\n", true },
		{ "Content-Type: Application/LD+JSON ; charset=utf-8\n", true },
		{ "Content-Type: text/html\n", false },
		{ "Content-Type: application/jsonl\n", false },
		{ "Content-Type: json\n", false },
		{ "Content-Type: text/plain; x=a/json\n", false },
		{ "", false },
	};
	rules[0] = (struct tag_rule){ .tag = SL("p-{id}"), .path = SL("/p/{id}") };
	rules[1] = (struct tag_rule){ .tag = SL("p-{}"), .json = SL("$.id") };
	const struct tag_policy with = policy_of(2), without = policy_of(1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CHECK(rows[i].fields, needs_body(&with, rows[i].fields) == rows[i].want);
		CHECK(rows[i].fields, !needs_body(&without, rows[i].fields));
	}
}

static void test_strip(void)
{
	struct tag_policy policy = policy_of(0);
	struct fields f = kit_fields("ETag: a\nsurrogate-key: b\nCache-Groups: c\nXKEY: d\n"
				     "Surrogate-Key: e\nX-Other: f\n");
	policy.forward = true;
	tags_strip(&policy, &f);
	CU_ASSERT_EQUAL(f.count, 6);
	policy.forward = false;
	tags_strip(&policy, &f);
	CU_ASSERT_EQUAL(f.count, 2);
	CU_ASSERT(fields_find(&f, FIELD_ETAG) && fields_find_name(&f, SL("X-Other")));
}

static void test_count(void)
{
	struct slice rest = SL("a\nbc\nd"), tag;
	CU_ASSERT_EQUAL(tags_count(SLICE_NONE), 0);
	CU_ASSERT_EQUAL(tags_count(SL("a")), 1);
	CU_ASSERT_EQUAL(tags_count(rest), 3);
	CU_ASSERT(tags_take(&rest, &tag) && slice_eq(tag, SL("a")));
	CU_ASSERT(tags_take(&rest, &tag) && slice_eq(tag, SL("bc")));
	CU_ASSERT(tags_take(&rest, &tag) && slice_eq(tag, SL("d")));
	CU_ASSERT_FALSE(tags_take(&rest, &tag));
}

/* Two whose numbers have the same low bits, and the number that marks a free place. */
static void test_numbers(void)
{
	const struct tag_policy policy = policy_of(0);
	struct gathering g;
	struct slice unused;
	gathering_init(&g, &policy);
	CU_ASSERT_TRUE_FATAL(widen_ids(&g));
	const uint64_t ids[] = { 0, 64, 128, 1u << 20, 7 };
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		CU_ASSERT_TRUE(put_id(&g, ids[i]));
	g.id_count = g.id_cap;
	CU_ASSERT_TRUE(widen_ids(&g));
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		CU_ASSERT_FALSE(put_id(&g, ids[i]));
	CU_ASSERT_TRUE(gathering_take(&g, &arena, &unused));
}

static void test_names(void)
{
	CU_ASSERT_PTR_NULL(check_name(SL("Surrogate-Key")));
	CU_ASSERT_PTR_NOT_NULL(check_name(SL("a b")));
	CU_ASSERT_PTR_NOT_NULL(check_name(SL("")));
	CU_ASSERT_PTR_NOT_NULL(check_name(SL("etag")));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "fields", test_fields },
		{ "rules of heads", test_rules },
		{ "max-bytes", test_limit },
		{ "a full arena", test_full_arena },
		{ "rules of bodies", test_json },
		{ "which need bodies", test_need },
		{ "joining", test_join },
		{ "stripping", test_strip },
		{ "counting", test_count },
		{ "numbers", test_numbers },
		{ "names of fields", test_names },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/tags", tests);
}
