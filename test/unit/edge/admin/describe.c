/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as JSON: every kind, moments, values of a variant. */
#include "edge/admin/describe.c"

#include <jansson.h>

#include "test/unit/cache/samples.h"

/* own: json_decref. */
static json_t *described(const struct sight *sight, struct wall now)
{
	struct buf text;
	buf_init(&text, 0);
	describe(&text, sight, now);
	json_t *got = json_loadb(text.at, text.len, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	buf_fini(&text);
	return got;
}

static bool is_text(const json_t *object, const char *name, const char *text)
{
	const char *got = json_string_value(json_object_get(object, name));
	return got && strcmp(got, text) == 0;
}

static void test_states(void)
{
	struct life life = {
		.fresh_until = { 10 },
		.swr_until = { 20 },
		.sie_until = { 30 },
		.keep_until = { 40 },
	};
	static const struct {
		int64_t now;
		const char *state;
	} rows[] = {
		{ 9, "fresh" },
		{ 10, "stale-while-revalidate" },
		{ 19, "stale-while-revalidate" },
		{ 20, "stale-if-error" },
		{ 30, "stale" },
		{ 40, "gone" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT_STRING_EQUAL(
		    describe_state(&life, (struct wall){ rows[i].now }), rows[i].state);
	life.no_cache = true;
	CU_ASSERT_STRING_EQUAL(describe_state(&life, (struct wall){ 9 }), "validate");
}

static void test_answer(void)
{
	struct object *o = sample_object(1, 100);
	o->life.born = (struct wall){ 1795000000123 };
	o->life.fresh_until = (struct wall){ 1795000010000 };
	o->hits = 7;
	struct catalog_item item = { o, 100, 0x10000000004, false };
	json_t *got = described(&(struct sight){ .hot = o, .cold = &item, .is_overtaken = true },
	    (struct wall){ 1795000005500 });
	CU_ASSERT(is_text(got, "url", "http://sample.example/1"));
	CU_ASSERT(is_text(got, "state", "fresh"));
	CU_ASSERT(is_text(got, "born", "2026-11-18T11:06:40.123Z"));
	CU_ASSERT(json_is_null(json_object_get(got, "keep_until"))); /* for ever */
	CU_ASSERT(is_text(got, "etag", "\"sample\""));
	CU_ASSERT(is_text(got, "disk_place", "0000010000000004"));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(got, "age_seconds")), 5);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(got, "hits")), 7);
	CU_ASSERT(json_is_true(json_object_get(got, "is_overtaken")));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(got, "tiers")), 2);
	json_decref(got);
	got = described(&(struct sight){ .cold = &item }, (struct wall){ 0 });
	CU_ASSERT_PTR_NULL(json_object_get(got, "hits"));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(got, "tiers")), 1);
	json_decref(got);
	object_unref(&o);
}

static void test_variant(void)
{
	struct key key = { SL("http://a/x\n:d\"e\n\n"), sample_hash(1) };
	struct object *o = object_new(OBJECT_ANSWER, key,
	    (struct object_texts){ .spec = SL("accept-language,foo"), .values = SL(":d\"e\n\n") },
	    0);
	o->body = sample_body(1, 1);
	json_t *got = described(&(struct sight){ .hot = o }, (struct wall){ 0 });
	CU_ASSERT(is_text(got, "url", "http://a/x"));
	json_t *values = json_object_get(got, "values");
	CU_ASSERT(is_text(values, "accept-language", "d\"e"));
	CU_ASSERT(json_is_null(json_object_get(values, "foo")));
	json_decref(got);
	object_unref(&o);
}

static void test_markers(void)
{
	struct key key = { SL("http://a/x"), sample_hash(1) };
	struct object *o = object_new(
	    OBJECT_VARY, key, (struct object_texts){ .spec = SL("foo") }, 2);
	json_t *got = described(&(struct sight){ .hot = o }, (struct wall){ 0 });
	CU_ASSERT(is_text(got, "kind", "vary") && is_text(got, "vary", "foo"));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(got, "variants")), 2);
	json_decref(got);
	object_unref(&o);
	o = object_new(OBJECT_PASS, key, (struct object_texts){ 0 }, 0);
	o->reason = REASON_PRIVATE;
	got = described(&(struct sight){ .hot = o }, (struct wall){ 0 });
	CU_ASSERT(is_text(got, "kind", "uncacheable") && is_text(got, "reason", "private"));
	json_decref(got);
	object_unref(&o);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "states", test_states },
		{ "answer", test_answer },
		{ "variant", test_variant },
		{ "markers", test_markers },
		CU_TEST_INFO_NULL,
	};
	return run_tests("edge/admin/describe", tests);
}
