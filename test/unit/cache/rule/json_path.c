/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/json_path.c"

#include "edge/base/buf.h"
#include "test/unit/edge/http/kit.h"

/* What a path finds, as JSON with a space between; "void" when it is no path or finds too much. */
struct told {
	struct buf text;
	size_t stop_after; /* 0 = never */
	size_t seen;
};

static bool on_found(void *ctx, json_t *value)
{
	struct told *told = ctx;
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	if (told->text.len > 0)
		buf_add_char(&told->text, ' ');
	buf_add(&told->text, slice_str(text));
	free(text);
	return ++told->seen != told->stop_after;
}

static struct slice told_of(const char *path_text, const char *json, size_t stop_after)
{
	struct json_path path;
	struct told told = { .stop_after = stop_after };
	json_t *root = json_text_parse(slice_str(json));
	CHECK(json, root != NULL);
	buf_init(&told.text, 0);
	bool well = json_path_parse(slice_str(path_text), &path) &&
	    json_path_walk(&path, root, on_found, &told);
	struct slice text = well || stop_after ? arena_copy(&arena, buf_slice(&told.text))
					       : SL("void");
	buf_fini(&told.text);
	json_decref(root);
	return text;
}

static void test_walk(void)
{
	static const char json[] = "{\"id\": 7, \"items\": [{\"id\": 1}, {\"id\": \"b\"}, [], {}], "
				   "\"a b\": {\"x-y\": true, \"$.\": null}, \"\": 0}";
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "$.id", "7" },
		{ "$['id']", "7" },
		{ "$[\"id\"]", "7" },
		{ "$.none", "" },
		{ "$.items[*].id", "1 \"b\"" },
		{ "$.items[0]", "{\"id\":1}" },
		{ "$.items[1].id", "\"b\"" },
		{ "$.items[4]", "" },
		{ "$.items.id", "" },
		{ "$.id[0]", "" },
		{ "$.id[*]", "" },
		{ "$['a b'].x-y", "true" },
		{ "$['a b'][*]", "true null" },
		{ "$['a b']['$.']", "null" },
		{ "$['']", "0" },
		/* none that is known here */
		{ "", "void" },
		{ "id", "void" },
		{ "$id", "void" },
		{ "$.", "void" },
		{ "$..id", "void" },
		{ "$.*", "void" },
		{ "$.a b", "void" },
		{ "$[", "void" },
		{ "$[]", "void" },
		{ "$[-1]", "void" },
		{ "$[0", "void" },
		{ "$[*", "void" },
		{ "$[0:2]", "void" },
		{ "$['id", "void" },
		{ "$['id'", "void" },
		{ "$['i\\'d']", "void" },
		{ "$[id]", "void" },
		{ "$[99999999999999999999]", "void" },
		{ "$[?@.id]", "void" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE(rows[i].path, told_of(rows[i].path, json, 0), rows[i].want);
	CHECK_SLICE("the whole", told_of("$", "\"x\"", 0), "\"x\"");
	CHECK_SLICE("stopped", told_of("$[*]", "[1,2,3]", 2), "1 2");
}

static void test_steps(void)
{
	CHECK_SLICE("16 steps", told_of("$.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "{\"a\":1}", 0), "");
	CHECK_SLICE(
	    "17 steps", told_of("$.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "{\"a\":1}", 0), "void");
}

static bool count_found(void *ctx, json_t *value)
{
	*(size_t *)ctx += value != NULL;
	return true;
}

/* An array of so many of one value, commas between. own: buf_fini. */
static struct buf array_of(size_t count, const char *value)
{
	struct buf text;
	buf_init(&text, 0);
	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%c%s", i ? ',' : '[', value);
	buf_add_char(&text, ']');
	return text;
}

static void test_found_limit(void)
{
	for (size_t more = 0; more < 2; more++) {
		struct json_path path;
		size_t found = 0;
		struct buf text = array_of(JSON_PATH_FOUND + more, "1");
		json_t *root = json_text_parse(buf_slice(&text));
		CU_ASSERT_TRUE(json_path_parse(SL("$[*]"), &path));
		CU_ASSERT_EQUAL(json_path_walk(&path, root, count_found, &found), more == 0);
		CU_ASSERT_EQUAL(found, JSON_PATH_FOUND);
		json_decref(root);
		buf_fini(&text);
	}
}

static bool parses(struct slice text)
{
	json_t *root = json_text_parse(text);
	bool well = root != NULL;
	json_decref(root);
	return well;
}

static void test_text(void)
{
	static const struct {
		const char *text;
		bool well;
	} rows[] = {
		{ "{}", true },
		{ " [1.5, \"\\u0000\", null] ", true },
		{ "1", true },
		{ "", false },
		{ "[1,]", false },
		{ "[1] 2", false },
		{ "{\"a\":1", false },
		{ "<html>", false },
		{ "\"\xff\"", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(rows[i].text, parses(slice_str(rows[i].text)) == rows[i].well);
	CU_ASSERT_FALSE(parses(SLICE_NONE));
}

/* Of n objects in an array, n commas and brackets and n braces count, and one. */
static void test_text_limits(void)
{
	for (size_t more = 0; more < 2; more++) {
		struct buf many = array_of(JSON_TEXT_VALUES / 2 - 1 + more, "{}");
		struct buf quoted = array_of(JSON_TEXT_VALUES / 8 + more, "\"[[[[,,,,{{{\\\",\"");
		struct buf large = array_of(1, "1");
		while (large.len < JSON_TEXT_BYTES + more)
			buf_add_char(&large, ' ');
		CU_ASSERT_EQUAL(parses(buf_slice(&large)), more == 0);
		CU_ASSERT_TRUE(parses(buf_slice(&quoted)));
		CU_ASSERT_EQUAL(parses(buf_slice(&many)), more == 0);
		buf_fini(&many);
		buf_fini(&quoted);
		buf_fini(&large);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what paths find", test_walk },
		{ "steps", test_steps },
		{ "values found", test_found_limit },
		{ "text", test_text },
		{ "limits of text", test_text_limits },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/json_path", tests);
}
